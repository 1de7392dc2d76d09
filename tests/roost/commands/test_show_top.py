"""A screen fits its terminal, whatever the node has; nothing that clients chose steers it."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.console import Console

from roost.commands.activity import Activity, Look, compare
from roost.commands.bridge_activity import OtherNode
from roost.commands.show_top import print_activity, rows_for, screen
from roost.shared.hottest import HottestTopics, HotTopic
from roost.shared.inspection import SlowestClients, SocketRow
from roost.shared.shard_map import Slot
from tests.gateway.admin.node import BROKER, NODE, SHARD, WORKER

ROW = SocketRow("1.2", "a\x1b[31m", "Some", "websocket", "::1", 0.0, None, 5000, 0, 1)


def activity(workers: int, shards: int, topics: int, clients: int, silent: int = 0) -> Activity:
    def look(time: float, more: int) -> Look:
        broker = replace(BROKER, shards=tuple(replace(SHARD, slot=Slot(0, one)) for one in range(shards)), silent=())
        measured = {f"worker {one}": replace(WORKER, number=one, deliveries=more) for one in range(workers)}
        missing = tuple(f"worker {workers + one}" for one in range(silent))
        return Look(
            time,
            replace(NODE, workers=measured, broker=broker, silent=missing),
            broker,
            HottestTopics(tuple(HotTopic(f"{'long' * 50}\n\x1b{one}", 1e7 - one, 1.5, 1.0) for one in range(topics))),
            SlowestClients(clients, clients * 5000, (ROW,) * clients),
        )

    return compare(look(1, 0), look(2, 1_000_000), 0.0)


def shown(found: Activity, width: int, height: int) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, markup=False, highlight=False)
    console.print(screen(found, width, height))
    return out.getvalue().splitlines()


few = st.integers(0, 40)


@settings(max_examples=25)
@given(few, few, few, few, st.integers(0, 3), st.integers(80, 200), st.integers(24, 70))
def test_a_screen_fits(
    workers: int, shards: int, topics: int, clients: int, silent: int, width: int, height: int
) -> None:
    lines = shown(activity(workers, shards, topics, clients, silent), width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert all(line.isprintable() for line in lines)


@given(few, few, few, few, st.integers(0, 100))
def test_there_is_room_for_some_of_each(workers: int, shards: int, topics: int, clients: int, height: int) -> None:
    rows = rows_for(activity(workers, shards, topics, clients), height)
    assert min(rows) >= 0
    assert rows.topics >= 1
    assert rows.workers >= min(workers, 1)
    assert rows.shards >= min(shards, 1)


def test_all_is_there_where_there_is_room() -> None:
    text = "\n".join(shown(activity(2, 3, 4, 2, 1), 200, 60))
    for part in ("worker 2 did not answer", "0/2", "2,000,000/s", "hottest", "10.0 kB wait for 2", "a\\x1b[31m", "::1"):
        assert part in text
    narrow = "\n".join(shown(activity(2, 3, 4, 2, 1), 80, 60))
    assert "loop lag" in text
    assert "loop lag" not in narrow


def test_the_bridge_is_there_where_there_is_one() -> None:
    found = activity(1, 1, 1, 1)
    text = "\n".join(shown(found, 160, 40))
    for part in (
        "bridge 0% 4.1 kB",
        "deaf",
        "out 0/s  in 0/s",
        "43 (44 B) wait",
        "other nodes: b gone lost 48 and more",
    ):
        assert part in text
    assert found.bridge is not None
    hostile = replace(found.bridge, nodes=(OtherNode("\x1b[2J", up=True, received=12.0, lost=0, unknown_gaps=0),))
    assert "other nodes: \\x1b[2J 12/s" in "\n".join(shown(replace(found, bridge=hostile), 160, 40))
    assert "bridge" not in "\n".join(shown(replace(found, bridge=None), 160, 40))


def test_printed_whole_it_has_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_activity(activity(50, 50, 50, 50))
    printed = capsys.readouterr().out
    assert printed.count("0/") >= 50
    assert printed.count("long\\n\\x1b") == 50
    assert printed.count("a\\x1b[31m") == 50
