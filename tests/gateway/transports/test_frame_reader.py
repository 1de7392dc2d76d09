"""The frame reader against the websockets library: the same stream, cut anywhere, means the same to both."""

import codecs
import struct
import tracemalloc
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from roost.gateway.transports.frame_reader import MAX_MESSAGE_BYTES, BinaryMessage, FrameReader
from roost.shared.frames import CloseCode
from tests.shared.client_frames import received
from tests.shared.compressed import compress

MASK = b"\x11\x22\x33\x44"
REST_OF_A_HEAD = b"\0" * 12
"""The library refuses some heads by their first two bytes, our reader when the head is whole. With this it is."""


@dataclass
class Outcome:
    """What came of a stream."""

    messages: list[tuple[bool, bytes]] = field(default_factory=list)
    """Whether it was binary, and the payload."""
    outgoing: bytes = b""
    closing: bool = False
    finished: bool = False


def read(pieces: list[bytes]) -> Outcome:
    """What our reader makes of a stream that comes in these pieces."""
    reader, outcome = FrameReader(), Outcome()
    for piece in pieces:
        messages = reader.feed(piece)
        outcome.messages += [(type(message) is BinaryMessage, bytes(message)) for message in messages]
        outcome.outgoing += reader.outgoing
        reader.outgoing = b""
    outcome.closing, outcome.finished = reader.closing, reader.finished
    return outcome


def read_by_library(stream: bytes) -> Outcome:
    """What the library makes of it, frame by frame, with messages put together and checked as UTF-8."""
    library, outcome = ServerProtocol(state=OPEN, max_size=MAX_MESSAGE_BYTES), Outcome()
    fragments: list[Frame] = []
    for at in range(len(stream)):
        library.receive_data(stream[at : at + 1])
        was_open = library.state is OPEN
        for frame in library.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                fragments.append(frame)
                message = b"".join(bytes(fragment.data) for fragment in fragments)
                binary = fragments[0].opcode is Opcode.BINARY
                if was_open and not frame.fin and not binary and not may_become_utf8(message):
                    library.fail(CloseCode.INVALID_DATA)
                elif frame.fin and was_open:
                    fragments = []
                    if not binary and not is_utf8(message):
                        library.fail(CloseCode.INVALID_DATA)
                    else:
                        outcome.messages.append((binary, message))
        for data in library.data_to_send():
            outcome.outgoing += data
            outcome.finished |= not data
    outcome.closing = library.state is not OPEN
    return outcome


def may_become_utf8(data: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def frame(first: int, payload: bytes, *, masked: bool = True, wide: int = 0) -> bytes:
    """A frame of a client; `wide` writes its length in more bytes than it needs."""
    size = len(payload)
    mask_bit = 0x80 if masked else 0
    if size > 0xFFFF or wide == 8:
        head = struct.pack(">BBQ", first, mask_bit | 127, size)
    elif size > 125 or wide == 2:
        head = struct.pack(">BBH", first, mask_bit | 126, size)
    else:
        head = bytes((first, mask_bit | size))
    if not masked:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))


payloads = st.one_of(
    st.text(max_size=12).map(lambda text: text.encode(errors="surrogatepass")),
    st.binary(max_size=12),
    st.sampled_from([124, 125, 126, 127, 300, 4095, 4096, 4097, 5000]).map(lambda size: b"x" * size),
)
text_frames = st.builds(frame, st.just(0x81), payloads, wide=st.sampled_from([0, 0, 0, 2, 8]))
control_frames = st.builds(frame, st.sampled_from([0x89, 0x8A]), st.binary(max_size=125))
close_payloads = st.sampled_from([b"", b"\x03\xe8", b"\x03\xe9bye", b"\x03", b"\x03\xed", b"\x03\xe8\xff", b"\x13\x88"])
bad_frames = st.one_of(
    st.builds(frame, st.sampled_from([0x83, 0x8B, 0xC1, 0xA1, 0x91, 0x09, 0x08, 0x80]), payloads),
    st.builds(frame, st.sampled_from([0x89, 0x8A, 0x88]), st.just(b"x" * 126)),
    st.builds(frame, st.sampled_from([0x81, 0x82, 0x89]), payloads, masked=st.sampled_from([False])),
    st.builds(frame, st.just(0x88), close_payloads),
    st.binary(max_size=20),
)


