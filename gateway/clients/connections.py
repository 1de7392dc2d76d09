"""What clients are connected by, and whose client a subscription belongs to."""

from typing import Any

from roost.gateway.clients.channel_process import ChannelProcess
from roost.gateway.clients.client import Client
from roost.gateway.clients.raw_connection import ById, RawConnection

Connection = Client | RawConnection


def connection_of(inbox: Any) -> Connection | None:
    """The connection of what a subscription's letters go to; None for code that subscribes by itself."""
    match inbox:
        case ChannelProcess():
            return inbox.client
        case ById():
            return inbox.connection
        case Client() | RawConnection():
            return inbox
    return None
