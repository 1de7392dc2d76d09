"""Runs one raw socket: one thing at a time, in order, while what comes waits; where its code crashes, it ends."""

import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from websockets.exceptions import ProtocolError
from websockets.frames import Close

from roost.gateway.clients.channel_extras import ChannelExtras, Timer
from roost.gateway.clients.closing_reasons import CLOSED, closing_reason
from roost.gateway.letters import Broadcast, open_letter
from roost.gateway.raw_socket import RawSocket
from roost.gateway.transports.transport import Transport
from roost.gateway.transports.when_slow import WhenSlow
from roost.shared.bus import Lane
from roost.shared.frames import MAX_CONTROL_BYTES, CloseCode, Control, binary_frame, ping_frame, text_frame
from roost.shared.phash2 import hash32
from roost.shared.topics import application_topic

if TYPE_CHECKING:
    import asyncio

    from roost.gateway.clients.runtime import Runtime
    from roost.shared.peer.audience import Subscription

MAX_HELD_BACK_BYTES: Final = 256 * 1024
"""Bytes of one client's messages that wait; beyond them it is not read from."""
MESSAGE_BYTES: Final = 128
"""What a message takes beside its payload, about."""
MAX_MAILBOX: Final = 10_000
"""Messages of topics and timers that wait; with one more the connection is closed with 1011."""
MAX_WORK_A_TURN: Final = 64
"""Waiting things that are handled in one turn of the loop; others come first then."""
SHUTDOWN_LIMIT: Final = 5.0
"""Seconds that a method under way has when its client is gone; then it is cancelled."""
DISCONNECT: Final = "disconnect"
"""The event that, broadcast on a socket's id, closes its connection."""

Method = Callable[[], Coroutine[Any, Any, Any]]

_log = logging.getLogger("roost.raw_socket")


