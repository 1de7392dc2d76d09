"""What the bridge to the other nodes does now: what it counted from one look to the next. Pure."""

from collections.abc import Mapping

import msgspec

from roost.commands.load import ProcessLoad
from roost.shared.cluster import ClusterStatus, EngineState, NodeRow
from roost.shared.measurements import BridgeMeasurements, Usage


class BridgeRates(msgspec.Struct, frozen=True):
    """What went between this node and the others in a second."""

    sent: float
    """Publishes that the engine has taken."""
    received: float
    """Publishes of other nodes."""
    lost: float
    """Publishes of other nodes that did not come, as the gaps in their numbers show."""
    dropped: float
    """Publishes that found no room to wait for the engine."""


class OtherNode(msgspec.Struct, frozen=True):
    """Another node, as this one hears it."""

    node: str
    up: bool
    received: float | None
    """Publishes that came from it in a second; None without a look before."""
    lost: int
    """Since it is known."""
    unknown_gaps: int
    """How often something more may have been lost that nobody can count, since it is known."""


class BridgeActivity(msgspec.Struct, frozen=True):
    """The bridge, between two looks."""

    load: ProcessLoad | None
    """None, as the rates are, if this process was not there at the look before."""
    engine: str
    state: EngineState
    round_trip: float | None
    """Seconds of the last beat that came back through the engine."""
    rates: BridgeRates | None
    buffered: int
    """Publishes that wait for the engine."""
    buffered_bytes: int
    dropped: int
    """Since the bridge started."""
    nodes: tuple[OtherNode, ...]


def compare_bridge(old: BridgeMeasurements | None, new: BridgeMeasurements, seconds: float) -> BridgeActivity:
    """What it did in these seconds; with None, or another process before, how it is."""
    if old is not None and old.number != new.number:
        old = None
    status = new.status
    before = {} if old is None else {row.node: row for row in old.status.nodes}
    return BridgeActivity(
        load=None if old is None else _load(old.usage, new.usage, seconds),
        engine=status.engine,
        state=status.state,
        round_trip=status.round_trip,
        rates=None if old is None else _rates(old.status, status, seconds),
        buffered=status.buffered,
        buffered_bytes=status.buffered_bytes,
        dropped=status.dropped,
        nodes=tuple(_node(row, before, seconds) for row in status.nodes),
    )


def _load(old: Usage, new: Usage, seconds: float) -> ProcessLoad:
    return ProcessLoad(_rate(old.cpu_seconds, new.cpu_seconds, seconds), new.resident_bytes)


def _rates(old: ClusterStatus, new: ClusterStatus, seconds: float) -> BridgeRates:
    return BridgeRates(
        sent=_rate(old.sent, new.sent, seconds),
        received=_rate(_received(old), _received(new), seconds),
        lost=_rate(_lost(old), _lost(new), seconds),
        dropped=_rate(old.dropped, new.dropped, seconds),
    )


def _received(status: ClusterStatus) -> int:
    return sum(row.received for row in status.nodes)


def _lost(status: ClusterStatus) -> int:
    return sum(row.lost for row in status.nodes)


def _node(row: NodeRow, before: Mapping[str, NodeRow], seconds: float) -> OtherNode:
    old = before.get(row.node)
    received = None if old is None else _rate(old.received, row.received, seconds)
    return OtherNode(row.node, row.up, received, row.lost, row.unknown_gaps)


def _rate(old: float, new: float, seconds: float) -> float:
    """Never below 0: a node that is forgotten takes its counts with it."""
    return max(0.0, new - old) / seconds
