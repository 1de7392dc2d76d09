"""Runs one channel: one thing at a time, in order, while what comes waits. The boundary at which its code crashes.

A channel that has nothing to do costs no task and no queue.
"""

import logging
from collections import deque
from collections.abc import Callable, Coroutine
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from roost.gateway.channel import Channel, UnknownEvent
from roost.gateway.channel_extras import ChannelExtras, Timer
from roost.gateway.events import InvalidPayload, read_any
from roost.gateway.letters import open_letter
from roost.gateway.program_order import ProgramOrder
from roost.gateway.protocol import JOIN_CRASHED, Membership, Status
from roost.gateway.replies import Error, Ok, Reply, Stop
from roost.gateway.when_slow import WhenSlow
from roost.shared import serializer
from roost.shared.serializer import Message, encode_broadcast

if TYPE_CHECKING:
    import asyncio

    from roost.gateway.audience import Subscription
    from roost.gateway.client import Client

MAX_MAILBOX: Final = 10_000
"""Things that wait for a channel; with one more it ends as if it had crashed."""
MAX_WORK_A_TURN: Final = 64
"""Waiting things that a channel handles in one turn of the loop; the others' channels come first then."""
SHUTDOWN_LIMIT: Final = 5.0
"""Seconds that a method under way has when its client is gone; then it is cancelled (Phoenix's `shutdown`)."""

_log = logging.getLogger("roost.channel")


class State(Enum):
    """Where a channel stands."""

    JOINING = auto()
    JOINED = auto()
    ENDING = auto()
    """`terminate` runs."""
    ENDED = auto()


