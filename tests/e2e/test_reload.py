"""A gateway in development: what is saved is what is served, and shards stay."""

import asyncio
from pathlib import Path

import pytest
from websockets.exceptions import InvalidMessage

from roost.client import ChannelEnded, JoinedChannel, open_connection
from tests.e2e.node import ROOST, Node, wait_for
from tests.limits import LIMIT

APPLICATION = '''
from roost import Channel, Endpoint, Ok, Socket, event


class UserSocket(Socket):
    """Everybody may."""


class RoomChannel(Channel[UserSocket]):
    @event("version")
    async def version(self, payload):
        return Ok({"version": "one"})


UserSocket.route("room:*", RoomChannel)
endpoint = Endpoint(sockets={"/socket": UserSocket})
'''


class NodeInDevelopment(Node):
    def __init__(self, directory: Path) -> None:
        super().__init__("reloaded:endpoint", shards=1, workers=2)
        self.directory = directory

    def start_gateway(self) -> None:
        self.environment["PYTHONDONTWRITEBYTECODE"] = "1"  # two versions of a file within one second
        self.gateway = self.spawn(ROOST, "gateway", self.app, "--reload", directory=self.directory)
        self.wait_until_serving()


async def version(node: Node) -> str:
    async with open_connection(node.url) as connection:
        answer = await (await connection.join("room:a")).push("version")
        return str(answer["version"])


async def ends(channel: JoinedChannel) -> None:
    with pytest.raises(ChannelEnded):
        async with asyncio.timeout(LIMIT):
            await channel.receive()


async def serves(node: Node, expected: str) -> None:
    async with asyncio.timeout(LIMIT):
        while True:
            try:
                if await version(node) == expected:
                    return
            except (OSError, InvalidMessage, ChannelEnded):
                await asyncio.sleep(0)


async def test_what_is_saved_is_served_and_what_is_broken_is_waited_for(tmp_path: Path) -> None:
    source = tmp_path / "reloaded.py"
    source.write_text(APPLICATION)
    node = NodeInDevelopment(tmp_path)
    try:
        await asyncio.to_thread(node.start)
        shards = [shard["pid"] for shard in node.status()["shards"]]
        async with open_connection(node.url) as connection:
            channel = await connection.join("room:a")
            assert await channel.push("version") == {"version": "one"}
            source.write_text(APPLICATION.replace("one", "two, and longer"))
            await ends(channel)
        await serves(node, "two, and longer")
        source.write_text(APPLICATION + "\nbroken =\n")
        await asyncio.to_thread(wait_for, lambda: "waiting for the next change" in node.logged(), "it is said")
        assert "SyntaxError" in node.logged()
        assert "reloaded.py" in node.logged()
        source.write_text(APPLICATION.replace("one", "three"))
        await serves(node, "three")
        assert [shard["pid"] for shard in node.status()["shards"]] == shards
    finally:
        await asyncio.to_thread(node.stop)
