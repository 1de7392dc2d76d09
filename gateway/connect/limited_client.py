"""A client whose joins and events are limited: what is too much is answered, and not done."""

import math
from typing import TYPE_CHECKING, Any

from roost.gateway.clients.client import Client
from roost.gateway.connect.rates import ClientRates
from roost.shared.serializer import Message, Reply

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime
    from roost.gateway.socket import Socket
    from roost.gateway.transports.transport import Transport
    from roost.shared.serializer import Serializer

OWN_EVENTS = ("heartbeat", "phx_leave")
"""Never limited: without them a client cannot behave."""


class LimitedClient(Client):
    """The same as `Client`, but it counts."""

    __slots__ = ("_rates",)

    def __init__(
        self,
        runtime: "Runtime",
        socket: "Socket",
        serializer: "Serializer",
        transport: "Transport",
        rates: ClientRates,
    ) -> None:
        super().__init__(runtime, socket, serializer, transport)
        self._rates = rates

    def handle(self, message: Message) -> None:
        if message.event in OWN_EVENTS:
            wait = 0.0
        elif message.event == "phx_join":
            wait = self._rates.join(self.runtime.now())
        else:
            wait = self._rates.event(self.runtime.now())
        if wait:
            self._refuse(message, wait)
        else:
            super().handle(message)

    def _refuse(self, message: Message, wait: float) -> None:
        """A client that wants no reply hears nothing; it is counted all the same."""
        self.runtime.turn.traffic.too_often += 1
        if message.ref is None:
            return
        self._answer(Reply(message.join_ref, message.ref, message.topic, "error", too_often(wait)))


def too_often(wait: float) -> dict[str, Any]:
    """What a client is told."""
    return {"reason": "too often", "retry_after": math.ceil(wait * 1000) / 1000}