class ChannelProcess:
    """What Phoenix's channel process is: a state, a mailbox, and the order in which things happen."""

    __slots__ = (
        "_answering",
        "_busy",
        "_emptying",
        "_extras",
        "_mailbox",
        "_order",
        "_state",
        "_task",
        "channel",
        "client",
        "join_ref",
        "membership",
        "subscription",
    )

    def __init__(self, client: "Client", membership: Membership, channel: Channel[Any], join: Message) -> None:
        self.client = client
        self.membership = membership
        self.channel = channel
        # A join without join_ref is known to its channel by its ref (Phoenix 1.8, `Phoenix.Channel.Server`).
        self.join_ref = join.ref if join.join_ref is None else join.join_ref
        self.subscription: Subscription | None = None
        self._answering: Any = join
        """What is being answered: a client's message, and while the subscription is awaited, the join's response."""
        self._state = State.JOINING
        self._busy = True
        self._emptying = False
        self._task: asyncio.Task[None] | None = None
        self._mailbox: deque[tuple[Callable[[Any], None], Any]] | None = None
        self._order: ProgramOrder | None = None
        self._extras: ChannelExtras | None = None

    @property
    def when_slow(self) -> WhenSlow:
        """What becomes of the topic's broadcasts while the client does not read."""
        return self.channel._when_slow.of(self.membership.topic)

    # Told by the client

    def join(self, subtopic: str) -> None:
        """Make the channel and ask it whether the client may join."""
        channel = self.channel
        channel.socket = self.client.socket
        channel.topic = self.membership.topic
        channel.subtopic = subtopic
        channel._process = self
        try:
            channel.__init__()  # type: ignore[misc]
            params = channel._join_params.read(self._answering.payload)
            coroutine = channel.join(params)
        except InvalidPayload as error:
            self._refuse(_invalid_payload(error))
        except Exception as error:  # noqa: BLE001 - the crash boundary of a channel's code
            self._join_done(None, error)
        else:
            self._run(coroutine, self._join_done)
            if self._state is State.JOINING and self._task is not None:
                self.client.hold_back(self._answering)

    def begin(self) -> None:
        """The client knows that it has joined."""
        self._state = State.JOINED
        if type(self.channel).joined is Channel.joined:
            self._idle()
        else:
            self._run(self.channel.joined(), self._done)

    def message(self, message: Message) -> None:
        """The client sent an event."""
        if self._state is not State.JOINED:
            return
        if self._busy:
            self.client.hold_back(message)
            self._deliver(self._handle_held_back, message)
        else:
            self._handle_message(message)

    def leave(self, message: Message) -> None:
        """The client leaves."""
        if self._state is State.JOINED:
            self.client.hold_back(message)
            self._deliver(self._handle_leave, message)

    def rest(self) -> None:
        """Much is about to come at once: it is to wait, and to be handled from the next turn on."""
        if self._state is State.JOINED and not self._busy:
            self._busy = True
            self.client.runtime.call_later(0, self._work_on)

    def discard(self) -> None:
        """The client joined again: end without a word; `terminate` does not run, as in Phoenix."""
        self._state = State.ENDED
        self._let_go()
        self._unsubscribe()
        if self._task is not None:
            self.client.runtime.runner.cancel(self._task)

    def close(self) -> None:
        """The connection is gone."""
        self._unsubscribe()
        if self._task is not None:
            self.client.runtime.call_later(SHUTDOWN_LIMIT, self._cancel)
        elif self._state is State.JOINING:
            self._end("closed", graceful=True)
            return
        if self._state is State.JOINED:
            self._deliver(self._handle_close, None)

    # Told by the uplink and by timers

    def confirmed(self, subscription: "Subscription") -> None:
        """A subscription stands."""
        if subscription is self.subscription:
            response, self._answering = self._answering, None
            self.client.accepted(self.membership, response)
        elif self._extras is not None:
            self._extras.confirmed(subscription)

    def letter(self, topic: str, letter: bytes) -> None:
        """A message of a topic to which the channel subscribes came, for its code."""
        self._deliver(self._handle_letter, (topic, letter))

    def info(self, message: Any) -> None:
        """A message for `handle_info`."""
        self._deliver(self._handle_info, message)

    # Called by the channel's code

    def push(self, event: str, payload: Any) -> None:
        """Send the client an event."""
        self._require_joined()
        topic = self.membership.topic
        self._send(self.client.serializer.push(self.join_ref, None, topic, event, payload))

    async def broadcast(self, event: str, payload: Any, *, to_self: bool) -> None:
        """Publish an event on the channel's topic; waits while there is no credit."""
        self._require_joined()
        topic = self.membership.topic
        form, data = encode_broadcast(topic, event, payload)
        sender = 0 if to_self else self.subscriber(topic)
        uplink = self.client.runtime.uplink
        number = uplink.publish_now(topic, form, event, data, sender)
        if not number:
            number = await uplink.publish(topic, form, event, data, sender)
        if to_self and self.subscription is not None:
            self.published(number)

    def published(self, number: int) -> None:
        """What this channel published will come to its client: what it sends from now on comes after that."""
        if self._order is None:
            self._order = ProgramOrder(self.client.runtime.uplink, self.client)
        self._order.published(number)

    def published_elsewhere(self, topic: str, number: int) -> None:
        """The channel's code published an event on any topic; its client may be among the subscribers."""
        membership = self.client.topics.get(topic)
        if membership is not None and membership.status is Status.JOINED:
            self.published(number)

    def subscriber(self, topic: str) -> int:
        """The channel's own subscriber number in a topic, 0 if it does not subscribe to it."""
        if topic == self.membership.topic:
            return self.subscription.number if self.subscription is not None else 0
        subscription = self._extras.subscription(topic) if self._extras is not None else None
        return subscription.number if subscription is not None else 0

    def extras(self) -> ChannelExtras:
        """The channel's timers and further subscriptions."""
        if self._extras is None:
            self._extras = ChannelExtras(self)
        return self._extras

    def send_after(self, seconds: float, message: Any) -> Timer:
        """A timer that ends with the channel."""
        return self.extras().send_after(seconds, message)

    def log_unexpected(self, message: Any) -> None:
        """Phoenix's warning for a message without `handle_info`."""
        _log.warning("%s got a message and has no handle_info for it: %r", self._name(), message)

    # Handling, one thing at a time

    def _deliver(self, work: Callable[[Any], None], argument: Any) -> None:
        if self._state in (State.ENDING, State.ENDED):
            return
        if not self._busy:
            work(argument)
            return
        if self._mailbox is None:
            self._mailbox = deque()
        self._mailbox.append((work, argument))
        if len(self._mailbox) > MAX_MAILBOX:
            self._overflow()

    def _idle(self) -> None:
        """What was under way is finished: begin with what waited."""
        self._busy = False
        if self._mailbox is None or self._emptying:
            return  # what finished was begun below
        self._emptying = True
        left = MAX_WORK_A_TURN
        while self._mailbox and not self._busy and left:
            left -= 1
            work, argument = self._mailbox.popleft()
            work(argument)
        self._emptying = False
        if not self._mailbox:
            self._mailbox = None
        elif not self._busy:
            self.rest()

    def _work_on(self) -> None:
        if self._state is State.JOINED:
            self._idle()

    def _run(self, coroutine: Coroutine[Any, Any, Any], then: Callable[[Any, BaseException | None], None]) -> None:
        self._busy = True
        task = self.client.runtime.runner.run(coroutine, self, then)
        if task is not None:
            self._task = task

    def _handle_held_back(self, message: Message) -> None:
        self.client.take(message)
        self._handle_message(message)

    def _handle_message(self, message: Message) -> None:
        if self._state is not State.JOINED:
            return
        channel = self.channel
        method = channel._events.get(message.event) if isinstance(message.event, str) else None
        try:
            if method is None:
                coroutine = channel.handle_in(message.event, read_any(message.payload))
            else:
                coroutine = method.call(channel, method.argument.read(message.payload))
        except InvalidPayload as error:
            self._reply(message, Error(_invalid_payload(error)))
            return
        self._answering = message
        self._run(coroutine, self._message_done)
        if self._answering is message:
            self.client.hold_back(message)  # it waits for something, and takes memory meanwhile

    def _handle_letter(self, named: tuple[str, bytes]) -> None:
        self._handle_info(open_letter(*named))

    def _handle_info(self, message: Any) -> None:
        self._run(self.channel.handle_info(message), self._done)

    def _handle_leave(self, message: Message) -> None:
        self.client.take(message)
        self._reply(message, Ok())
        self._end("left", graceful=True)

    def _handle_close(self, _: None) -> None:
        self._end("closed", graceful=True)

    # What the channel's methods gave

    def _join_done(self, value: Any, error: BaseException | None) -> None:
        if self._task is not None:
            self.client.take(self._answering)
            self._task = None
        if self._state is State.ENDED:
            return
        if error is None and not isinstance(value, Ok | Error):
            error = TypeError(f"join returned {value!r}; it returns Ok(reply) or Error(reason)")
        if error is not None:
            self._log_crash(error, "join")
            self._refuse(JOIN_CRASHED)
        elif self.client.closed:
            self._end("closed", graceful=True)
        elif isinstance(value, Error):
            self._refuse(value.payload)
            self._end("shutdown", graceful=True)
        else:
            self._answering = value.payload
            self.subscription = self.client.subscribe(self)

    def _message_done(self, value: Any, error: BaseException | None) -> None:
        message: Message = self._answering
        self._answering = None
        if self._task is not None:
            self.client.take(message)
            self._task = None
        if self._state is State.ENDED:
            return
        try:
            match value:
                case _ if error is not None:
                    self._crash(error, message.event)
                case None:
                    self._idle()
                case Ok() | Error() | Reply():
                    self._reply(message, value)
                    self._idle()
                case Stop(_, reply):
                    if reply is not None:
                        self._reply(message, reply)
                    self._end(value.reason, graceful=value.graceful)
                case _:
                    raise TypeError(
                        f"it returned {value!r}; an event method returns Ok(...), Error(...), "
                        "Reply(status, ...), Stop(...) or None"
                    )
        except Exception as failure:  # noqa: BLE001 - the crash boundary of a channel's code
            self._crash(failure, message.event)

    def _done(self, value: Any, error: BaseException | None) -> None:
        self._task = None
        if self._state is State.ENDED:
            return
        match value:
            case _ if error is not None:
                self._crash(error, "handle_info")
            case None:
                self._idle()
            case Stop():
                self._end(value.reason, graceful=value.graceful)
            case _:
                self._crash(TypeError(f"it returned {value!r}; it returns Stop(...) or None"), "handle_info")

    # Ending

    def _refuse(self, payload: Any) -> None:
        self._state = State.ENDED
        self._let_go()
        self.client.refused(self.membership, payload)

    def _crash(self, error: BaseException, doing: Any) -> None:
        if not self.client.closed:
            self._log_crash(error, doing)
        self._end(error, graceful=False)

    def _end(self, reason: str | BaseException, *, graceful: bool) -> None:
        """As in Phoenix: a graceful end says `phx_close`, then runs `terminate`; else `phx_error` comes last."""
        self._state = State.ENDING
        self._busy = True
        self._let_go()
        if graceful:
            self._tell_client(graceful=True)
        if type(self.channel).terminate is Channel.terminate:
            self._terminated(graceful, None, None)
        else:
            self._run(self.channel.terminate(reason), partial(self._terminated, graceful))

    def _terminated(self, graceful: bool, _: Any, error: BaseException | None) -> None:
        self._task = None
        if error is not None:
            self._log_crash(error, "terminate")
        if not graceful:
            self._tell_client(graceful=False)
        self._state = State.ENDED

    def _tell_client(self, *, graceful: bool) -> None:
        for frame in self.client.ended(self.membership, graceful=graceful):
            self._send(frame)
        # The channel's own broadcasts that are under way are still for its client.
        if self._order is None:
            self._unsubscribe()
        else:
            self._order.then(self._unsubscribe)

    def _unsubscribe(self) -> None:
        if self.subscription is not None:
            self.client.runtime.uplink.unsubscribe(self.subscription)
            self.subscription = None

    def _let_go(self) -> None:
        """Drop what waits, and the timers."""
        for _, argument in self._mailbox or ():
            if isinstance(argument, Message):
                self.client.take(argument)
        self._mailbox = None
        if self._extras is not None:
            self._extras.end()
            self._extras = None

    def _overflow(self) -> None:
        """More waits than may: what is under way is cancelled, which ends the channel as a crash does."""
        _log.error("%s ends: more than %d messages wait for it", self._name(), MAX_MAILBOX)
        self._let_go()
        if self._task is None:
            self._refuse(JOIN_CRASHED)
        self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self.client.runtime.runner.cancel(self._task)

    # Sending

    def _reply(self, message: Message, reply: Ok | Error | Reply) -> None:
        topic = self.membership.topic
        answer = serializer.Reply(self.join_ref, message.ref, topic, reply.status, reply.payload)
        self._send(self.client.serializer.reply(answer))

    def _send(self, frame: bytes) -> None:
        if self._order is None:
            self.client.send(frame)
        else:
            self._order.send(frame)

    def _require_joined(self) -> None:
        if self._state not in (State.JOINED, State.ENDING):
            raise RuntimeError(
                f"{self._name()} cannot send: the client has not heard yet that it joined; do it in `joined`"
                if self._state is State.JOINING
                else f"{self._name()} cannot send: it has ended"
            )

    def _log_crash(self, error: BaseException, doing: Any) -> None:
        if isinstance(error, UnknownEvent):
            _log.warning("%s ended: %s", self._name(), error)
        else:
            _log.error("%s crashed in %r", self._name(), doing, exc_info=error)

    def _name(self) -> str:
        return f"{type(self.channel).__name__} on {self.membership.topic!r}"


def _invalid_payload(error: InvalidPayload) -> dict[str, str]:
    return {"reason": "invalid payload", "detail": str(error)}
