"""The servers that can be driven: a node of our own, one that runs already, the bare loop."""

import contextlib
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self
from urllib.parse import parse_qs, urlsplit

from tests.load.dialects.dialect import Dialect
from tests.load.dialects.phoenix import Phoenix
from tests.load.orders import Address, LoadTestFailed

ROOT: Final = Path(__file__).parents[2]
APP: Final = "examples.playground:endpoint"
PROTOCOL_VERSION: Final = "2.0.0"
"""The serializer that the generator speaks; a client that names none gets the first."""
SOCKET_PATH: Final = f"/socket/websocket?vsn={PROTOCOL_VERSION}"
START_LIMIT: Final = 60.0
STOP_LIMIT: Final = 12.0
ANSWER_LIMIT: Final = 30.0
_COMPLAINTS: Final = ("WARNING", "ERROR", "CRITICAL", "Traceback")


class ServerProcess(NamedTuple):
    """One process of a server."""

    kind: str
    name: str
    pid: int


class Server(Protocol):
    """What a load test needs to know of what it drives."""

    name: str
    address: Address
    dialect: Dialect

    def processes(self) -> list[ServerProcess]:
        """Its processes, as far as they are known."""

    def drain(self) -> None:
        """Send all clients away, as a deployment does, and be ready for them again; if that is ours to do."""

    def complaints(self) -> list[str]:
        """What it has logged that no server should under a load test."""


class RunningServer:
    """A server that somebody else has started, on this machine."""

    def __init__(self, url: str, run_dir: str | None) -> None:
        """With its run directory, CPU and memory can be told too. Raises LoadTestFailed if it is elsewhere."""
        self.name = "server"
        self.dialect: Dialect = Phoenix()
        self.address = local_address(url)
        self._run_dir = run_dir

    def processes(self) -> list[ServerProcess]:
        return _node_processes(_status(self._run_dir)) if self._run_dir else []

    def drain(self) -> None:
        """It is somebody else's. Raises LoadTestFailed."""
        raise LoadTestFailed("a server that runs already is not drained by a load test: leave --url out")

    def complaints(self) -> list[str]:
        return []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """It goes on."""


class Started:
    """Processes of our own with a folder of their own, which go when the test does."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="roost-load-"))
        self._log = (self._folder / "log").open("wb")
        self._children: list[subprocess.Popen[bytes]] = []

    def _spawn(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """A session of its own keeps Ctrl-C from it: it is stopped in order, by us."""
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._children.append(child)
        return child

    def _logged(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    def _wait_for(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + START_LIMIT
        while not condition():
            if any(child.poll() is not None for child in self._children):
                raise LoadTestFailed(f"{what} did not start:\n{self._logged()}")
            if time.monotonic() > deadline:
                raise LoadTestFailed(f"{what} had not started after {START_LIMIT:g} s:\n{self._logged()}")
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        return [line for line in self._logged().splitlines() if any(word in line for word in _COMPLAINTS)]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self._children):
            _stop(child)
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class Node(Started):
    """A node of our own, with a run directory and a port of its own."""

    def __init__(self, shards: int | None, workers: int | None, app: str = APP) -> None:
        """Whatever is not given is the node's own default."""
        super().__init__()
        self._app = app
        self.name = "Roost"
        self.dialect: Dialect = Phoenix()
        self.address = Address("127.0.0.1", 0, SOCKET_PATH)
        self._run_dir = str(self._folder / "run")
        self._environment = {"ROOST_RUN_DIR": self._run_dir, "ROOST_PORT": "0"}
        for variable, value in (("ROOST_SHARDS", shards), ("ROOST_WORKERS", workers)):
            if value is not None:
                self._environment[variable] = str(value)

    def __enter__(self) -> Self:
        try:
            self._spawn(sys.executable, "-m", "roost", "broker", **self._environment)
            self._start_gateway()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def drain(self) -> None:
        _stop(self._children.pop())
        self._environment["ROOST_PORT"] = str(self.address.port)
        self._start_gateway()

    def processes(self) -> list[ServerProcess]:
        return _node_processes(_status(self._run_dir))

    def dropped(self) -> Counter[str]:
        """Frames that its workers have dropped, by reason."""
        workers = _status(self._run_dir)["gateway"]["workers"]
        return sum((Counter(worker["books"]["dropped"]) for worker in workers), Counter())

    def _start_gateway(self) -> None:
        self._spawn(sys.executable, "-m", "roost", "gateway", self._app, **self._environment)
        self._wait_for(self._serves, "the node")

    def _serves(self) -> bool:
        with contextlib.suppress(LoadTestFailed):
            gateway = _status(self._run_dir)["gateway"]
            if gateway and gateway["workers"] and all(worker["serving"] for worker in gateway["workers"]):
                self.address = Address("127.0.0.1", gateway["addresses"][0][1], SOCKET_PATH)
                return True
        return False


