"""Sockets: what can be set when, and whose routes are whose."""

from typing import Any

import pytest

from roost.gateway.channel import Channel
from roost.gateway.socket import Socket
from roost.shared.topics import RESERVED


class Room(Channel[Socket]): ...


class Lobby(Channel[Socket]): ...


def test_routes_belong_to_the_class_that_declares_them() -> None:
    base: type[Socket] = type("Base", (Socket,), {})
    base.route("room:*", Room)
    derived: type[Socket] = type("Derived", (base,), {})
    derived.route("lobby", Lobby)
    assert [route.pattern for route in base.routes] == ["room:*"]
    assert [route.pattern for route in derived.routes] == ["room:*", "lobby"]
    assert Socket.routes == []


def test_a_topic_finds_its_channel_and_what_the_star_stands_for() -> None:
    kind: type[Socket] = type("Kind", (Socket,), {})
    kind.route("room:*", Room)
    found = kind.find("room:a")
    assert found is not None
    assert (found[0].channel, found[1]) == (Room, "a")
    assert kind.find("lobby") is None


def test_the_nodes_own_topics_have_no_channel_whatever_the_routes() -> None:
    kind: type[Socket] = type("Kind", (Socket,), {})
    kind.route("*", Room)
    assert kind.find("room:a") is not None
    assert kind.find(f"{RESERVED}room:a") is None


def test_connect_must_be_async() -> None:
    def connect(self: Any, params: Any, info: Any) -> None: ...

    with pytest.raises(TypeError, match=r"Kind\.connect must be async"):
        type("Kind", (Socket,), {"connect": connect})


def test_what_channels_share_cannot_be_changed_once_the_client_is_connected() -> None:
    class Kind(Socket):
        name: str

    socket = Kind()
    socket.name = "before"
    socket.freeze()
    with pytest.raises(AttributeError, match="read-only after connect"):
        socket.name = "after"
    assert socket.name == "before"
    Kind().name = "another connection is free"
