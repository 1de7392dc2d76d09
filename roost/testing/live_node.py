"""A real node for tests: a broker and a gateway of its own, in a run directory and on a port of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

from roost.commands.node import ask_node
from roost.shared.control import AskStatus, NodeStatus
from roost.shared.failures import CannotStart

START_LIMIT: Final = 60.0
"""Seconds in which a node starts, on a machine that runs other tests beside it."""
STOP_LIMIT: Final = 15.0
"""Seconds in which each of its processes ends; then it is killed."""
LOOK_PERIOD: Final = 0.05
"""Seconds between two looks at whether it serves."""


class LiveNode:
    """`with LiveNode("myapp:endpoint") as node:` serves it at `node.url`; what its processes print is `node.log()`."""

    def __init__(
        self, app: str, *, shards: int = 1, workers: int = 1, settings: Mapping[str, str] | None = None
    ) -> None:
        """`settings` are further environment variables, such as ROOST_SECRET_KEY_BASE."""
        self.app = app
        self.run_dir = tempfile.mkdtemp(prefix="roost-")
        self.port = 0
        """The TCP port on which it serves, once it does."""
        self._workers = workers
        self._environment = {
            **os.environ,
            "ROOST_RUN_DIR": self.run_dir,
            "ROOST_PORT": "0",
            "ROOST_SHARDS": str(shards),
            "ROOST_WORKERS": str(workers),
            **(settings or {}),
        }
        self._log = Path(self.run_dir, "log").open("w+")  # noqa: SIM115 - `stop` closes it
        self._processes: list[subprocess.Popen[bytes]] = []
        self._asking = ThreadPoolExecutor(1)

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start it; returns when clients can connect. Raises CannotStart, with what its processes have printed."""
        try:
            self._processes = [self._spawn("broker"), self._spawn("gateway", self.app)]
            self._wait_until_serving()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop it, and leave nothing of it."""
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes = []
        self._asking.shutdown()
        self._log.close()
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def log(self) -> str:
        """All that its processes have printed."""
        return Path(self._log.name).read_text()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self, *command: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - the application is the test's own
            [sys.executable, "-m", "roost", *command], env=self._environment, stdout=self._log, stderr=self._log
        )

    def _wait_until_serving(self) -> None:
        deadline = time.monotonic() + START_LIMIT
        while not self._serves():
            if any(process.poll() is not None for process in self._processes):
                raise CannotStart(f"the node of {self.app} ended while it was to start:\n{self.log()}")
            if time.monotonic() > deadline:
                raise CannotStart(f"the node of {self.app} did not serve within {START_LIMIT:g} s:\n{self.log()}")
            time.sleep(LOOK_PERIOD)

    def _serves(self) -> bool:
        try:
            # In a thread of its own: a test that starts a node may run in a loop.
            gateway = self._asking.submit(ask_node, self.run_dir, AskStatus(), NodeStatus).result().gateway
        except CannotStart:
            return False
        if gateway is None or sum(worker.serving for worker in gateway.workers) < self._workers:
            return False
        self.port = gateway.addresses[0][1]
        return True
