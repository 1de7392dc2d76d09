"""python-socketio: rooms and acknowledgements, WebSocket only, on uvicorn with uvloop."""

import sys

import socketio
import uvicorn

server = socketio.AsyncServer(async_mode="asgi", transports=["websocket"], ping_interval=3600, cors_allowed_origins="*")
rooms = {}


@server.event
async def join(sid, name):
    rooms[sid] = name
    await server.enter_room(sid, name)
    return "ok"


@server.event
async def ping(sid, payload):
    return payload


@server.event
async def new_msg(sid, payload):
    await server.emit("new_msg", payload, to=rooms[sid])


@server.event
async def disconnect(sid, reason):
    rooms.pop(sid, None)


def main(port: int) -> None:
    uvicorn.run(
        socketio.ASGIApp(server),
        port=port,
        loop="uvloop",
        backlog=4096,
        log_level="warning",
        ws_ping_interval=None,
        ws_per_message_deflate=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
