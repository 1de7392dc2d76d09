"""Runs one channel: one thing at a time, in order, while what comes waits. The boundary at which its code crashes.

A channel that has nothing to do costs no task and no queue.
"""

from collections.abc import Mapping
from functools import partial
from sys import intern
from typing import TYPE_CHECKING, Any, Final

from roost.gateway.channel import Channel
from roost.gateway.clients.calls import Question
from roost.gateway.clients.channel_extras import Timer
from roost.gateway.clients.channel_mailbox import ChannelMailbox
from roost.gateway.clients.channel_sending import ENDED, JOINED, JOINING, LaterReply, State
from roost.gateway.clients.protocol import JOIN_CRASHED, Membership
from roost.gateway.custom_serializer import OwnLane
from roost.gateway.inspection.parameter_filter import kind
from roost.gateway.letters import Broadcast, open_letter
from roost.gateway.payloads import InvalidPayload, read_any
from roost.gateway.replies import Error, Ok, Reply, Stop
from roost.gateway.telemetry import ChannelHandledIn, ChannelJoined, Result
from roost.gateway.transports.when_slow import WhenSlow
from roost.shared.serializer import Message, Payload

if TYPE_CHECKING:
    from roost.gateway.clients.client import Client
    from roost.shared.peer.audience import Subscription

_REPLIES: Final = (Ok, Error, Reply)