class Floor(Started):
    """The bare loop in processes of its own: what the kernel alone charges for the same deliveries."""

    def __init__(self, processes: int = 1) -> None:
        super().__init__()
        self.name = "floor"
        self.dialect: Dialect = Phoenix()
        self.address = Address("127.0.0.1", 0, SOCKET_PATH)
        self._processes = processes

    def __enter__(self) -> Self:
        try:
            self._spawn(sys.executable, "-m", "tests.load.floor", str(self._folder), str(self._processes))
            self._wait_for(lambda: all(file.exists() for file in self._pid_files()), "the floor")
            self.address = Address("127.0.0.1", int((self._folder / "port").read_text()), SOCKET_PATH)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def drain(self) -> None:
        """Its clients hang up by themselves."""

    def processes(self) -> list[ServerProcess]:
        return [ServerProcess("floor", f"floor {file.stem}", int(file.read_text())) for file in self._pid_files()]

    def _pid_files(self) -> list[Path]:
        return [self._folder / f"{place}.pid" for place in range(self._processes)]


def _status(run_dir: str) -> Any:
    command = [sys.executable, "-m", "roost", "status", "--json", "--over", "0", "--run-dir", run_dir]
    try:
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=ANSWER_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise LoadTestFailed(f"`roost status` had no answer after {ANSWER_LIMIT:g} s") from None
    if told.returncode:
        raise LoadTestFailed(told.stderr.strip() or "`roost status` failed")
    return json.loads(told.stdout)


def _node_processes(status: Any) -> list[ServerProcess]:
    gateway = status["gateway"]
    if gateway is None:
        raise LoadTestFailed("the node has no gateway")
    return [
        ServerProcess("broker", "broker", status["pid"]),
        *(ServerProcess("shard", f"shard {shard['slot'][-1]}", shard["pid"]) for shard in status["shards"]),
        ServerProcess("gateway", "gateway", gateway["pid"]),
        *(ServerProcess("worker", f"worker {worker['number']}", worker["pid"]) for worker in gateway["workers"]),
    ]


def local_address(url: str) -> Address:
    """Where a server's socket is, with the protocol's version added. Raises LoadTestFailed if it is elsewhere."""
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    if parts.scheme not in ("ws", "http") or not _is_loopback(host):
        raise LoadTestFailed(f"{url} is no ws:// address of this machine: load tests go nowhere else")
    versions = parse_qs(parts.query).get("vsn", [])
    if versions not in ([], [PROTOCOL_VERSION]):
        raise LoadTestFailed(f"{url} asks for vsn={versions[-1]}, but the load tests speak {PROTOCOL_VERSION} alone")
    if parts.path in ("", "/"):
        return Address(host, parts.port or 80, SOCKET_PATH)
    named = [] if versions else [f"vsn={PROTOCOL_VERSION}"]
    query = "&".join([*filter(None, [parts.query]), *named])
    return Address(host, parts.port or 80, f"{parts.path}?{query}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
