"""An application that is served over long-poll, with windows short enough for tests."""

import asyncio
from typing import Any

from roost import Channel, ConnectInfo, Endpoint, Error, LongPoll, Ok, Raw, Socket, Stop, event, intercept

WINDOW = 2.0
"""Seconds of the mounts whose polls tests let pass."""


class PolledSocket(Socket):
    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Any:
        match params.get("how"):
            case "refused":
                return Error()
            case "limited":
                return Error({"reason": "too often"}, http_status=429)
            case "crash":
                raise RuntimeError("connect was asked to crash")
            case "garbage":
                return "garbage"
        self.id = params.get("id")
        self.told = {
            "params": params,
            "transport": info.transport,
            "peer_data": [info.peer_data.address, info.peer_data.port, info.peer_data.ssl_cert],
            "uri": {name: getattr(info.uri, name) for name in ("scheme", "host", "path", "query")},
            "x_headers": info.x_headers,
            "trace_context_headers": info.trace_context_headers,
            "auth_token": info.auth_token,
            "session": info.session,
            "custom": info.custom,
        }
        return Ok()


class RoomChannel(Channel[PolledSocket]):
    async def join(self, params: Any) -> Ok | Error:
        if isinstance(params, dict):
            if "refuse" in params:
                return Error({"reason": params["refuse"]})
            await asyncio.sleep(params.get("sleep", 0))
        return Ok(self.socket.told if self.topic == "room:told" else {})

    async def joined(self) -> None:
        if self.topic.startswith("room:quiet"):
            return
        await self.broadcast("user_entered", {"worker": self.worker})
        await self.push("joined", {"status": "connected"})

    async def terminate(self, reason: Any) -> None:
        await self.endpoint.broadcast(f"{self.topic}:watch", "ended", {"reason": str(reason)})

    @event("new_msg")
    async def new_msg(self, payload: dict[str, Any]) -> None:
        await self.broadcast("new_msg", payload)

    @intercept("new_msg")
    async def rewrite(self, payload: dict[str, Any]) -> None:
        await self.push("new_msg", payload | {"rewritten": True})

    @event("say")
    async def say(self, payload: Raw) -> Ok:
        await self.broadcast("said", payload)
        return Ok()

    @event("say_binary")
    async def say_binary(self, payload: bytes) -> Ok:
        await self.broadcast("said", payload)
        return Ok()

    @event("echo")
    async def echo(self, payload: Any) -> Ok:
        return Ok({"binary": payload.hex()} if isinstance(payload, bytes) else payload)

    @event("binary_reply")
    async def binary_reply(self, payload: Raw) -> Ok:
        return Ok(b"\xff\x00")

    @event("crash")
    async def crash(self, payload: Raw) -> None:
        raise RuntimeError("asked to crash")

    @event("stop")
    async def stop_now(self, payload: Raw) -> Stop:
        return Stop(reply=Ok({"bye": 1}))

    @event("disconnect")
    async def disconnect(self, payload: dict[str, str]) -> Ok:
        await self.endpoint.broadcast(payload["id"], "disconnect", {})
        return Ok()

    @event("flood")
    async def flood(self, payload: dict[str, int]) -> None:
        for number in range(payload["count"]):
            await self.push("flood", {"number": number, "text": "x" * payload["size"]})


PolledSocket.route("room:*", RoomChannel)


def read_session(info: ConnectInfo) -> dict[str, str] | None:
    return {"user": "ada", "_csrf_token": "a" * 24} if info.cookies.get("session") == "ada" else None


endpoint = Endpoint()
endpoint.mount("/socket", PolledSocket, longpoll=LongPoll(window=WINDOW))
endpoint.mount("/patient", PolledSocket, longpoll=LongPoll(window=8.0), auth_token=True)
endpoint.mount("/rooms/:room", PolledSocket, longpoll=LongPoll(path="/nested/:kind/poll"))
endpoint.mount("/listed", PolledSocket, longpoll=LongPoll(check_origin=["//example.com"], connect_info={"a": 1}))
endpoint.mount("/brief", PolledSocket, longpoll=LongPoll(window=8.0, max_age=0.3))
endpoint.mount("/small", PolledSocket, longpoll=LongPoll(window=4.0, max_outbound_bytes=10_000))
endpoint.mount("/off", PolledSocket)
endpoint.mount("/sessions", PolledSocket, longpoll=LongPoll(session=read_session))
