"""What `roost top` shows of a node: as a screen that fits its terminal, or printed whole."""

from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from roost.commands.activity import Activity, ClientRates, ShardActivity, Times, WorkerActivity
from roost.commands.bridge_activity import BridgeActivity, OtherNode
from roost.commands.load import ProcessLoad, ShardRates
from roost.commands.terminal import console, moment, number, rate, size, table, visible
from roost.shared.cluster import EngineState
from roost.shared.hottest import HotTopic
from roost.shared.inspection import SocketRow

WIDE: Final = 120
"""Columns of a terminal from which everything is shown."""
LINES_AROUND: Final = 14
"""Lines of a screen beside the tables' rows: what concerns the whole node, the tables' heads, blank lines."""
LINES_OF_BRIDGE: Final = 2
EVERYTHING: Final = 1 << 30

T = TypeVar("T")


class Column(NamedTuple, Generic[T]):
    """A column of one of the tables."""

    title: str
    show: Callable[[T], str]
    only_wide: bool = False
    """Left out where there is little room."""


class Rows(NamedTuple):
    """How many rows of each table are shown."""

    workers: int = EVERYTHING
    shards: int = EVERYTHING
    topics: int = EVERYTHING
    clients: int = EVERYTHING


def print_activity(activity: Activity) -> None:
    """All of it."""
    out = console()
    for part in _parts(activity, Rows(), wide=True):
        out.print(part)


def screen(activity: Activity, width: int, height: int) -> RenderableType:
    """As much as there is room for."""
    parts = _parts(activity, rows_for(activity, height), wide=width >= WIDE)
    for part in parts:
        if isinstance(part, Table):
            for column in part.columns:
                column.no_wrap, column.overflow = True, "ellipsis"
        elif isinstance(part, Text):
            part.no_wrap, part.overflow = True, "ellipsis"
    return Group(*parts)


