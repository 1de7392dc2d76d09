"""Tokens that carry data, signed or encrypted, as Phoenix.Token reads and writes them with the same secret."""

import math
import secrets
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from roost.gateway import token_format
from roost.gateway.replies import Error, Ok
from roost.gateway.token_format import DEFAULT_MAX_AGE, MAX_TOKEN_BYTES, KeyOptions, derive_key

if TYPE_CHECKING:
    from roost.gateway.endpoint import Endpoint


class HasEndpoint(Protocol):
    """A socket or a channel."""

    @property
    def endpoint(self) -> "Endpoint":
        """The endpoint that serves it."""


Context: TypeAlias = "Endpoint | HasEndpoint | str | Sequence[str]"
"""Where the secret comes from: an endpoint, a socket, a channel; or the secret itself, of at least 20 bytes.

Of several secrets the first signs, and all verify: so a secret can be replaced while its tokens are still about.
"""


class Token:
    """Phoenix.Token: `sign` and `verify`, `encrypt` and `decrypt`.

    Data is what JSON can express. A refused token is answered by a value: `Error("expired")`, `Error("invalid")`, or
    `Error("missing")` for None.
    """

    @staticmethod
    def sign(
        context: Context,
        salt: str,
        data: Any,
        *,
        signed_at: float | None = None,
        max_age: float = DEFAULT_MAX_AGE,
        key_iterations: int = 1000,
        key_length: int = 32,
        key_digest: str = "sha256",
    ) -> str:
        """A token that whoever holds it can read, and cannot change.

        `signed_at` is in seconds since 1970, now unless given; `max_age` in seconds, `math.inf` for ever. Raises
        ValueError for data that JSON cannot express.
        """
        options = KeyOptions(key_iterations, key_length, key_digest)
        return token_format.sign(derive_key(_secrets(context)[0], salt, options), _pack(data, signed_at, max_age))

    @staticmethod
    def verify(
        context: Context,
        salt: str,
        token: Any,
        *,
        max_age: float | None = None,
        key_iterations: int = 1000,
        key_length: int = 32,
        key_digest: str = "sha256",
    ) -> Ok | Error:
        """`Ok(data)` of a signed token, or `Error(reason)`. `max_age`, in seconds, overrides the token's own."""
        options = KeyOptions(key_iterations, key_length, key_digest)
        return _open(token_format.verify, context, salt, token, options, max_age)

    @staticmethod
    def encrypt(
        context: Context,
        salt: str,
        data: Any,
        *,
        signed_at: float | None = None,
        max_age: float = DEFAULT_MAX_AGE,
        key_iterations: int = 1000,
        key_length: int = 32,
        key_digest: str = "sha256",
    ) -> str:
        """A token that whoever holds it can neither read nor change. Options as those of `sign`."""
        options = KeyOptions(key_iterations, key_length, key_digest)
        key = derive_key(_secrets(context)[0], salt, options)
        return token_format.encrypt(key, _pack(data, signed_at, max_age), secrets.token_bytes(24))

    @staticmethod
    def decrypt(
        context: Context,
        salt: str,
        token: Any,
        *,
        max_age: float | None = None,
        key_iterations: int = 1000,
        key_length: int = 32,
        key_digest: str = "sha256",
    ) -> Ok | Error:
        """`Ok(data)` of an encrypted token, or `Error(reason)`; as `verify`."""
        options = KeyOptions(key_iterations, key_length, key_digest)
        return _open(token_format.decrypt, context, salt, token, options, max_age)


def _pack(data: Any, signed_at: float | None, max_age: float) -> bytes:
    moment = time.time() if signed_at is None else signed_at
    return token_format.pack(data, int(moment * 1000), max_age if max_age == math.inf else _exact(max_age))


def _exact(seconds: float) -> float:
    """A whole number of seconds is an integer in the token, as it is in Elixir."""
    return int(seconds) if seconds == int(seconds) else seconds


def _open(
    read: Callable[[bytes, str], bytes | None],
    context: Context,
    salt: str,
    token: Any,
    options: KeyOptions,
    max_age: float | None,
) -> Ok | Error:
    if token is None:
        return Error("missing")
    # What is no string came from a peer too, as a nested parameter: its fault, no bug of the application.
    if not isinstance(token, str) or not token.isascii() or len(token) > MAX_TOKEN_BYTES:
        return Error("invalid")
    for secret in _secrets(context):
        payload = read(derive_key(secret, salt, options), token)
        if payload is not None:
            data, reason = token_format.unpack(payload, max_age, int(time.time() * 1000))
            return Ok(data) if reason is None else Error(reason)
    return Error("invalid")


def _secrets(context: Context) -> Sequence[str]:
    """The secrets of a context, the one that signs first. Raises TypeError if there are none."""
    if isinstance(context, str):
        return (context,)
    if isinstance(context, Sequence) and context and all(isinstance(secret, str) for secret in context):
        return context
    endpoint = getattr(context, "endpoint", context)
    found = getattr(endpoint, "secrets", None)
    if not found:
        raise TypeError(f"tokens need an endpoint, a socket, a channel or a secret, not {type(context).__name__}")
    return tuple(found)
