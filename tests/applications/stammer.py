"""A node that breaks its promise: of what is published through the canary, every tenth message comes twice."""

from examples.chat import endpoint
from roost import Ok, Raw, event
from roost.gateway.inspection import canary
from roost.gateway.routes import Route
from roost.shared.canary import PUBLISH, TOPICS

__all__ = ["endpoint"]


class StammeringChannel(canary.CanaryChannel):
    @event(PUBLISH)
    async def publish(self, payload: Raw) -> Ok:
        await super().publish(payload)
        if bytes(payload).endswith(b"0}"):
            await super().publish(payload)
        return Ok()


canary._ROUTE = Route(f"{TOPICS}*", StammeringChannel)  # type: ignore[misc]
