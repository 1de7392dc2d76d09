"""Frames of a server as a client sees them: parsed by the websockets library."""

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri


def received(data: bytes) -> list[Frame]:
    """The frames that a client gets from these bytes; nothing of them may be left over or wrong."""
    client = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=None)
    client.receive_data(data)
    assert client.parser_exc is None
    frames = client.events_received()
    assert all(isinstance(frame, Frame) and frame.fin for frame in frames)
    return [frame for frame in frames if isinstance(frame, Frame)]


def received_text(data: bytes) -> str:
    """The text of the one text message that these bytes are."""
    (frame,) = received(data)
    assert frame.opcode is Opcode.TEXT
    return bytes(frame.data).decode()