class RawConnection:
    """A raw socket's state and mailbox, on whatever transport it is connected by."""

    __slots__ = (
        *("_by_id", "_emptying", "_extras", "_held_back", "_hash", "_infos", "_mailbox", "_runtime", "_task"),
        *("_terminating", "busy", "closed_by", "since", "socket", "transport"),
    )

    topics: Mapping[str, Any] = MappingProxyType({})
    """A raw socket has no channels."""
    heartbeat: ClassVar[None] = None
    """And no heartbeats."""

    def __init__(self, runtime: "Runtime", socket: RawSocket, transport: Transport) -> None:
        self.socket = socket
        self.transport = transport
        self.closed_by: str | None = None
        """Why the connection is over; None while it stands."""
        self.busy = False
        self.since = runtime.uplink.ticked
        """When it connected, to half a second."""
        self._runtime = runtime
        self._hash = hash32(runtime.worker << 32 | socket.number)
        self._mailbox: deque[tuple[Method, int]] = deque()
        """What waits, with the bytes of the client's that it holds."""
        self._held_back = 0
        self._infos = 0
        """How much of what waits is not the client's."""
        self._emptying = False
        self._terminating = False
        self._task: asyncio.Task[None] | None = None
        self._extras: ChannelExtras | None = None
        self._by_id: Subscription | None = None
        if socket.id is not None:
            topic = application_topic(socket.id)
            self._by_id = runtime.uplink.subscribe(self._hash, topic, Lane.LETTER, (), None, ById(self))
        runtime.clients[socket.number] = self
        runtime.note(socket.number, "connected")
        socket._connection = self
        if type(socket).opened is not RawSocket.opened:
            self._run(socket.opened)

    @property
    def held_back(self) -> int:
        """Bytes of the client's messages that wait."""
        return self._held_back

    # Told by the transport

    @property
    def wants_controls(self) -> bool:
        """Whether the socket has a method for pings and pongs."""
        return self.socket.wants_controls

    def receive(self, data: bytes, *, binary: bool) -> None:
        """A message of the client; text is UTF-8 that was checked."""
        self._deliver(partial(self.socket.handle_in, bytes(data) if binary else data.decode()), len(data))

    def control(self, kind: Control, payload: bytes) -> None:
        """A ping or a pong of the client."""
        self._deliver(partial(self.socket.handle_control, kind.value, payload), len(payload))

    def too_slow(self, size: int) -> None:
        """Telemetry tells it of channels only; the counts of the worker have it."""

    def when_slow(self, topic: str) -> WhenSlow:
        """Nothing that is sent here is a broadcast."""
        del topic
        return WhenSlow.DISCONNECT

    def close(self, code: int | None = None) -> None:
        """The connection is gone: what waits is dropped, what is under way has a limited time."""
        if self.closed_by is not None:
            return
        reason = self.closed_by = closing_reason(code)
        self._runtime.note(self.socket.number, "disconnected")
        self._runtime.clients.pop(self.socket.number, None)
        self._let_go()
        if self.busy:
            self._runtime.call_later(SHUTDOWN_LIMIT, self._cancel)
        else:
            self._terminate(reason)

    # Told by the uplink and by timers

    def confirmed(self, subscription: "Subscription") -> None:
        """A subscription stands."""
        if self._extras is not None:
            self._extras.confirmed(subscription)

    def letter(self, topic: str, letter: bytes) -> None:
        """A message of a topic that the socket subscribes to."""
        self.info(open_letter(topic, letter))

    def info(self, message: Any) -> None:
        """A message for `handle_info`."""
        if self._infos >= MAX_MAILBOX:
            _log.error("%s closes: more than %d messages wait for it", self._name(), MAX_MAILBOX)
            self._let_go()
            self.transport.close(CloseCode.INTERNAL_ERROR)
            return
        self._deliver(partial(self.socket.handle_info, message), None)

    # Called by the socket's code

    def send(self, data: str | bytes) -> None:
        """Send a message."""
        if isinstance(data, str):
            frame = text_frame(data.encode())
        elif isinstance(data, bytes | bytearray | memoryview):
            frame = binary_frame(bytes(data))
        else:
            raise TypeError(f"a message is a str or bytes, not {data!r}")
        if self.closed_by is None:
            self.transport.send(frame)

    def ping(self, payload: bytes) -> None:
        """Send a ping."""
        if len(payload) > MAX_CONTROL_BYTES:
            raise ValueError(f"a ping holds {MAX_CONTROL_BYTES} bytes, not {len(payload)}")
        if self.closed_by is None:
            self.transport.send(ping_frame(payload))

    def close_with(self, code: int, reason: str) -> None:
        """Close the connection."""
        try:
            Close(code, reason).check()
        except ProtocolError:
            raise ValueError(f"{code} is no close code that may be sent; 1000 and 3000 to 4999 are") from None
        if len(reason.encode()) > MAX_CONTROL_BYTES - 2:
            raise ValueError(f"a close reason holds {MAX_CONTROL_BYTES - 2} bytes, this one is longer: {reason!r}")
        if self.closed_by is None:
            self._let_go()
            self.transport.close(code, reason)

    async def subscribe(self, topic: str) -> None:
        """Subscribe; returns when the subscription stands."""
        await self._more().subscribe(application_topic(topic))

    def unsubscribe(self, topic: str) -> None:
        """End a subscription."""
        if self._extras is not None:
            self._extras.unsubscribe(topic)

    def send_after(self, seconds: float, message: Any) -> Timer:
        """A timer that ends with the connection."""
        return self._more().send_after(seconds, message)

    def _more(self) -> ChannelExtras:
        if self.closed_by is not None:
            raise RuntimeError(f"{self._name()} is closed: it can subscribe to nothing and wait for nothing")
        if self._extras is None:
            self._extras = ChannelExtras(self._runtime, self._hash, self)
        return self._extras

    # One thing at a time

    def _deliver(self, method: Method, size: int | None) -> None:
        """Call a method now, or later. `size`: the bytes of a client's message; None if it is not the client's."""
        if self.closed_by is not None:
            return
        if not self.busy:
            self._run(method)
            return
        held = 0 if size is None else size + MESSAGE_BYTES
        self._mailbox.append((method, held))
        self._infos += size is None
        self._hold_back(held)

    def _run(self, method: Method) -> None:
        self.busy = True
        task = self._runtime.runner.run(method(), None, self._done)
        if task is not None:
            self._task = task

    def _done(self, _: Any, error: BaseException | None) -> None:
        self._task = None
        self.busy = False
        if self._terminating:
            if error is not None:
                self._log_crash(error)
        elif error is not None:
            self._crash(error)
        elif self.closed_by is not None:
            self._terminate(self.closed_by)
        elif not self._emptying:
            self._empty()

    def _empty(self) -> None:
        """Handle what waits."""
        self._emptying = True
        left = MAX_WORK_A_TURN
        while self._mailbox and not self.busy and left:
            left -= 1
            method, held = self._mailbox.popleft()
            self._infos -= not held
            self._hold_back(-held)
            self._run(method)
        self._emptying = False
        if self._mailbox and not self.busy:
            self.busy = True  # what comes meanwhile waits behind it
            self._runtime.call_later(0, self._go_on)

    def _go_on(self) -> None:
        self.busy = False
        if self.closed_by is not None:
            self._terminate(self.closed_by)
        else:
            self._empty()

    def _hold_back(self, size: int) -> None:
        """More waits, or less: with too much waiting, the client is not read from."""
        before = self._held_back
        self._held_back += size
        if before <= MAX_HELD_BACK_BYTES < self._held_back:
            self.transport.pause_reading()
        elif self._held_back <= MAX_HELD_BACK_BYTES < before:
            self.transport.resume_reading()

    # Ending

    def _crash(self, error: BaseException) -> None:
        gone = self.closed_by
        if gone is None:
            self.closed_by = CLOSED
            self._log_crash(error)
            self._runtime.note(self.socket.number, "crashed")
            self._runtime.clients.pop(self.socket.number, None)
            self._let_go()
            self.transport.close(CloseCode.INTERNAL_ERROR)
        self._terminate(error if gone is None else gone)

    def _terminate(self, reason: str | BaseException) -> None:
        if self._terminating:
            return
        self._terminating = True
        if type(self.socket).terminate is not RawSocket.terminate:
            self._run(partial(self.socket.terminate, reason))

    def _cancel(self) -> None:
        if self._task is not None:
            self._runtime.runner.cancel(self._task)

    def _let_go(self) -> None:
        """Drop what waits, the timers and the subscriptions."""
        self._mailbox.clear()
        self._infos = 0
        self._hold_back(-self._held_back)
        if self._extras is not None:
            self._extras.end()
            self._extras = None
        if self._by_id is not None:
            self._runtime.uplink.unsubscribe(self._by_id)
            self._by_id = None

    def _name(self) -> str:
        return f"{type(self.socket).__name__} {self.socket.number}"

    def _log_crash(self, error: BaseException) -> None:
        _log.error("%s crashed", self._name(), exc_info=error)


class ById:
    """Listens to the topic that is the socket's id."""

    __slots__ = ("connection",)

    def __init__(self, connection: RawConnection) -> None:
        self.connection = connection

    def confirmed(self, subscription: "Subscription") -> None:
        """Nothing waits for it."""

    def letter(self, topic: str, letter: bytes) -> None:
        message = open_letter(topic, letter)
        if isinstance(message, Broadcast) and message.event == DISCONNECT:
            self.connection.transport.close(CloseCode.GOING_AWAY)
