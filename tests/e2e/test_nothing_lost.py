"""The proof of what a node promises: it is killed and scaled in pieces while `roost verify` listens."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from tests.e2e.node import ROOST, ROOT, START_LIMIT, Node, kill, wait_for

PERIOD = 1.0
"""Seconds between two turns, besides what they take."""
SCALES = (4, 2, 8, 3)
KILLS_BETWEEN = 2
RATE = 1.0
"""Messages a second of each of 20 publishers to 300 clients: 6,000 deliveries a second."""


@pytest.fixture
def big_node() -> Iterator[Node]:
    with Node("examples.chat:endpoint", shards=1, workers=3) as running:
        yield running


def workers(node: Node) -> list[Any]:
    """Those that answer; on a machine that is busy some may be late."""
    gateway = node.ask("status", "--over", "0")["gateway"]
    return list(gateway["workers"]) if gateway is not None else []


def published(node: Node) -> int:
    return sum(worker["published"] for worker in workers(node))


class Chaos:
    """What happens to the node meanwhile: shards killed in turn, their number changed, one worker killed."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.killed = 0
        self.scaled: list[int] = []
        self._turns = count()
        self._scales = iter(SCALES)

    def turn(self) -> None:
        turn = next(self._turns)
        if turn == KILLS_BETWEEN:
            self.kill_worker()
        if turn % (KILLS_BETWEEN + 1) == KILLS_BETWEEN and (shards := next(self._scales, None)) is not None:
            self.scale(shards)
        else:
            self.kill_shard(turn)

    def kill_worker(self) -> None:
        found: list[Any] = []

        def answered() -> bool:
            found[:] = workers(self.node)
            return bool(found)

        wait_for(answered, "a worker answers")
        kill(found[0]["pid"])

    def kill_shard(self, turn: int) -> None:
        if shards := self.node.ask("status", "--over", "0")["shards"]:
            with suppress(ProcessLookupError):  # its epoch was over meanwhile
                kill(shards[turn % len(shards)]["pid"])
                self.killed += 1

    def scale(self, shards: int) -> None:
        """A shard is killed in the middle of the change."""
        changing = subprocess.Popen(
            [ROOST, "scale", "shards", str(shards)],
            env=self.node.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.kill_shard(shards)
        said, _ = changing.communicate(timeout=START_LIMIT)
        assert changing.returncode == 0, said + self.node.logged()
        self.scaled.append(len(self.node.ask("status", "--over", "0")["map"]["epochs"].popitem()[1]))


@pytest.mark.timeout(600)
def test_nothing_is_lost_while_shards_are_killed_and_scaled_and_a_worker_is_killed(big_node: Node) -> None:
    """300 clients on 3 workers, 20 of them publish; all faults would be named."""
    verify = subprocess.Popen(
        [ROOST, "verify", "--seconds", "600", "--rate", str(RATE), "--json"],
        env=big_node.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    chaos = Chaos(big_node)
    try:
        wait_for(lambda: published(big_node) > 0, "messages are published")
        while len(chaos.scaled) < len(SCALES):
            chaos.turn()
            with suppress(subprocess.TimeoutExpired):
                verify.wait(PERIOD)
                break
        verify.send_signal(signal.SIGINT)
        said, complained = verify.communicate(timeout=START_LIMIT)
    finally:
        verify.kill()
    assert verify.returncode in (0, 1), complained
    found = json.loads(said)
    assert found["faults"] == {}, found["examples"]
    assert verify.returncode == 0
    assert found["clients"] == found["connected"] == 300
    # The clients of the killed worker, and they alone.
    assert set(found["disconnected"]) == {"broken"}
    assert 0 < found["disconnected"]["broken"] == found["returned"] < 200
    assert found["heard"] > 300 * found["sent"] * 0.8
    assert tuple(chaos.scaled) == SCALES
    assert chaos.killed >= KILLS_BETWEEN * len(SCALES)
