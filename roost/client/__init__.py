"""A client of Phoenix channels for Python: protocol V2, one connection, no coming back by itself."""

from roost.client.connection import ChannelEnded, Connection, JoinedChannel, PushFailed, open_connection
from roost.client.messages import ServerMessage

__all__ = ["ChannelEnded", "Connection", "JoinedChannel", "PushFailed", "ServerMessage", "open_connection"]
