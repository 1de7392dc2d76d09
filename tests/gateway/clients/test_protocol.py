"""One client's rules against Phoenix's table, row by row, in every order in which things can happen.

The machine plays the client, the channels behind it, and answers that come too late. `Phoenix` is the model: the
table of section 2.6 of Phoenix's behaviour, for which a join blocks its own topic and nothing else.
"""

import json
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from roost.gateway.clients.protocol import (
    Answer,
    ClientProtocol,
    Confirm,
    Discard,
    Effect,
    Forward,
    Leave,
    Membership,
    Push,
    Refuse,
    Resume,
    Start,
    Status,
    Wait,
)
from roost.shared.serializer import Message, Raw, Reply
from tests.shared.json_values import typed

MAX_CHANNELS = 2
ROUTED = ["room:a", "room:b", "room:c"]
ODD_TOPICS: list[Any] = ["nomatch", "phoenix", "\0room:a", None, 1, ["room:a"], {"room": "a"}]
JOIN_REFS: list[Any] = [None, "1", 1, 1.0, True, ""]
"""Refs that are all different, though Python takes some of them for equal."""

Step = tuple[Any, ...]
"""One thing that is seen from outside: a frame for the client, or something that a channel is told."""


class Topics:
    def __init__(self, max_channels: int) -> None:
        self.max_channels = max_channels

    def find(self, topic: str) -> str | None:
        return "route" if topic.startswith("room:") else None


def reply(join_ref: Any, message: Message, status: str, response: Any) -> Step:
    return ("reply", typed([join_ref, message.ref, message.topic, status, response]))


def closing(event: str, topic: str, join_ref: Any) -> Step:
    payload = {"reason": "channel_crash"} if event == "phx_error" else {}
    return ("push", typed([join_ref, join_ref, topic, event, payload]))


class Joining:
    """One joining of one topic, as the model knows it."""

    def __init__(self, number: int, message: Message) -> None:
        self.number = number
        self.topic: str = message.topic
        self.join_ref = message.join_ref
        self.message = message
        self.state = "joining"
        self.waiting: deque[Message] = deque()
        self.replaced: Joining | None = None


