"""`roost doctor`: gathers the facts of this machine and node, and prints what `diagnosis` makes of them."""

import asyncio
import ctypes
import os
import platform
import resource
import stat
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

import zmq

from roost.broker.bridge.engine import EngineAway, engine_options, find_engine, shown_address
from roost.commands.diagnosis import Cluster, Diagnosis, Directory, Facts, Finding, Port, diagnose
from roost.commands.machine import cores
from roost.commands.node import ask_node
from roost.commands.terminal import console, duration, table, visible
from roost.gateway.admin.listener import HOST as ADMIN_HOST
from roost.gateway.processes.addresses import Reservation
from roost.gateway.processes.worker_process import BACKLOG
from roost.shared.cluster import ClusterStatus, EngineState
from roost.shared.config import Settings
from roost.shared.control import AskStatus, NodeStatus
from roost.shared.failures import CannotStart
from roost.shared.run_directory import RunDirectory, RunDirectoryError, check_path
from roost.shared.version import VERSION

_LIBRARIES: Final = ("pyzmq", "msgspec", "uvicorn", "uvloop", "websockets")
_TIME_ERROR: Final = 5
"""What adjtimex(2) answers while nothing keeps the clock."""
_TIMEX_BYTES: Final = 512
"""More than a struct timex takes anywhere."""
_STYLES: Final = {"ok": "green", "note": "yellow", "wrong": "red"}


def examine(settings: Settings) -> Diagnosis:
    """Look at the machine, the run directory and, if one runs there, the node."""
    status: NodeStatus | None = None
    with suppress(CannotStart):
        status = ask_node(settings.run_dir, AskStatus(), NodeStatus)
    gateway = status.gateway if status is not None else None
    silent = (*status.silent, *(gateway.silent if gateway else ())) if status is not None else ()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return diagnose(
        Facts(
            version=VERSION,
            node_version=None if status is None else status.version,
            broker_pid=_broker_pid(settings.run_dir),
            silent=silent,
            run_dir=_directory(settings.run_dir, node_runs=status is not None),
            ports=_ports(settings, status),
            max_descriptors=None if hard == resource.RLIM_INFINITY else hard,
            max_connections=settings.max_connections,
            backlog=BACKLOG,
            max_backlog=_number("/proc/sys/net/core/somaxconn"),
            cores=cores(),
            shards=settings.shards if status is None else len(status.shards),
            workers=settings.workers if gateway is None else len(gateway.workers),
            now=time.time(),
            clock_synchronised=_clock_synchronised(),
            libraries={
                "Python": platform.python_version(),
                "ZeroMQ": zmq.zmq_version(),
                **{name: version(name) for name in _LIBRARIES},
            },
            cluster=_cluster(settings) if status is None else _cluster_of(status.cluster),
        )
    )


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """One line for each finding; what is not as it should be with its fix."""
    out = console()
    rows = table("what", "", "says")
    for finding in diagnosis.findings:
        rows.add_row(finding.what, finding.verdict, visible(_sentence(finding)), style=_STYLES[finding.verdict])
    out.print(rows)


def _sentence(finding: Finding) -> str:
    return f"{finding.says} ({finding.fix})" if finding.fix else finding.says


def _directory(path: str, *, node_runs: bool) -> Directory:
    root = Path(os.path.abspath(path))
    try:
        check_path(root)
        found = root.lstat()
    except RunDirectoryError as error:
        return Directory(str(root), problem=str(error))
    except FileNotFoundError:
        return Directory(str(root), exists=False)
    except OSError as error:
        return Directory(str(root), problem=f"{root} cannot be used: {error.strerror}")
    if not stat.S_ISDIR(found.st_mode):
        return Directory(str(root), problem=f"{root} is no directory")
    is_ours = found.st_uid == os.getuid()
    stale = tuple(_stale(root, node_runs=node_runs)) if is_ours else ()
    return Directory(str(root), is_ours=is_ours, mode=stat.S_IMODE(found.st_mode), stale=stale)


def _stale(root: Path, *, node_runs: bool) -> list[str]:
    """Sockets behind which nobody lives, asked of the life locks of those whose they are."""
    directory = RunDirectory(root)
    stale = [] if node_runs or not (root / "control.sock").exists() else ["control.sock"]
    sockets = sorted((root / "bus").glob("*.sock"))
    return stale + [f"bus/{file.name}" for file in sockets if not directory.alive(f"shard-{file.stem}")]


def _broker_pid(path: str) -> str | None:
    with suppress(OSError):
        return RunDirectory(Path(path)).holder("broker")
    return None


def _ports(settings: Settings, status: NodeStatus | None) -> tuple[Port, ...]:
    gateway = status.gateway if status is not None else None
    listeners = () if gateway is None else (gateway.addresses, gateway.https_addresses, gateway.admin_addresses)
    served = {port for addresses in listeners for _, port in addresses}
    wanted = [("ROOST_PORT", settings.host, settings.port)]
    if settings.certfile is not None:
        wanted.append(("ROOST_HTTPS_PORT", settings.host, settings.https_port))
    if settings.admin_port is not None:
        wanted.append(("ROOST_ADMIN_PORT", ADMIN_HOST, settings.admin_port))
    return tuple(
        Port(variable, number, number in served, "" if number in served else _why_not_free(host, number))
        for variable, host, number in wanted
    )


def _cluster_of(status: ClusterStatus | None) -> Cluster | None:
    """As the bridge of the running node knows it."""
    if status is None:
        return None
    up = status.state is EngineState.CONNECTED
    problem = "" if up else f"{status.engine} has not answered for {duration(status.since)}"
    others = sum(row.up for row in status.nodes)
    return Cluster(status.engine, problem, others, status.unreadable, status.dropped)


def _cluster(settings: Settings) -> Cluster | None:
    """As a node would find it that is started here."""
    if not settings.cluster:
        return None
    problem = ""
    try:
        asyncio.run(_reach(settings))
    except (CannotStart, EngineAway) as error:
        problem = str(error)
    return Cluster(", ".join(map(shown_address, settings.cluster)), problem)


async def _reach(settings: Settings) -> None:
    """Raises CannotStart, EngineAway."""
    connection = await find_engine(engine_options(settings)).connect(lambda _: None, lambda: None)
    await connection.close()


def _why_not_free(host: str, number: int) -> str:
    try:
        Reservation(host, number).release()
    except CannotStart as error:
        return str(error)
    return ""


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None


def _clock_synchronised() -> bool | None:
    """Linux knows by adjtimex(2), which changes nothing when it is given zeroes."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return None
    state = int(adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    return None if state < 0 else state != _TIME_ERROR
