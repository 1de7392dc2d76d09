"""What a supervised process does first, in real processes that are started as a supervisor starts them."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from roost.shared.control import Ready, StartWorker, Stop
from roost.shared.envelopes import Envelopes, Tell, encode_envelope
from tests.limits import LIMIT
from tests.shared.processes import ROOT

START = encode_envelope(Tell(StartWorker(1, "", "serve", (), ())))


@contextmanager
def child() -> Iterator[tuple["subprocess.Popen[str]", socket.socket]]:
    """A child whose supervisor is this test, with the test's end of the link."""
    ours, theirs = socket.socketpair()
    ours.settimeout(LIMIT)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.shared.kept_child", "child", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        with ours:
            yield process, ours
    finally:
        process.kill()
        process.communicate()


def test_the_first_message_may_come_in_pieces_and_what_follows_is_not_lost() -> None:
    with child() as (process, link):
        stream = START + encode_envelope(Tell(Stop()))
        for at in range(len(START)):
            link.sendall(stream[at : at + 1])
        link.sendall(stream[len(START) :])
        assert Envelopes().feed(link.recv(4096)) == [Tell(Ready())]
        assert process.wait(LIMIT) == 0


def test_it_ends_when_its_supervisor_closes_the_link() -> None:
    """Its parent lives on: it is the link alone that tells it."""
    with child() as (process, link):
        link.sendall(START)
        assert Envelopes().feed(link.recv(4096)) == [Tell(Ready())]
        link.close()
        assert process.wait(LIMIT) == 0


@pytest.mark.parametrize("sent", [b"", START[:-1]])
def test_it_ends_when_its_supervisor_is_gone_before_the_first_message(sent: bytes) -> None:
    with child() as (process, link):
        link.sendall(sent)
        link.close()
        _, said = process.communicate(timeout=LIMIT)
        assert (process.returncode, said) == (1, "the supervisor is gone\n")


@pytest.mark.parametrize("module", ["roost.broker.shard_process", "roost.gateway.processes.worker_process"])
@pytest.mark.parametrize("arguments", [[], ["shard 0/0"]])
def test_one_that_somebody_starts_by_hand_says_how_it_is_started(module: str, arguments: list[str]) -> None:
    command = [sys.executable, "-m", module, *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert ended.returncode == 1
    assert "roost broker" in ended.stderr
    assert "Traceback" not in ended.stderr
