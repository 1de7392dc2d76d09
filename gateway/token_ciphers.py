"""The ciphers of encrypted tokens: XChaCha20-Poly1305, and AES-GCM for tokens of earlier releases. Pure.

The layouts are those of plug_crypto 2.1 and 1.x; `cryptography` does the ciphering.
"""

import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

NONCE_BYTES: Final = 24
TAG_BYTES: Final = 16
XCHACHA_KEY_BYTES: Final = 32
AES_KEY_BYTES: Final = (16, 24, 32)
_AAD: Final = b"A128GCM"
_AES_NONCE_BYTES: Final = 12
_BLOCK_BYTES: Final = 64


def xchacha_seal(key: bytes, nonce: bytes, plain: bytes) -> bytes:
    """Nonce, tag and cipher text in one."""
    sealed = ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(_inner(nonce), plain, _AAD)
    return nonce + sealed[-TAG_BYTES:] + sealed[:-TAG_BYTES]


def xchacha_open(key: bytes, sealed: bytes) -> bytes | None:
    """What `xchacha_seal` sealed; None if it was not with this key."""
    if len(key) != XCHACHA_KEY_BYTES or len(sealed) < NONCE_BYTES + TAG_BYTES:
        return None
    nonce, tag, cipher = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:][:TAG_BYTES], sealed[NONCE_BYTES + TAG_BYTES :]
    try:
        return ChaCha20Poly1305(hchacha20(key, nonce[:16])).decrypt(_inner(nonce), cipher + tag, _AAD)
    except InvalidTag:
        return None


def aes_open(key: bytes, wrapped_key: bytes, nonce: bytes, cipher: bytes, tag: bytes) -> bytes | None:
    """What plug_crypto 1.x encrypted with a key of its own, which is encrypted itself (RFC 7518, section 4.7)."""
    if len(key) not in AES_KEY_BYTES or len(nonce) != _AES_NONCE_BYTES or len(tag) != TAG_BYTES:
        return None
    if len(wrapped_key) - TAG_BYTES - _AES_NONCE_BYTES not in AES_KEY_BYTES:
        return None
    wrapped, wrapped_nonce = wrapped_key[:-_AES_NONCE_BYTES], wrapped_key[-_AES_NONCE_BYTES:]
    try:
        content_key = AESGCM(key).decrypt(wrapped_nonce, wrapped, b"")
        return AESGCM(content_key).decrypt(nonce, cipher + tag, _AAD)
    except InvalidTag:
        return None


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """The key for one nonce of 16 bytes (draft-irtf-cfrg-xchacha, section 2.2).

    ChaCha20's last step adds its first state to the result of its rounds; taking it off again leaves what is wanted.
    """
    stream = Cipher(ChaCha20(key, nonce), mode=None).encryptor().update(bytes(_BLOCK_BYTES))
    added = struct.unpack("<8I", stream[:16] + stream[-16:])
    first = struct.unpack("<8I", b"expand 32-byte k" + nonce)
    return struct.pack("<8I", *((a - b) & 0xFFFFFFFF for a, b in zip(added, first, strict=True)))


def _inner(nonce: bytes) -> bytes:
    return bytes(4) + nonce[16:]
