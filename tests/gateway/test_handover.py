"""Handing over: who leaves because of what it was handed gets nothing of what follows in the same turn."""

import asyncio

import pytest

from roost.gateway.handover import hand_over
from roost.gateway.turn import Turn
from roost.shared.bus import Lane
from roost.shared.peer.audience import Subscription
from roost.shared.peer.shard_link import Frames, Handover, Letters


class Member:
    """A subscriber; it leaves when it is handed a letter that says so."""

    descriptor = -1

    def __init__(self, number: int, departed: list[Subscription]) -> None:
        self.subscription = Subscription(number, 0, "room:a", Lane.V2, (), self, self, 0.0)
        self.got: list[bytes] = []
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
