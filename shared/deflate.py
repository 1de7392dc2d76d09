"""permessage-deflate (RFC 7692): messages compressed each for itself, as DEFLATE without a trailer. Pure."""

import zlib
from typing import Final

from roost.shared.frames import compressed_frame, frame_payload

MIN_DEFLATED_BYTES: Final = 256
"""A smaller frame goes out as it is, which RFC 7692 allows; control frames, never compressed, are all smaller."""
MAX_DEFLATED_BYTES: Final = 1024 * 1024
"""A larger frame goes out as it is, too: compressing it would hold up everybody else of the process."""
WINDOW_BITS: Final = 12
"""4 kB of window. The usual 15 bits make zlib clear 256 kB for each message: 160 µs, beside 6 µs for the rest."""
_LEVEL: Final = 3
_MEMORY_LEVEL: Final = 6
_MAX_WINDOW_BITS: Final = 15
_TAIL: Final = b"\x00\x00\xff\xff"
"""What a flush ends with; left out on the wire (RFC 7692, section 7.2.1)."""
_BEHIND_FINAL: Final = (_TAIL, b"\x00" + _TAIL)
"""What may follow when a client has ended its stream instead of flushing it (RFC 7692, section 7.2.3.4)."""
_LAST_BLOCK: Final = b"\x01\x00\x00\xff\xff"
"""Empty, and the last one: with it a stream has ended, unless it was broken off within a block."""


class BadDeflate(ValueError):
    """The bytes are no DEFLATE stream."""


class TooLarge(ValueError):
    """What was compressed is larger than allowed."""


def deflate_frame(frame: bytes) -> bytes:
    """The message of a frame in compressed form; the frame itself if that would not be worth it."""
    if not MIN_DEFLATED_BYTES <= len(frame) <= MAX_DEFLATED_BYTES:
        return frame
    payload = frame_payload(frame)
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -WINDOW_BITS, _MEMORY_LEVEL)
    deflated = (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)
    return compressed_frame(frame, deflated) if len(deflated) < len(payload) else frame


def inflate(data: bytes, max_bytes: int) -> bytes:
    """What a client has compressed. Never more memory than `max_bytes` is used. Raises BadDeflate and TooLarge."""
    if not data:
        return b""
    decompressor = zlib.decompressobj(-_MAX_WINDOW_BITS)
    try:
        inflated = decompressor.decompress(data + _TAIL, max_bytes + 1)
        if len(inflated) > max_bytes:
            raise TooLarge(f"more than {max_bytes} bytes")
        if decompressor.eof and decompressor.unused_data not in _BEHIND_FINAL:
            raise BadDeflate("bytes follow the end of the stream")
        if not decompressor.eof:
            decompressor.decompress(_LAST_BLOCK, 1)
    except zlib.error as error:
        raise BadDeflate(str(error)) from None
    if not decompressor.eof:
        raise BadDeflate("the stream is broken off")
    return inflated
