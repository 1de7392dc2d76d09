"""An application whose channels do what tests ask of them."""

import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket as AsgiWebSocket

from roost import (
    Broadcast,
    CallFailed,
    Channel,
    ChannelAddress,
    Endpoint,
    Error,
    LongPoll,
    Ok,
    Raw,
    Reply,
    Socket,
    Stop,
    WebSocket,
    event,
    intercept,
)


class UserSocket(Socket):
    async def connect(self, params: dict[str, Any], info: Any) -> Any:
        match params.get("how"):
            case "refused":
                return Error()
            case "crash":
                raise RuntimeError("connect was asked to crash")
            case "slow":
                await asyncio.sleep(0.3)
            case "garbage":
                return "garbage"
        self.user = params.get("user")
        self.id = params.get("id")
        self.go_on = asyncio.Event()
        return Ok()


class DoChannel(Channel[UserSocket]):
    """Joins and handles as it is told."""

    async def join(self, params: Any) -> Any:
        match params:
            case {"wait": True}:
                await self.socket.go_on.wait()
            case {"refuse": reason}:
                return Error({"reason": reason})
            case {"push_early": _}:
                await self.push("early", {})
            case {"crash": _}:
                raise RuntimeError("join was asked to crash")
            case {"unencodable": _}:
                return Ok(object())
            case {"garbage": _}:
                return "garbage"
        self.terminated_by = params.get("terminated_by") if isinstance(params, dict) else None
        return Ok({"params": params})

    async def joined(self) -> None:
        await self.push("welcome", {"user": self.socket.user})

    async def terminate(self, reason: Any) -> None:
        if self.terminated_by:
            await self.push("terminating", {"reason": str(reason)})
            await self.endpoint.broadcast(self.terminated_by, "terminated", {"reason": str(reason)})

    async def handle_info(self, message: Any) -> Stop | None:
        if message == "stop":
            return Stop()
        if isinstance(message, Broadcast):
            message = {"topic": message.topic, "event": message.event, "payload": message.payload}
        await self.push("info", {"message": message})
        return None

    @event("wait")
    async def wait(self, payload: dict[str, int]) -> Ok:
        """Until another channel of the client hears "go_on"."""
        await self.socket.go_on.wait()
        return Ok(payload)

    @event("go_on")
    async def go_on(self, payload: Raw) -> None:
        self.socket.go_on.set()

    @event("order")
    async def order(self, payload: Raw) -> Reply:
        await self.push("first", {})
        await self.broadcast("second", {})
        await self.push("third", {})
        await self.broadcast("fourth", {})
        await self.endpoint.broadcast(self.topic, "fifth", {})
        return Reply("weird", {})

    @event("broadcast_elsewhere")
    async def broadcast_elsewhere(self, payload: dict[str, str]) -> Ok:
        await self.endpoint.broadcast(payload["topic"], "elsewhere", {})
        return Ok()

    @event("subscribe")
    async def also_listen(self, payload: dict[str, str]) -> Ok:
        await self.subscribe(payload["topic"])
        return Ok()

    @event("unsubscribe")
    async def no_longer_listen(self, payload: dict[str, str]) -> Ok:
        await self.unsubscribe(payload["topic"])
        return Ok()

    @event("tell")
    async def tell(self, payload: dict[str, Any]) -> Ok:
        await self.endpoint.pubsub.broadcast(payload["topic"], payload["message"])
        return Ok()

    @event("tell_others")
    async def tell_others(self, payload: dict[str, Any]) -> Ok:
        await self.endpoint.pubsub.broadcast_from(self, payload["topic"], payload["message"])
        return Ok()

    @event("ask_mailbox")
    async def ask_mailbox(self, payload: dict[str, Any]) -> Ok:
        async with self.endpoint.pubsub.subscribe("mailbox") as mailbox:
            await self.endpoint.pubsub.broadcast("mailbox", payload)
            return Ok({"received": await mailbox.receive()})

    @event("tell_worker")
    async def tell_worker(self, payload: dict[str, Any]) -> Ok:
        inbox = self.endpoint.runtime.inbox
        inbox.on("join", lambda topic: asyncio.ensure_future(self.endpoint.broadcast(topic, "told", {})))
        await inbox.send(payload["worker"], "join", payload["topic"])
        return Ok({"worker": self.worker})

    @event("after")
    async def after(self, payload: dict[str, Any]) -> Ok:
        timer = self.send_after(payload["seconds"], payload["message"])
        if payload.get("cancel"):
            timer.cancel()
        return Ok()

    @event("reply_later")
    async def answer_later(self, payload: dict[str, Any]) -> Stop | None:
        later = self.reply_later()

        async def answer() -> None:
            await asyncio.sleep(payload.get("seconds", 0))
            later.reply(Ok({"n": 1}))
            later.reply(Reply("again", {"n": 2}))

        self.task = asyncio.ensure_future(answer())
        return Stop() if payload.get("stop") else None

    @event("disconnect")
    async def disconnect(self, payload: dict[str, str]) -> Ok:
        await self.endpoint.broadcast(payload["id"], payload["event"], {})
        return Ok()

    @event("where_am_i")
    async def where_am_i(self, payload: Raw) -> Ok:
        return Ok({"address": list(self.address), "flavour": getattr(self, "flavour", None)})

    @event("call")
    async def call(self, payload: dict[str, Any]) -> Ok | Error:
        try:
            answer = await self.endpoint.call(ChannelAddress(*payload["address"]), payload["question"])
        except CallFailed as failure:
            return Error({"reason": str(failure)})
        return Ok({"answer": answer})

    async def handle_call(self, question: Any) -> Any:
        if question == "crash":
            raise RuntimeError("asked to crash")
        if question == "unencodable":
            return object()
        return {"topic": self.topic, "question": question}

    @event("set_on_socket")
    async def set_on_socket(self, payload: Raw) -> Ok:
        try:
            self.socket.user = "somebody else"
        except AttributeError as error:
            return Ok({"refused": str(error)})
        return Ok()

    @event("timeout")
    async def time_out(self, payload: Raw) -> Ok:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(10)
        except TimeoutError:
            return Ok({"timed_out": True})
        return Ok()

    @event("garbage")
    async def garbage(self, payload: Raw) -> Any:
        return "garbage"

    @event("unencodable")
    async def unencodable(self, payload: Raw) -> Ok:
        return Ok({"what": object()})

    @event("push_list")
    async def push_list(self, payload: Raw) -> None:
        await self.push("list", [1])

    @event("broadcast_list")
    async def broadcast_list(self, payload: Raw) -> Ok:
        try:
            await self.broadcast("list", [1])
        except TypeError as error:
            return Ok({"refused": str(error)})
        return Ok()

    async def handle_in(self, event: str, payload: Any) -> Any:
        if event == "anything":
            return Ok({"event": event, "payload": payload})
        return await super().handle_in(event, payload)


