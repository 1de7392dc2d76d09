"""Channels beside the applications that people have: FastAPI with JWT, Django with its session, their own server."""

import asyncio
import json
import socket
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from itsdangerous import TimestampSigner
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from roost import Channel, ConnectInfo, Endpoint, Error, Ok, Presence, Socket, WebSocket, event
from roost.client import ChannelEnded, open_connection
from roost.client.connection import Connection, websocket_url
from roost.starlette import starlette_session
from roost.testing import LiveNode, connect_info
from tests.limits import LIMIT


@pytest.fixture(scope="module")
def fastapi() -> Iterator[LiveNode]:
    with LiveNode("examples.fastapi_jwt:endpoint") as node:
        yield node


@pytest.fixture(scope="module")
def django() -> Iterator[LiveNode]:
    with LiveNode("examples.django_session:endpoint") as node:
        yield node


def as_subprotocols(token: str) -> list[Any]:
    """How phoenix.js shows its authToken."""
    shown = urlsafe_b64encode(token.encode()).decode().rstrip("=")
    return ["phoenix", f"base64url.bearer.phx.{shown}"]


async def test_fastapi_logs_in_and_its_token_connects(fastapi: LiveNode) -> None:
    async with httpx.AsyncClient(base_url=fastapi.url, timeout=LIMIT) as client:
        assert (await client.post("/login", params={"name": "ada", "password": "wrong"})).status_code == 401
        login = await client.post("/login", params={"name": "ada", "password": "analytical"})
        url = websocket_url(f"{fastapi.url}/socket", {})
        async with connect(url, subprotocols=as_subprotocols(login.json()["token"])) as websocket:
            connection = Connection(websocket)
            room = await connection.join("room:lobby")
            await room.push("shout", {"body": "hello"})
            assert (await room.receive()).payload == {"name": "ada", "body": "hello"}
            assert (await client.post("/announce", params={"body": "tea"})).json() == {"announced": "tea"}
            assert (await room.receive()).event == "announcement"
            await connection.close()


async def test_fastapi_without_a_token_is_refused(fastapi: LiveNode) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(websocket_url(f"{fastapi.url}/socket", {}), subprotocols=as_subprotocols("made up")):
            raise AssertionError
    assert refused.value.response.status_code == 403


async def test_who_is_logged_in_in_django_is_known_to_channels(django: LiveNode) -> None:
    async with httpx.AsyncClient(base_url=django.url, timeout=LIMIT) as client:
        csrf = (await client.get("/login", params={"name": "grace"})).json()["csrf"]
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        url = websocket_url(f"{django.url}/socket", {"_csrf_token": csrf})
        async with connect(url, additional_headers={"cookie": cookie}) as websocket:
            connection = Connection(websocket)
            assert await (await connection.join("room:a")).push("whoami") == {"name": "grace"}
            await connection.close()
        for wrong in (websocket_url(f"{django.url}/socket", {}), url.replace("_csrf_token=", "_csrf_token=x")):
            with pytest.raises(InvalidStatus):
                async with connect(wrong, additional_headers={"cookie": cookie}):
                    raise AssertionError
    with pytest.raises(InvalidStatus):
        async with open_connection(f"{django.url}/socket", {"_csrf_token": csrf}):
            raise AssertionError


def test_starlettes_sessions_are_read() -> None:
    cookie = TimestampSigner("key").sign(b64encode(json.dumps({"user": 7}).encode())).decode()
    info = connect_info(headers={"cookie": f"session={cookie}"})
    assert starlette_session("key")(info) == {"user": 7}
    assert starlette_session("another key")(info) is None
    assert starlette_session("key", max_age=-1)(info) is None
    assert starlette_session("key")(connect_info()) is None


presence = Presence()


class HallSocket(Socket):
    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Ok | Error:
        self.name = params.get("name", "")
        return Ok() if self.name else Error()


class HallChannel(Channel[HallSocket]):
    async def joined(self) -> None:
        await presence.track(self, self.socket.name, {})
        await presence.push_state(self)

    @event("shout")
    async def shout(self, payload: dict[str, Any]) -> Ok:
        await self.broadcast("shout", payload)
        return Ok({"endpoint": type(self.endpoint.app).__name__})

    @event("binary")
    async def binary(self, payload: bytes) -> Ok:
        return Ok(payload[::-1])


