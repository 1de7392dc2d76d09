"""Why a connection is over: by the code of the close frame, whoever sent it."""

import pytest

from roost.gateway.clients.closing_reasons import closing_reason
from roost.gateway.transports.frame_reader import FrameReader
from roost.shared.frames import CloseCode
from tests.e2e.wire_client import client_frame

OURS: dict[int, str] = {
    CloseCode.GOING_AWAY: "disconnected",
    CloseCode.PROTOCOL_ERROR: "inactive",
    CloseCode.SERVICE_RESTART: "draining",
    CloseCode.TOO_SLOW: "too slow",
    CloseCode.EXPIRED: "expired",
    CloseCode.INTERNAL_ERROR: "closed",
    CloseCode.NORMAL: "closed",
    4999: "closed",
}


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("code", OURS)
def test_the_server_ends_it(code: int, answered: bool) -> None:
    reader = FrameReader()
    reader.close(code)
    if answered:
        reader.feed(client_frame(8, b"\x03\xe8"))
    assert closing_reason(reader.closed_with) == OURS[code]


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        client_frame(1, b"{}"),
        client_frame(8, b"\x03\xe9"),  # 1001
        client_frame(8, b"\x03\xea"),  # 1002
        client_frame(8, b"\x03\xf4"),  # 1012
        client_frame(1, b"{}", mask=None),
        client_frame(3, b"{}"),
        client_frame(1, b"\xff"),
        client_frame(8, b"\x03"),
    ],
    ids=["nothing", "a message", "1001", "1002", "1012", "no mask", "opcode", "UTF-8", "half a code"],
)
def test_the_client_ends_it(stream: bytes) -> None:
    reader = FrameReader()
    reader.feed(stream)
    assert closing_reason(reader.closed_with) == "closed"
