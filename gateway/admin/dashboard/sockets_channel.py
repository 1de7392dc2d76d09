"""The channel that shows one socket, or those of an id or an address."""

from typing import Final

import msgspec

from roost.gateway.admin.dashboard.socket import DashboardSocket
from roost.gateway.channel import Channel
from roost.gateway.events import event
from roost.gateway.replies import Error, Ok
from roost.shared.inspection import AskClient, AskSockets
from roost.shared.link import Refused

MAX_SOCKETS: Final = 200
"""Sockets of an address that are shown."""


class Named(msgspec.Struct, frozen=True):
    """A socket's number or id."""

    name: str


class At(msgspec.Struct, frozen=True):
    """An address or a network."""

    address: str


class SocketsChannel(Channel[DashboardSocket]):
    """Answers; tells nothing by itself."""

    @event("named")
    async def named(self, payload: Named) -> Ok | Error:
        """Everything that is known of the sockets of that name."""
        return await self._ask(AskSockets(payload.name))

    @event("at")
    async def at(self, payload: At) -> Ok | Error:
        """The first sockets of an address, and how many there are."""
        return await self._ask(AskClient(payload.address, MAX_SOCKETS))

    async def _ask(self, question: AskSockets | AskClient) -> Ok | Error:
        try:
            return Ok(await self.socket.desk.node.ask(question))
        except Refused as refused:
            return Error({"reason": str(refused)})
