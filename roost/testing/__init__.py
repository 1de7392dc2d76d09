"""What applications test their channels with: in the test's own process, or against a real node."""

from roost.gateway.clients.calls import CallFailed
from roost.testing.client import ClientChannel, ClientSocket, ConnectRefused, JoinRefused
from roost.testing.inbox import ANY
from roost.testing.live_node import LiveNode
from roost.testing.local_node import LocalNode, connect_info, local_node

__all__ = [
    "ANY",
    "CallFailed",
    "ClientChannel",
    "ClientSocket",
    "ConnectRefused",
    "JoinRefused",
    "LiveNode",
    "LocalNode",
    "connect_info",
    "local_node",
]
