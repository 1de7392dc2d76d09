"""An engine of somebody else's: found by its package's entry point, and held to the tests that ours pass."""

import os
import subprocess
import sys
from pathlib import Path

ENGINE = '''
"""An engine within one process."""

from roost.broker.bridge.engine import EngineAway


class Hub:
    """What connections of the same address meet in."""

    def __init__(self):
        self.alive = True
        self.connections = []

    def kill(self):
        self.alive = False
        for connection in self.connections:
            connection.lost()


HUBS = {}


class Connection:
    max_message = 65_536
    spreads = False

    def __init__(self, hub, received, lost):
        self.hub, self.received, self.lost = hub, received, lost
        self.subjects = set()
        hub.connections.append(self)

    def check(self):
        if not self.hub.alive:
            raise EngineAway("the hub is gone")

    async def subscribe(self, subjects):
        self.check()
        self.subjects.update(subjects)

    async def unsubscribe(self, subjects):
        self.check()
        self.subjects.difference_update(subjects)

    async def publish(self, messages):
        self.check()
        for subject, data in messages:
            for connection in self.hub.connections:
                if subject in connection.subjects:
                    connection.received(data)

    async def close(self):
        if self in self.hub.connections:
            self.hub.connections.remove(self)


class Engine:
    def __init__(self, options):
        self.address = options.urls[0]
        self.hub = HUBS.setdefault(self.address, Hub())

    async def connect(self, received, lost):
        if not self.hub.alive:
            raise EngineAway("the hub is gone")
        return Connection(self.hub, received, lost)
'''

TESTS = """
import pytest

from roost.broker.bridge.engine import EngineOptions, find_engine
from roost.testing.engine_conformance import EngineConformance, EngineLossConformance


class TestMine(EngineConformance):
    @pytest.fixture
    def engine(self):
        return find_engine(EngineOptions(("mine://here",)))


class TestMineGoes(EngineLossConformance):
    @pytest.fixture
    def engine(self, request):
        return find_engine(EngineOptions((f"mine://{request.node.name}",)))

    @pytest.fixture
    def kill(self, engine):
        return engine.hub.kill
"""


def run_tests(directory: Path) -> str:
    """As its author would run them, with no setting of pytest's."""
    environment = {**os.environ, "PYTHONPATH": str(directory), "PYTEST_ADDOPTS": ""}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout.strip().splitlines()[-1]


def test_an_installed_engine_is_found_and_held_to_the_same_tests(tmp_path: Path) -> None:
    (tmp_path / "my_engine.py").write_text(ENGINE)
    (tmp_path / "test_mine.py").write_text(TESTS)
    installed = tmp_path / "my_engine-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: my-engine\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[roost.engines]\nmine = my_engine:Engine\n")
    assert run_tests(tmp_path).startswith("12 passed")
    # One that forgets what it is told fails them.
    (tmp_path / "my_engine.py").write_text(ENGINE.replace("self.subjects.difference_update(subjects)", "pass"))
    assert run_tests(tmp_path).startswith("1 failed, 11 passed")
