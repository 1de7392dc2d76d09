"""Plans leave the headroom that was asked for; the shares of buckets are those that a simulation finds."""

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.commands.cli_plan import SHIPPED
from roost.commands.filtering import chance_on_a_node, share_heard, share_of_buckets
from roost.commands.plan import Constants, Load, NoPlan, plan
from roost.commands.terminal import size
from roost.shared.crossing import BUCKETS, bucket_of

COST = Constants(
    measured="2026-01-01",
    machine="4 cores",
    release="0",
    delivery=8.0,
    publish=12.0,
    heartbeat=40.0,
    join=220.0,
    shard_publish=7.0,
    shard_delivery=0.03,
    bridge_sent=40.0,
    bridge_received=40.0,
    bridge_beat=800.0,
    engine_messages=1e6,
    client_memory=3050.0,
    node_memory=80e6,
    worker_memory=30e6,
    shard_memory=16e6,
)
loads = st.builds(
    Load,
    clients=st.integers(1, 20_000_000),
    rate=st.floats(0, 200_000),
    fanout=st.floats(1, 10_000),
    rooms=st.none() | st.integers(1, 1_000_000),
    ids=st.booleans(),
    cores=st.integers(1, 64),
    headroom=st.floats(0.05, 0.9),
)


@given(loads)
def test_every_part_keeps_its_headroom_and_the_fullest_is_named(load: Load) -> None:
    try:
        found = plan(load, COST)
    except NoPlan:
        return
    assert max(found.use.values()) <= 1 - load.headroom + 1e-9
    assert found.use[found.first] == max(share for part, share in found.use.items() if part != "workers")
    assert found.nodes * found.clients_a_node >= load.clients
    assert found.nodes % found.clusters == 0
    assert found.clients_a_node <= load.most_clients
    assert (found.engine_servers > 0) == (found.nodes > found.clusters)
    assert found.memory >= found.workers * COST.worker_memory + found.clients_a_node * 3000


def test_figures_by_hand() -> None:
    load = Load(clients=100_000, rate=1000, fanout=100, cores=16, headroom=0.5)
    found = plan(load, COST)
    # 100,000 deliveries of 8 us, 1,000 publishes of 12 us, 3,333 heartbeats of 40 us: 0.945 cores.
    assert (found.clusters, found.nodes, found.workers, found.shards) == (1, 1, 2, 1)
    assert found.use["workers"] == pytest.approx((0.8 + 0.012 + 0.13333) / 2, rel=1e-3)
    assert found.use["shards"] == pytest.approx(0.007 + 0.003)
    assert found.memory == pytest.approx(80e6 + 2 * 30e6 + 16e6 + 100_000 * 3050)
    assert found.rejoin == pytest.approx(100_000 * 220e-6 / (2 - 0.9453), rel=1e-3)


def test_small_machines_need_several_nodes_which_hear_each_other() -> None:
    found = plan(Load(clients=100_000, rate=1000, fanout=100, cores=1), COST)
    assert found.nodes >= 2
    assert found.heard > 0.99
    assert found.received == pytest.approx(1000 * (found.nodes - 1) / found.nodes * found.heard)
    assert found.engine_out == pytest.approx(found.received * found.nodes)


def test_what_one_bridge_cannot_hear_takes_several_clusters() -> None:
    found = plan(Load(clients=10_000_000, rate=100_000, fanout=10, cores=8), COST)
    # Every node hears nearly everything, and half a bridge's core is 12,500 publishes a second of 40 us.
    assert found.clusters >= 100_000 / 12_500
    assert found.first == "the bridge"


def test_a_load_beyond_everything_is_refused() -> None:
    with pytest.raises(NoPlan, match="1000 clusters"):
        plan(Load(clients=10**9, rate=1e9, fanout=1000, cores=1), COST)


