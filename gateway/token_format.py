"""How tokens are written and read: keys, signatures, ages; byte for byte as Phoenix.Token does it. Pure."""

import base64
import binascii
import hashlib
import hmac
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from roost.shared.etf import Atom, BadTerm, decode_term, encode_term

MIN_SECRET_BYTES: Final = 20
"""A shorter secret is refused."""
DEFAULT_MAX_AGE: Final = 86_400
"""Seconds that a token is good for, unless something else is said when it is signed or verified."""
KEPT_KEYS: Final = 256
"""Derived keys that are kept; deriving one takes most of the time of a verification."""
MAX_TOKEN_BYTES: Final = 64 * 1024
"""A longer token is invalid without a look at it."""

DIGESTS: Final = ("sha256", "sha384", "sha512")
_SIGNED: Final = "SFMyNTY"
_SIGNATURES: Final = {_SIGNED: "sha256", "SFMzODQ": "sha384", "SFM1MTI": "sha512"}
_ENCRYPTED: Final = "XCP"


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """How the key is derived from a secret and a salt (PBKDF2)."""

    iterations: int = 1000
    length: int = 32
    """Bytes."""
    digest: str = "sha256"

    def __post_init__(self) -> None:
        if self.digest not in DIGESTS:
            raise ValueError(f"key_digest must be one of {', '.join(DIGESTS)}, not {self.digest!r}")
        if self.iterations < 1 or self.length < 1:
            raise ValueError("key_iterations and key_length must be 1 or more")


@lru_cache(maxsize=KEPT_KEYS)
def derive_key(secret: str, salt: str, options: KeyOptions) -> bytes:
    """The key that belongs to a salt. Raises ValueError if the secret is too short."""
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"a secret for tokens has at least {MIN_SECRET_BYTES} bytes")
    return hashlib.pbkdf2_hmac(options.digest, secret.encode(), salt.encode(), options.iterations, options.length)


def pack(data: Any, signed_at: int, max_age: float) -> bytes:
    """What a token carries. `signed_at` in milliseconds, `max_age` in seconds. Raises BadTerm."""
    return encode_term((data, signed_at, Atom("infinity") if max_age == math.inf else max_age))


def unpack(payload: bytes, max_age: float | None, now: int) -> tuple[Any, str | None]:
    """The data, and why it is refused: `expired`, `invalid` or None. `now` in milliseconds.

    Without `max_age` the one that stands in the token counts.
    """
    try:
        term = decode_term(payload)
    except BadTerm:
        return None, "invalid"
    match term:
        case (data, int() as signed_at, stored):
            pass
        case (data, int() as signed_at):  # plug_crypto 1.1
            stored = DEFAULT_MAX_AGE
        case {"data": data, "signed": int() as signed_at}:  # Phoenix, before there was a plug_crypto
            stored = DEFAULT_MAX_AGE
        case _:
            return None, "invalid"
    age = stored if max_age is None else max_age
    if age == "infinity" or age == math.inf:
        return data, None
    if not isinstance(age, int | float):
        return None, "invalid"
    if age <= 0:
        return None, "expired"
    if signed_at > now:
        return None, "invalid"
    return (None, "expired") if signed_at + int(age * 1000) < now else (data, None)


def sign(key: bytes, payload: bytes) -> str:
    """A token that anybody can read and nobody can change."""
    text = f"{_SIGNED}.{_to_base64(payload)}"
    return f"{text}.{_to_base64(hmac.digest(key, text.encode(), _SIGNATURES[_SIGNED]))}"


def verify(key: bytes, token: str) -> bytes | None:
    """The payload of a signed token; None if this key did not sign it."""
    text, _, signature = token.rpartition(".")
    protected, _, payload = text.partition(".")
    digest = _SIGNATURES.get(protected)
    given = _from_base64(signature)
    if digest is None or given is None:
        return None
    return _from_base64(payload) if hmac.compare_digest(given, hmac.digest(key, text.encode(), digest)) else None


def encrypt(key: bytes, payload: bytes, nonce: bytes) -> str:
    """A token that nobody can read."""
    from roost.gateway.token_ciphers import XCHACHA_KEY_BYTES, xchacha_seal

    if len(key) != XCHACHA_KEY_BYTES:
        raise ValueError(f"tokens are encrypted with a key_length of {XCHACHA_KEY_BYTES}, not {len(key)}")
    return f"{_ENCRYPTED}.{_to_base64(xchacha_seal(key, nonce, payload))}"


def decrypt(key: bytes, token: str) -> bytes | None:
    """The payload of an encrypted token; None if it was not encrypted with this key."""
    from roost.gateway.token_ciphers import aes_open, xchacha_open

    kind, *texts = token.split(".")
    parts = [part for part in map(_from_base64, texts) if part is not None]
    if len(parts) != len(texts):
        return None
    match kind, parts:
        case "XCP", [sealed]:
            return xchacha_open(key, sealed)
        case "QTEyOEdDTQ", [wrapped_key, nonce, cipher, tag]:
            return aes_open(key, wrapped_key, nonce, cipher, tag)
    return None


def _to_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64(text: str) -> bytes | None:
    """Strict: of several texts that mean the same bytes, only the one that is written."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    return data if _to_base64(data) == text else None
