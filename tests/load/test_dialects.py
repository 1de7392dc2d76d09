"""Each protocol's way into a room, what is sent there, and what counts as its delivery."""

import json
import socket
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.load.dialects.dialect import Dialect, Refused
from tests.load.dialects.nats import Lines, Nats
from tests.load.dialects.phoenix import Phoenix
from tests.load.dialects.plain import Plain, RoomInPath
from tests.load.dialects.socket_io import SocketIO
from tests.load.wire import (
    TEXT,
    ServerFrame,
    Shape,
    StampedPush,
    blank_payload,
    cut_client_text,
    text_frame,
)

PAYLOAD = b'{"s":"%018d.%09d","f":"xx"}' % (5, 1)
SMALLEST = 43
PING = b"PING\r\n"


def said(dialect: Dialect, room: int, answers: Sequence[bytes]) -> list[bytes]:
    """What a client says that is answered so; it must be in with the last answer, not before."""
    dialogue = dialect.join(room)
    spoken = [next(dialogue), *(dialogue.send(ServerFrame(TEXT, answer)) for answer in answers[:-1])]
    with pytest.raises(StopIteration):
        dialogue.send(ServerFrame(TEXT, answers[-1]))
    return [text for text in spoken if text]


def test_phoenix_joins_with_the_reply_to_its_join() -> None:
    ok = b'["1","1","room:000003","phx_reply",{"status":"ok","response":{}}]'
    push = b'["1",null,"room:000003","presence_state",{}]'
    assert said(Phoenix(), 3, [push, ok]) == [b'["1","1","room:000003","phx_join",{}]']


def test_plain_joins_with_ok() -> None:
    assert said(Plain(), 3, [b"ok"]) == [b"jroom:000003"]


def test_socket_io_joins_when_its_event_is_acknowledged() -> None:
    answers = [b'0{"sid":"a"}', b'40{"sid":"b"}', b"2", b'430["ok"]']
    assert said(SocketIO(), 3, answers) == [b"40", b'420["join","room:000003"]']


def test_nats_joins_when_its_ping_is_answered() -> None:
    spoken = said(Nats(), 3, [b"INFO {}\r\n", b"INFO {}\r\n", b"PONG\r\n"])
    assert spoken == [b'CONNECT {"verbose":false,"pedantic":false}\r\nSUB room.000003 1\r\nPING\r\n']


def test_a_room_in_the_path_needs_no_words() -> None:
    dialect = RoomInPath()
    assert dialect.path("/room/", 3) == "/room/room:000003"
    with pytest.raises(StopIteration):
        next(dialect.join(3))


@pytest.mark.parametrize(
    ("dialect", "answer"),
    [
        (Phoenix(), b'["1","1","room:000003","phx_reply",{"status":"error","response":{}}]'),
        (Plain(), b"no"),
        (SocketIO(), b'44{"message":"no"}'),
    ],
)
def test_a_refusal_ends_the_dialogue(dialect: Dialect, answer: bytes) -> None:
    dialogue = dialect.join(3)
    next(dialogue)
    with pytest.raises(Refused):
        dialogue.send(ServerFrame(TEXT, answer))


def deliveries() -> Iterator[tuple[Dialect, str, bytes]]:
    """What well-behaved servers answer to a push into room 3."""
    body = PAYLOAD.decode()
    yield Phoenix(), "new_msg", text_frame(f'[null,null,"room:000003","new_msg",{body}]'.encode())
    ok = f'{{"status":"ok","response":{body}}}'
    yield Phoenix(), "ping", text_frame(f'["1","5","room:000003","phx_reply",{ok}]'.encode())
    for plain in (Plain(), RoomInPath()):
        yield plain, "new_msg", text_frame(f'[null,null,"room:000003","new_msg",{body}]'.encode())
        yield plain, "ping", text_frame(f'["1","5","room:000003","ping",{body}]'.encode())
    yield SocketIO(), "new_msg", text_frame(f'42["new_msg",{body}]'.encode())
    yield SocketIO(), "ping", text_frame(f"435[{body}]".encode())
    yield Nats(), "new_msg", f"MSG room.000003 1 {len(body)}\r\n{body}\r\n".encode()


@pytest.mark.parametrize(("dialect", "event", "delivery"), list(deliveries()))
def test_a_delivery_is_known_by_what_was_pushed(dialect: Dialect, event: str, delivery: bytes) -> None:
    assert dialect.brings_about(delivery, 3, event, PAYLOAD)
    assert not dialect.brings_about(delivery, 3, event, PAYLOAD.replace(b"xx", b"xy"))
    assert dialect.first_delivery(delivery + delivery[:7]) == delivery
    assert dialect.first_delivery(delivery[:-1]) is None
    assert Shape.of(delivery).payload(len(PAYLOAD)) == PAYLOAD


@pytest.mark.parametrize("dialect", [Phoenix(), Plain(), SocketIO(), Nats()])
def test_a_push_is_ready_but_for_its_stamp(dialect: Dialect) -> None:
    push = StampedPush(dialect.push(3, "new_msg", blank_payload(len(PAYLOAD))), b"\x01\x02\x03\x04", dialect.opcode)
    frame = push.frame(5, 1)
    assert frame[0] == 0x80 | dialect.opcode
    assert cut_client_text(frame) == (dialect.push(3, "new_msg", PAYLOAD), b"")


def test_what_comes_of_a_push_is_small_enough_to_hold_a_stamp() -> None:
    assert json.loads(blank_payload(SMALLEST))["f"] == ""
    with pytest.raises(ValueError, match="too small"):
        blank_payload(SMALLEST - 1)


# NATS: frames that carry any number of messages


def server_frame(carried: bytes) -> bytes:
    """Binary, with a head of the length that it needs."""
    return bytes([0x82]) + text_frame(carried)[1:]


def carried_through(pieces: Sequence[bytes]) -> bytes:
    """What is left in the buffer when a server sends in these pieces, each read before the next."""
    client, server = socket.socketpair()
    with client, server:
        client.settimeout(0)
        read, buffer, heard = Lines(client), memoryview(bytearray(1 << 17)), b""
        for piece in pieces:
            server.sendall(piece)
            try:
                size = read(buffer)
            except BlockingIOError:
                continue
            assert size
            heard += buffer[:size]
    return heard


@given(
    carried=st.lists(st.binary(min_size=1, max_size=200) | st.binary(min_size=120, max_size=70_000), max_size=4),
    cuts=st.lists(st.integers(0, 1000), max_size=6),
)
def test_frames_may_be_cut_and_joined_anywhere(carried: list[bytes], cuts: list[int]) -> None:
    carried = [each.replace(b"PING\r\n", b"......") for each in carried]
    stream = b"".join(map(server_frame, carried))
    places = [0, *sorted(cut * len(stream) // 1000 for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(places) if start < end]
    assert carried_through(pieces) == b"".join(carried)


def test_the_servers_ping_is_answered_and_not_counted() -> None:
    client, server = socket.socketpair()
    with client, server:
        client.settimeout(0)
        read, buffer = Lines(client), memoryview(bytearray(4096))
        server.sendall(server_frame(PING))
        with pytest.raises(BlockingIOError):
            read(buffer)
        answer = server.recv(4096)
        assert answer[0] == 0x82
        assert cut_client_text(answer) == (b"PONG\r\n", b"")
        server.sendall(server_frame(b"MSG"))
        assert bytes(buffer[: read(buffer)]) == b"MSG"


def test_the_end_of_a_connection_is_told() -> None:
    client, server = socket.socketpair()
    with client:
        server.close()
        assert Lines(client)(memoryview(bytearray(10))) == 0