class ChannelProcess(ChannelMailbox):
    """What Phoenix's channel process is: a state, a mailbox, and the order in which things happen."""

    __slots__ = ("_answering", "_joining")

    def __init__(self, client: "Client", membership: Membership, channel: Channel[Any], join: Message) -> None:
        self.client = client
        self.membership = membership
        self.channel = channel
        # A join without join_ref is known to its channel by its ref (Phoenix 1.8, `Phoenix.Channel.Server`).
        self.join_ref = join.ref if membership.join_ref is None else membership.join_ref
        self.subscription: Subscription | None = None
        self._answering: Any = join
        """What is being answered: a client's message, and while the subscription is awaited, the join's response."""
        self._state = JOINING
        self._busy = True
        self._emptying = False
        self._task = None
        self._mailbox = None
        self._order = None
        self._extras = None
        self._joining: tuple[float, Payload] | None = None
        """When the join began, and with what: only while code is attached to the telemetry of joins."""

    @property
    def when_slow(self) -> WhenSlow:
        """What becomes of the topic's broadcasts while the client does not read."""
        return self.channel._when_slow.of(self.membership.topic)

    # Told by the client

    def join(self, subtopic: str, assigns: Mapping[str, Any]) -> None:
        """Make the channel, with the route's assigns, and ask it whether the client may join."""
        channel = self.channel
        channel.socket = self.client.socket
        channel.topic = self.membership.topic
        channel.subtopic = intern(subtopic)
        channel._process = self
        telemetry = self.client.runtime.telemetry
        if ChannelJoined in telemetry.attached:
            self._joining = telemetry.clock(), self._answering.payload
        try:
            channel.__init__()  # type: ignore[misc]
            for name, value in assigns.items():
                setattr(channel, name, value)
            params = channel._join_params.read(self._answering.payload)
            coroutine = channel.join(params)
        except InvalidPayload as error:
            self._tell_joined("error")
            self._refuse(error.reason())
        except Exception as error:  # noqa: BLE001 - the crash boundary of a channel's code
            self._join_done(None, error)
        else:
            self._run(coroutine, self._join_done)
            if self._state is JOINING and self._task is not None:
                self.client.hold_back(self._answering)

    def begin(self) -> None:
        """The client knows that it has joined."""
        self._state = JOINED
        if type(self.channel).joined is Channel.joined:
            self._idle()
        else:
            self.client.runtime.uplink.local_topics.hold(self.subscription)
            self._run(self.channel.joined(), self._joined_done)

    def message(self, message: Message) -> None:
        """The client sent an event."""
        if self._state is not JOINED:
            return
        if self._busy:
            self.client.hold_back(message)
            self._deliver(self._handle_held_back, message)
        else:
            self._handle_message(message)

    def leave(self, message: Message) -> None:
        """The client leaves."""
        if self._state is JOINED:
            self.client.hold_back(message)
            self._deliver(self._handle_leave, message)

    def discard(self) -> None:
        """The client joined again: end without a word; `terminate` does not run, as in Phoenix."""
        self._state = ENDED
        self._let_go()
        self._unsubscribe()
        if self._task is not None:
            self.client.runtime.runner.cancel(self._task)

    def close(self, reason: str) -> None:
        """The connection is gone."""
        self._unsubscribe()
        if self._task is not None:
            self._finish_in_time()
        elif self._state is JOINING:
            self._end(reason, graceful=True)
            return
        if self._state is JOINED:
            self._deliver(self._handle_close, reason)

    # Told by the uplink and by timers

    def confirmed(self, subscription: "Subscription") -> None:
        """A subscription stands."""
        if subscription is self.subscription:
            response, self._answering = self._answering, None
            self._tell_joined("ok")
            self.client.accepted(self.membership, response)
        elif self._extras is not None:
            self._extras.confirmed(subscription)

    def letter(self, topic: str, letter: bytes) -> None:
        """A message of a topic to which the channel subscribes came: for its code, or to be encoded for its client."""
        serializer = self.client.serializer
        if isinstance(serializer, OwnLane) and topic == self.membership.topic and self._fastlane(serializer, letter):
            return
        self._deliver(self._handle_letter, (topic, letter))

    def asked(self, question: Question) -> None:
        """Code asks the channel something."""
        if self._state in (State.ENDING, ENDED):
            question.fail("the channel has ended")
        else:
            self._deliver(self._handle_call, question)

    def info(self, message: Any) -> None:
        """A message for `handle_info`."""
        self._deliver(self._handle_info, message)

    # Called by the channel's code

    def reply_later(self) -> LaterReply:
        """A reply to the message that is being handled, to be given later."""
        message = self._answering
        if self._state is JOINING or not isinstance(message, Message):
            raise RuntimeError(f"{self.name()} answers no message now: call reply_later while an event is handled")
        if message.ref is None:
            raise RuntimeError(f"the client wants no reply to {message.event!r}: its message has no ref")
        return LaterReply(self, message.ref)

    def send_after(self, seconds: float, message: Any) -> Timer:
        """A timer that ends with the channel."""
        return self.extras().send_after(seconds, message)

    # Handling

    def _handle_held_back(self, message: Message) -> None:
        self.client.take(message)
        self._handle_message(message)

    def _handle_message(self, message: Message) -> None:
        if self._state is not JOINED:
            return
        channel = self.channel
        method = channel._events.get(message.event) if isinstance(message.event, str) else None
        self._answering = message
        try:
            if method is None:
                coroutine = channel.handle_in(message.event, read_any(message.payload))
            else:
                coroutine = method.call(channel, method.argument.read(message.payload))
        except InvalidPayload as error:
            self._message_done(Error(error.reason()), None)
            return
        except Exception as error:  # noqa: BLE001 - a payload's type is the application's code: its validators say
            self._message_done(None, error)
            return
        telemetry = self.client.runtime.telemetry
        if ChannelHandledIn in telemetry.attached:
            self._run(coroutine, partial(self._timed_message_done, telemetry.clock()))
        else:
            self._run(coroutine, self._message_done)
        if self._answering is message:
            self.client.hold_back(message)  # it waits for something, and takes memory meanwhile

    def _handle_letter(self, named: tuple[str, bytes]) -> None:
        message = open_letter(*named)
        if isinstance(message, Broadcast) and message.topic == self.membership.topic:
            self._handle_out(message)
        else:
            self._handle_info(message)

    def _handle_out(self, broadcast: Broadcast) -> None:
        """An event of the channel's own topic that it intercepts."""
        method = self.channel._outgoing.get(broadcast.event)
        if method is None:
            coroutine = self.channel.handle_out(broadcast.event, broadcast.payload)
        else:
            coroutine = method(self.channel, broadcast.payload)
        self._run(coroutine, partial(self._done, "handle_out"))

    def _handle_call(self, question: Question) -> None:
        self._run(self.channel.handle_call(question.question), partial(self._call_done, question))

    def _handle_info(self, message: Any) -> None:
        self._run(self.channel.handle_info(message), partial(self._done, "handle_info"))

    def _handle_leave(self, message: Message) -> None:
        self.client.take(message)
        try:
            self.reply(message.ref, Ok())
        except Exception as error:  # noqa: BLE001 - the crash boundary: a serializer of the application's may raise
            self._crash(error, message.event)
        else:
            self._end("left", graceful=True)

    def _handle_close(self, reason: str) -> None:
        self._end(reason, graceful=True)

    # What the channel's methods gave

    def _join_done(self, value: Any, error: BaseException | None) -> None:
        if self._task is not None:
            self.client.take(self._answering)
            self._task = None
        if self._state is ENDED:
            return
        if error is None and not isinstance(value, Ok | Error):
            error = TypeError(f"join returned {kind(value)}; it returns Ok(reply) or Error(reason)")
        if error is not None:
            if self.client.closed_by is None:
                self.log_crash(error, "join")
            self._refuse(JOIN_CRASHED)
        elif (reason := self.client.closed_by) is not None:
            self._end(reason, graceful=True)
        elif isinstance(value, Error):
            self._tell_joined("error")
            self._refuse(value.payload)
            self._end("shutdown", graceful=True)
        else:
            self._answering = value.payload
            self.subscription = self.client.subscribe(self)

    def _joined_done(self, value: Any, error: BaseException | None) -> None:
        self.client.runtime.uplink.local_topics.release(self.subscription)
        self._done("joined", value, error)

    def _timed_message_done(self, began: float, value: Any, error: BaseException | None) -> None:
        message: Message = self._answering
        if error is None and self._state is not ENDED:
            telemetry = self.client.runtime.telemetry
            telemetry.emit(
                ChannelHandledIn(
                    duration=telemetry.clock() - began,
                    ref=message.ref,
                    event=message.event,
                    payload=message.payload,
                    channel=self.channel,
                )
            )
        self._message_done(value, error)

    def _message_done(self, value: Any, error: BaseException | None) -> None:
        message: Message = self._answering
        self._answering = None
        if self._task is not None:
            self.client.take(message)
            self._task = None
        if self._state is ENDED:
            return
        try:
            # By type: a `match` takes longer than the reply.
            if error is not None:
                self._crash(error, message.event)
            elif value is None:
                self._idle()
            elif isinstance(value, _REPLIES):
                self.reply(message.ref, value)
                self._idle()
            elif isinstance(value, Stop):
                if value.reply is not None:
                    self.reply(message.ref, value.reply)
                self._end(value.reason, graceful=value.graceful)
            else:
                raise TypeError(
                    f"it returned {kind(value)}; an event method returns Ok(...), Error(...), "
                    "Reply(status, ...), Stop(...) or None"
                )
        except Exception as failure:  # noqa: BLE001 - the crash boundary of a channel's code
            self._crash(failure, message.event)

    def _call_done(self, question: Question, value: Any, error: BaseException | None) -> None:
        self._task = None
        error = question.finish(value, error)
        if self._state is ENDED:
            return
        if error is not None:
            self._crash(error, "handle_call")
        else:
            self._idle()

    def _done(self, method: str, value: Any, error: BaseException | None) -> None:
        self._task = None
        if self._state is ENDED:
            return
        match value:
            case _ if error is not None:
                self._crash(error, method)
            case None:
                self._idle()
            case Stop():
                self._end(value.reason, graceful=value.graceful)
            case _:
                self._crash(TypeError(f"it returned {kind(value)}; it returns Stop(...) or None"), method)

    # Telemetry

    def _tell_joined(self, result: Result) -> None:
        if self._joining is not None:
            (began, payload), self._joining = self._joining, None
            telemetry = self.client.runtime.telemetry
            seconds = telemetry.clock() - began
            telemetry.emit(ChannelJoined(duration=seconds, result=result, payload=payload, channel=self.channel))

    # Ending

    def _refuse(self, payload: Any) -> None:
        self._state = ENDED
        self.client.runtime.ending.discard(self)
        self._let_go()
        self.client.refused(self.membership, payload)

    def _crash(self, error: BaseException, doing: Any) -> None:
        if self.client.closed_by is None:
            self.log_crash(error, doing)
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
            if self._task is not None:
                self._finish_in_time()

    def _terminated(self, graceful: bool, _: Any, error: BaseException | None) -> None:
        self._task = None
        self.client.runtime.ending.discard(self)
        if error is not None:
            self.log_crash(error, "terminate")
        if not graceful:
            self._tell_client(graceful=False)
        self._state = ENDED

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
