"""Paths of sockets: fixed, with names in them, and in which order they are asked."""

import pytest

from roost.gateway.connect.socket_paths import SocketPaths

PATHS = SocketPaths(
    (path, path)
    for path in (
        "/socket/websocket",
        "/ws/admin/websocket",
        "/user/:user_id/websocket",
        "/user/me/websocket",
        "/:_tenant/:room/:room2/ws",
    )
)


@pytest.mark.parametrize(
    ("path", "mount", "params"),
    [
        ("/socket/websocket", "/socket/websocket", {}),
        ("/socket/websocket/", "/socket/websocket", {}),
        ("/socket/websocket//", "/socket/websocket", {}),
        ("//socket///websocket", "/socket/websocket", {}),
        ("/user//42/websocket/", "/user/:user_id/websocket", {"user_id": "42"}),
        ("/ws/admin/websocket", "/ws/admin/websocket", {}),
        ("/user/42/websocket", "/user/:user_id/websocket", {"user_id": "42"}),
        ("/user/a%20b/websocket", "/user/:user_id/websocket", {"user_id": "a%20b"}),
        ("/user/me/websocket", "/user/:user_id/websocket", {"user_id": "me"}),
        ("/x/a/b/ws", "/:_tenant/:room/:room2/ws", {"room": "a", "room2": "b"}),
    ],
)
def test_what_a_path_names(path: str, mount: str, params: dict[str, str]) -> None:
    found = PATHS.find(path)
    assert found is not None
    assert (found.mount, found.params) == (mount, params)


@pytest.mark.parametrize(
    "path",
    [
        *(None, "", "/", "/socket", "/socket/websocket/more", "socket/websocket"),
        *("//", "/user//websocket", "/SOCKET/websocket", "*"),
    ],
)
def test_what_no_socket_is_mounted_at(path: str | None) -> None:
    assert PATHS.find(path) is None