class Phoenix:
    """The table. Each input gives the steps that follow from it, in order."""

    def __init__(self) -> None:
        self.topics: dict[str, Joining] = {}
        self.joinings: list[Joining] = []

    def receive(self, message: Message) -> list[Step]:
        joining = self.topics.get(message.topic) if isinstance(message.topic, str) else None
        if (message.topic, message.event) == ("phoenix", "heartbeat"):
            return [reply(None, message, "ok", {})]  # row 1
        if joining is not None and joining.state == "joining":
            joining.waiting.append(message)
            return [("wait", message.ref)]
        match message.event:
            case "phx_join":
                return self._join(message, joining)
            case "phx_leave":
                return self._leave(message, joining)
        return self._event(message, joining)

    def verdict(self, joining: Joining, status: str, response: Any) -> list[Step]:
        """The channel has decided about the join."""
        if joining.state != "joining":
            return []
        steps = [reply(joining.join_ref, joining.message, status, response)]
        if status == "ok":
            joining.state = "joined"
        else:
            self._forget(joining)
        if joining.replaced is not None:
            steps.append(closing("phx_close", joining.topic, joining.replaced.join_ref))
        if status == "ok":
            steps.append(("begin", joining.number))  # Phoenix's new channel sends nothing before that close
        waiting, joining.waiting = joining.waiting, deque()
        for message in waiting:
            steps += [("resume", message.ref), *self.receive(message)]
        return steps

    def ended(self, joining: Joining, *, graceful: bool) -> list[Step]:
        """The channel has ended."""
        if joining.state not in ("joined", "leaving"):
            return []
        self._forget(joining)
        return [closing("phx_close" if graceful else "phx_error", joining.topic, joining.join_ref)]

    def closed(self) -> set[int]:
        """The connection is gone; answers the channels that were there."""
        alive = {joining.number for joining in self.topics.values()}
        for joining in list(self.topics.values()):
            self._forget(joining)
        return alive

    def _join(self, message: Message, old: Joining | None) -> list[Step]:
        unmatched = not isinstance(message.topic, str) or not message.topic.startswith("room:")
        if old is None and unmatched:
            return [self._unmatched(message)]  # row 2
        steps: list[Step] = []
        if old is not None:
            self._forget(old)
            steps.append(("discard", old.number))  # row 5
        if len(self.topics) >= MAX_CHANNELS:
            return [*steps, reply(message.join_ref, message, "error", {"reason": "too many channels joined"})]  # row 3
        joining = self.topics[message.topic] = Joining(len(self.joinings), message)
        joining.replaced = old
        self.joinings.append(joining)
        return [*steps, ("start", joining.number)]  # row 4

    def _leave(self, message: Message, joining: Joining | None) -> list[Step]:
        if joining is None:
            return [reply(message.join_ref, message, "ok", {})]  # row 7
        if not self._current(message, joining) or joining.state == "leaving":
            return []
        joining.state = "leaving"
        return [("leave", joining.number, message.ref)]  # row 6

    def _event(self, message: Message, joining: Joining | None) -> list[Step]:
        if joining is None:
            return [self._unmatched(message)]  # row 9
        return [("forward", joining.number, message.ref)] if self._current(message, joining) else []  # row 8

    def _unmatched(self, message: Message) -> Step:
        return reply(None, message, "error", {"reason": "unmatched topic"})

    def _current(self, message: Message, joining: Joining) -> bool:
        return message.join_ref is None or typed(message.join_ref) == typed(joining.join_ref)

    def _forget(self, joining: Joining) -> None:
        joining.state = "ended"
        if self.topics.get(joining.topic) is joining:
            del self.topics[joining.topic]


class Client:
    """What `gateway/clients/client.py` makes of the rules' effects, with the channels left to the test."""

    def __init__(self, max_channels: int = MAX_CHANNELS) -> None:
        self.protocol = ClientProtocol(Topics(max_channels))
        self.memberships: list[Membership] = []
        self.confirmed: list[int] = []
        self.waiting = 0

    def receive(self, message: Message) -> list[Step]:
        forwarded = self.protocol.forwards(message)
        effects = self.protocol.receive(message)
        if message.event == "heartbeat":
            assert forwarded is None
        else:
            assert [one for one in effects if isinstance(one, Forward)] == (
                [Forward(forwarded, message)] if forwarded else []
            )
        return self.perform(effects)

    def perform(self, effects: list[Effect]) -> list[Step]:
        steps: list[Step] = []
        for effect in effects:
            steps += self._perform(effect)
        return steps

    def _perform(self, effect: Effect) -> list[Step]:
        match effect:
            case Answer(Reply(join_ref, ref, topic, status, response)) | Refuse(
                Reply(join_ref, ref, topic, status, response)
            ):
                return [("reply", typed([join_ref, ref, topic, status, response]))]
            case Push(topic, join_ref, event, payload):
                return [("push", typed([join_ref, join_ref, topic, event, payload]))]
            case Start(membership, route, message):
                assert (route, membership.topic) == ("route", message.topic)
                self.memberships.append(membership)
                return [("start", len(self.memberships) - 1)]
            case Confirm(membership):
                self.confirmed.append(self.memberships.index(membership))
                return [("begin", self.memberships.index(membership))]
            case Forward(membership, message):
                return [("forward", self.memberships.index(membership), message.ref)]
            case Leave(membership, message):
                return [("leave", self.memberships.index(membership), message.ref)]
            case Discard(membership):
                return [("discard", self.memberships.index(membership))]
            case Wait(message):
                self.waiting += 1
                return [("wait", message.ref)]
            case Resume(messages):
                self.waiting -= len(messages)
                return [step for message in messages for step in [("resume", message.ref), *self.receive(message)]]


