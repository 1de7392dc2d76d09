"""A client's own messages that cannot be encoded: they end its connection, and nothing else."""

import asyncio
from functools import partial
from typing import Any, cast

import pytest

from roost.gateway.bus.local_bus import local_runtime
from roost.gateway.channel import Channel
from roost.gateway.clients.client import Client
from roost.gateway.custom_serializer import OwnLane, Serializer
from roost.gateway.endpoint import Endpoint
from roost.gateway.events import event
from roost.gateway.replies import Error, Ok, Stop
from roost.gateway.socket import Socket
from roost.shared.frames import CloseCode
from roost.shared.serializer import V2, Message
from roost.shared.serializer import Serializer as AnySerializer
from tests.gateway.loops import Play

TURNS = 20
"""More than a join or an event needs on a bus within the process."""


class Unprintable:
    """Plain data only by its name: asking for it crashes."""

    def model_dump(self, *, mode: str) -> Any:
        raise RuntimeError(f"no {mode} can be made of it")


class UserSocket(Socket):
    pass


class RoomChannel(Channel[UserSocket]):
    async def join(self, params: dict[str, Any]) -> Ok | Error:
        match self.subtopic:
            case "refused":
                return Error({"reason": "no"})
            case "unprintable":
                return Ok(Unprintable())
        return Ok()

    @event("stop")
    async def stop(self, payload: Any) -> Stop:
        return Stop()

    @event("count")
    async def count(self, payload: dict[str, int]) -> Ok:
        return Ok(payload)


UserSocket.route("room:*", RoomChannel)


class Stubborn(Serializer):
    """Reads as V2 does, and writes nothing of the event that it was made for."""

    def __init__(self, unwritten: str) -> None:
        self.unwritten = unwritten

    def encode(self, message: Message) -> str:
        if message.event == self.unwritten:
            raise KeyError("encode was asked to crash")
        return str(message.event)

    def decode(self, data: str | bytes) -> Message:
        return V2.decode(data.encode() if isinstance(data, str) else data, binary=False)


class Recorder:
    """A transport that notes what it is to send, and with which code it is to close."""

    descriptor = -1

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.codes: list[int] = []

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def close(self, code: int) -> None:
        self.codes.append(code)


def talk(play: Play, serializer: AnySerializer, *texts: bytes) -> Recorder:
    """What becomes of the messages of a client; play fails if anything crashed on the way."""
    transport = Recorder()

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        runtime = local_runtime(Endpoint(sockets={"/socket": UserSocket}))
        socket = UserSocket()
        socket.number = runtime.next_number()
        client = Client(runtime, socket, serializer, cast("Any", transport))
        for text in texts:
            loop.call_soon(partial(client.receive, text, binary=False))  # channels are run from no task
            for _ in range(TURNS):
                await asyncio.sleep(0)
        loop.call_soon(client.close)
        await asyncio.sleep(0)
        runtime.runner.close()

    play(scene)
    return transport


def test_a_join_reply_whose_data_crashes(play: Play) -> None:
    transport = talk(play, V2, b'["1","1","room:unprintable","phx_join",{}]')
    assert (transport.sent, transport.codes) == ([], [CloseCode.INTERNAL_ERROR])


@pytest.mark.parametrize("topic", ["room:refused", "room:joined", "unmatched"])
def test_a_join_reply_that_a_serializer_does_not_write(play: Play, topic: str) -> None:
    transport = talk(play, OwnLane(Stubborn("phx_reply")), b'["1","1","%b","phx_join",{}]' % topic.encode())
    assert (transport.sent, transport.codes) == ([], [CloseCode.INTERNAL_ERROR])


@pytest.mark.parametrize(
    ("unwritten", "texts"),
    [
        ("phx_close", [b'["1","2","room:a","stop",{}]']),
        ("phx_close", [b'["3","3","room:a","phx_join",{}]']),
        ("phx_error", [b'["1","2","room:a","unheard of",{}]']),
    ],
)
def test_an_end_that_a_serializer_does_not_write(play: Play, unwritten: str, texts: list[bytes]) -> None:
    transport = talk(play, OwnLane(Stubborn(unwritten)), b'["1","1","room:a","phx_join",{}]', *texts)
    assert transport.codes == [CloseCode.INTERNAL_ERROR]


@pytest.mark.parametrize("text", [b'["1","2","room:a","phx_leave",{}]', b'["1","2","room:a","count",{"n":"many"}]'])
def test_a_reply_of_the_channels_that_a_serializer_does_not_write_crashes_the_channel(play: Play, text: bytes) -> None:
    class Silent(Stubborn):
        joined = False

        def encode(self, message: Message) -> str:
            if message.event == "phx_reply" and self.joined:
                raise KeyError("encode was asked to crash")
            self.joined = True
            return str(message.event)

    transport = talk(play, OwnLane(Silent("")), b'["1","1","room:a","phx_join",{}]', text)
    assert (len(transport.sent), transport.codes) == (2, [])
    assert b"phx_error" in transport.sent[1]
