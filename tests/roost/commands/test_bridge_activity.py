"""What a bridge did is what the same bridge counted in between, never less than nothing."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from roost.commands.bridge_activity import compare_bridge
from roost.shared.cluster import NodeRow
from roost.shared.measurements import BridgeMeasurements, Usage
from tests.gateway.admin.node import BROKER

assert BROKER.bridge is not None
BRIDGE: BridgeMeasurements = BROKER.bridge
counts = st.integers(0, 10**9)


def row(node: str, received: int, lost: int = 0) -> NodeRow:
    return NodeRow(node, "0.1.0", 0.5, received, 0, lost, 2)


def bridge(sent: int, dropped: int, *nodes: NodeRow, number: int = 50) -> BridgeMeasurements:
    return replace(BRIDGE, number=number, status=replace(BRIDGE.status, sent=sent, dropped=dropped, nodes=nodes))


@given(counts, counts, st.floats(0.1, 60))
def test_rates_are_what_was_counted_by_the_seconds(old: int, more: int, seconds: float) -> None:
    before = bridge(old, old, row("b", old, old), row("c", old))
    after = bridge(old + more, old + more, row("b", old + more, old + more), row("c", old + more))
    activity = compare_bridge(before, after, seconds)
    assert activity.rates is not None
    for rate, times in (("sent", 1), ("received", 2), ("lost", 1), ("dropped", 1)):
        assert abs(getattr(activity.rates, rate) * seconds - times * more) < 1
    assert [(one.node, one.lost, one.unknown_gaps) for one in activity.nodes] == [("b", old + more, 2), ("c", 0, 2)]
    assert all(one.received is not None and abs(one.received * seconds - more) < 1 for one in activity.nodes)


def test_how_it_is_does_not_wait_for_a_second_look() -> None:
    for before in (None, replace(BRIDGE, number=51)):
        activity = compare_bridge(before, BRIDGE, 1.0)
        assert (activity.load, activity.rates, activity.nodes[0].received) == (None, None, None)
        assert (activity.buffered, activity.buffered_bytes, activity.dropped) == (43, 44, 45)
        assert (activity.nodes[0].node, activity.nodes[0].up, activity.nodes[0].lost) == ("b", False, 48)


def test_nodes_that_come_and_are_forgotten_make_no_rate_negative() -> None:
    activity = compare_bridge(bridge(1, 0, row("b", 9, 9)), bridge(1, 0, row("c", 1)), 1.0)
    assert activity.rates is not None
    assert (activity.rates.received, activity.rates.lost, activity.nodes[0].received) == (0, 0, None)


def test_load() -> None:
    after = replace(BRIDGE, usage=Usage(BRIDGE.usage.cpu_seconds + 1, 7))
    load = compare_bridge(BRIDGE, after, 2.0).load
    assert load is not None
    assert (load.cpu, load.memory) == (0.5, 7)
