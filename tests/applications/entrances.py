"""An application with every way in: sockets that tell what they were told when they connected."""

from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette

from roost import Channel, ConnectInfo, Endpoint, Error, Ok, Origin, Socket, Token, WebSocket

SESSION = {"user": "ada", "_csrf_token": "a" * 24}
CSRF_TOKEN = "AwMD" * 8 + "b" * 24
"""Belongs to the session: 24 times `a`, masked by 24 times `b`."""


class TellingSocket(Socket):
    max_channels = 3

    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Any:
        match params:
            case {"how": "refused"}:
                return Error()
            case {"how": "limited"}:
                return Error({"reason": "too often"}, http_status=429)
            case {"how": "crash"}:
                raise RuntimeError("connect was asked to crash")
            case {"how": "garbage"}:
                return Error("no such status", http_status=42)
            case {"token": token}:
                verdict = Token.verify(self, "user", token)
                if isinstance(verdict, Error):
                    return verdict
                self.user = verdict.payload
        self.told = {
            "params": params,
            "peer_data": [info.peer_data.address, info.peer_data.port, info.peer_data.ssl_cert],
            "uri": {name: getattr(info.uri, name) for name in ("scheme", "host", "port", "path", "query")},
            "x_headers": info.x_headers,
            "user_agent": info.user_agent,
            "trace_context_headers": info.trace_context_headers,
            "sec_websocket_headers": info.sec_websocket_headers,
            "session": info.session,
            "auth_token": info.auth_token,
            "custom": info.custom,
        }
        return Ok()


class ToldChannel(Channel[TellingSocket]):
    async def join(self, params: Any) -> Ok:
        return Ok(self.socket.told)


class TokenChannel(Channel[TellingSocket]):
    async def join(self, params: Any) -> Ok:
        return Ok({"token": Token.sign(self, "user", params["user"])})


TellingSocket.route("told:*", ToldChannel)
TellingSocket.route("token", TokenChannel)


def read_session(info: ConnectInfo) -> Mapping[str, Any] | None:
    return SESSION if info.cookies.get("session") == "ada" else None


def no_host_needed(origin: Origin) -> bool:
    return origin.text == "null"


def crashes(origin: Origin) -> bool:
    raise RuntimeError("the function was asked to crash")


endpoint = Endpoint(sockets={"/socket": TellingSocket, "/ws/admin": TellingSocket, "/users/:user": TellingSocket})
endpoint.mount("/custom", TellingSocket, websocket=WebSocket(connect_info={"tenant": "acme"}, path="/nested/:room/ws"))
endpoint.mount("/tokens", TellingSocket, auth_token=True)
endpoint.mount("/protocols", TellingSocket, websocket=WebSocket(subprotocols=["sip", "mqtt"]))
endpoint.mount("/sessions", TellingSocket, websocket=WebSocket(session=read_session))
endpoint.mount("/listed", TellingSocket, websocket=WebSocket(check_origin=["https://*.example.com", "//other.com"]))
endpoint.mount("/same", TellingSocket, websocket=WebSocket(check_origin="conn"))
endpoint.mount("/unchecked", TellingSocket, websocket=WebSocket(check_origin=False))
endpoint.mount("/asked", TellingSocket, websocket=WebSocket(check_origin=no_host_needed))
endpoint.mount("/crashes", TellingSocket, websocket=WebSocket(check_origin=crashes))

with_pages = Endpoint(sockets={"/socket": TellingSocket}, app=Starlette())
with_pages.mount("/small", TellingSocket, websocket=WebSocket(max_frame_size=1000))
