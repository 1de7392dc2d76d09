"""What the channels of one worker run on: its number, its loop's clock and timers, its bus. No decisions here."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from roost.gateway.bus.nodes import Nodes
from roost.gateway.bus.worker_inbox import WorkerInbox
from roost.gateway.clients.calls import Calls
from roost.gateway.clients.eager import Runner
from roost.gateway.connect.expiring import Expiring
from roost.gateway.connect.rates import RateLimiter
from roost.gateway.inspection.recent_events import RecentEvents
from roost.gateway.transports.drops import Drops
from roost.gateway.transports.turn import Turn
from roost.shared.bus import Form, Reach
from roost.shared.crossing import Crossing, encode_direct
from roost.shared.topics import BRIDGE

if TYPE_CHECKING:
    from roost.gateway.bus.bus import Bus
    from roost.gateway.clients.channel_mailbox import ChannelMailbox
    from roost.gateway.clients.client import Client
    from roost.gateway.clients.raw_connection import RawConnection
    from roost.gateway.connect.mount import Mount
    from roost.gateway.endpoint import Endpoint
    from roost.gateway.inspection.tracer import Tracer
    from roost.gateway.presence.replica import Replica


class Runtime:
    """One worker's surroundings, as its clients and channels see them."""

    def __init__(
        self,
        worker: int,
        endpoint: "Endpoint",
        loop: asyncio.AbstractEventLoop,
        turn: Turn,
        uplink: "Bus",
        node: str = "local",
    ) -> None:
        self.worker = worker
        self.nodes = Nodes(node)
        self.endpoint = endpoint
        self.telemetry = endpoint.telemetry
        self.turn = turn
        self.uplink = uplink
        self.runner = Runner(loop)
        self.inbox = WorkerInbox(self)
        self.calls = Calls(self)
        self.drops = Drops()
        self.recent = RecentEvents()
        self.expiring = Expiring(self)
        self.tracer: Tracer | None = None
        """Who is told what clients and channels do, while a trace is on."""
        self.clients: dict[int, Client | RawConnection] = {}
        """Connected clients by the number of their socket."""
        self.ending: set[ChannelMailbox] = set()
        """Channels whose end takes time: the worker waits for them before it goes."""
        self.presences: list[Replica] = []
        """The worker's replicas of the presences that its endpoint serves."""
        self._limiters: dict[str, RateLimiter] = {}
        self._loop = loop
        self._numbers = count(1)

    def rate_limiter(self, mount: "Mount") -> RateLimiter:
        """What counts how often clients of a mount do things here."""
        limiter = self._limiters.get(mount.path)
        if limiter is None:
            assert mount.rates is not None
            limiter = self._limiters[mount.path] = RateLimiter(mount.rates)
        return limiter

    def next_number(self) -> int:
        """A number for a socket or a mailbox; never given twice."""
        return next(self._numbers)

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return self._loop.time()

    def note(self, socket: int, event: str, topic: str | None = None) -> None:
        """Something happened to a socket that whoever looks into it later may want to know."""
        self.recent.note(self.uplink.ticked, socket, event, topic)
        if self.tracer is not None:
            self.tracer.noted(socket, event, topic)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call once, after so many seconds."""
        return self._loop.call_later(seconds, callback)

    async def publish(
        self,
        topic: str,
        form: Form,
        event: str,
        payload: bytes,
        sender: int = 0,
        reach: Reach = Reach.CLUSTER,
    ) -> None:
        """Publish to the subscribers of a topic, in program order if it is a channel's code that does."""
        channel = self.runner.owner
        number = self.uplink.publish_now(topic, form, event, payload, sender, reach)
        if not number:
            number = await self.uplink.publish(topic, form, event, payload, sender, reach)
        if channel is not None and form != Form.PLAIN:
            channel.published_elsewhere(topic, number)

    async def publish_to(self, node: str, topic: str, form: Form, event: str, payload: bytes) -> None:
        """Publish to the subscribers of one node. Raises UnknownNode."""
        if self.nodes.is_own(node):
            await self.publish(topic, form, event, payload, reach=Reach.NODE)
        else:
            direct = encode_direct(node, Crossing(topic, form, event, payload))
            await self.publish(BRIDGE, Form.PLAIN, "", direct, reach=Reach.NODE)