@st.composite
def fragmented(draw: st.DrawFn) -> bytes:
    """A message in several frames, with control frames between, cut in the middle of characters too."""
    message = draw(st.text(min_size=1, max_size=8)).encode() if draw(st.booleans()) else draw(st.binary(max_size=12))
    cuts = sorted(draw(st.lists(st.integers(0, len(message)), max_size=4)))
    parts = [message[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(message)], strict=True)]
    stream = b""
    for number, part in enumerate(parts):
        opcode = draw(st.sampled_from([0x01, 0x02])) if number == 0 else 0x00
        stream += frame(opcode | (0x80 if number == len(parts) - 1 else 0), part)
        for control in draw(st.lists(control_frames, max_size=2)):
            stream += control
    return stream


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """What a client may send: mostly right, sometimes not."""
    usual = text_frames | text_frames | fragmented() | control_frames | st.builds(frame, st.just(0x82), payloads)
    frames = draw(st.lists(usual, max_size=5))
    if draw(st.booleans()):
        frames += [draw(bad_frames), *draw(st.lists(usual, max_size=2)), REST_OF_A_HEAD]
    return b"".join(frames)


@given(streams(), st.data())
def test_a_stream_means_the_same_wherever_it_is_cut(stream: bytes, data: st.DataObject) -> None:
    expected = read_by_library(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(pieces) == expected
    assert read([stream]) == expected


@given(streams())
def test_a_stream_means_the_same_byte_by_byte(stream: bytes) -> None:
    assert read([stream[at : at + 1] for at in range(len(stream))]) == read_by_library(stream)


@given(streams(), st.integers(1, 3))
def test_a_stream_means_the_same_a_few_frames_at_a_time(stream: bytes, limit: int) -> None:
    reader = FrameReader()
    messages = [(type(message) is BinaryMessage, bytes(message)) for message in reader.feed(stream, limit)]
    while reader.unread:
        more = reader.feed(b"", limit)
        assert len(more) <= limit
        messages += [(type(message) is BinaryMessage, bytes(message)) for message in more]
    whole = FrameReader()
    expected = [(type(message) is BinaryMessage, bytes(message)) for message in whole.feed(stream)]
    assert messages == expected
    assert (reader.outgoing, reader.finished, reader.closing) == (whole.outgoing, whole.finished, whole.closing)


def test_nothing_is_read_at_a_limit_of_none() -> None:
    reader = FrameReader()
    assert reader.feed(plain(0x81, b"x"), 0) == []
    assert reader.unread
    assert reader.feed(plain(0x81, b"y")) == [b"x", b"y"]
    assert not reader.unread


def test_a_message_in_many_empty_frames_takes_no_memory() -> None:
    reader = FrameReader()
    reader.feed(frame(0x01, b"a"))
    tracemalloc.start()
    reader.feed(frame(0x00, b"") * 20_000)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reader.feed(frame(0x80, b"b")) == [b"ab"]
    assert kept < 20_000


@given(st.binary(), st.data())
def test_no_bytes_do_worse_than_close_the_connection(stream: bytes, data: st.DataObject) -> None:
    stream += REST_OF_A_HEAD
    cut = data.draw(st.integers(0, len(stream)))
    assert read([stream[:cut], stream[cut:]]) == read_by_library(stream)


CHARACTERS = "aé€😀"


@pytest.mark.parametrize("character", CHARACTERS)
def test_characters_cut_between_fragments_are_whole_again(character: str) -> None:
    encoded = character.encode()
    for cut in range(len(encoded) + 1):
        stream = frame(0x01, encoded[:cut]) + frame(0x89, b"!") + frame(0x80, encoded[cut:])
        outcome = read([stream])
        assert outcome.messages == [(False, encoded)]
        assert [bytes(pong.data) for pong in received(outcome.outgoing)] == [b"!"]


INVALID = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xf0\x9f\x98", b"a\x80"]


@pytest.mark.parametrize("invalid", INVALID)
@pytest.mark.parametrize("fragments", [1, 2, 3])
@pytest.mark.parametrize("size", [0, 200, 5000])
def test_text_that_is_no_utf8_closes_with_1007(invalid: bytes, fragments: int, size: int) -> None:
    message = b"x" * size + invalid
    step = -(-len(message) // fragments)
    parts = [message[at : at + step] for at in range(0, len(message), step)]
    stream = b"".join(
        frame((0x00 if number else 0x01) | (0x80 if number == len(parts) - 1 else 0), part)
        for number, part in enumerate(parts)
    )
    for pieces in ([stream], [stream[at : at + 1] for at in range(len(stream))]):
        outcome = read([*pieces, frame(0x81, b"after")])
        assert outcome.messages == []
        assert outcome.closing
        assert close_codes(outcome) == [CloseCode.INVALID_DATA]


def close_codes(outcome: Outcome) -> list[int]:
    """The codes of the close frames that were answered."""
    return [
        int.from_bytes(bytes(one.data)[:2], "big") for one in received(outcome.outgoing) if one.opcode is Opcode.CLOSE
    ]


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (frame(0x81, b"{}", masked=False), 1002),
        (frame(0xC1, b"{}"), 1002),
        (frame(0x83, b"{}"), 1002),
        (frame(0x80, b"{}"), 1002),
        (frame(0x01, b"{}") + frame(0x81, b"{}"), 1002),
        (frame(0x09, b""), 1002),
        (frame(0x89, b"x" * 126), 1002),
        (frame(0x81, b"\xff"), 1007),
        (struct.pack(">BBQ", 0x81, 0xFF, MAX_MESSAGE_BYTES + 1), 1009),
        (struct.pack(">BBQ", 0x82, 0xFF, 2**62), 1009),
    ],
    ids=["no mask", "reserved bit", "opcode", "nothing to go on", "within", "cut", "ping", "UTF-8", "size", "huge"],
)
def test_what_phoenix_closes_with(stream: bytes, code: int) -> None:
    before = frame(0x81, b"before")
    outcome = read([before + stream + frame(0x81, b"after")])
    assert outcome.messages == [(False, b"before")]
    assert close_codes(outcome) == [code]
    assert outcome.closing


