"""A client of V1 or of V2, for tests that are the same over both: what it hears is compared with the whole message."""

from typing import Any

from tests.e2e.raw import RawClient

VERSIONS = ("1.0.0", "2.0.0")
JOIN_REF = "1"


class EitherClient(RawClient):
    """Joins with the ref "1". A V2 client names that joining in every message; V1 has no join_ref."""

    def __init__(self, url: str, vsn: str, **params: str) -> None:
        super().__init__(url, vsn, **params)
        self._old = vsn.startswith("1.")

    async def says(self, ref: Any, topic: str, event: str, payload: Any = None, *, join_ref: Any = JOIN_REF) -> None:
        """Send a message; without a payload an empty one."""
        payload = {} if payload is None else payload
        old = {"topic": topic, "event": event, "payload": payload, "ref": ref}
        await self.send(old if self._old else [join_ref, ref, topic, event, payload])

    async def hears(self, join_ref: Any, ref: Any, topic: str, event: str, payload: Any) -> None:
        """The next message is this one."""
        old = {"topic": topic, "event": event, "payload": payload, "ref": ref}
        heard = await self.receive()
        assert heard == (old if self._old else [join_ref, ref, topic, event, payload]), heard

    async def hears_reply(
        self, ref: Any, topic: str, response: Any = None, *, status: str = "ok", join_ref: Any = JOIN_REF
    ) -> None:
        """The next message is the reply to what had this ref."""
        payload = {"status": status, "response": {} if response is None else response}
        await self.hears(join_ref, ref, topic, "phx_reply", payload)

    async def hears_push(self, topic: str, event: str, payload: Any, ref: str = JOIN_REF) -> None:
        """The next message is a push of the channel's own."""
        await self.hears(ref, None, topic, event, payload)

    async def hears_broadcast(self, topic: str, event: str, payload: Any) -> None:
        """The next message is a broadcast, which has no refs."""
        await self.hears(None, None, topic, event, payload)

    async def hears_close(self, topic: str, ref: str = JOIN_REF) -> None:
        """The next message is the channel's `phx_close`, whose ref is the join_ref that the client gave."""
        await self.hears(ref, None if self._old else ref, topic, "phx_close", {})

    async def hears_crash(self, topic: str, ref: str = JOIN_REF) -> None:
        """The next message is the channel's `phx_error`."""
        await self.hears(ref, None if self._old else ref, topic, "phx_error", {"reason": "channel_crash"})

    async def joins(self, topic: str, payload: Any = None, *, ref: str = JOIN_REF, response: Any = None) -> None:
        """Join, with this response."""
        await self.says(ref, topic, "phx_join", payload, join_ref=ref)
        await self.hears_reply(ref, topic, response, join_ref=ref)

    async def enters(self, topic: str, payload: Any = None, *, ref: str = JOIN_REF) -> None:
        """Join a room and hear its greeting."""
        await self.joins(topic, payload, ref=ref)
        await self.hears_push(topic, "joined", {"status": "connected"}, ref)
        if payload is None:
            await self.hears_broadcast(topic, "user_entered", {"user": "somebody"})
