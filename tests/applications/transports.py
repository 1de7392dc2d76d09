"""An application with everything of its own: raw sockets, a serializer, a transport."""

import asyncio
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket as StarletteWebSocket
from starlette.websockets import WebSocketDisconnect

from examples.playground import EchoSocket, PlaygroundSocket
from roost import (
    DEFAULT_SERIALIZERS,
    Broadcast,
    ConnectInfo,
    Endpoint,
    Error,
    LongPoll,
    Message,
    Ok,
    RawSocket,
    Serializer,
    Transport,
    WebSocket,
)
from roost.gateway.connect.connect_info import PeerData


class TalkingSocket(RawSocket):
    """Does what it is told by text messages, and tells what happens to it."""

    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Ok | Error:
        if params.get("how") == "refused":
            return Error({"reason": "not you"}, http_status=429)
        if params.get("how") == "crash":
            raise RuntimeError("connect was asked to crash")
        self.params = params
        self.subprotocol = info.subprotocol
        self.id = params.get("id")
        return Ok()

    async def opened(self) -> None:
        if "greet" in self.params:
            await self.send("welcome")

    async def handle_in(self, data: str | bytes) -> None:
        command, _, rest = str(data).partition(" ")
        match command:
            case "params":
                await self.send(msgspec.json.encode(self.params).decode())
            case "subprotocol":
                await self.send(str(self.subprotocol))
            case "ping":
                await self.ping(rest.encode())
            case "close":
                code, _, reason = rest.partition(" ")
                await self.close(int(code), reason)
            case "later":
                self.send_after(0.01, rest)
            case "subscribe" | "unsubscribe":
                await (self.subscribe if command == "subscribe" else self.unsubscribe)(rest)
                await self.send(f"{command}d {rest}")
            case "broadcast":
                await self.endpoint.broadcast(rest, "said", {"by": "a raw socket"})
            case "disconnect":
                await self.endpoint.broadcast(rest, "disconnect", {})
            case "bytes":
                await self.send(rest.encode())
            case "send_after_close":
                await self.close(4000)
                await self.send("too late")
            case "crash":
                raise RuntimeError("handle_in was asked to crash")

    async def handle_control(self, kind: str, payload: bytes) -> None:
        await self.send(f"{kind}:{payload.decode()}")

    async def handle_info(self, message: Any) -> None:
        if isinstance(message, Broadcast):
            await self.send(f"broadcast {message.topic} {message.event} {message.payload}")
        else:
            await self.send(f"info {message}")

    async def terminate(self, reason: str | BaseException) -> None:
        if topic := self.params.get("tell"):
            await self.endpoint.broadcast(topic, "terminated", {"reason": str(reason)})


class PackSerializer(Serializer):
    """MessagePack maps in binary messages; counts what it encodes."""

    encoded = 0

    def encode(self, message: Message) -> bytes:
        if message.event == "unencodable":
            raise RuntimeError("encode was asked to crash")
        PackSerializer.encoded += 1
        return msgspec.msgpack.encode(
            {
                "topic": message.topic,
                "event": message.event,
                "payload": message.payload,
                "refs": [message.join_ref, message.ref],
                "encoded": PackSerializer.encoded,
            }
        )

    def decode(self, data: str | bytes) -> Message:
        assert isinstance(data, bytes)
        message = msgspec.msgpack.decode(data)
        join_ref, ref = message["refs"]
        return Message(join_ref, ref, message["topic"], message["event"], message["payload"])


class BackwardsSerializer(Serializer):
    """V2's array from its end to its beginning; bytes go as binary messages."""

    def encode(self, message: Message) -> str | bytes:
        payload: Any = message.payload
        backwards = [payload, message.event, message.topic, message.ref, message.join_ref]
        return payload if isinstance(payload, bytes) else msgspec.json.encode(backwards).decode()

    def decode(self, data: str | bytes) -> Message:
        if isinstance(data, bytes):
            return Message("1", "binary", "room:backwards", "ping", data)
        payload, event, topic, ref, join_ref = msgspec.json.decode(data)
        return Message(join_ref, ref, topic, event, payload)


class AsgiTransport(Transport):
    """Carries messages over a WebSocket that Starlette serves."""

    def __init__(self, websocket: StarletteWebSocket) -> None:
        super().__init__()
        self._websocket = websocket
        self._sending: list[Any] = []

    def deliver(self, data: str | bytes) -> None:
        self._later(self._websocket.send_text(data) if isinstance(data, str) else self._websocket.send_bytes(data))

    def closed(self, code: int, reason: str) -> None:
        self._later(self._websocket.close(code, reason))

    def _later(self, sending: Any) -> None:
        before = self._sending[-1] if self._sending else None

        async def send() -> None:
            if before is not None:
                await before
            await sending

        self._sending[:] = [asyncio.ensure_future(send())]


async def own_transport(websocket: StarletteWebSocket) -> None:
    await websocket.accept()
    transport = AsgiTransport(websocket)
    socket = TalkingSocket if websocket.path_params["kind"] == "raw" else PlaygroundSocket
    peer = PeerData(websocket.client.host, websocket.client.port) if websocket.client else PeerData("", 0)
    info = ConnectInfo(peer, None, None, transport="asgi")  # type: ignore[arg-type]
    verdict = await endpoint.connect(socket, transport, dict(websocket.query_params), info)
    if isinstance(verdict, Error):
        await websocket.close(4403, "refused")
        return
    try:
        while True:
            await transport.may_read.wait()
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                break
            transport.received(message["text"] if message.get("text") is not None else message["bytes"])
    except WebSocketDisconnect:
        pass
    finally:
        transport.lost()


WINDOW = 2.0
"""Seconds that a poll waits."""
OWN = (*DEFAULT_SERIALIZERS, (PackSerializer(), ">= 3.0.0 and < 5.0.0"))
endpoint = Endpoint(check_origin=False, app=Starlette(routes=[WebSocketRoute("/asgi/{kind}", own_transport)]))
POLLED = LongPoll(window=WINDOW, serializers=(*DEFAULT_SERIALIZERS, (BackwardsSerializer(), "~> 3.0")))
endpoint.mount("/socket", PlaygroundSocket, websocket=WebSocket(timeout=None, serializers=OWN), longpoll=POLLED)
endpoint.mount("/polled", TalkingSocket, websocket=False, longpoll=LongPoll(window=WINDOW))
endpoint.mount("/polled/:room", TalkingSocket, longpoll=LongPoll(path="/deep/:seat/poll"))
endpoint.mount("/echo", EchoSocket, websocket=WebSocket(timeout=None, max_frame_size=2_000_000))
endpoint.mount("/raw", TalkingSocket, websocket=WebSocket(check_origin=["//example.com"]))
endpoint.mount("/nested/:room", TalkingSocket, websocket=WebSocket(path="/deep/:seat/ws"))
endpoint.mount("/protocols", TalkingSocket, websocket=WebSocket(subprotocols=["sip", "mqtt"]))