def test_a_message_of_the_limit_passes_and_a_longer_one_in_fragments_does_not() -> None:
    half = b"x" * (MAX_MESSAGE_BYTES // 2)
    assert read([plain(0x01, half), plain(0x80, half)]).messages == [(False, half + half)]
    outcome = read([plain(0x01, half), plain(0x00, half), plain(0x80, b"x")])
    assert (outcome.messages, close_codes(outcome)) == ([], [CloseCode.TOO_BIG])


def plain(first: int, payload: bytes) -> bytes:
    """A large frame whose mask changes nothing, which is quicker to make."""
    return struct.pack(">BBQ4x", first, 0xFF, len(payload)) + payload


class TestClosing:
    """The closing handshake, begun by either side."""

    def test_the_clients_close_is_answered_and_ends_the_connection(self) -> None:
        outcome = read([frame(0x81, b"last") + frame(0x88, b"\x03\xe9") + frame(0x81, b"after")])
        assert outcome.messages == [(False, b"last")]
        assert close_codes(outcome) == [1001]
        assert outcome.finished

    @pytest.mark.parametrize("split", range(20))
    def test_what_comes_after_ours_is_dropped_until_it_is_answered(self, split: int) -> None:
        """Also when half a frame had come before we closed."""
        half, rest = frame(0x81, b"half a frame")[:split], frame(0x81, b"half a frame")[split:]
        reader = FrameReader()
        messages = reader.feed(frame(0x81, b"before") + half)
        reader.close(CloseCode.SERVICE_RESTART)
        (close,) = received(reader.outgoing)
        assert (close.opcode, bytes(close.data)) == (Opcode.CLOSE, b"\x03\xf4")
        state = [(reader.closing, reader.finished)]
        messages += reader.feed(rest + frame(0x81, b"after"))
        state.append((reader.closing, reader.finished))
        messages += reader.feed(frame(0x88, b"\x03\xf4"))
        state.append((reader.closing, reader.finished))
        assert state == [(True, False), (True, False), (True, True)]
        whole = [b"before"] if split < len(half + rest) else [b"before", b"half a frame"]
        assert [bytes(message) for message in messages] == whole

    @pytest.mark.parametrize("fragment", [frame(0x01, b"begun"), frame(0x01, b"begun") + frame(0x00, b"going")[:7]])
    def test_closing_in_the_middle_of_a_message(self, fragment: bytes) -> None:
        reader = FrameReader()
        assert reader.feed(fragment) == []
        reader.close(CloseCode.GOING_AWAY)
        assert reader.feed((frame(0x01, b"begun") + frame(0x00, b"going"))[len(fragment) :]) == []
        assert reader.feed(frame(0x88, b"\x03\xe9")) == []
        assert reader.finished

    def test_closing_twice_sends_one_close_frame(self) -> None:
        reader = FrameReader()
        reader.close(CloseCode.GOING_AWAY)
        reader.close(CloseCode.INTERNAL_ERROR)
        assert [bytes(one.data) for one in received(reader.outgoing)] == [b"\x03\xe9"]


def test_between_messages_nothing_is_kept() -> None:
    """What the library needs for a frame takes more than a client may cost: it goes when the message is whole."""
    reader = FrameReader()
    for stream in (
        frame(0x89, b"ping"),
        frame(0x82, b"binary"),
        frame(0x01, b"a") + frame(0x80, b"b"),
        plain(0x81, b"x"),
    ):
        reader.feed(stream)
        assert reader._library is None
        assert reader._message is None
        assert reader._tail == b""


def read_compressed(pieces: list[bytes], limit: int = MAX_MESSAGE_BYTES) -> Outcome:
    """What our reader makes of the stream of a client that may compress."""
    reader, outcome = FrameReader(limit, inflates=True), Outcome()
    for piece in pieces:
        messages = reader.feed(piece)
        while reader.unread:
            messages += reader.feed(b"")
        outcome.messages += [(type(message) is BinaryMessage, bytes(message)) for message in messages]
        outcome.outgoing += reader.outgoing
        reader.outgoing = b""
    outcome.closing, outcome.finished = reader.closing, reader.finished
    return outcome


def message_stream(payload: bytes, cuts: list[int], between: bytes, *, binary: bool, deflated: bool) -> bytes:
    """A message in one frame or in several, with other frames between."""
    data = compress(payload) if deflated else payload
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    parts = [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True)]
    frames = []
    for number, part in enumerate(parts):
        first = (0x02 if binary else 0x01) | (0x40 if deflated else 0) if number == 0 else 0
        frames.append(frame(first | (0x80 if number == len(parts) - 1 else 0), part))
    return between.join(frames)


