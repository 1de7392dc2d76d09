"""An application whose presences are fetched, watched, intercepted, and pushed late."""

import asyncio
from typing import Any

from roost import Channel, Endpoint, Error, LongPoll, Ok, Presence, PresenceLimits, Socket, WebSocket, event


class FetchedPresence(Presence):
    """Adds a name to each key."""

    async def fetch(self, topic: str, presences: Any) -> Any:
        await asyncio.sleep(0.01)
        return {key: {**presence, "name": key.upper()} for key, presence in presences.items()}


class SmallPresence(Presence):
    """Has room for little."""

    limits = PresenceLimits(max_topic_presences=3, max_channel_presences=2, max_meta_bytes=200, update_period=0.05)


fetched = FetchedPresence()
small = SmallPresence()
plain = Presence()


class UserSocket(Socket):
    pass


class PresentChannel(Channel[UserSocket]):
    presence: Presence = plain
    delay = 0.0

    async def join(self, params: dict[str, str]) -> Ok:
        self.user = params["user"]
        return Ok()

    async def joined(self) -> None:
        await asyncio.sleep(self.delay)
        await self.presence.track(self, self.user, {"n": 0})
        await self.presence.push_state(self)

    @event("list")
    async def list_all(self, payload: dict[str, Any]) -> Ok:
        return Ok(await self.presence.list(self))

    @event("track")
    async def track(self, payload: dict[str, Any]) -> Any:
        return await self.presence.track(self, payload["key"], payload.get("meta", {}))

    @event("untrack")
    async def untrack(self, payload: dict[str, Any]) -> Ok:
        await self.presence.untrack(self, payload.get("key"))
        return Ok()

    @event("update")
    async def update(self, payload: dict[str, Any]) -> Any:
        return await self.presence.update(self, self.user, lambda meta: {**meta, **payload})

    @event("updates")
    async def updates(self, payload: dict[str, int]) -> Ok:
        for number in range(payload["count"]):
            await self.presence.update(self, self.user, {"n": number})
            await asyncio.sleep(0)
        return Ok()

    @event("crash")
    async def crash(self, payload: dict[str, Any]) -> None:
        raise RuntimeError("asked to crash")

    @event("where")
    async def where(self, payload: dict[str, Any]) -> Ok:
        return Ok({"worker": self.worker})


class LateChannel(PresentChannel):
    """Takes its time before it shows who is here."""

    delay = 0.3


class FetchedChannel(PresentChannel):
    presence = fetched


class SmallChannel(PresentChannel):
    presence = small

    async def joined(self) -> None:
        await self.presence.push_state(self)


def _fail() -> None:
    raise RuntimeError("asked to fail")


class RefusingChannel(Channel[UserSocket]):
    """Is present before it has decided, and decides against it."""

    async def join(self, params: dict[str, str]) -> Error:
        await plain.track(self, "refused", {}, topic="plain:refused")
        self.at_end(_fail)
        return Error({"reason": "no"})


class TaskChannel(PresentChannel):
    """Has a task that is present, too."""

    @event("start")
    async def start(self, payload: dict[str, Any]) -> Ok:
        self.task = asyncio.create_task(asyncio.Event().wait())
        await plain.track(self.task, "task", {}, topic=self.topic)
        return Ok()

    @event("stop")
    async def stop(self, payload: dict[str, Any]) -> Ok:
        self.task.cancel()
        return Ok()


class InterceptingChannel(PresentChannel):
    intercepts = ("presence_diff",)

    async def handle_out(self, event: str, payload: dict[str, Any]) -> None:
        await self.push("intercepted", {"joins": sorted(payload["joins"]), "leaves": sorted(payload["leaves"])})


class ListeningChannel(Channel[UserSocket]):
    """Shows no state: it is told all diffs from its join on; and its code hears those of another topic."""

    async def joined(self) -> None:
        await self.subscribe("plain:heard")
        await plain.track(self, "listener", {})

    async def handle_info(self, message: Any) -> None:
        await self.push("heard", {"event": message.event, "joins": sorted(message.payload["joins"])})


UserSocket.route("plain:*", PresentChannel)
UserSocket.route("late:*", LateChannel)
UserSocket.route("fetched:*", FetchedChannel)
UserSocket.route("small:*", SmallChannel)
UserSocket.route("refusing:*", RefusingChannel)
UserSocket.route("task:*", TaskChannel)
UserSocket.route("intercepting:*", InterceptingChannel)
UserSocket.route("listening:*", ListeningChannel)

endpoint = Endpoint(check_origin=False, presences=[plain, fetched, small])
endpoint.mount("/socket", UserSocket, websocket=WebSocket(timeout=None), longpoll=LongPoll())
