"""The application of the conformance tests: upstream's channels, and the one of the worked transcripts."""

import asyncio
from typing import Any

from roost import Broadcast, Channel, Endpoint, Error, LongPoll, Ok, Reply, Socket, Stop, WebSocket, event, intercept


class UserSocket(Socket):
    async def connect(self, params: dict[str, Any], info: Any) -> Ok:
        self.id = params.get("id")
        return Ok()


class RoomChannel(Channel[UserSocket]):
    """Upstream's room: it greets, rewrites what is said, and says good-bye."""

    async def join(self, params: dict[str, Any]) -> Ok:
        self.told = params.get("tell")
        return Ok()

    async def joined(self) -> None:
        await self.push("joined", {"status": "connected"})
        if not self.told:
            await self.broadcast("user_entered", {"user": "somebody"})

    async def terminate(self, reason: str | BaseException) -> None:
        await self.push("you_left", {"message": "bye!"})
        if self.told:
            await self.endpoint.broadcast(self.told, "left", {"topic": self.topic, "reason": str(reason)})

    @event("new_msg")
    async def new_msg(self, payload: dict[str, Any]) -> None:
        await self.broadcast("new_msg", payload)

    @intercept("new_msg")
    async def rewritten(self, payload: dict[str, Any]) -> None:
        await self.push("new_msg", {**payload, "transport": "websocket"})

    @event("boom")
    async def boom(self, payload: Any) -> None:
        raise RuntimeError("asked to crash")

    @event("binary_event")
    async def binary_event(self, payload: bytes) -> Ok:
        await self.push("binary_event", b"\0\1\2")
        return Ok(payload + b"\0\1")


class CustomChannel(Channel[UserSocket]):
    """One method for whatever comes, as upstream's custom channel has one `handle_info`."""

    async def join(self, params: dict[str, Any]) -> Ok | Error:
        match params["action"]:
            case "error":
                return Error({"reason": "refused"})
            case "crash":
                raise RuntimeError("asked to crash")
        return Ok({"action": params["action"]})

    async def handle_in(self, event: str, payload: Any) -> Ok | Stop:
        return Stop() if event == "close" else Ok({"event": event, "payload": payload})


class CallbackChannel(Channel[UserSocket]):
    """What upstream's tests of channels call, by event."""

    flavour: str = "none"

    async def join(self, params: dict[str, Any]) -> Any:
        match params:
            case {"refuse": reason}:
                return Error({"reason": reason})
            case {"garbage": _}:
                return "garbage"
            case {"reply_later": _}:
                return Ok({"refused": self._reply_later_refused()})
        return Ok({"flavour": self.flavour})

    async def terminate(self, reason: str | BaseException) -> None:
        await self.endpoint.broadcast(f"callbacks:watch:{self.topic}", "terminated", {"reason": str(reason)})

    async def handle_info(self, message: Any) -> Stop | None:
        match message:
            case Broadcast(topic=topic, event=event, payload=payload):
                await self.push("relayed", {"topic": topic, "event": event, "payload": payload})
            case {"stop": reason}:
                return Stop(reason)
            case {"push": payload}:
                await self.push("pushed", payload)
            case {"broadcast": payload}:
                await self.broadcast("broadcast", payload)
            case {"reply_later": _}:
                await self.push("refused", {"why": self._reply_later_refused()})
        return None

    async def handle_call(self, question: Any) -> Any:
        return {"answered": question}

    @event("say")
    async def say(self, payload: dict[str, str]) -> Ok:
        match payload["how"]:
            case "broadcast":
                await self.broadcast("said", payload)
            case "broadcast_from":
                await self.broadcast_from("said", payload)
            case "endpoint":
                await self.endpoint.broadcast(self.topic, "said", payload)
        return Ok()

    @event("name_badly")
    async def name_badly(self, payload: dict[str, Any]) -> None:
        name = payload.get("number", "\ud800")
        match payload["how"]:
            case "push":
                await self.push(name, {})
            case "broadcast":
                await self.broadcast(name, {})
            case "event":
                await self.endpoint.broadcast(self.topic, name, {})
            case "topic":
                await self.endpoint.broadcast(name, "event", {})
            case "message":
                await self.endpoint.pubsub.broadcast(name, {})
            case "subscribe":
                await self.subscribe(name)
            case "mailbox":
                self.endpoint.pubsub.subscribe(name)

    @event("push")
    async def pushes(self, payload: dict[str, Any]) -> None:
        await self.push("pushed", payload)

    @event("async_reply")
    async def async_reply(self, payload: dict[str, Any]) -> None:
        later = self.reply_later()
        self.task = asyncio.ensure_future(self._answer(later, payload))

    async def _answer(self, later: Any, payload: dict[str, Any]) -> None:
        later.reply(Ok(payload))

    @event("bare")
    async def bare(self, payload: dict[str, Any]) -> Any:
        match payload["status"]:
            case "ok":
                return Ok()
            case "error":
                return Error()
            case status:
                return Reply(status)

    @event("stop")
    async def stop(self, payload: dict[str, Any]) -> Stop:
        return Stop(payload["reason"], Ok(payload["reply"]) if "reply" in payload else None)

    @event("crash")
    async def crash(self, payload: Any) -> None:
        raise RuntimeError("asked to crash")

    @event("tell_myself")
    async def tell_myself(self, payload: Any) -> None:
        self.send_after(0, payload)

    @event("call_myself")
    async def call_myself(self, payload: Any) -> None:
        later, address = self.reply_later(), self.address

        async def ask() -> None:
            later.reply(Ok(await self.endpoint.call(address, payload)))

        self.task = asyncio.ensure_future(ask())

    @event("listen")
    async def listen(self, payload: dict[str, str]) -> Ok:
        await self.subscribe(payload["topic"])
        return Ok()

    @event("elsewhere")
    async def elsewhere(self, payload: dict[str, str]) -> None:
        await self.endpoint.broadcast(payload["topic"], payload["event"], {})

    @intercept("stops")
    async def stops(self, payload: Any) -> Stop:
        return Stop("shutdown")

    def _reply_later_refused(self) -> str:
        try:
            self.reply_later()
        except RuntimeError as error:
            return str(error)
        return ""


