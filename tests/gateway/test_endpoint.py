"""Endpoints: what is mounted where, and what is refused."""

import pytest

from roost.gateway.connect.mount import IDLE_TIMEOUT, WebSocket
from roost.gateway.endpoint import Endpoint
from roost.gateway.socket import Socket


def test_mounts_are_kept_in_order_with_their_options() -> None:
    endpoint = Endpoint()
    endpoint.mount("/socket", Socket)
    endpoint.mount("/admin/socket", Socket, websocket=WebSocket(timeout=None, path="/ws"))
    assert [(mount.path, mount.over_websocket.path, mount.over_websocket.timeout) for mount in endpoint.mounts] == [
        ("/socket", "/websocket", IDLE_TIMEOUT),
        ("/admin/socket", "/ws", None),
    ]


async def test_outside_a_worker_nothing_can_be_sent() -> None:
    with pytest.raises(RuntimeError, match="not being served"):
        await Endpoint().broadcast("room:a", "e", {})
    with pytest.raises(RuntimeError, match="not being served"):
        _ = Endpoint().pubsub
