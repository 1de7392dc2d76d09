"""Which pages may connect: the rules of Phoenix's `check_origin`. Pure.

A browser says in the `Origin` header whose page it is that connects; other programs send none and are not asked.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_URL: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?"
    r"//(?:[^/?#@]*@)?(?:\[(?P<address>[^\]/?#]*)\]|(?P<host>[^:/?#\[\]]*))(?::(?P<port>[0-9]{0,5}))?(?:[/?#].*)?"
)
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
"""A node of host `localhost` listens on all three, and a page of one may connect to another."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a page, or of an entry in a list of those that may connect."""

    text: str
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    """The scheme's own unless another is given."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Any text: what has no host that can be made out, such as `null`, is an origin without one."""
        match = _URL.fullmatch(text)
        host = match and (match["address"] or match["host"])
        if match is None or not host:
            return cls(text)
        scheme = match["scheme"].lower() if match["scheme"] else None
        port = int(match["port"]) if match["port"] else _PORTS.get(scheme or "")
        return cls(text, scheme, host, port)


CheckOrigin = bool | Literal["conn"] | Sequence[str] | Callable[[Origin], bool]
"""True: pages of the endpoint's own host. False: any page. A list: pages of these origins. `conn`: pages with scheme,
host and port of the request itself. A function is given the `Origin` and answers whether it may."""


OriginPolicy = Callable[[Origin, Origin, str | None], bool]
"""A `check_origin` that was read: the page's origin, the URL of its request, the endpoint's host; whether it may."""


def read_check_origin(check: Any) -> OriginPolicy | None:
    """The policy; None if nothing is checked. Raises ValueError or TypeError, saying what would have been right."""
    if check is True:
        return _own_host
    if check is False:
        return None
    if check == "conn":
        return _same_origin
    if callable(check):
        return lambda origin, _request, _host: bool(check(origin))
    if isinstance(check, Sequence) and not isinstance(check, str) and all(isinstance(entry, str) for entry in check):
        allowed = tuple(_read_entry(entry) for entry in check)
        return lambda origin, _request, _host: any(_matches(origin, entry) for entry in allowed)
    raise TypeError(f'check_origin is True, False, "conn", a list of origins or a function, not {check!r}')


def _own_host(origin: Origin, _request: Origin, host: str | None) -> bool:
    if origin.host is None:
        return False
    if host in _LOOPBACK:
        return origin.host in _LOOPBACK
    return host is None or origin.host == host


def _same_origin(origin: Origin, request: Origin, _host: str | None) -> bool:
    return origin.host is not None and (origin.scheme, origin.host, origin.port) == (
        request.scheme,
        request.host,
        request.port,
    )


def _matches(origin: Origin, allowed: Origin) -> bool:
    return (
        allowed.scheme in (None, origin.scheme)
        and allowed.port in (None, origin.port)
        and _matches_host(origin.host, str(allowed.host))
    )


def _matches_host(host: str | None, allowed: str) -> bool:
    if host is None:
        return False
    if allowed.startswith("*."):
        return host == allowed[2:] or host.endswith(allowed[1:])
    return host == allowed


def _read_entry(text: str) -> Origin:
    entry = Origin.parse(text)
    if entry.host is None or "*" in entry.host.removeprefix("*."):
        raise ValueError(
            f"check_origin: {text!r} is no origin; write https://example.com, //example.com or //*.example.com"
        )
    return entry