class QuietChannel(Channel[UserSocket]):
    """Has no `handle_info`."""

    @event("tell_myself")
    async def tell_myself(self, payload: Any) -> Ok:
        self.send_after(0, payload)
        return Ok()

    @event("ping")
    async def ping(self, payload: dict[str, Any]) -> Ok:
        return Ok(payload)


UserSocket.route("room:*", RoomChannel)
UserSocket.route("custom:*", CustomChannel)
UserSocket.route("callbacks:static", CallbackChannel, assigns={"flavour": "vanilla"})
UserSocket.route("callbacks:*", CallbackChannel)
UserSocket.route("quiet", QuietChannel)


class ImpatientSocket(UserSocket):
    pass


class TranscriptSocket(Socket):
    max_channels = 5


GATE = asyncio.Event()
"""What a slow join waits for."""


class TranscriptChannel(Channel[TranscriptSocket]):
    """The channel that the worked transcripts were observed with."""

    async def join(self, params: Any) -> Ok | Error:
        match self.topic:
            case "room:err":
                return Error({"reason": "nope"})
            case "room:raise":
                raise RuntimeError("asked to crash")
            case "room:slow":
                GATE.clear()
                await GATE.wait()
        return Ok(params if isinstance(params, bytes) else {"got": params})

    @event("echo")
    async def echo(self, payload: Any) -> Ok:
        return Ok(payload)

    @event("img")
    async def img(self, payload: bytes) -> Ok:
        await self.push("img", payload)
        await self.broadcast("img", payload)
        return Ok(payload)

    @event("open")
    async def open(self, payload: Any) -> None:
        GATE.set()

    @event("raise")
    async def crash(self, payload: Any) -> None:
        raise RuntimeError("asked to crash")

    @event("stopreply")
    async def stop_with_reply(self, payload: Any) -> Stop:
        return Stop(reply=Ok({"bye": 1}))


class FirstChannel(Channel[TranscriptSocket]):
    async def join(self, params: Any) -> Ok:
        return Ok({"channel": type(self).__name__})


class SecondChannel(FirstChannel):
    pass


TranscriptSocket.route("room:*", TranscriptChannel)
TranscriptSocket.route("food*", FirstChannel)
TranscriptSocket.route("foo*", SecondChannel)

endpoint = Endpoint(sockets={"/socket": UserSocket, "/transcripts": TranscriptSocket})
endpoint.mount("/polled", UserSocket, longpoll=LongPoll())
endpoint.mount("/impatient", ImpatientSocket, websocket=WebSocket(timeout=1.5))
