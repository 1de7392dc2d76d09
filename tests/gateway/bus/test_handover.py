"""Handing over: who leaves because of what it was handed gets nothing of what follows in the same turn."""

import asyncio
from typing import Any

import pytest

from roost.gateway.bus.handover import hand_over
from roost.gateway.letters import open_letter
from roost.gateway.transports.turn import Turn
from roost.shared.bus import Form, Lane, Letter, encode_letter
from roost.shared.peer.audience import Subscription
from roost.shared.peer.shard_link import Frames, Handover, Letters


class Member:
    """A subscriber; it leaves when it is handed a letter that says so."""

    descriptor = -1

    def __init__(self, number: int, departed: list[Subscription]) -> None:
        self.subscription = Subscription(number, 0, "room:a", Lane.V2, (), self, self, 0.0)
        self.got: list[Any] = []
        self._departed = departed

    def letter(self, topic: str, letter: bytes) -> None:
        if letter == b"bad":
            raise ValueError(letter)
        self.got.append(letter)
        if letter == b"leave":
            self._departed.append(self.subscription)

    def send(self, run: Frames) -> None:
        self.got += run.frames

    def fall_behind(self, run: Frames, written: int) -> None:
        self.send(run)


async def test_who_left_meanwhile_gets_nothing_more() -> None:
    departed: list[Subscription] = []
    leaving, staying = members = [Member(1, departed), Member(2, departed)]
    handovers: list[Handover] = [
        Frames([*members], [b"1"], "room:a"),
        Letters([leaving], "room:a", b"leave"),
        Frames([*members], [b"2"], "room:a"),
        Frames([*members], [b"elsewhere"], "room:b"),
        Letters([*members], "room:a", b"3"),
    ]
    delivered = hand_over([*handovers], Turn(asyncio.get_running_loop()), departed)
    assert leaving.got == [b"1", b"leave", b"elsewhere"]
    assert staying.got == [b"1", b"2", b"elsewhere", b"3"]
    assert delivered == len(leaving.got) + len(staying.got)


async def test_a_transport_that_is_there_twice_loses_one_place_only() -> None:
    """A client that joins a topic again while its first channel there still waits to leave."""
    departed: list[Subscription] = []
    member = Member(1, departed)
    departed.append(member.subscription)
    assert hand_over([Frames([member, member], [b"1"], "room:a")], Turn(asyncio.get_running_loop()), departed) == 1
    assert member.got == [b"1"]


async def test_a_letter_that_cannot_be_read_keeps_nothing_else_back(caplog: pytest.LogCaptureFixture) -> None:
    one, other = members = [Member(1, []), Member(2, [])]
    handovers: list[Handover] = [Letters([*members], "room:a", letter) for letter in (b"bad", b"good")]
    hand_over([*handovers, Frames([one], [b"frame"], "room:a")], Turn(asyncio.get_running_loop()))
    assert (one.got, other.got) == ([b"good", b"frame"], [b"good"])
    assert "what was published on 'room:a' cannot be handed to Member" in caplog.text


class Reader(Member):
    """Opens what it is handed, as channels do."""

    def letter(self, topic: str, letter: bytes) -> None:
        self.got.append(open_letter(topic, letter).payload)


async def test_a_payload_that_was_passed_on_and_cannot_be_read_is_told_once_and_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whose payload it is, a client, may not fill the log with errors."""
    one, other = members = [Reader(1, []), Reader(2, [])]
    letters = [encode_letter(Letter(Form.JSON, "said", payload)) for payload in (b'{"a":1e400}', b'{"a":1}')]
    hand_over([Letters([*members], "room:a", letter) for letter in letters], Turn(asyncio.get_running_loop()))
    assert one.got == other.got == [{"a": 1}]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "what was published on 'room:a' cannot be read" in record.message
