"""What `roost plan` prints: how many of what, the traffic between nodes, and in words what is full first."""

from typing import Final

from rich.console import Console

from roost.commands.plan import Constants, Load, Plan
from roost.commands.terminal import console, size, table
from roost.shared.config import DEFAULT_MAX_CONNECTIONS
from roost.shared.crossing import BUCKETS

REMEDIES: Final = {
    "shards": "a shard's CPU: each sees every publish of its node, so only fewer publishes or more clusters help",
    "the node's cores": "the machine, mostly the workers on it: more cores or more nodes help",
    "the bridge": "the bridge: a node has one, for all that it sends and hears; where that is most of what others "
    "publish more nodes do not help, but more clusters, and `local_broadcast` where a room's clients are on one node",
    "the engine": "the NATS servers: more of them in a cluster share the nodes' connections",
}


def print_plan(load: Load, found: Plan, cost: Constants) -> None:
    """The plan, then what to know about it."""
    out = console()
    rows = table("what", "value")
    for what, value in _rows(load, found):
        rows.add_row(what, value)
    out.print(rows)
    for sentence in _sentences(found):
        out.print(sentence)
    out.print(f"By what was measured on {cost.measured} with Roost {cost.release}: {cost.machine}.")
    _say_limits(out)


def _rows(load: Load, found: Plan) -> list[tuple[str, str]]:
    several = f", in {found.clusters} clusters" if found.clusters > 1 else ""
    each = " in each cluster" if several else ""
    rows = [
        ("nodes", f"{found.nodes:,} of {load.cores} cores{several}"),
        ("workers a node", str(found.workers)),
        ("shards a node", str(found.shards)),
        ("clients a node", f"{found.clients_a_node:,}"),
        ("memory a node", size(found.memory)),
    ]
    if found.engine_servers:
        rows += [
            ("heard of what others publish", f"{found.heard:.0%}"),
            ("received by a node", f"{found.received:,.0f} publishes/s"),
            ("engine, in", f"{found.engine_in:,.0f} publishes/s{each}"),
            ("engine, out", f"{found.engine_out:,.0f} publishes/s, {size(found.engine_bytes)}/s{each}"),
            ("NATS servers", f"{found.engine_servers:,}"),
        ]
    return rows + [(f"use of {part}", f"{share:.0%}") for part, share in found.use.items()]


def _sentences(found: Plan) -> list[str]:
    said = [f"What is full first is {REMEDIES[found.first]}."]
    if found.clusters > 1:
        said.append("One cluster cannot carry this: the clients of a room have to meet in the same cluster.")
    if found.engine_servers and found.heard > 0.9:
        said.append(f"Nodes have so many topics that the {BUCKETS:,} buckets filter hardly anything.")
    if (connections := found.clients_a_node / found.workers) > DEFAULT_MAX_CONNECTIONS:
        said.append(
            f"A worker has {connections:,.0f} connections: set ROOST_MAX_CONNECTIONS above that, and LimitNOFILE too."
        )
    where = "the others" if found.nodes > found.clusters else "the node, started again,"
    said.append(f"When a node is lost, its clients are back on {where} after {found.rejoin:.1f} s at best.")
    return said


def _say_limits(out: Console) -> None:
    out.print("Memory is that of the processes; the kernel's for sockets comes on top. Measure your own application.")
