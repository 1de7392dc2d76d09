"""NATS as the engine between nodes."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nkeys
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import AuthorizationError, Error

from roost.broker.bridge.engine import CONNECT_LIMIT, EngineAway, EngineRefuses, open_first, shown_address, tls_context
from roost.broker.bridge.outgoing import ToSend
from roost.shared.control import EngineOptions
from roost.shared.failures import CannotStart

if TYPE_CHECKING:
    from nats.aio.subscription import Subscription

ANSWER_LIMIT: Final = 3600
"""Seconds for an answer of the server: whether it still answers is asked by the bridge, of its own beats."""
CLOSE_LIMIT: Final = 0.5
"""Seconds in which a connection takes leave; it is ended all the same."""

LOOK_PERIOD: Final = 0.2
"""Seconds between two looks whether a connection has ended: the library does not always call back when it has."""

_GONE: Final = (OSError, Error, RuntimeError)
"""What the library raises when the connection is gone; a RuntimeError is uvloop's, of a transport that is closed."""

_log = logging.getLogger("roost.bridge")
# What it logs are connections that have ended, with tracebacks; the bridge says so in a sentence.
logging.getLogger("nats").setLevel(logging.CRITICAL)


class NoTls(Error):
    """The server speaks no TLS, and it was asked for."""


class TlsClient(Client):
    """Speaks TLS or not at all: the library goes on without, password and all, if the server does not ask for it."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if initial_connection and not (info.get("tls_required") or info.get("tls_available")):
            raise NoTls
        info["tls_required"] = True
        await super()._process_info(info, initial_connection)


class NatsEngine:
    """Connections to the servers of one NATS, one after another."""

    def __init__(self, options: EngineOptions) -> None:
        """Raises CannotStart."""
        self.address = ", ".join(map(shown_address, options.urls))
        self._servers = cycle(options.urls)
        self._number = len(options.urls)
        self._options: dict[str, Any] = _credentials(options.credentials)
        if (context := tls_context(options)) is not None:
            self._options["tls"] = context

    async def connect(self, received: Callable[[bytes], None], lost: Callable[[], None]) -> "NatsConnection":
        """To whichever server answers first. Raises EngineAway, EngineRefuses."""
        servers = islice(self._servers, self._number)
        return await open_first(NatsConnection(url, self._options, received, lost) for url in servers)


class NatsConnection:
    """One connection."""

    def __init__(
        self, url: str, options: dict[str, Any], received: Callable[[bytes], None], lost: Callable[[], None]
    ) -> None:
        self.max_message = 0
        self.spreads = False
        self._url = url
        self._options = options
        self._received = received
        self._lost = lost
        self._ended = False
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._refused = ""
        """What the server said that we may not."""
        self._client = TlsClient() if url.startswith("tls:") or "tls" in options else Client()
        # The library makes a message in the order of arrival, and then hands it on by a task for each subscription,
        # which does not keep the order between them. So it is taken where it is made, and nobody waits for it.
        self._client.msg_class = self._arrived  # type: ignore[assignment]
        self._nobody: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._nobody.cancel()
        self._subscriptions: dict[str, Subscription] = {}
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Raises EngineAway, EngineRefuses."""
        where = shown_address(self._url)
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                await self._client.connect(
                    servers=[self._url],
                    name="roost",
                    allow_reconnect=False,
                    connect_timeout=int(CONNECT_LIMIT),
                    ping_interval=ANSWER_LIMIT,
                    closed_cb=self._on_closed,
                    error_cb=self._on_error,
                    **self._options,
                )
        except NoTls:
            raise EngineRefuses(f"{where} speaks no TLS, and that was asked for") from None
        except AuthorizationError:
            raise EngineRefuses(f"{where} does not accept the credentials") from None
        except ssl.SSLError as error:
            raise EngineRefuses(f"{where} cannot be trusted, or does not trust us: {error}") from None
        except (*_GONE, TimeoutError) as error:
            if "authorization" in str(error).lower():
                raise EngineRefuses(f"{where} does not accept the credentials") from None
            raise EngineAway(f"{where}: {str(error) or type(error).__name__}") from None
        self.max_message = self._client.max_payload
        self.spreads = "cluster" in self._client._server_info  # noqa: SLF001 - the library tells it nobody
        self._watching = asyncio.ensure_future(self._watch())

    async def subscribe(self, subjects: list[str]) -> None:
        """Raises EngineAway, EngineRefuses."""
        try:
            for subject in subjects:
                self._subscriptions[subject] = await self._client.subscribe(subject, future=self._nobody)
            await self._answer()
        except _GONE as error:
            raise EngineAway(str(error)) from None

    async def unsubscribe(self, subjects: list[str]) -> None:
        """Raises EngineAway."""
        try:
            for subject in subjects:
                await self._subscriptions.pop(subject).unsubscribe()
        except _GONE as error:
            raise EngineAway(str(error)) from None

    async def publish(self, messages: list[ToSend]) -> None:
        """Raises EngineAway, EngineRefuses."""
        try:
            for subject, data in messages:
                await self._client.publish(subject, data)
            await self._answer()
        except _GONE as error:
            raise EngineAway(str(error)) from None

    async def close(self) -> None:
        """End it."""
        self._ended = True
        if self._watching is not None:
            self._watching.cancel()
        # AssertionError is the library's, of a client that never connected.
        with contextlib.suppress(*_GONE, TimeoutError, AssertionError):
            async with asyncio.timeout(CLOSE_LIMIT):
                await self._client.close()

    def _arrived(self, **message: Any) -> Msg:
        if not self._ended:
            self._received(message["data"])
        return Msg(**message)

    async def _on_error(self, error: Exception) -> None:
        if not self.max_message:
            # Else the library would try again before it says so.
            raise error
        if "permissions violation" in str(error).lower():
            self._refused = f"{shown_address(self._url)} does not let us: {error}"
        _log.debug("NATS: %s", error)

    async def _answer(self) -> None:
        """Wait until the server has answered all that was said. Raises EngineAway, EngineRefuses."""
        flush = asyncio.ensure_future(self._client.flush(ANSWER_LIMIT))
        # The library leaves those who wait for an answer alone when it closes.
        await asyncio.wait([flush, self._gone], return_when=asyncio.FIRST_COMPLETED)
        if not flush.done():
            flush.cancel()
            raise EngineAway("the connection has ended")
        flush.result()
        if self._refused:
            raise EngineRefuses(self._refused)

    async def _watch(self) -> None:
        while not self._client.is_closed:
            await asyncio.sleep(LOOK_PERIOD)
        await self._on_closed()

    async def _on_closed(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        if not self._ended:
            self._ended = True
            self._lost()


def _credentials(file: str | None) -> dict[str, Any]:
    """What the library is told of a file with credentials. Raises CannotStart."""
    if file is None:
        return {}
    try:
        text = Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotStart(f"ROOST_CLUSTER_CREDENTIALS {file} cannot be read: {error}") from None
    if "BEGIN NATS USER JWT" in text:
        return {"user_credentials": file}
    try:
        nkeys.from_seed(bytearray(text.strip().encode())).wipe()
    except (nkeys.NkeysError, ValueError):
        raise CannotStart(f"ROOST_CLUSTER_CREDENTIALS {file} has no NATS credentials, and no seed of an nkey") from None
    return {"nkeys_seed": file}
