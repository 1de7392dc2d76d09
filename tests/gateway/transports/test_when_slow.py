"""How a channel class says what becomes of its broadcasts for slow clients."""

from typing import Any

import pytest

from roost import Channel, Socket, WebSocket, WhenSlow
from roost.gateway.transports.when_slow import WhenSlowRules


class Cursors(Channel[Socket]):
    when_slow = WhenSlow.LATEST


def test_clients_are_disconnected_unless_the_class_says_otherwise() -> None:
    class Plain(Channel[Socket]):
        pass

    class Heir(Cursors):
        pass

    assert Plain._when_slow.of("any") is WhenSlow.DISCONNECT
    assert Heir._when_slow.of("any") is WhenSlow.LATEST


def test_one_class_may_serve_several_patterns() -> None:
    rules = WhenSlowRules(
        "Room", {"room:exact": WhenSlow.DROP_NEWEST, "room:cursors:*": "latest", "room:e*": "drop_newest"}
    )
    assert [rules.of(topic) for topic in ("room:exact", "room:cursors:1", "room:every", "room:1", "")] == [
        WhenSlow.DROP_NEWEST,
        WhenSlow.LATEST,
        WhenSlow.DROP_NEWEST,
        WhenSlow.DISCONNECT,
        WhenSlow.DISCONNECT,
    ]


@pytest.mark.parametrize("declared", ["newest", None, 1, {"room:*": "newest"}, ["latest"]])
def test_what_is_no_policy_is_refused_with_those_there_are(declared: Any) -> None:
    with pytest.raises(TypeError, match=r"Room.when_slow is one of WhenSlow.DISCONNECT, .* is none"):
        type("Room", (Channel,), {"when_slow": declared})


def test_what_is_no_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="a topic pattern is a topic or a prefix"):
        type("Room", (Channel,), {"when_slow": {"*:room": WhenSlow.LATEST}})


@pytest.mark.parametrize("size", [0, -1])
def test_a_bound_without_room_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"max_outbound_bytes must be more than 0, not {size}"):
        WebSocket(max_outbound_bytes=size)
