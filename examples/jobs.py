"""Progress of background jobs: a page starts one, another process works on it and tells how far it is.

make run EXAMPLE=jobs
"""

import uuid

from examples.page import page
from roost import Channel, Endpoint, Ok, Socket, event

QUEUE = "jobs:queue"


class JobSocket(Socket):
    """Everybody may."""


class JobChannel(Channel[JobSocket]):
    @event("start")
    async def start(self, payload: dict):
        job = uuid.uuid4().hex[:8]
        # A task queue stands here: `task.delay(job)` of Celery, say.
        await self.endpoint.broadcast(QUEUE, "work", {"job": job, "page": self.topic})
        return Ok({"job": job})


class QueueChannel(Channel[JobSocket]):
    """What workers join, to be given work."""


JobSocket.route(QUEUE, QueueChannel)
JobSocket.route("jobs:*", JobChannel)
endpoint = Endpoint(sockets={"/socket": JobSocket}, app=page("jobs.html"))
