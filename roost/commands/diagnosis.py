"""What is wrong with a machine or a node, and how to put it right, told from facts. Pure."""

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from roost.shared.limits import RESERVED_DESCRIPTORS

EARLIEST: Final = 1_735_689_600.0
"""Unix time of 2025: a clock that is before it is wrong, and tokens with it."""

Verdict = Literal["ok", "note", "wrong"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    what: str
    verdict: Verdict
    says: str
    fix: str = ""


class Diagnosis(msgspec.Struct, frozen=True):
    """All that was looked at."""

    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> bool:
        """Whether anything must be put right."""
        return any(finding.verdict == "wrong" for finding in self.findings)


class Directory(msgspec.Struct, frozen=True):
    """The run directory."""

    path: str
    exists: bool = True
    is_ours: bool = True
    mode: int = 0o700
    stale: tuple[str, ...] = ()
    """Sockets behind which nobody lives."""
    problem: str = ""
    """Why it cannot be used, as a node would say."""


class Port(msgspec.Struct, frozen=True):
    """A port on which the settings have a gateway listen."""

    variable: str
    number: int
    is_nodes: bool
    """Whether this node's gateway listens on it."""
    problem: str = ""
    """Why a gateway could not listen on it; empty if it can or does."""


class Cluster(msgspec.Struct, frozen=True):
    """The engine between nodes, where there are to be several."""

    engine: str
    """Its address, without anything secret."""
    problem: str = ""
    """Why it cannot be reached, or since when."""
    others: int | None = None
    """Nodes that are heard; None if no node runs here."""
    unreadable: int = 0
    """Messages of nodes that speak another version."""
    dropped: int = 0
    """Publishes that found no room to wait for the engine."""


class Facts(msgspec.Struct, frozen=True):
    """What was found."""

    version: str
    node_version: str | None
    """None if no node runs."""
    broker_pid: str | None
    """Of the broker that has the run directory, whether it answers or not."""
    silent: tuple[str, ...]
    """Processes of the node that do not answer."""
    run_dir: Directory
    ports: tuple[Port, ...]
    max_descriptors: int | None
    """The hard limit, to which workers raise theirs; None for none."""
    max_connections: int
    backlog: int
    """Connections that a worker has the kernel queue."""
    max_backlog: int | None
    """As many as it does; None if the system does not tell."""
    cores: int
    shards: int
    workers: int
    now: float
    """Unix time."""
    clock_synchronised: bool | None
    """None if the system does not tell."""
    libraries: dict[str, str]
    """Name to version, of what a node is built on."""
    cluster: Cluster | None = None
    """None where the node is alone."""


def diagnose(facts: Facts) -> Diagnosis:
    """Judge the facts."""
    return Diagnosis(
        (
            *_node(facts),
            _directory(facts.run_dir),
            *_stale(facts.run_dir),
            *map(_port, facts.ports),
            _descriptors(facts),
            _backlog(facts),
            _cores(facts),
            _clock(facts),
            *(() if facts.cluster is None else _cluster(facts.cluster)),
            Finding("engine", "ok", ", ".join(f"{name} {version}" for name, version in facts.libraries.items())),
        )
    )


def _node(facts: Facts) -> Iterator[Finding]:
    if facts.node_version is None and facts.broker_pid is not None:
        says = f"the broker (pid {facts.broker_pid}) lives and does not answer"
        yield Finding("node", "wrong", says, f"kill {facts.broker_pid}, and start the node again")
        return
    if facts.node_version is None:
        yield Finding("node", "note", f"none runs in {facts.run_dir.path}", "start one with `honcho start`")
        return
    if facts.node_version == facts.version:
        yield Finding("version", "ok", f"node and command are {facts.version}")
    else:
        says = f"the node is {facts.node_version}, this command {facts.version}"
        yield Finding("version", "wrong", says, "restart the node, or use the command of its environment")
    for name in facts.silent:
        yield Finding(
            "process", "wrong", f"{name} did not answer", "its log says why; after ROOST_STALL_LIMIT it is killed"
        )


def _directory(directory: Directory) -> Finding:
    if directory.problem:
        return Finding("run directory", "wrong", directory.problem, "name another by ROOST_RUN_DIR")
    if not directory.exists:
        return Finding("run directory", "ok", f"{directory.path} will be made")
    if not directory.is_ours:
        return Finding(
            "run directory", "wrong", f"{directory.path} belongs to another user", "name another by ROOST_RUN_DIR"
        )
    if directory.mode & 0o077:
        says = f"{directory.path} has mode {directory.mode:04o}: others can reach into it"
        return Finding("run directory", "wrong", says, "name another by ROOST_RUN_DIR, or take others' rights away")
    return Finding("run directory", "ok", f"{directory.path} is ours alone")


def _stale(directory: Directory) -> Iterator[Finding]:
    if directory.stale:
        says = f"nobody lives behind {len(directory.stale)} of them: {', '.join(directory.stale[:5])}"
        yield Finding("sockets", "note", says, "a node was killed; the next broker removes them")


def _port(port: Port) -> Finding:
    name = f"port {port.number}"
    if port.is_nodes:
        return Finding(name, "ok", "this node listens on it")
    if port.problem:
        return Finding(name, "wrong", port.problem, f"end what has it, or choose another by {port.variable}")
    return Finding(name, "ok", "a free one is taken" if port.number == 0 else "it is free")


def _descriptors(facts: Facts) -> Finding:
    limit, wanted = facts.max_descriptors, facts.max_connections + RESERVED_DESCRIPTORS
    if limit is None or limit >= wanted:
        return Finding(
            "descriptors", "ok", f"{'no limit' if limit is None else limit} for a worker, {wanted} are wanted"
        )
    room = max(1, limit - RESERVED_DESCRIPTORS)
    return Finding(
        "descriptors",
        "wrong",
        f"a worker may open {limit}: room for {room} clients of the {facts.max_connections} that it may take",
        f"`ulimit -Hn {wanted}`, LimitNOFILE={wanted} in a systemd unit, or lower ROOST_MAX_CONNECTIONS",
    )


def _backlog(facts: Facts) -> Finding:
    if facts.max_backlog is None or facts.max_backlog >= facts.backlog:
        return Finding("backlog", "ok", f"{facts.backlog} connections may wait for each worker")
    return Finding(
        "backlog",
        "note",
        f"only {facts.max_backlog} connections may wait for each worker, not {facts.backlog}: a rush loses some",
        f"sysctl -w net.core.somaxconn={facts.backlog}",
    )


def _cores(facts: Facts) -> Finding:
    processes = facts.shards + facts.workers
    says = f"{facts.shards} shards and {facts.workers} workers on {facts.cores} cores"
    if processes <= max(facts.cores, 2):
        return Finding("cores", "ok", says)
    return Finding("cores", "note", f"{says}: they take turns", "lower ROOST_SHARDS or ROOST_WORKERS")


def _cluster(cluster: Cluster) -> Iterator[Finding]:
    if cluster.problem:
        fix = "start the engine, or put ROOST_CLUSTER right; until then the node goes on by itself"
        yield Finding("cluster", "wrong", cluster.problem, fix)
    else:
        heard = "" if cluster.others is None else f"; other nodes that are heard: {cluster.others}"
        yield Finding("cluster", "ok", f"{cluster.engine} answers{heard}")
    if cluster.unreadable:
        says = f"{cluster.unreadable} messages of other nodes could not be understood"
        yield Finding("cluster", "wrong", says, "bring all nodes to the same release")
    if cluster.dropped:
        says = f"{cluster.dropped} publishes found no room to wait while the engine was away: other nodes miss them"
        yield Finding("cluster", "note", says, "raise ROOST_CLUSTER_BUFFER_BYTES")


def _clock(facts: Facts) -> Finding:
    if facts.now < EARLIEST:
        return Finding("clock", "wrong", "it is years behind: tokens are refused or live for ever", "set the clock")
    if facts.clock_synchronised is False:
        says = "no time server keeps it: tokens of other machines may be refused or live too long"
        return Finding("clock", "note", says, "run chrony, ntpd or systemd-timesyncd, here or on the host")
    return Finding("clock", "ok", "a time server keeps it" if facts.clock_synchronised else "it says a possible time")
