"""JSON Web Tokens in `connect` (extra `roost[jwt]`): checked with a secret, a public key, or keys that a URL serves."""

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from roost.gateway.replies import Error, Ok

try:
    import jwt
except ImportError:  # pragma: no cover - the dev environment has it
    raise ImportError('roost.jwt needs PyJWT: pip install "roost[jwt]"') from None

FETCH_LIMIT: Final = 5.0
"""Seconds in which a URL answers with its keys."""
MAX_KEYS_BYTES: Final = 1024 * 1024
KEEP_SECONDS: Final = 3600.0
"""Seconds after which keys are fetched again."""
UNKNOWN_SECONDS: Final = 30.0
"""Seconds between two fetches because of tokens whose key is not known: anybody can make such a token."""
MAX_TOKEN_CHARS: Final = 16_384
ASYMMETRIC: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")

_log = logging.getLogger("roost.jwt")


class Jwt:
    """How tokens are verified. Make one at the start, with `with_secret`, `with_public_key` or `with_key_set`."""

    def __init__(
        self,
        keys: "_Keys",
        algorithms: Sequence[str],
        *,
        audience: str | None = None,
        issuer: str | None = None,
        leeway: float = 0.0,
    ) -> None:
        """`leeway`: seconds by which clocks may differ."""
        self._keys = keys
        self._algorithms = list(algorithms)
        self._audience = audience
        self._issuer = issuer
        self._leeway = leeway

    @classmethod
    def with_secret(cls, *secrets: str, algorithms: Sequence[str] = ("HS256",), **options: Any) -> "Jwt":
        """For tokens signed with a shared secret; of several each will do, so that a secret can be replaced."""
        if any(len(secret) < 32 for secret in secrets) or not secrets:
            raise ValueError("a secret for HS256 has at least 32 characters (RFC 7518, section 3.2)")
        return cls(_FixedKeys(secrets), _only(algorithms, symmetric=True), **options)

    @classmethod
    def with_public_key(cls, *pems: str, algorithms: Sequence[str] = ASYMMETRIC, **options: Any) -> "Jwt":
        """For tokens signed with a private key; of several public keys (PEM) each will do."""
        return cls(_FixedKeys(pems), _only(algorithms, symmetric=False), **options)

    @classmethod
    def with_key_set(cls, url: str, *, algorithms: Sequence[str] = ASYMMETRIC, **options: Any) -> "Jwt":
        """For tokens whose key a URL serves as a JSON Web Key Set (RFC 7517). Raises ValueError for plain http.

        Keys are fetched when they are first needed, every hour, and when a token names one that is not known.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError(f"keys come by https, for whoever changes them on the way can sign: not {url!r}")
        return cls(_KeySet(url), _only(algorithms, symmetric=False), **options)

    async def verify(self, token: Any) -> Ok | Error:
        """`Ok(claims)`, or `Error("missing")`, `Error("invalid")`, `Error("expired")`."""
        if token is None:
            return Error("missing")
        if not isinstance(token, str) or len(token) > MAX_TOKEN_CHARS:
            return Error("invalid")
        try:
            name = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError:
            return Error("invalid")
        verdict = Error("invalid")
        for key in await self._keys.of(name):
            try:
                return Ok(self._decode(token, key))
            except jwt.ExpiredSignatureError:
                verdict = Error("expired")
            except (jwt.PyJWTError, ValueError, TypeError):
                continue  # it is another key's, or nobody's
        return verdict

    def _decode(self, token: str, key: Any) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=self._algorithms,
            audience=self._audience,
            issuer=self._issuer,
            leeway=self._leeway,
            options={"verify_aud": self._audience is not None},
        )


class _Keys:
    """Where keys come from."""

    async def of(self, name: str | None) -> Sequence[Any]:
        """The keys that a token may be signed with, which names one of them or none."""
        raise NotImplementedError


class _FixedKeys(_Keys):
    def __init__(self, keys: Sequence[str]) -> None:
        self._fixed = keys

    async def of(self, name: str | None) -> Sequence[Any]:
        del name
        return self._fixed


class _KeySet(_Keys):
    """Keys that a URL serves. When it does not answer, those that it served last are good."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: dict[str | None, Any] = {}
        self._fetched = -KEEP_SECONDS
        self._tried = -UNKNOWN_SECONDS
        self._fetching = asyncio.Lock()

    async def of(self, name: str | None) -> Sequence[Any]:
        if self._is_due(name):
            async with self._fetching:
                if self._is_due(name):  # nobody has fetched them meanwhile
                    await self._fetch()
        if name is None:
            return list(self._known.values())
        return [self._known[name]] if name in self._known else []

    def _is_due(self, name: str | None) -> bool:
        now = time.monotonic()
        old = now - self._fetched >= KEEP_SECONDS
        unknown = name is not None and name not in self._known
        return (old or unknown) and now - self._tried >= UNKNOWN_SECONDS

    async def _fetch(self) -> None:
        self._tried = time.monotonic()
        try:
            body = await asyncio.to_thread(_get, self._url)
            keys = jwt.PyJWKSet.from_dict(json.loads(body)).keys
        except (URLError, OSError, ValueError, jwt.PyJWTError) as error:
            _log.warning("the keys at %s cannot be had, those that are known stay good: %s", self._url, error)
            return
        self._known = {key.key_id: key.key for key in keys}
        self._fetched = self._tried


def _get(url: str) -> bytes:
    request = Request(url, headers={"accept": "application/json"})  # noqa: S310 - the scheme was checked
    with urlopen(request, timeout=FETCH_LIMIT) as answer:  # noqa: S310
        body: bytes = answer.read(MAX_KEYS_BYTES + 1)
    if len(body) > MAX_KEYS_BYTES:
        raise ValueError(f"more than {MAX_KEYS_BYTES} bytes of keys")
    return body


def _only(algorithms: Sequence[str], *, symmetric: bool) -> Sequence[str]:
    """Raises ValueError: a public key taken for a secret would let everybody sign."""
    wrong = [one for one in algorithms if one.startswith("HS") is not symmetric or one == "none"]
    if wrong or not algorithms:
        kind = "a secret is for HS256, HS384, HS512" if symmetric else f"a public key is for {', '.join(ASYMMETRIC)}"
        raise ValueError(f"{kind}, not {', '.join(wrong) or 'nothing'}")
    return algorithms
