"""A worker of `examples.jobs`: is given jobs, and tells whoever waits how far it is, from a process of its own.

python -m examples.jobs_worker, beside a node that serves them; `make run EXAMPLE=jobs` starts both
"""

import asyncio
import os
from contextlib import suppress

from examples.jobs import QUEUE
from roost import SyncPubSub
from roost.client import ChannelEnded, open_connection

STEPS = 20


def work(pubsub, job, page):
    """Pretends to do something, as a Celery task would: in code that is not async."""
    import time

    for step in range(1, STEPS + 1):
        time.sleep(0.1)
        pubsub.broadcast(page, "progress", {"job": job, "percent": 100 * step // STEPS}, key=f"{job} {step}")


async def main():
    url = f"ws://localhost:{os.environ.get('ROOST_PORT', '4000')}/socket"
    with SyncPubSub() as pubsub:
        while True:
            with suppress(OSError, ChannelEnded):  # the node is not there, not yet or not any more
                async with open_connection(url) as connection:
                    queue = await connection.join(QUEUE)
                    print("waiting for jobs", flush=True)  # noqa: T201 - it runs in a terminal
                    async for message in queue:
                        await asyncio.to_thread(work, pubsub, **message.payload)
            await asyncio.sleep(0.5)


if __name__ == "__main__":
    asyncio.run(main())