def message(topic: Any, event: Any, join_ref: Any, ref: Any) -> Message:
    return Message(join_ref, ref, topic, event, Raw(b"{}"))


join_refs = st.sampled_from(JOIN_REFS)
routed = st.sampled_from(ROUTED)
responses = st.sampled_from([{}, {"reason": "unauthorized"}, None, "text"])


class ProtocolMachine(RuleBasedStateMachine):
    """A client that sends anything, channels that answer whenever they like, also when it is too late."""

    def __init__(self) -> None:
        super().__init__()
        self.client = Client()
        self.phoenix = Phoenix()
        self.refs = map(str, count(1))
        self.closed = False
        self.steps: list[Step] = []
        self.joins: list[str] = []

    def same(self, got: list[Step], expected: list[Step]) -> None:
        assert got == expected
        self.steps += got

    def send(self, topic: Any, event: Any, join_ref: Any) -> None:
        if self.closed:
            return  # the transport gives nothing more
        sent = message(topic, event, join_ref, next(self.refs))
        if event == "phx_join":
            self.joins.append(sent.ref)
        self.same(self.client.receive(sent), self.phoenix.receive(sent))

    # The client

    @rule(topic=routed, join_ref=join_refs)
    def join(self, topic: str, join_ref: Any) -> None:
        self.send(topic, "phx_join", join_ref)

    @rule(topic=routed, join_ref=join_refs)
    def leave(self, topic: str, join_ref: Any) -> None:
        self.send(topic, "phx_leave", join_ref)

    @rule(topic=routed, join_ref=join_refs, event=st.sampled_from(["shout", "heartbeat", "phx_close", "", None, 1, []]))
    def send_event(self, topic: str, join_ref: Any, event: Any) -> None:
        self.send(topic, event, join_ref)

    @rule(topic=st.sampled_from(ODD_TOPICS), event=st.sampled_from(["phx_join", "phx_leave", "x"]), join_ref=join_refs)
    def send_to_an_odd_topic(self, topic: Any, event: str, join_ref: Any) -> None:
        self.send(topic, event, join_ref)

    @rule(join_ref=join_refs)
    def heartbeat(self, join_ref: Any) -> None:
        self.send("phoenix", "heartbeat", join_ref)

    # The channels, those that have ended too

    @precondition(lambda self: self.client.memberships)
    @rule(data=st.data(), status=st.sampled_from(["ok", "ok", "error"]), response=responses)
    def decide(self, data: st.DataObject, status: str, response: Any) -> None:
        membership, joining = self.draw_channel(data)
        decide = self.client.protocol.accepted if status == "ok" else self.client.protocol.refused
        before = list(self.client.confirmed)
        was_joining = joining.state == "joining"
        self.same(self.client.perform(decide(membership, response)), self.phoenix.verdict(joining, status, response))
        confirmed = [joining.number] if was_joining and status == "ok" else []
        assert self.client.confirmed == before + confirmed

    @precondition(lambda self: self.client.memberships)
    @rule(data=st.data(), graceful=st.booleans())
    def end(self, data: st.DataObject, graceful: bool) -> None:
        membership, joining = self.draw_channel(data)
        got = self.client.perform(self.client.protocol.ended(membership, graceful=graceful))
        self.same(got, self.phoenix.ended(joining, graceful=graceful))

    @precondition(lambda self: len(self.client.memberships) > 3)
    @rule()
    def close(self) -> None:
        alive = {self.client.memberships.index(membership) for membership in self.client.protocol.closed()}
        assert alive == self.phoenix.closed()
        assert self.client.protocol.closed() == []
        self.closed = True

    def draw_channel(self, data: st.DataObject) -> tuple[Membership, Joining]:
        number = data.draw(st.integers(0, len(self.client.memberships) - 1))
        return self.client.memberships[number], self.phoenix.joinings[number]

    # What is always true

    @invariant()
    def the_same_is_joined(self) -> None:
        states = {topic: membership.status.name.lower() for topic, membership in self.client.protocol.topics.items()}
        assert states == {topic: joining.state for topic, joining in self.phoenix.topics.items()}
        assert len(states) <= MAX_CHANNELS
        assert self.closed or self.client.waiting == sum(
            len(joining.waiting) for joining in self.phoenix.topics.values()
        )

    @invariant()
    def what_is_ended_stays_ended(self) -> None:
        for membership, joining in zip(self.client.memberships, self.phoenix.joinings, strict=True):
            assert (membership.status is Status.ENDED) == (joining.state == "ended")

    def teardown(self) -> None:
        """No join is answered twice, none is forgotten while the connection lasts, nothing is waited for in vain."""
        while not self.closed and (undecided := [one for one in self.phoenix.joinings if one.state == "joining"]):
            one = undecided[0]
            got = self.client.perform(self.client.protocol.accepted(self.client.memberships[one.number], {}))
            self.same(got, self.phoenix.verdict(one, "ok", {}))
        replies = [json.loads(step[1])[1] for step in self.steps if step[0] == "reply"]
        assert len(replies) == len(set(replies))
        if not self.closed:
            assert set(self.joins) <= set(replies)
        ends = [step for step in self.steps if step[0] == "push"]
        assert len(ends) <= sum(step[0] == "start" for step in self.steps)


