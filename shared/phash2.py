"""Erlang's phash2 for integers and binaries, bit-exact, to choose a subscriber's shard. Pure.

The rules are those of `erlang:phash2/2` (portable across releases): a 32-bit hash built from Bob Jenkins'
1996 mixer, reduced modulo the whole range. `tests/vectors/phash2.json` holds results of a real Erlang.
"""

from typing import Final

_MASK: Final = 0xFFFFFFFF
_GOLDEN: Final = 0x9E3779B9
_SALT_NEGATIVE: Final = 10 * _GOLDEN & _MASK
_SALT_POSITIVE: Final = 11 * _GOLDEN & _MASK
_SALT_BINARY: Final = 13 * _GOLDEN & _MASK
_SMALL: Final = 1 << 27
"""Integers in -2**27 .. 2**27 - 1 hash as one word, all others by 64-bit digits."""


def phash2(term: int | bytes | str, buckets: int) -> int:
    """The bucket, 0 to `buckets` - 1, of a term; equal to `erlang:phash2(Term, Range)`.

    A `str` is hashed as its UTF-8 bytes, which is what an Elixir string is. `buckets` is at most 2**32.
    """
    if not 1 <= buckets <= 1 << 32:
        raise ValueError(f"phash2 spreads over 1 to 2**32 buckets, not {buckets}")
    return hash32(term) % buckets


def hash32(term: int | bytes | str) -> int:
    """The whole 32-bit hash, for callers that reduce it by several ranges."""
    if isinstance(term, int):
        return _hash_small(term) if -_SMALL <= term < _SMALL else _hash_large(term)
    return _hash_binary(term.encode() if isinstance(term, str) else term)


def _hash_small(term: int) -> int:
    value = _mix(_GOLDEN - term & _MASK, _GOLDEN, 0) if term < 0 else 0
    return _mix(_GOLDEN + term & _MASK, _GOLDEN, value)


def _hash_large(term: int) -> int:
    salt = _SALT_NEGATIVE if term < 0 else _SALT_POSITIVE
    rest = abs(term)
    value = 0
    while rest:
        low, high = rest & _MASK, rest >> 32 & _MASK
        value = _mix(salt + low & _MASK, salt + high & _MASK, value)
        rest >>= 64
    return value


def _hash_binary(data: bytes) -> int:
    if not data:
        return _SALT_BINARY
    a = b = _GOLDEN
    c = _SALT_BINARY
    whole = len(data) - len(data) % 12
    for at in range(0, whole, 12):
        a = a + int.from_bytes(data[at : at + 4], "little") & _MASK
        b = b + int.from_bytes(data[at + 4 : at + 8], "little") & _MASK
        c = c + int.from_bytes(data[at + 8 : at + 12], "little") & _MASK
        a, b, c = _mix_all(a, b, c)
    tail = data[whole:]
    a = a + int.from_bytes(tail[:4], "little") & _MASK
    b = b + int.from_bytes(tail[4:8], "little") & _MASK
    # The low byte of c is reserved for the length, so the tail's last bytes sit one byte higher.
    c = c + len(data) + (int.from_bytes(tail[8:], "little") << 8) & _MASK
    return _mix(a, b, c)


def _mix(a: int, b: int, c: int) -> int:
    return _mix_all(a, b, c)[2]


def _mix_all(a: int, b: int, c: int) -> tuple[int, int, int]:
    """Bob Jenkins' mixer of 1996: nine steps that each subtract two words from the third and fold it."""
    a = (a - b - c & _MASK) ^ c >> 13
    b = (b - c - a & _MASK) ^ a << 8 & _MASK
    c = (c - a - b & _MASK) ^ b >> 13
    a = (a - b - c & _MASK) ^ c >> 12
    b = (b - c - a & _MASK) ^ a << 16 & _MASK
    c = (c - a - b & _MASK) ^ b >> 5
    a = (a - b - c & _MASK) ^ c >> 3
    b = (b - c - a & _MASK) ^ a << 10 & _MASK
    c = (c - a - b & _MASK) ^ b >> 15
    return a, b, c
