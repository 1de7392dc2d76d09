"""A client that polls: what waits for its next poll, and what its posts bring."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Final

from roost.gateway.transports.drops import Drops, Reason
from roost.gateway.transports.long_poll_messages import ClientMessage, is_utf8, require_text, texts
from roost.gateway.transports.outbox import HARD_LIMIT, Outbox
from roost.shared.frames import CloseCode, is_control, is_text
from roost.shared.peer.shard_link import Frames

if TYPE_CHECKING:
    from roost.gateway.connect.mount import LongPoll
    from roost.gateway.transports.idle_wheel import IdleWheel
    from roost.gateway.transports.transport import Handler
    from roost.gateway.transports.turn import Turn

ANSWER_BYTES: Final = 1024 * 1024
"""About so much is given to one poll; the rest waits for the next."""

_log = logging.getLogger("roost.longpoll")

Answer = Callable[[list[str]], None]
"""Told what came for a poll: nothing, if its window has passed or the session has ended."""


class _Post:
    """Messages of a POST that are not received yet."""

    __slots__ = ("answer", "messages", "timer")

    def __init__(self, messages: Iterable[ClientMessage], answer: Callable[[int], None]) -> None:
        self.messages = deque(messages)
        self.answer = answer
        self.timer: asyncio.TimerHandle | None = None


class LongPollSession:
    """Carries one client's frames, by polls and posts that arrive at any worker. A `Transport`."""

    name: ClassVar[str] = "longpoll"

    def __init__(
        self,
        options: "LongPoll",
        turn: "Turn",
        wheel: "IdleWheel[LongPollSession]",
        drops: Drops,
        ended: Callable[[], None],
        address: str | None = None,
    ) -> None:
        """`ended` is called when the session is over; `address` is the client's."""
        self.address = address
        self.descriptor = -1
        self.heard = 0.0
        """When the client last polled, by the wheel's clock."""
        self.closed = False
        self._options = options
        self._turn = turn
        self._wheel = wheel
        self._drops = drops
        self._ended = ended
        self._handler: Handler | None = None
        self._outbox = Outbox(options.max_outbound_bytes)
        self._collected = False
        self._held = 0
        self._pauses = 0
        self._polls: dict[Hashable, tuple[Answer, asyncio.TimerHandle]] = {}
        """Polls that wait, by what names them."""
        self._newest: Hashable = None
        """The poll that gets what comes; those before it wait until their window has passed, as in Phoenix."""
        self._post: _Post | None = None
        wheel.add(self)

    def open(self, handler: "Handler") -> None:
        """The client is connected: from now on its handler is told what arrives."""
        self._handler = handler

    @property
    def waiting(self) -> int:
        """Bytes that wait for the client's next poll."""
        return self._waiting()

    # Told by the client's requests

    def poll(self, name: Hashable, answer: Answer) -> None:
        """Answer what waits, or the first that comes within the window."""
        self.heard = self._wheel.now
        if self.closed:
            answer([])
        elif self._outbox:
            answer(self._take())
        else:
            timer = asyncio.get_running_loop().call_later(self._options.window, self.end_poll, name)
            self._polls[name] = (answer, timer)
            self._newest = name

    def end_poll(self, name: Hashable) -> None:
        """Answer that poll now, with nothing: its window has passed, or its client does not wait any more."""
        poll = self._polls.pop(name, None)
        if poll is not None:
            answer, timer = poll
            timer.cancel()
            answer([])

    def post(self, messages: Iterable[ClientMessage], answer: Callable[[int], None]) -> None:
        """Receive messages in order; answers 200 then, or 408 if that takes longer than the window.

        One post can wait: another that comes meanwhile is answered 408 at once.
        """
        if self._post is not None:
            answer(HTTPStatus.REQUEST_TIMEOUT)
            return
        self._post = _Post(messages, answer)
        # Channels are run from no task (see `Runner`), and a request is one.
        asyncio.get_running_loop().call_soon(self._receive)

    # Told by the client's channels

    def send(self, frame: bytes | Frames) -> None:
        """Put a frame, or broadcasts, to what waits for the next poll. Raises TypeError for a binary message.

        There are no pings: a client that polls is heard by its polls.
        """
        if isinstance(frame, Frames):
            for one in frame.frames:
                self._broadcast(one, frame.topic)
        elif not self.closed and not is_control(frame):
            require_text(frame)
            traffic = self._turn.traffic
            traffic.replies_sent += 1
            traffic.bytes_sent += len(frame)
            if not self._outbox.add(frame, self._held):
                self._disconnect_slow()
        if not self._collected:
            self._collected = True
            self._turn.collect(self)

    def flush(self) -> None:
        """The turn ends: a poll that waits gets what was collected."""
        self._collected = False
        if self._outbox and self._newest in self._polls:
            answer, timer = self._polls.pop(self._newest)
            timer.cancel()
            answer(self._take())

    def fall_behind(self, run: Frames, written: int) -> None:  # noqa: ARG002 - without a descriptor nothing is written
        """These broadcasts are for the client."""
        self.send(run)

    def hold(self, size: int) -> None:
        """A frame of so many bytes waits elsewhere until `release`: it counts as waiting for the client."""
        self._held += size
        if self._held > size and self._waiting() > HARD_LIMIT * self._options.max_outbound_bytes:
            self._disconnect_slow()

    def release(self, size: int) -> None:
        """The frame waits elsewhere no longer."""
        self._held -= size

    def pause_reading(self) -> None:
        """Take no more from the client, until `resume_reading` was called as often."""
        self._pauses += 1

    def resume_reading(self) -> None:
        """Take from the client again, from the next turn on."""
        self._pauses -= 1
        if self._post is not None:
            asyncio.get_running_loop().call_soon(self._receive)

    def silent(self) -> None:
        """The client has not polled for its limit."""
        self.close(CloseCode.PROTOCOL_ERROR)

    def close(self, code: int, reason: str = "") -> None:  # noqa: ARG002 - a poll is told neither
        """End the session: polls are answered at once, the next one finds nothing."""
        if self.closed:
            return
        self.flush()
        self.closed = True
        for name in list(self._polls):
            self.end_poll(name)
        self._finish_post(HTTPStatus.REQUEST_TIMEOUT)
        self._wheel.remove(self)
        # The client may be in the middle of carrying out a message: what that leads to comes first.
        asyncio.get_running_loop().call_soon(self._end, code)

    # Inward

    def _receive(self) -> None:
        post, handler = self._post, self._handler
        while post is not None and post.messages and handler is not None and not self._unread():
            data, binary = post.messages.popleft()
            self._turn.traffic.messages_received += 1
            self._turn.traffic.bytes_received += len(data)
            if not binary and not is_utf8(data):
                _log.info("ending a long-poll session: a text message is not UTF-8")
                self.close(CloseCode.INVALID_DATA)
            else:
                handler.receive(data, binary=binary)
            if self.closed:
                return
        if post is None or self._post is not post:
            return
        if not post.messages:
            self._finish_post(HTTPStatus.OK)
        elif post.timer is None:
            post.timer = asyncio.get_running_loop().call_later(
                self._options.window, self._finish_post, HTTPStatus.REQUEST_TIMEOUT
            )

    def _unread(self) -> bool:
        """Whether the client is to wait: for channels that are busy, or until it has polled what waits for it."""
        return self._pauses > 0 or self._waiting() > self._options.max_outbound_bytes

    def _finish_post(self, status: int) -> None:
        """Answer a post; what it had left is dropped."""
        post, self._post = self._post, None
        if post is not None:
            if post.timer is not None:
                post.timer.cancel()
            post.answer(status)

    # Outward

    def _broadcast(self, frame: bytes, topic: str) -> None:
        reason: Reason | None
        if self.closed or self._handler is None:
            reason = Reason.CLOSED
        elif not is_text(frame):
            reason = Reason.NO_BINARY
        else:
            reason = self._outbox.broadcast(frame, topic, self._handler.when_slow(topic), self._held)
        if reason is not None:
            self._drops.add(reason)
        if reason is Reason.SLOW_DISCONNECT:
            self._disconnect_slow()

    def _take(self) -> list[str]:
        messages = texts(self._outbox.take(ANSWER_BYTES))
        if self._post is not None:
            asyncio.get_running_loop().call_soon(self._receive)
        return messages

    def _waiting(self) -> int:
        return self._held + self._outbox.size

    def _disconnect_slow(self) -> None:
        if self._handler is not None and not self.closed:
            self._handler.too_slow(self._waiting())
        self._drop_all(Reason.SLOW_DISCONNECT)
        self.close(CloseCode.TOO_SLOW)

    def _drop_all(self, reason: Reason) -> None:
        self._drops.add(reason, self._outbox.broadcasts)
        self._outbox = Outbox(self._options.max_outbound_bytes)

    def _end(self, code: int) -> None:
        self._drop_all(Reason.CLOSED)
        self._ended()
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.close(code)