class RewritingChannel(Channel[UserSocket]):
    """Sees what is broadcast before its client does."""

    intercepts = ("dropped", "unhandled")

    @event("say")
    async def say(self, payload: dict[str, Any]) -> Ok:
        await self.broadcast(payload["event"], payload)
        return Ok()

    @event("say_binary")
    async def say_binary(self, payload: bytes) -> None:
        await self.broadcast("rewritten", payload)

    @intercept("rewritten")
    async def rewritten(self, payload: Any) -> None:
        await self.push("rewritten", payload if isinstance(payload, bytes) else {**payload, "for": self.socket.user})

    @intercept("last")
    async def last(self, payload: Any) -> Stop:
        await self.push("last", payload)
        return Stop()

    async def handle_out(self, event: str, payload: Any) -> Any:
        if event == "dropped":
            return None
        return await super().handle_out(event, payload)


class ImpatientSocket(UserSocket):
    pass


for socket in (UserSocket, ImpatientSocket):
    socket.route("do:*", DoChannel)
    socket.route("exact", DoChannel)
    socket.route("flavoured", DoChannel, assigns={"flavour": "vanilla"})
    socket.route("rewriting", RewritingChannel)


async def echo(websocket: AsgiWebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


application = Starlette(
    routes=[Route("/hello", lambda _: PlainTextResponse("hello")), WebSocketRoute("/own/websocket", echo)]
)
endpoint = Endpoint(app=application, sockets={"/socket": UserSocket})
endpoint.mount("/impatient", ImpatientSocket, websocket=WebSocket(timeout=2.0))
endpoint.mount("/polled", UserSocket, longpoll=LongPoll(check_origin="conn"))
