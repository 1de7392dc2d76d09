"""The long-poll sessions of the cluster, as one worker sees them: its own, and by the bus those of the others.

A request of a client arrives at any worker; its token says which one holds the session. That worker is asked as any
other code of the cluster is asked: by number, and the answer quotes it.
"""

import asyncio
import contextlib
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from roost.gateway.bus.nodes import UnknownNode
from roost.gateway.clients.calls import CallFailed, Question
from roost.gateway.connect.connecting import open_handler
from roost.gateway.transports.long_poll_address import SessionAddress, new_address
from roost.gateway.transports.long_poll_messages import ClientMessage
from roost.gateway.transports.long_poll_session import LongPollSession
from roost.shared.frames import CloseCode

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime
    from roost.gateway.connect.capacity import Place
    from roost.gateway.connect.mount import LongPoll
    from roost.gateway.raw_socket import RawSocket
    from roost.gateway.socket import Socket
    from roost.gateway.transports.idle_wheel import IdleWheel
    from roost.shared.serializer import Serializer

KIND: Final = "long_poll"
"""Of questions to the worker that holds a session."""
END_POLL: Final = "long_poll_end_poll"
"""Of messages to it that a poll is to be answered."""
LOOK_PERIOD: Final = 0.5
"""Seconds between two looks whether the worker lives that holds a session."""
_POST: Final = "post"
_END: Final = "end"
_POLL: Final = "poll"
_HERE: Final = "here"
"""What is asked of a session; the last one only whether there is one."""

PollName = tuple[str, int, int]
"""The node and the worker at which a poll arrived, and a number of that worker's."""


class LongPollSessions:
    """Opens sessions here, and reaches every session of the cluster."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._own: dict[int, tuple[str, LongPollSession]] = {}
        self._names = count(1)
        self._telling: set[asyncio.Task[None]] = set()
        runtime.calls.on(KIND, self._asked)
        runtime.inbox.on(END_POLL, self._end_poll)

    def open(
        self,
        options: "LongPoll",
        wheel: "IdleWheel[LongPollSession]",
        socket: "Socket | RawSocket",
        serializer: "Serializer | None",
        place: "Place",
    ) -> SessionAddress:
        """Begin a session of a client that was let in; it gives back its place when it ends."""
        runtime = self._runtime
        address = new_address(runtime.nodes.own, runtime.worker, socket.number)

        def ended() -> None:
            del self._own[address.number]
            place.leave()

        def begin() -> None:
            session.open(open_handler(runtime, socket, serializer, session))

        session = LongPollSession(options, runtime.turn, wheel, runtime.drops, ended, place.address)
        self._own[address.number] = (address.key, session)
        # Its code is run from no task (see `Runner`), and a request is one.
        asyncio.get_running_loop().call_soon(begin)
        return address

    def name_poll(self) -> PollName:
        """A name for a poll that arrives here."""
        return self._runtime.nodes.own, self._runtime.worker, next(self._names)

    async def poll(self, address: SessionAddress, name: PollName, options: "LongPoll") -> list[str] | None:
        """What comes for the client within the window; None if there is no such session."""
        answer = await self._ask(address, [_POLL, name], options)
        return None if answer is None else list(answer)

    def end_poll(self, address: SessionAddress, name: PollName) -> None:
        """Have a poll answered now, with nothing if nothing has come. The answer may be under way already."""
        if self._is_here(address):
            self._end_poll((address.number, name))
        else:
            task = asyncio.ensure_future(self._tell(address, END_POLL, (address.number, name)))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def post(self, address: SessionAddress, messages: list[ClientMessage], options: "LongPoll") -> int:
        """Have the client's messages received: 200, 408 if that took too long, 410 if there is no such session."""
        answer = await self._ask(address, [_POST, [list(message) for message in messages]], options)
        return HTTPStatus.GONE if answer is None else int(answer)

    async def end(self, address: SessionAddress, options: "LongPoll") -> None:
        """End a session whose client sends what cannot be read."""
        await self._ask(address, [_END, None], options)

    # Asking

    def _is_here(self, address: SessionAddress) -> bool:
        return address.worker == self._runtime.worker and address.node == self._runtime.nodes.own

    async def _tell(self, address: SessionAddress, kind: str, message: Any) -> None:
        with contextlib.suppress(UnknownNode):  # the session has gone with its node
            await self._runtime.inbox.send(address.worker, kind, message, address.node)

    async def _ask(self, address: SessionAddress, question: list[Any], options: "LongPoll") -> Any:
        node, worker, number, key = address
        whole = [number, key, *question]
        if node != self._runtime.nodes.own:
            return await self._ask_other_node(address, whole, options)
        if worker != self._runtime.worker:
            return await self._ask_other(worker, whole, options.window + options.pubsub_timeout)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked(Question(whole, partial(_set, answer), partial(_set, answer, None)))
        return await answer

    async def _ask_other(self, worker: int, question: list[Any], limit: float) -> Any:
        """A dead worker is known by its lock at once; one that lives and does not answer has its limit."""
        asking = asyncio.ensure_future(self._runtime.calls.ask(worker, KIND, question, limit))
        try:
            while not asking.done():
                if not self._runtime.uplink.worker_lives(worker):
                    return None
                await asyncio.wait([asking], timeout=LOOK_PERIOD)
            return asking.result()
        except (TimeoutError, CallFailed):
            return None
        finally:
            asking.cancel()

    async def _ask_other_node(self, address: SessionAddress, question: list[Any], options: "LongPoll") -> Any:
        """Its lock cannot be seen from here: a worker that does not say at once that it has the session is dead."""
        node, worker, number, key = address
        calls = self._runtime.calls
        try:
            if not await calls.ask(worker, KIND, [number, key, _HERE, None], options.pubsub_timeout, node):
                return None
            return await calls.ask(worker, KIND, question, options.window + options.pubsub_timeout, node)
        except (TimeoutError, CallFailed):
            return None

    # Answering

    def _asked(self, asked: Question) -> None:
        number, key, what, details = asked.question
        kept, session = self._own.get(number, (None, None))
        if session is None or kept != key or session.closed:
            asked.answer(None)
        elif what == _POLL:
            session.poll(tuple(details), asked.answer)
        elif what == _HERE:
            asked.answer(_HERE)
        elif what == _END:
            session.close(CloseCode.INVALID_DATA)
            asked.answer(None)
        else:
            session.post([ClientMessage(*message) for message in details], asked.answer)

    def _end_poll(self, message: tuple[int, PollName]) -> None:
        number, name = message
        _, session = self._own.get(number, (None, None))
        if session is not None:
            session.end_poll(tuple(name))


def _set(answer: "asyncio.Future[Any]", value: Any, *_: Any) -> None:
    if not answer.done():
        answer.set_result(value)