HallSocket.route("hall", HallChannel)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Uvicorn as it is, in a thread."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5))
        began = threading.Event()

        async def serve() -> None:
            serving = asyncio.ensure_future(server.serve([listener]))
            while not server.started:
                await asyncio.sleep(0)
            began.set()
            await serving

        thread = threading.Thread(target=asyncio.run, args=[serve()])
        thread.start()
        assert began.wait(LIMIT)
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(LIMIT)
            assert not thread.is_alive()


def an_endpoint(app: Any = None, timeout: float | None = 60.0) -> Endpoint:
    endpoint = Endpoint(app=app, presences=[presence], check_origin=["//trusted.example"])
    endpoint.mount("/socket", HallSocket, websocket=WebSocket(timeout=timeout, max_frame_size=1000))
    return endpoint


class TestAsgi:
    """An endpoint under a server that is not ours."""

    async def test_channels_broadcasts_and_presence_work(self) -> None:
        with served(an_endpoint().asgi()) as address:
            url = f"ws://{address}/socket"
            async with open_connection(url, {"name": "ada"}) as one, open_connection(url, {"name": "bob"}) as other:
                hall, also = await one.join("hall"), await other.join("hall")
                assert list((await hall.receive()).payload) == ["ada"]
                assert sorted((await also.receive()).payload) == ["ada", "bob"]
                assert list((await hall.receive()).payload["joins"]) == ["bob"]
                await hall.push("shout", {"n": 1})
                assert (await also.receive()).payload == {"n": 1}
                assert await hall.push("binary", b"abc") == b"cba"

    async def test_below_a_path_of_another_application(self) -> None:
        with served(Starlette(routes=[Mount("/realtime", an_endpoint().asgi())])) as address:
            async with open_connection(f"ws://{address}/realtime/socket", {"name": "ada"}) as connection:
                assert await (await connection.join("hall")).push("shout", {}) == {"endpoint": "NoneType"}

    async def test_an_application_of_its_own_is_served_with_its_lifespan(self) -> None:
        app = FastAPI(on_startup=[lambda: setattr(app.state, "began", True)])

        @app.get("/began")
        async def began() -> bool:
            return bool(app.state.began)

        with served(an_endpoint(app).asgi()) as address:
            async with httpx.AsyncClient(base_url=f"http://{address}", timeout=LIMIT) as client:
                assert (await client.get("/began")).json() is True
            async with open_connection(f"ws://{address}/socket", {"name": "ada"}) as connection:
                assert await (await connection.join("hall")).push("shout", {}) == {"endpoint": "FastAPI"}

    async def test_who_may_not_connect_may_not(self) -> None:
        with served(an_endpoint().asgi()) as address:
            url = websocket_url(f"ws://{address}/socket", {"name": "ada"})
            for refused, headers in (
                (url.replace("name=ada", "name="), {}),
                (url.replace("/socket/", "/nowhere/"), {}),
                (url.replace("2.0.0", "9.0.0"), {}),
                (url, {"origin": "http://evil.example"}),
            ):
                with pytest.raises(InvalidStatus):
                    async with connect(refused, additional_headers=headers):
                        raise AssertionError
            async with connect(url, additional_headers={"origin": "http://trusted.example"}):
                pass

    async def test_silence_and_size_have_limits(self) -> None:
        with served(an_endpoint(timeout=0.5).asgi()) as address:
            async with open_connection(f"ws://{address}/socket", {"name": "ada"}) as connection:
                hall = await connection.join("hall")
                await asyncio.wait_for(connection.closed.wait(), LIMIT)
                assert [message.event async for message in hall] == ["presence_state"]
                with pytest.raises(ChannelEnded, match="1002"):
                    await hall.receive()
            async with open_connection(f"ws://{address}/socket", {"name": "ada"}) as connection:
                with pytest.raises(ChannelEnded, match="1009"):
                    await (await connection.join("hall")).push("shout", {"text": "x" * 1000})

    async def test_when_the_server_goes_clients_are_told_to_come_again(self) -> None:
        gone: list[str] = []

        def watch(url: str) -> None:
            async def listen() -> None:
                async with open_connection(url, {"name": "ada"}) as connection:
                    hall = await connection.join("hall")
                    joined.set()
                    try:
                        while True:
                            await hall.receive()
                    except ChannelEnded as end:
                        gone.append(str(end))

            asyncio.run(listen())

        joined = threading.Event()
        with served(an_endpoint().asgi()) as address:
            thread = threading.Thread(target=watch, args=[f"ws://{address}/socket"])
            thread.start()
            assert await asyncio.to_thread(joined.wait, LIMIT)
        thread.join(LIMIT)
        assert len(gone) == 1
        assert "1012" in gone[0]