def rows_for(activity: Activity, height: int) -> Rows:
    """What fits: first the processes, a third of the room for each kind at most; the rest for topics and clients."""
    others = len(activity.silent) + len(activity.troubles) + (0 if activity.bridge is None else LINES_OF_BRIDGE)
    room = max(4, height - LINES_AROUND - others)
    workers = min(len(activity.workers), room // 3)
    shards = min(len(activity.shards), room // 3)
    clients = min(len(activity.clients.clients), (room - workers - shards) // 2)
    return Rows(workers, shards, room - workers - shards - clients, clients)


def _parts(activity: Activity, rows: Rows, *, wide: bool) -> list[RenderableType]:
    clients = activity.clients
    return [
        *_head(activity),
        *(() if activity.bridge is None else _bridge(activity.bridge)),
        *(Text(f"{name} did not answer", style="red") for name in activity.silent),
        *(Text(sentence, style="yellow") for sentence in activity.troubles),
        Text(),
        _table(WORKER, activity.workers[: rows.workers], wide=wide),
        Text(),
        _table(SHARD, activity.shards[: rows.shards], wide=wide),
        Text(),
        Text("hottest topics of the last seconds", style="bold"),
        _table(TOPIC, activity.topics[: rows.topics], wide=wide),
        Text(),
        Text(f"slowest clients: {size(clients.waiting)} wait for {number(clients.total)}", style="bold"),
        *([_table(CLIENT, clients.clients[: rows.clients], wide=wide)] if clients.clients else ()),
    ]


def _head(activity: Activity) -> list[Text]:
    """What concerns the node as a whole."""
    state = "takes clients" if activity.ready else "takes no clients"
    restarts = ", ".join(f"{count} of {child}s" for child, count in activity.restarts.items() if count)
    change = activity.resharding
    supervisors = ", ".join(f"{name} {_cpu(load)} {_memory(load)}" for name, load in activity.supervisors.items())
    first = [
        f"Roost {activity.version or ''}".strip(),
        moment(activity.time),
        state,
        supervisors,
        restarts and f"restarts: {restarts}",
    ]
    if change is not None:
        first.append(f"from {change.shards_before} to {change.shards} shards: {change.phase.value}")
    return [
        Text("  ".join(filter(None, first))),
        *([Text("-"), Text()] if activity.rates is None else map(Text, _traffic(activity.rates))),
        Text(f"latency {_times(activity.latency)}  writing {_times(activity.write_time)}"),
    ]


def _bridge(bridge: BridgeActivity) -> tuple[Text, Text]:
    """`LINES_OF_BRIDGE`: the way to the other nodes, and they themselves."""
    way = (
        bridge.state.value if bridge.round_trip is None else f"{bridge.state.value}, {_milliseconds(bridge.round_trip)}"
    )
    rates = bridge.rates
    flow = "-" if rates is None else f"out {rate(rates.sent)}/s  in {rate(rates.received)}/s"
    gaps = "" if rates is None else f"lost {rate(rates.lost)}/s  dropped {rate(rates.dropped)}/s"
    waiting = f"{number(bridge.buffered)} ({size(bridge.buffered_bytes)}) wait"
    parts = (f"bridge {_cpu(bridge.load)} {_memory(bridge.load)}", way, flow, waiting, gaps)
    others = ", ".join(map(_other_node, bridge.nodes)) or "none was heard"
    style = "" if bridge.state is EngineState.CONNECTED else "yellow"
    return Text("  ".join(filter(None, parts)), style=style), Text(f"other nodes: {others}")


def _other_node(row: OtherNode) -> str:
    state = ("-" if row.received is None else f"{rate(row.received)}/s") if row.up else "gone"
    lost = f" lost {number(row.lost)}{' and more' if row.unknown_gaps else ''}" if row.lost or row.unknown_gaps else ""
    return f"{visible(row.node)} {state}{lost}"


def _traffic(rates: ClientRates) -> tuple[str, str]:
    received = f"in {rate(rates.messages_received)}/s {size(rates.bytes_received)}/s"
    sent = f"out {rate(rates.messages_sent)}/s {size(rates.bytes_sent)}/s"
    inside = f"published {rate(rates.published)}/s  deliveries {rate(rates.deliveries)}/s"
    others = f"joins {rate(rates.joins)}/s  dropped {rate(rates.dropped)}/s"
    return f"{received}  {sent}", f"{inside}  {others}"


def _times(times: Times | None) -> str:
    if times is None:
        return "-"
    return f"p50 {_milliseconds(times.median)} p99 {_milliseconds(times.p99)} of {number(times.count)}"


def _table(columns: Sequence[Column[T]], rows: Sequence[T], *, wide: bool) -> Table:
    shown = [column for column in columns if wide or not column.only_wide]
    made = table(*(column.title for column in shown))
    for row in rows:
        made.add_row(*(column.show(row) for column in shown))
    return made


def _cpu(load: ProcessLoad | None) -> str:
    return "-" if load is None else f"{load.cpu:.0%}"


def _memory(load: ProcessLoad | None) -> str:
    return "-" if load is None else size(load.memory)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"


def _p99(times: Times | None) -> str:
    return "-" if times is None else _milliseconds(times.p99)


def _of_clients(show: Callable[[ClientRates], str]) -> Callable[[WorkerActivity], str]:
    return lambda worker: "-" if worker.rates is None else show(worker.rates)


def _of_shard(show: Callable[[ShardRates], str]) -> Callable[[ShardActivity], str]:
    return lambda shard: "-" if shard.rates is None else show(shard.rates)


WORKER: Final[tuple[Column[WorkerActivity], ...]] = (
    Column("worker", lambda worker: f"{worker.name.removeprefix('worker ')} ({worker.number})"),
    Column("CPU", lambda worker: _cpu(worker.load)),
    Column("memory", lambda worker: _memory(worker.load)),
    Column("clients", lambda worker: number(worker.connections)),
    Column("channels", lambda worker: number(worker.channels), only_wide=True),
    Column("in/s", _of_clients(lambda rates: rate(rates.messages_received))),
    Column("bytes in/s", _of_clients(lambda rates: size(rates.bytes_received)), only_wide=True),
    Column("deliveries/s", _of_clients(lambda rates: rate(rates.deliveries))),
    Column("bytes out/s", _of_clients(lambda rates: size(rates.bytes_sent))),
    Column("joins/s", _of_clients(lambda rates: rate(rates.joins))),
    Column("p99", lambda worker: _p99(worker.latency)),
    Column("loop lag", lambda worker: _p99(worker.loop_lag), only_wide=True),
    Column("waiting", lambda worker: size(worker.waiting_bytes), only_wide=True),
    Column("under way", lambda worker: size(worker.log_bytes), only_wide=True),
    Column("held up", lambda worker: number(worker.waiting_publishes), only_wide=True),
)
SHARD: Final[tuple[Column[ShardActivity], ...]] = (
    Column("shard", lambda shard: str(shard.slot)),
    Column("state", lambda shard: "open" if shard.open else "waits for workers"),
    Column("CPU", lambda shard: _cpu(shard.load)),
    Column("memory", lambda shard: _memory(shard.load)),
    Column("topics", lambda shard: number(shard.topics)),
    Column("subscribers", lambda shard: number(shard.subscribers), only_wide=True),
    Column("published/s", _of_shard(lambda rates: rate(rates.published))),
    Column("deliveries/s", _of_shard(lambda rates: rate(rates.deliveries))),
    Column("queued", lambda shard: number(shard.queued_publishes), only_wide=True),
    Column("outbox", lambda shard: size(shard.outbox_bytes)),
)
TOPIC: Final[tuple[Column[HotTopic], ...]] = (
    Column("topic", lambda row: visible(row.topic)),
    Column("deliveries/s", lambda row: rate(row.deliveries)),
    Column("at most too high by", lambda row: rate(row.error) if row.error else "", only_wide=True),
    Column("published/s", lambda row: rate(row.publishes)),
)
CLIENT: Final[tuple[Column[SocketRow], ...]] = (
    Column("socket", lambda row: row.socket),
    Column("id", lambda row: visible(row.id)),
    Column("address", lambda row: visible(row.address)),
    Column("transport", lambda row: row.transport, only_wide=True),
    Column("channels", lambda row: number(row.channels), only_wide=True),
    Column("since", lambda row: moment(row.since), only_wide=True),
    Column("waiting", lambda row: size(row.waiting)),
)