TestProtocol = ProtocolMachine.TestCase
TestProtocol.settings = settings(max_examples=200, stateful_step_count=40)


class TestWorkedTranscripts:
    """The observed transcripts of section 12, as far as they concern one client's rules."""

    def joined(self, *topics: str, join_ref: Any = "1") -> Client:
        client = Client(max_channels=100)
        for topic in topics:
            client.receive(message(topic, "phx_join", join_ref, "1"))
            client.perform(client.protocol.accepted(client.memberships[-1], {}))
        return client

    def test_leave_twice(self) -> None:
        client = self.joined("room:a")
        assert client.receive(message("room:a", "phx_leave", "1", "3")) == [("leave", 0, "3")]
        end = client.perform(client.protocol.ended(client.memberships[0], graceful=True))
        assert end == [("push", '["1", "1", "room:a", "phx_close", {}]')]
        again = client.receive(message("room:a", "phx_leave", "1", "4"))
        assert again == [("reply", '["1", "4", "room:a", "ok", {}]')]

    def test_duplicate_join_then_stale_messages(self) -> None:
        client = self.joined("room:a")
        assert client.receive(message("room:a", "phx_join", "6", "9")) == [("discard", 0), ("start", 1)]
        assert client.perform(client.protocol.accepted(client.memberships[1], {})) == [
            ("reply", '["6", "9", "room:a", "ok", {}]'),
            ("push", '["1", "1", "room:a", "phx_close", {}]'),
            ("begin", 1),
        ]
        assert client.receive(message("room:a", "echo", "1", "10")) == []
        assert client.receive(message("room:a", "phx_leave", "1", "11")) == []
        assert client.receive(message("room:a", "echo", None, "12")) == [("forward", 1, "12")]
        assert client.receive(message("room:a", "echo", "6", None)) == [("forward", 1, None)]
        assert client.receive(message("room:a", "echo", "6", 7)) == [("forward", 1, 7)]

    def test_a_refused_duplicate_closes_the_old_one_all_the_same(self) -> None:
        client = self.joined("room:a")
        client.receive(message("room:a", "phx_join", "6", "9"))
        assert client.perform(client.protocol.refused(client.memberships[1], {"reason": "nope"})) == [
            ("reply", '["6", "9", "room:a", "error", {"reason": "nope"}]'),
            ("push", '["1", "1", "room:a", "phx_close", {}]'),
        ]
        unmatched = client.receive(message("room:a", "echo", "6", "10"))
        assert unmatched == [("reply", '[null, "10", "room:a", "error", {"reason": "unmatched topic"}]')]

    def test_join_without_join_ref(self) -> None:
        client = self.joined("room:d", join_ref=None)
        assert client.receive(message("room:d", "echo", "1", "23")) == []
        assert client.receive(message("room:d", "phx_leave", None, "24")) == [("leave", 0, "24")]
        end = client.perform(client.protocol.ended(client.memberships[0], graceful=True))
        assert end == [("push", '[null, null, "room:d", "phx_close", {}]')]

    def test_a_crash(self) -> None:
        client = self.joined("room:b")
        end = client.perform(client.protocol.ended(client.memberships[0], graceful=False))
        assert end == [("push", '["1", "1", "room:b", "phx_error", {"reason": "channel_crash"}]')]

    def test_the_limit(self) -> None:
        client = Client(max_channels=1)
        client.receive(message("room:a", "phx_join", "1", "1"))
        refusal = client.receive(message("room:b", "phx_join", "9", "9"))
        assert refusal == [("reply", '["9", "9", "room:b", "error", {"reason": "too many channels joined"}]')]
        client.perform(client.protocol.accepted(client.memberships[0], {}))
        assert client.receive(message("room:a", "phx_join", "2", "10")) == [("discard", 0), ("start", 1)]

    def test_a_slow_join_keeps_no_other_topic_and_no_heartbeat_waiting(self) -> None:
        client = Client()
        client.receive(message("room:a", "phx_join", "1", "1"))
        assert client.receive(message("room:a", "echo", "1", "2")) == [("wait", "2")]
        heartbeat = client.receive(message("phoenix", "heartbeat", "77", "3"))
        assert heartbeat == [("reply", '[null, "3", "phoenix", "ok", {}]')]
        assert client.receive(message("room:b", "phx_join", "4", "4")) == [("start", 1)]
        assert client.perform(client.protocol.accepted(client.memberships[0], {})) == [
            ("reply", '["1", "1", "room:a", "ok", {}]'),
            ("begin", 0),
            ("resume", "2"),
            ("forward", 0, "2"),
        ]

    def test_join_time_out_of_phoenix_js(self) -> None:
        """It gives the first join up, leaves and joins again with another ref, all before the first is answered."""
        client = Client()
        for event, join_ref, ref in (("phx_join", "1", "1"), ("phx_leave", "1", "2"), ("phx_join", "3", "3")):
            client.receive(message("room:a", event, join_ref, ref))
        assert client.perform(client.protocol.accepted(client.memberships[0], {})) == [
            ("reply", '["1", "1", "room:a", "ok", {}]'),
            ("begin", 0),
            ("resume", "2"),
            ("leave", 0, "2"),
            ("resume", "3"),
            ("discard", 0),
            ("start", 1),
        ]
        assert client.perform(client.protocol.ended(client.memberships[0], graceful=True)) == []

    @pytest.mark.parametrize("late", ["accepted", "refused", "graceful", "crash"])
    @pytest.mark.parametrize("how", ["closed", "refused", "ended", "replaced"])
    def test_no_answer_ever_for_an_ended_membership(self, late: str, how: str) -> None:
        client = Client()
        client.receive(message("room:a", "phx_join", "1", "1"))
        (membership,) = client.memberships
        protocol = client.protocol
        match how:
            case "closed":
                protocol.closed()
            case "refused":
                protocol.refused(membership, {})
            case "ended":
                protocol.accepted(membership, {})
                protocol.ended(membership, graceful=True)
            case "replaced":
                protocol.accepted(membership, {})
                client.receive(message("room:a", "phx_join", "2", "2"))
        answers: dict[str, Callable[[], list[Effect]]] = {
            "accepted": lambda: protocol.accepted(membership, {}),
            "refused": lambda: protocol.refused(membership, {}),
            "graceful": lambda: protocol.ended(membership, graceful=True),
            "crash": lambda: protocol.ended(membership, graceful=False),
        }
        assert answers[late]() == []
