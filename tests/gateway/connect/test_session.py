"""Sessions of sockets: upstream's cases CI-01 to CI-04."""

from collections.abc import Mapping
from typing import Any

import pytest
from websockets.datastructures import Headers

from roost.gateway.connect.connect_info import ConnectInfo, PeerData, Uri
from roost.gateway.connect.csrf import csrf_token
from roost.gateway.connect.mount import WebSocket
from roost.gateway.connect.session import read_session

INFO = ConnectInfo(PeerData("127.0.0.1", 1), Uri("http", "a", 80, "/", ""), Headers([("Cookie", "session=1")]))


def stored(session: Mapping[str, Any]) -> Any:
    """A hook that reads the only session that there is."""
    return lambda info: session if info.cookies.get("session") == "1" else None


async def test_ci_01_the_hook_reads_the_session() -> None:
    session: dict[str, Any] = {"user": 1}
    token = csrf_token(session)
    assert await read_session(WebSocket(session=stored(session)), {"_csrf_token": token}, INFO) == session
    without = ConnectInfo(INFO.peer_data, INFO.uri, Headers())
    assert await read_session(WebSocket(session=stored(session)), {"_csrf_token": token}, without) is None


async def test_hooks_may_wait() -> None:
    async def hook(_: ConnectInfo) -> Mapping[str, Any]:
        return {"user": 1}

    assert await read_session(WebSocket(session=hook, check_csrf=False), {}, INFO) == {"user": 1}


async def test_ci_02_the_sessions_key_can_have_another_name() -> None:
    session: dict[str, Any] = {}
    token = csrf_token(session, "_my_csrf_token")
    mine = WebSocket(session=stored(session), csrf_token_key="_my_csrf_token")
    assert await read_session(mine, {"_csrf_token": token}, INFO) == session
    assert await read_session(WebSocket(session=stored(session)), {"_csrf_token": token}, INFO) is None


async def test_ci_03_without_the_check_no_token_is_needed() -> None:
    assert await read_session(WebSocket(session=stored({"user": 1}), check_csrf=False), {}, INFO) == {"user": 1}


@pytest.mark.parametrize("params", [{}, {"_csrf_token": "x" * 56}, {"_csrf_token": ["x"]}])
async def test_ci_04_a_wrong_token_is_no_session(params: dict[str, Any]) -> None:
    session: dict[str, Any] = {}
    csrf_token(session)
    assert await read_session(WebSocket(session=stored(session)), params, INFO) is None