compressed_payloads = st.one_of(
    st.text(max_size=300).map(str.encode), st.sampled_from([0, 125, 126, 9000, 70_000, 200_000]).map(lambda n: b"y" * n)
)
compressed_messages = st.tuples(
    compressed_payloads,
    st.lists(st.integers(0, 10_000), max_size=3),
    st.sampled_from([b"", frame(0x89, b"ping"), frame(0x8A, b"")]),
    st.booleans(),
    st.booleans(),
)


class TestCompression:
    """Clients with whom permessage-deflate is agreed."""

    @given(st.lists(compressed_messages, max_size=5), st.lists(st.integers(0, 20_000), max_size=6))
    def test_messages_arrive_however_they_are_compressed_fragmented_and_cut(
        self, sent: list[tuple[bytes, list[int], bytes, bool, bool]], cuts: list[int]
    ) -> None:
        stream = b"".join(
            message_stream(payload, parts, between, binary=binary, deflated=deflated)
            for payload, parts, between, binary, deflated in sent
        )
        places = sorted(cut % (len(stream) + 1) for cut in cuts)
        pieces = [stream[begin:end] for begin, end in zip([0, *places], [*places, len(stream)], strict=True)]
        outcome = read_compressed(pieces)
        assert outcome.messages == [(binary, payload) for payload, _, _, binary, _ in sent]
        assert not outcome.closing

    @pytest.mark.parametrize("size", [200, 20_000])
    @pytest.mark.parametrize("first", [0xC1, 0xC2])
    def test_a_bomb_ends_the_connection_with_1009(self, first: int, size: int) -> None:
        bomb = frame(first, compress(b"\0" * size * 900))
        assert len(bomb) < size + 300
        outcome = read_compressed([bomb], limit=size * 100)
        assert (outcome.messages, outcome.closing) == ([], True)
        assert received(outcome.outgoing)[0].data[:2] == b"\x03\xf1"

    def test_a_bomb_in_fragments_is_cut_too(self) -> None:
        stream = message_stream(b"\0" * 1_000_000, [10, 100, 500], b"", binary=True, deflated=True)
        outcome = read_compressed([stream], limit=500_000)
        assert outcome.messages == []
        assert received(outcome.outgoing)[0].data[:2] == b"\x03\xf1"

    def test_a_message_of_exactly_the_limit_arrives(self) -> None:
        assert read_compressed([frame(0xC1, compress(b"z" * 1000))], limit=1000).messages == [(False, b"z" * 1000)]

    @pytest.mark.parametrize("first", [0xC1, 0xC2])
    @pytest.mark.parametrize("data", [b"\xff", compress(b"x" * 9000)[:-2] + b"\xff\xff\xff"])
    def test_what_is_no_deflate_ends_the_connection_with_1007(self, first: int, data: bytes) -> None:
        outcome = read_compressed([frame(first, data)])
        assert outcome.messages == []
        assert received(outcome.outgoing)[0].data[:2] == b"\x03\xef"

    @pytest.mark.parametrize("cuts", [[], [3]])
    def test_text_that_is_no_utf8_ends_the_connection_with_1007(self, cuts: list[int]) -> None:
        outcome = read_compressed([message_stream(b"ab\xff\xfe" * 9, cuts, b"", binary=False, deflated=True)])
        assert outcome.messages == []
        assert received(outcome.outgoing)[0].data[:2] == b"\x03\xef"

    @pytest.mark.parametrize(
        "stream",
        [
            frame(0xC9, b""),  # a ping
            frame(0xC8, b""),  # a close frame
            frame(0xE1, compress(b"a")),  # RSV2 beside it
            frame(0xA1, b"a"),
            frame(0x41, compress(b"a" * 40)[:3]) + frame(0xC0, b""),  # a continuation
            frame(0x41, compress(b"a" * 40)[:3]) + frame(0xC1, compress(b"b")),  # a message within a message
        ],
    )
    def test_the_mark_stands_on_first_frames_of_messages_only(self, stream: bytes) -> None:
        outcome = read_compressed([stream])
        assert outcome.messages == []
        assert received(outcome.outgoing)[0].data[:2] == b"\x03\xea"

    def test_nobody_may_compress_who_has_not_agreed(self) -> None:
        outcome = read([frame(0xC1, compress(b"a"))])
        assert outcome.messages == []
        assert received(outcome.outgoing)[0].data[:2] == b"\x03\xea"

    def test_large_messages_come_one_at_a_time(self) -> None:
        """A few bytes on the wire must not become many messages of the largest size at once."""
        reader = FrameReader(inflates=True)
        stream = frame(0xC1, compress(b"x" * 1_000_000)) * 5 + frame(0xC2, compress(b"x" * 5_000_000)) * 5
        counts = [len(reader.feed(stream))]
        while reader.unread:
            counts.append(len(reader.feed(b"")))
        assert [count for count in counts if count] == [1] * 10

    @given(st.lists(st.binary(max_size=40) | compressed_payloads.map(lambda data: frame(0xC1, compress(data))[:60])))
    def test_no_bytes_raise(self, pieces: list[bytes]) -> None:
        read_compressed(pieces, limit=1000)
