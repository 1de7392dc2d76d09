"""Phoenix Channels for Python. What applications import is here; each name is loaded when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from roost.shared.version import VERSION

if TYPE_CHECKING:
    from roost.gateway.bus.nodes import UnknownNode
    from roost.gateway.channel import Channel
    from roost.gateway.clients.calls import CallFailed, ChannelAddress
    from roost.gateway.clients.channel_extras import Timer
    from roost.gateway.clients.channel_sending import LaterReply
    from roost.gateway.clients.serializers import DEFAULT_SERIALIZERS
    from roost.gateway.connect.connect_info import ConnectInfo
    from roost.gateway.connect.csrf import csrf_token
    from roost.gateway.connect.mount import LongPoll, WebSocket
    from roost.gateway.connect.origin import Origin
    from roost.gateway.connect.rates import Rate, Rates
    from roost.gateway.custom_serializer import Serializer
    from roost.gateway.custom_transport import Transport
    from roost.gateway.endpoint import Endpoint
    from roost.gateway.events import event, intercept
    from roost.gateway.inspection.parameter_filter import KeepParameters
    from roost.gateway.letters import Broadcast
    from roost.gateway.presence.limits import PresenceLimits
    from roost.gateway.presence.presence import Presence
    from roost.gateway.pubsub import Mailbox, MailboxFull
    from roost.gateway.raw_socket import RawSocket
    from roost.gateway.replies import Error, Ok, Reply, Stop
    from roost.gateway.socket import Socket
    from roost.gateway.telemetry import (
        ChannelHandledIn,
        ChannelJoined,
        ClientTooSlow,
        EndpointInit,
        MessagesLost,
        NodeDown,
        NodeUp,
        ShardMapChanged,
        SocketConnected,
        SocketDrain,
    )
    from roost.gateway.token import Token
    from roost.gateway.transports.when_slow import WhenSlow
    from roost.outside import Event, NotPublished, PubSub, SyncPubSub
    from roost.shared.crossing import PayloadTooLarge
    from roost.shared.serializer import Message, Raw

__version__ = VERSION

_HOMES = {
    "DEFAULT_SERIALIZERS": "gateway.clients.serializers",
    "Broadcast": "gateway.letters",
    "CallFailed": "gateway.clients.calls",
    "Channel": "gateway.channel",
    "ChannelAddress": "gateway.clients.calls",
    "ChannelHandledIn": "gateway.telemetry",
    "ChannelJoined": "gateway.telemetry",
    "ClientTooSlow": "gateway.telemetry",
    "ConnectInfo": "gateway.connect.connect_info",
    "Endpoint": "gateway.endpoint",
    "EndpointInit": "gateway.telemetry",
    "Error": "gateway.replies",
    "KeepParameters": "gateway.inspection.parameter_filter",
    "LaterReply": "gateway.clients.channel_sending",
    "LongPoll": "gateway.connect.mount",
    "Mailbox": "gateway.pubsub",
    "MailboxFull": "gateway.pubsub",
    "NotPublished": "outside",
    "Event": "outside",
    "SyncPubSub": "outside",
    "Message": "shared.serializer",
    "MessagesLost": "gateway.telemetry",
    "NodeDown": "gateway.telemetry",
    "NodeUp": "gateway.telemetry",
    "Ok": "gateway.replies",
    "Origin": "gateway.connect.origin",
    "PayloadTooLarge": "shared.crossing",
    "Presence": "gateway.presence.presence",
    "PresenceLimits": "gateway.presence.limits",
    "PubSub": "outside",
    "Raw": "shared.serializer",
    "Rate": "gateway.connect.rates",
    "Rates": "gateway.connect.rates",
    "RawSocket": "gateway.raw_socket",
    "Reply": "gateway.replies",
    "Serializer": "gateway.custom_serializer",
    "ShardMapChanged": "gateway.telemetry",
    "Socket": "gateway.socket",
    "SocketConnected": "gateway.telemetry",
    "SocketDrain": "gateway.telemetry",
    "Stop": "gateway.replies",
    "Timer": "gateway.clients.channel_extras",
    "Token": "gateway.token",
    "Transport": "gateway.custom_transport",
    "UnknownNode": "gateway.bus.nodes",
    "WebSocket": "gateway.connect.mount",
    "WhenSlow": "gateway.transports.when_slow",
    "csrf_token": "gateway.connect.csrf",
    "event": "gateway.events",
    "intercept": "gateway.events",
}

__all__ = [
    "DEFAULT_SERIALIZERS",
    "Broadcast",
    "CallFailed",
    "Channel",
    "ChannelAddress",
    "ChannelHandledIn",
    "ChannelJoined",
    "ClientTooSlow",
    "ConnectInfo",
    "Endpoint",
    "EndpointInit",
    "Error",
    "Event",
    "KeepParameters",
    "LaterReply",
    "LongPoll",
    "Mailbox",
    "MailboxFull",
    "Message",
    "MessagesLost",
    "NodeDown",
    "NodeUp",
    "NotPublished",
    "Ok",
    "Origin",
    "PayloadTooLarge",
    "Presence",
    "PresenceLimits",
    "PubSub",
    "Rate",
    "Rates",
    "Raw",
    "RawSocket",
    "Reply",
    "Serializer",
    "ShardMapChanged",
    "Socket",
    "SocketConnected",
    "SocketDrain",
    "Stop",
    "SyncPubSub",
    "Timer",
    "Token",
    "Transport",
    "UnknownNode",
    "WebSocket",
    "WhenSlow",
    "__version__",
    "csrf_token",
    "event",
    "intercept",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'roost' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"roost.{home}"), name)
    return value
