"""Ends connections whose time has come: one timer for all of them. No decisions here."""

import time
from typing import TYPE_CHECKING, Final

from roost.gateway.connect.expiry import Expiry
from roost.shared.frames import CloseCode

if TYPE_CHECKING:
    import asyncio

    from roost.gateway.clients.client import Client
    from roost.gateway.clients.raw_connection import RawConnection
    from roost.gateway.clients.runtime import Runtime

LONGEST_SLEEP: Final = 60.0
"""Seconds after which the clock on the wall is looked at again: it may have been set."""
REASON: Final = "expired"


class Expiring:
    """The connections of one worker that are good until a certain time."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._expiry: Expiry[Client | RawConnection] = Expiry()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def watch(self, client: "Client | RawConnection", at: float) -> None:
        """End the connection then, in seconds since 1970, unless it is given another time before."""
        self._expiry.watch(client.socket.number, client, at)
        self._arm()

    def forget(self, client: "Client | RawConnection") -> None:
        """The connection is gone."""
        self._expiry.forget(client.socket.number)

    def _arm(self) -> None:
        due = self._expiry.next()
        if due is None or (self._timer is not None and due >= self._due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._runtime.call_later(min(max(0.0, due - time.time()), LONGEST_SLEEP), self._look)

    def _look(self) -> None:
        self._timer = None
        for client in self._expiry.due(time.time()):
            self._runtime.note(client.socket.number, "expired")
            client.transport.close(CloseCode.EXPIRED, REASON)
        self._arm()
