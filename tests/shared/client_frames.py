"""Frames of a server as a client sees them: parsed by the websockets library."""

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri


def received(data: bytes) -> list[Frame]:
    """The frames that a client gets from these bytes; nothing of them may be left over or wrong."""
    return _read(ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=None), data)


def received_compressed(data: bytes) -> list[Frame]:
    """As `received`, for a client with permessage-deflate and no memory from one message to the next."""
    client = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=None)
    client.extensions = [
        PerMessageDeflate(
            remote_no_context_takeover=True,
            local_no_context_takeover=True,
            remote_max_window_bits=15,
            local_max_window_bits=15,
        )
    ]
    return _read(client, data)


def _read(client: ClientProtocol, data: bytes) -> list[Frame]:
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
