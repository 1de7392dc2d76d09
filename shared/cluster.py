"""What the processes of a node tell each other about the other nodes of its cluster. Pure.

`control` puts these among the messages of the control socket. What nodes tell each other is in `broker/bridge`.
"""

from enum import Enum
from typing import Final

import msgspec

from roost.shared.control_message import ControlMessage

NODE_ANSWER_LIMIT: Final = 3.0
"""Seconds in which another node answers a question; after them it is named as silent."""


class NodePlace(msgspec.Struct, frozen=True):
    """Answers `TakeWorkerNumber`: where a worker is."""

    worker: int
    """A number that was never given before."""
    node: str
    """The node's name."""
    clustered: bool
    """Whether there may be other nodes: then a subscription stands only once the bridge listens for it."""


# Which buckets a node listens to


class Interest(ControlMessage, frozen=True):
    """From a worker, on to the broker and the bridge: the buckets in which I have subscribers, all of them.

    Told whenever they change, and after each `MapChanged`, for a bridge may have been started anew.
    """

    worker: int
    version: int
    """Grows with each change."""
    buckets: bytes
    """As `pack_buckets` has it."""


class Listening(ControlMessage, frozen=True):
    """From the bridge, on to all workers: what the engine has confirmed that this node hears.

    A worker's subscription stands once `versions` holds its interest's version, or a later one, and the bucket is
    among these. While the engine is away every bucket that is wanted is among them, for the node goes on by itself.
    """

    versions: dict[int, int]
    """By worker: the version of its interest that this reflects."""
    buckets: bytes
    max_payload: int
    """Bytes that a publish for the cluster may have: more is refused to the publisher."""
    nodes: tuple[str, ...]
    """The other nodes that are there now."""


# What happens in the cluster: told by the bridge, on to all workers


class NodeUp(ControlMessage, frozen=True):
    """Another node is there."""

    node: str
    node_id: str
    """That of its run directory; the names of its replicas of presence begin with it."""


class NodeDown(ControlMessage, frozen=True):
    """A node has gone, or was not heard for too long."""

    node: str
    node_id: str


class MessagesLost(ControlMessage, frozen=True):
    """What a node published did not come through the engine."""

    node: str
    lost: int | None
    """How many publishes; None if nobody can know, as when a bridge was started anew."""


ClusterNews = NodeUp | NodeDown | MessagesLost


# Questions


class EngineState(Enum):
    """How the way to the engine is."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    DEAF = "deaf"
    """Connected, but canaries do not come back."""


class AskCluster(ControlMessage, frozen=True):
    """To the broker, on to the bridge. Answered by `ClusterStatus`; refused where there is no cluster."""


class NodeRow(msgspec.Struct, frozen=True):
    """Another node."""

    node: str
    version: str
    """Roost's."""
    heard: float
    """Seconds ago."""
    received: int
    """Publishes that came from it."""
    duplicates: int
    lost: int
    """Publishes of it that did not come, as the gaps in its numbers show."""
    unknown_gaps: int
    """How often something may have been lost that nobody can count."""
    up: bool = True
    """Whether it is there now."""


class ClusterStatus(msgspec.Struct, frozen=True):
    """What a bridge knows."""

    node: str
    engine: str
    """Its address, without anything secret."""
    state: EngineState
    since: float
    """Seconds in this state."""
    round_trip: float | None
    """Seconds of the last canary that came back."""
    buckets: int
    """How many are listened to."""
    sent: int
    """Publishes handed to the engine."""
    buffered: int
    """Publishes that wait for the engine."""
    buffered_bytes: int
    dropped: int
    """Publishes that found no room while the engine was away; the other nodes see them as lost."""
    unreadable: int
    """Messages of nodes that speak another version, and what came that nobody could be given."""
    reconnects: int
    nodes: tuple[NodeRow, ...]
    traces: int = 0
    """How many traces the bridge takes part in."""


class AskNode(ControlMessage, frozen=True):
    """To the broker, on to the bridge and the broker of another node: answered by what that answers.

    Refused if there is no such node, or if it does not answer within `NODE_ANSWER_LIMIT`.
    """

    node: str
    question: bytes
    """A control message as an envelope has it."""


class AskedHere(ControlMessage, frozen=True):
    """From a bridge to its broker: another node's question. Answered as if it had been asked here."""

    node: str
    """Who asks."""
    question: bytes


ClusterMessage = Interest | Listening | ClusterNews | AskCluster | AskNode | AskedHere
"""What goes over the links of a node because it is one of several."""
