"""What clients compress, by zlib as they please."""

import zlib


def compress(payload: bytes, *, window: int = 15, level: int = 6, memory: int = 8) -> bytes:
    """The payload of a compressed message."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -window, memory)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
