"""The fixtures, in a test suite of an application that installed Roost."""

import subprocess
import sys
from pathlib import Path

import pytest

from roost.shared.failures import CannotStart
from roost.testing import LiveNode

APPLICATION = '''
from roost import Channel, Endpoint, Ok, Socket, event


class UserSocket(Socket):
    """Everybody may."""


class RoomChannel(Channel[UserSocket]):
    @event("shout")
    async def shout(self, payload):
        await self.broadcast("shout", payload)
        return Ok()


UserSocket.route("room:*", RoomChannel)
endpoint = Endpoint(sockets={"/socket": UserSocket})
'''
TESTS = """
import json

import pytest
from websockets.sync.client import connect

import shouting


@pytest.fixture
def endpoint():
    return shouting.endpoint


async def test_a_shout_is_heard(channel_node):
    room = await (await channel_node.connect(shouting.UserSocket)).subscribe_and_join("room:a")
    await room.assert_reply(room.push("shout", {"n": 1}))
    await room.assert_broadcast("shout", {"n": 1})


async def test_what_fails_says_what_came(channel_node):
    room = await (await channel_node.connect(shouting.UserSocket)).join("room:a")
    room.push("shout", {"n": 1})
    await room.assert_push("shout", {"n": 2})


def test_on_a_real_node(live_node):
    node = live_node("shouting:endpoint")
    with connect(f"ws://127.0.0.1:{node.port}/socket/websocket?vsn=2.0.0") as client:
        client.send(json.dumps(["1", "1", "room:a", "phx_join", {}]))
        assert json.loads(client.recv(10))[4]["status"] == "ok"


async def test_the_same_node_from_within_a_loop(live_node):
    assert live_node("shouting:endpoint").port
"""


def test_an_applications_own_tests(tmp_path: Path) -> None:
    (tmp_path / "shouting.py").write_text(APPLICATION)
    (tmp_path / "test_shouting.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\npythonpath = .\n")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in ran.stdout, ran.stdout
    assert "1 failed" in ran.stdout, ran.stdout
    assert "no 'shout' with {\"n\": 2} was pushed" in ran.stdout
    assert "'shout' on 'room:a': {\"n\": 1}" in ran.stdout


def test_a_node_that_cannot_start_says_why() -> None:
    with pytest.raises(CannotStart, match="No module named 'nowhere'"), LiveNode("nowhere:endpoint"):
        raise AssertionError
