"""A real node for tests: a broker and a gateway of its own, in a run directory and on a port of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from roost.commands.node import ask_node
from roost.shared.control import AskStatus, Message, NodeStatus
from roost.shared.failures import CannotStart
from tests.ports import free_port

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
ROOST = str(Path(sys.executable).with_name("roost"))
START_LIMIT = 120.0
"""Seconds in which a node starts, on a machine that runs other tests beside it."""


PATIENCE = "600"
"""The stall limit of nodes in which a test lets something stand still, in seconds."""


class Node:
    """A node that is started by hand, as honcho would start it."""

    def __init__(self, app: str = "examples.playground:endpoint", *, shards: int = 2, workers: int = 2) -> None:
        self.app = app
        self.run_dir = Path(tempfile.mkdtemp(prefix="roost-test-"))
        self.port = free_port()
        self.environment = {
            **os.environ,
            "ROOST_RUN_DIR": str(self.run_dir),
            "ROOST_PORT": str(self.port),
            "ROOST_SHARDS": str(shards),
            "ROOST_WORKERS": str(workers),
        }
        self.log = (self.run_dir / "log").open("w+")
        self.broker: subprocess.Popen[bytes] | None = None
        self.gateway: subprocess.Popen[bytes] | None = None

    def patient(self) -> Self:
        """For tests that stop a process for a while: it is not to be killed for it, on a busy machine either."""
        self.environment["ROOST_STALL_LIMIT"] = PATIENCE
        return self

    @property
    def url(self) -> str:
        """What a Phoenix client is given."""
        return f"ws://127.0.0.1:{self.port}/socket"

    def start(self) -> Self:
        """Start both processes and wait until clients can connect."""
        try:
            self.start_broker()
            self.start_gateway()
        except BaseException:
            self.stop()
            raise
        return self

    def start_broker(self) -> None:
        self.broker = self.spawn(ROOST, "broker")

    def start_gateway(self) -> None:
        self.gateway = self.spawn(ROOST, "gateway", self.app)
        self.wait_until_serving()

    def spawn(self, *command: str, directory: Path = ROOT) -> subprocess.Popen[bytes]:
        """Start a process with the node's settings; what it prints goes to the node's log."""
        return subprocess.Popen(command, env=self.environment, cwd=directory, stdout=self.log, stderr=self.log)

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a `roost` command to its end."""
        return subprocess.run(
            [ROOST, *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=START_LIMIT,
            check=False,
            **options,
        )

    def ask(self, *arguments: str) -> Any:
        """What a `roost` command answers with --json."""
        result = self.run(*arguments, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def answer(self, question: Message, answer: type[T]) -> T | None:
        """What the broker answers; None while it does not. It is a thread that asks, for tests with a loop."""
        with ThreadPoolExecutor(1) as pool:
            try:
                return pool.submit(ask_node, str(self.run_dir), question, answer).result()
            except CannotStart:
                return None

    def status(self) -> Any:
        """What `roost status --json` tells, once no process is silent: on a busy machine one may be late to answer."""
        found: NodeStatus | None = None

        def whole() -> bool:
            nonlocal found
            found = self.answer(AskStatus(), NodeStatus)
            if found is None or found.silent:
                return False
            return self.gateway is None if found.gateway is None else not found.gateway.silent

        wait_for(whole, "all processes tell how they are", lambda: f"{found}\n{self.logged()}")
        return json.loads(msgspec.json.encode(found))

    def serves(self) -> bool:
        """Whether every worker does."""
        status = self.answer(AskStatus(), NodeStatus)
        workers = status.gateway.workers if status is not None and status.gateway is not None else ()
        return len(workers) == int(self.environment["ROOST_WORKERS"]) and all(worker.serving for worker in workers)

    def wait_until_serving(self) -> None:
        """Wait until every worker serves."""

        def serving() -> bool:
            if self.gateway is not None and self.gateway.poll() is not None:
                raise AssertionError(f"the gateway exited:\n{self.logged()}")
            return self.serves()

        wait_for(serving, "the node serves", self.logged)

    def logged(self) -> str:
        """All that the node's processes have printed."""
        self.log.flush()
        return Path(self.log.name).read_text()

    def pids(self) -> set[int]:
        """The processes of the node that live, supervisors included."""
        supervisors = [process.pid for process in (self.broker, self.gateway) if process is not None]
        return {pid for supervisor in supervisors for pid in (supervisor, *children(supervisor)) if lives(pid)}

    def wait_until_stopped(self) -> None:
        """Wait until both supervisors have exited by themselves."""
        for process in (self.gateway, self.broker):
            if process is not None:
                process.wait(START_LIMIT)

    def stop(self) -> None:
        """Stop whatever runs and remove the run directory."""
        self.stop_processes()
        self.log.close()
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def stop_processes(self) -> None:
        """Stop whatever runs."""
        for process in (self.gateway, self.broker):
            if process is not None and process.poll() is None:
                process.terminate()
        for process in (self.gateway, self.broker):
            if process is not None:
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def children(pid: int) -> list[int]:
    """The child processes of a process."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except FileNotFoundError:
        return []


def lives(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def kill(pid: int) -> None:
    """As kill -9 does it."""
    os.kill(pid, signal.SIGKILL)


def wait_for(
    condition: Callable[[], bool],
    what: str,
    explain: Callable[[], str] = lambda: "",
    limit: float = START_LIMIT,
) -> None:
    """Ask until it is true; fail after the limit."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit:g} s: {what}\n{explain()}")
        time.sleep(0.02)
