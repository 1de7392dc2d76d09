"""What a bridge needs of an engine between nodes, and where engines are found.

Built in are NATS and Redis. Another one is a package with an entry point in the group `roost.engines` whose name is
the scheme of its URLs; it leads to a callable that takes `EngineOptions` and answers an `Engine`.
`roost.testing.engine_conformance` has the tests that an engine has to pass.
"""

import ssl
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

from roost.broker.bridge.outgoing import ToSend
from roost.shared.config import Settings
from roost.shared.control import EngineOptions
from roost.shared.failures import CannotStart

__all__ = [
    "CannotStart",
    "Connection",
    "Engine",
    "EngineAway",
    "EngineOptions",
    "EngineRefuses",
    "ToSend",
    "find_engine",
]
"""What an engine of somebody else's needs."""

CONNECT_LIMIT: Final = 2.0
"""Seconds in which a connection to an engine is there, or is given up."""

_BUILT_IN: Final = {
    "nats": ("roost.broker.bridge.nats_engine", "NatsEngine", "nats"),
    "tls": ("roost.broker.bridge.nats_engine", "NatsEngine", "nats"),
    "redis": ("roost.broker.bridge.redis_engine", "RedisEngine", "redis"),
    "rediss": ("roost.broker.bridge.redis_engine", "RedisEngine", "redis"),
}


class EngineAway(Exception):
    """The engine cannot be reached, or the connection is gone; another attempt may help."""


class EngineRefuses(CannotStart):
    """The engine was reached and will not have us; the text is one sentence that says why."""


class Connection(Protocol):
    """One connection to an engine, never renewed: when it is gone, another is made.

    Messages of one connection reach another one in the order in which they were published, whatever their subjects.
    What is published comes back if one is subscribed to it oneself. Subjects are of lower-case letters, digits and
    dots.
    """

    max_message: int
    """Bytes that one message may have."""
    spreads: bool
    """Whether the engine is of several servers, so that one may confirm a subscription before the others know of it.
    It tells them of it before it hands on what is published by this connection behind it."""

    async def subscribe(self, subjects: list[str]) -> None:
        """Returns when the engine has confirmed: whatever it takes from now on comes.

        Raises EngineAway; EngineRefuses if it says that we may not.
        """

    async def unsubscribe(self, subjects: list[str]) -> None:
        """Nothing of these is wanted any more. Raises EngineAway."""

    async def publish(self, messages: list[ToSend]) -> None:
        """Returns when the engine has taken them all, in order.

        Raises EngineAway, then some of them or none; EngineRefuses if it says that we may not.
        """

    async def close(self) -> None:
        """End it, whatever the engine does; `lost` is not called any more."""


class Engine(Protocol):
    """Makes connections."""

    address: str
    """For people, without anything secret."""

    async def connect(self, received: Callable[[bytes], None], lost: Callable[[], None]) -> Connection:
        """A new connection. Raises EngineAway, EngineRefuses.

        `received` is called with each message, in order; `lost` once, when the connection has ended by itself.
        """


class Opening(Connection, Protocol):
    """A connection that has yet to be made."""

    async def open(self) -> None:
        """Raises EngineAway, EngineRefuses."""


Opened = TypeVar("Opened", bound=Opening)


async def open_first(openings: Iterable[Opened]) -> Opened:
    """The first of several, to whichever server each leads, that can be made. Raises EngineAway, EngineRefuses."""
    away = EngineAway("there is no server")
    for opening in openings:
        try:
            await opening.open()
        except EngineAway as why:
            await opening.close()
            away = why
        except EngineRefuses:
            await opening.close()
            raise
        else:
            return opening
    raise away


def engine_options(settings: Settings) -> EngineOptions:
    """What the settings say of the engine."""
    return EngineOptions(
        settings.cluster,
        settings.cluster_name,
        settings.cluster_credentials,
        settings.cluster_cafile,
        settings.cluster_certfile,
        settings.cluster_keyfile,
    )


def find_engine(options: EngineOptions) -> Engine:
    """The engine of the options' URLs. Raises CannotStart."""
    scheme = options.urls[0].partition("://")[0]
    if scheme in _BUILT_IN:
        module, name, extra = _BUILT_IN[scheme]
        try:
            made: Engine = getattr(import_module(module), name)(options)
        except ModuleNotFoundError as missing:
            package = str(missing.name).partition(".")[0]
            raise CannotStart(f"ROOST_CLUSTER: {scheme}:// needs {package}: pip install 'roost[{extra}]'") from None
        return made
    for found in entry_points(group="roost.engines"):
        if found.name == scheme:
            other: Engine = found.load()(options)
            return other
    raise CannotStart(f"ROOST_CLUSTER: no engine has addresses that begin with {scheme}://")


def shown_address(url: str) -> str:
    """A URL without user, password, token and query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}"


def tls_context(options: EngineOptions) -> ssl.SSLContext | None:
    """What the options say of TLS; None if nothing. Raises CannotStart."""
    if options.keyfile and not options.certfile:
        raise CannotStart("ROOST_CLUSTER_KEYFILE is the key of a certificate, and there is no ROOST_CLUSTER_CERTFILE")
    if not (options.cafile or options.certfile):
        return None
    try:
        context = ssl.create_default_context(cafile=options.cafile)
        if options.certfile:
            context.load_cert_chain(options.certfile, options.keyfile)
    except OSError as error:
        raise CannotStart(f"ROOST_CLUSTER_CAFILE, CERTFILE or KEYFILE cannot be used: {error}") from None
    return context
