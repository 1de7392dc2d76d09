"""Compressed messages: an independent client reads what we make, we read what any zlib makes, and bombs are cut."""

import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from roost.shared import deflate
from roost.shared.deflate import BadDeflate, TooLarge, deflate_frame, inflate
from roost.shared.frames import binary_frame, pong_frame, text_frame
from tests.shared.client_frames import received_compressed
from tests.shared.compressed import compress

words = st.sampled_from([b"roost ", b"phoenix ", b"channel ", b'{"text":', b"0123456789"])
payloads = st.one_of(
    st.binary(max_size=2000),
    st.lists(words, max_size=3000).map(b"".join),
    st.integers(0, 70_000).map(lambda size: b"x" * size),
)


class TestDeflateFrame:
    @given(payloads, st.booleans())
    def test_a_client_reads_the_same_message(self, payload: bytes, binary: bool) -> None:
        made = deflate_frame(binary_frame(payload) if binary else text_frame(payload))
        (frame,) = received_compressed(made)
        assert frame.opcode is (Opcode.BINARY if binary else Opcode.TEXT)
        assert bytes(frame.data) == payload

    @given(payloads)
    def test_nothing_becomes_larger(self, payload: bytes) -> None:
        assert len(deflate_frame(text_frame(payload))) <= len(text_frame(payload))

    def test_only_what_is_worth_it_is_compressed(self) -> None:
        assert deflate_frame(text_frame(b"x" * 1000))[0] == 0xC1
        assert deflate_frame(binary_frame(b"x" * 1000))[0] == 0xC2
        for frame in (
            text_frame(b"x" * (deflate.MIN_DEFLATED_BYTES - 5)),
            text_frame(b"x" * deflate.MAX_DEFLATED_BYTES),
            binary_frame(zlib.compress(bytes(range(256)) * 4, 9)),
            pong_frame(b"x" * 125),
        ):
            assert deflate_frame(frame) is frame

    def test_the_end_of_a_flush_is_left_out(self) -> None:
        assert not deflate_frame(text_frame(b"x" * 1000)).endswith(b"\x00\x00\xff\xff")

    def test_a_window_of_the_agreed_size_is_enough(self) -> None:
        """A repetition further back than the window is not referred to."""
        frame = deflate_frame(text_frame(b"".join(b"%d," % number for number in range(10_000)) * 2))
        client = PerMessageDeflate(
            remote_no_context_takeover=True,
            local_no_context_takeover=True,
            remote_max_window_bits=deflate.WINDOW_BITS,
            local_max_window_bits=15,
        )
        assert frame[1] == 126 or frame[1] == 127
        data = frame[4 if frame[1] == 126 else 10 :]
        read = client.decode(Frame(Opcode.TEXT, data, rsv1=True))
        assert len(bytes(read.data)) == 2 * sum(len(f"{number},") for number in range(10_000))


class TestInflate:
    @given(payloads, st.integers(9, 15), st.integers(0, 9), st.integers(1, 9))
    def test_whatever_zlib_compresses_is_read(self, payload: bytes, window: int, level: int, memory: int) -> None:
        assert inflate(compress(payload, window=window, level=level, memory=memory), len(payload)) == payload

    @pytest.mark.parametrize(
        "data",
        [
            "f248cdc9c90700",  # one block
            "000500faff48656c6c6f00",  # one without compression
            "f348cdc9c9070000",  # the last block of its stream
            "f248050000" + "00ffffcac9c90700",  # two blocks
        ],
    )
    def test_hello_as_in_rfc_7692_section_7_2_3(self, data: str) -> None:
        assert inflate(bytes.fromhex(data), 100) == b"Hello"

    def test_a_message_may_be_empty(self) -> None:
        assert inflate(b"\x00", 0) == b""
        assert inflate(b"", 0) == b""

    @given(payloads.filter(len))
    def test_one_byte_too_many_is_too_large(self, payload: bytes) -> None:
        with pytest.raises(TooLarge):
            inflate(compress(payload), len(payload) - 1)

    def test_a_bomb_takes_no_more_memory_than_the_limit(self) -> None:
        bomb = compress(b"\0" * 50_000_000)
        assert len(bomb) < 60_000
        tracemalloc.start()
        try:
            with pytest.raises(TooLarge):
                inflate(bomb, 100_000)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1_000_000

    @pytest.mark.parametrize("data", [b"\xff", b"\x07", compress(b"x" * 100)[:-3] + b"\xff\xff\xff\xff"])
    def test_what_is_no_deflate_is_refused(self, data: bytes) -> None:
        with pytest.raises(BadDeflate):
            inflate(data, 1000)

    def test_a_message_that_is_broken_off_within_a_block_is_refused(self) -> None:
        stored = compress(bytes(range(256)), level=0)
        with pytest.raises(BadDeflate):
            inflate(stored[:100], 1000)

    def test_nothing_may_follow_the_end_of_a_stream(self) -> None:
        ended = bytes.fromhex("f348cdc9c90700")
        with pytest.raises(BadDeflate):
            inflate(ended + b"more", 1000)

    @given(st.binary(max_size=300), st.integers(0, 1000))
    def test_any_bytes_are_read_or_refused(self, data: bytes, limit: int) -> None:
        with suppress(BadDeflate, TooLarge):
            assert len(inflate(data, limit)) <= limit
