"""Real servers of engines between nodes, each on a port of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from tests.limits import LIMIT
from tests.ports import free_port

NATS_SERVER = str(Path(sys.executable).with_name("nats-server"))
REDIS_SERVER = shutil.which("redis-server")
WHY_NO_REDIS = "" if REDIS_SERVER else "there is no redis-server here (Debian: apt-get install redis-server)"


class EngineServer:
    """A server that can be killed and started again on its port."""

    scheme = ""

    def __init__(self, *options: str) -> None:
        self.options = options
        self.port = free_port()
        self.directory = Path(tempfile.gettempdir()) / f"roost-engine-{os.getpid()}-{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> Self:
        self.directory.mkdir(exist_ok=True)
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.directory)
        deadline = time.monotonic() + LIMIT
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"no server listens:\n{(self.directory / 'log').read_text()}")
            time.sleep(0.01)

    def kill(self) -> None:
        """As kill -9 does it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """It lives and does nothing."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class NatsServer(EngineServer):
    """nats-server, from PyPI."""

    scheme = "nats"

    def command(self) -> list[str]:
        return [NATS_SERVER, "-a", "127.0.0.1", "-p", str(self.port), *self.options]


class RedisServer(EngineServer):
    """redis-server, Debian's."""

    scheme = "redis"

    def command(self) -> list[str]:
        assert REDIS_SERVER is not None
        return [REDIS_SERVER, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *self.options]