@pytest.mark.parametrize(("rooms", "members", "nodes"), [(10, 3000, 5), (2000, 4, 8), (300, 2, 20), (50_000, 1, 10)])
def test_the_share_that_is_heard_is_that_of_a_simulation(rooms: int, members: int, nodes: int) -> None:
    chance = random.Random(7)
    buckets: list[set[int]] = [set() for _ in range(nodes)]
    for room in range(rooms):
        bucket = bucket_of(f"room:{room}")
        for node in {chance.randrange(nodes) for _ in range(members)}:
            buckets[node].add(bucket)
    heard = [sum(bucket_of(f"room:{room}") in one for room in range(rooms)) / rooms for one in buckets]
    here = chance_on_a_node(members, nodes)
    assert sum(heard) / nodes == pytest.approx(share_heard(here, rooms * here), abs=0.03)
    assert sum(map(len, buckets)) / nodes / BUCKETS == pytest.approx(share_of_buckets(rooms * here), abs=0.03)


def test_the_constants_that_are_shipped_plan(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.roost.test_cli import run

    cost = msgspec.json.decode(SHIPPED.read_bytes(), type=Constants)
    assert all(value > 0 for value in msgspec.structs.asdict(cost).values() if not isinstance(value, str))
    arguments = ("plan", "--clients", "1000000", "--rate", "10000", "--fanout", "50")
    _, told, _ = run(monkeypatch, capsys, *arguments, "--json")
    answer: dict[str, Any] = json.loads(told)
    assert answer["plan"] == msgspec.to_builtins(plan(Load(1_000_000, 10_000, 50), cost))
    _, shown, _ = run(monkeypatch, capsys, *arguments)
    assert f"nodes                         {answer['plan']['nodes']} of 8 cores" in shown
    assert "What is full first is " in shown
    status, _, said = run(monkeypatch, capsys, *arguments, "--constants", __file__)
    assert (status, said.startswith(f"{__file__} has no constants")) == (1, True)


def guide_rows() -> list[list[str]]:
    text = (Path(__file__).parents[3] / "docs" / "scaling.md").read_text()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_the_guide_has_the_costs_that_are_shipped() -> None:
    cost = msgspec.json.decode(SHIPPED.read_bytes(), type=Constants)
    told = {row[0].strip("`"): row[-1] for row in guide_rows() if row[0].startswith("`")}
    assert len(told) == 13
    for name, value in told.items():
        expected = size(getattr(cost, name)) if name.endswith("memory") else f"{getattr(cost, name):g} us"
        assert value == expected, name


def test_the_guide_has_the_shares_that_are_computed() -> None:
    rows = guide_rows()
    topics, shares = (next(row[1:] for row in rows if row[0].startswith(word)) for word in ("topics of", "buckets it"))
    assert shares == [f"{share_of_buckets(int(number.replace(',', ''))):.0%}" for number in topics]
    shapes = [
        row for row in rows if len(row) == 7 and row[1].replace(",", "").isdigit() and row[0] != "topics of the node"
    ]
    assert len(shapes) >= 5
    for _, rooms, members, *cells in shapes:
        for nodes, cell in zip((3, 10, 30, 100), cells, strict=True):
            here = chance_on_a_node(int(members.replace(",", "")), nodes)
            assert cell == f"{share_heard(here, int(rooms.replace(',', '')) * here):.0%}, {here:.0%}"


def test_the_guide_has_the_plans_that_are_made() -> None:
    cost = msgspec.json.decode(SHIPPED.read_bytes(), type=Constants)
    told = {row[0]: row[1:] for row in guide_rows() if len(row) == 4}
    plans = [plan(Load(clients, clients // 100, 100), cost) for clients in (10**5, 10**6, 10**7)]
    assert told["clusters"] == [f"{one.clusters}" for one in plans]
    assert told["nodes of 8 cores"] == [f"{one.nodes}" for one in plans]
    assert told["workers, shards of a node"] == [f"{one.workers}, {one.shards}" for one in plans]
    assert told["memory of a node"] == [size(one.memory) for one in plans]
    assert told["received by a node"] == [f"{one.received:,.0f}/s" for one in plans]
    assert told["full first"] == [one.first for one in plans]
