"""What the commands print about supervision and routes."""

from collections.abc import Mapping

from rich.tree import Tree

from roost.commands.terminal import console, print_silent
from roost.shared.inspection import NodeTree, ProcessBranch, Routes, WorkerTree


def print_tree(answer: NodeTree) -> None:
    """The supervision tree down to sockets and channels, folded by count."""
    out = console()
    root = Tree(f"broker (pid {answer.pid})")
    for shard in answer.shards:
        root.add(_process(shard))
    if answer.bridge is not None:
        root.add(_process(answer.bridge))
    gateway = answer.gateway
    if gateway is not None:
        branch = root.add(f"gateway (pid {gateway.pid}) {gateway.app}")
        for worker in gateway.workers:
            below = branch.add(_process(worker))
            if worker.worker is not None:
                _add_worker(below, worker.worker)
    elif "gateway" not in answer.silent:
        root.add("no gateway (start one with `roost gateway APP`)")
    out.print(root)
    print_silent(out, answer.silent)


def print_routes(answer: Routes) -> None:
    """Mounts with their paths and topic patterns."""
    out = console()
    for mount in answer.mounts:
        polled = f"{mount.longpoll} (long-poll)"
        root = Tree(f"{mount.websocket or polled} {mount.socket}{' (raw)' if mount.raw else ''}")
        if mount.websocket is not None and mount.longpoll is not None:
            root.add(polled)
        for route in mount.routes:
            root.add(f"{route.pattern} {route.channel}")
        out.print(root)
    out.print(f"everything else: {answer.http or '404'}")
    print_silent(out, answer.silent)


def _process(branch: ProcessBranch) -> str:
    restarts = f", {branch.restarts} restart{'s' if branch.restarts > 1 else ''}" if branch.restarts else ""
    state = f" {branch.state}" if branch.state else ""
    silent = "" if branch.answered else ", did not answer"
    return f"{branch.name} (pid {branch.pid}{restarts}){state}{silent}"


def _add_worker(below: Tree, worker: WorkerTree) -> None:
    for listener in worker.listeners:
        below.add(f"listener {listener}")
    _add_counts(below, "socket", worker.sockets)
    _add_counts(below, "channel", worker.channels)
    if worker.http_connections:
        below.add(f"{worker.http_connections:,} HTTP connections")


def _add_counts(below: Tree, what: str, counts: Mapping[str, int]) -> None:
    if counts:
        total = sum(counts.values())
        branch = below.add(f"{total:,} {what}{'s' if total > 1 else ''}")
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            branch.add(f"{count:,} {name}")
