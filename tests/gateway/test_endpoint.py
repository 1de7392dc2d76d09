"""Endpoints: what is mounted where, and what is refused."""

import pytest

from roost.gateway.endpoint import IDLE_TIMEOUT, Endpoint, WebSocket
from roost.gateway.socket import Socket


def test_mounts_are_kept_in_order_with_their_options() -> None:
    endpoint = Endpoint()
    endpoint.mount("/socket", Socket)
    endpoint.mount("/admin/socket", Socket, websocket=WebSocket(timeout=None, path="/ws"))
    assert [(mount.path, mount.websocket.path, mount.websocket.timeout) for mount in endpoint.mounts] == [
        ("/socket", "/websocket", IDLE_TIMEOUT),
        ("/admin/socket", "/ws", None),
    ]


@pytest.mark.parametrize("path", ["", "/", "socket", "/socket/"])
def test_paths_begin_with_a_slash_and_do_not_end_with_one(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        Endpoint().mount(path, Socket)
    with pytest.raises(ValueError, match="path"):
        WebSocket(path=path)


@pytest.mark.parametrize("timeout", [0, -1.0])
def test_a_timeout_is_more_than_nothing(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        WebSocket(timeout=timeout)


async def test_outside_a_worker_nothing_can_be_sent() -> None:
    with pytest.raises(RuntimeError, match="not being served"):
        await Endpoint().broadcast("room:a", "e", {})
    with pytest.raises(RuntimeError, match="not being served"):
        _ = Endpoint().pubsub
