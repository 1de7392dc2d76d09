"""The load test's application of presence: topics that can be filled, and channels that come, look and go."""

import hashlib
import time
from typing import Any

from roost import Channel, Endpoint, Ok, Presence, PresenceLimits, Socket, WebSocket, event


class CrowdPresence(Presence):
    """Many presences may belong to one channel here."""

    limits = PresenceLimits(max_channel_presences=1_000_000, max_topic_presences=1_000_000)


crowd = CrowdPresence()


class UserSocket(Socket):
    pass


class CrowdChannel(Channel[UserSocket]):
    async def join(self, params: dict[str, str]) -> Ok:
        self.user = params.get("user")
        self.looks = params.get("looks", "yes") == "yes"
        return Ok()

    async def joined(self) -> None:
        if self.user is not None:
            await crowd.track(self, self.user, {"online_at": int(time.time())})
        if self.looks:
            await crowd.push_state(self)

    @event("fill")
    async def fill(self, payload: dict[str, int]) -> Ok:
        for number in range(payload["begin"], payload["end"]):
            await crowd.track(self, f"present{number}", {"online_at": int(time.time())})
        return Ok({"worker": self.worker})

    @event("list")
    async def list_all(self, payload: dict[str, Any]) -> Ok:
        began = time.perf_counter_ns()
        presences = await crowd.list(self)
        return Ok({"nanoseconds": time.perf_counter_ns() - began, "keys": len(presences)})

    @event("digest")
    async def digest(self, payload: dict[str, Any]) -> Ok:
        presences = await crowd.list(self)
        references = sorted(meta["phx_ref"] for presence in presences.values() for meta in presence["metas"])
        return Ok({"references": len(references), "digest": digest_of(references)})


def digest_of(references: list[str]) -> str:
    """By which two lists of references are compared."""
    return hashlib.sha256("".join(sorted(references)).encode()).hexdigest()


UserSocket.route("crowd:*", CrowdChannel)
endpoint = Endpoint(check_origin=False, presences=[crowd])
endpoint.mount("/socket", UserSocket, websocket=WebSocket(timeout=None, max_outbound_bytes=64 * 1024 * 1024))
