"""The websockets library: its broadcast() to the members of a room, on uvloop."""

import asyncio
import sys
from collections import defaultdict

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

rooms: defaultdict[bytes, set[ServerConnection]] = defaultdict(set)


async def member(client: ServerConnection) -> None:
    room: set[ServerConnection] = set()
    try:
        while True:
            text = await client.recv(decode=False)
            if text[:1] == b"j":
                room = rooms[text]
                room.add(client)
                await client.send("ok")
            elif text[1:2] == b'"':
                await client.send(text, text=True)
            else:
                broadcast(room, text, text=True)
    except ConnectionClosed:
        room.discard(client)


async def main(port: int) -> None:
    async with serve(member, "127.0.0.1", port, backlog=4096, compression=None, ping_interval=None):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
