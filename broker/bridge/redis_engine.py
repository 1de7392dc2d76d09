"""Redis, or Valkey, as the engine between nodes."""

import asyncio
import contextlib
from collections.abc import Callable
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from roost.broker.bridge.engine import CONNECT_LIMIT, EngineAway, EngineRefuses, open_first, shown_address, tls_context
from roost.broker.bridge.outgoing import ToSend
from roost.shared.control import EngineOptions
from roost.shared.failures import CannotStart

if TYPE_CHECKING:
    from redis.asyncio.client import PubSub

MAX_MESSAGE: Final = 1024 * 1024
"""Redis would take more; but what a subscriber has not read is bounded (`client-output-buffer-limit`)."""
CLOSE_LIMIT: Final = 0.5
"""Seconds in which a connection takes leave; it is ended all the same."""


class RedisEngine:
    """Connections to one Redis, at whichever of its addresses answers."""

    def __init__(self, options: EngineOptions) -> None:
        """Raises CannotStart."""
        if options.credentials is not None:
            raise CannotStart("ROOST_CLUSTER_CREDENTIALS is for NATS: Redis has user and password in ROOST_CLUSTER")
        self.address = ", ".join(map(shown_address, options.urls))
        self._servers = cycle(options.urls)
        self._number = len(options.urls)
        if tls_context(options) is not None and not all(url.startswith("rediss:") for url in options.urls):
            raise CannotStart(
                "ROOST_CLUSTER_CAFILE or CERTFILE is there, but redis:// is not encrypted: write rediss://"
            )
        tls = {"ssl_ca_certs": options.cafile, "ssl_certfile": options.certfile, "ssl_keyfile": options.keyfile}
        self._tls: dict[str, Any] = {name: file for name, file in tls.items() if file is not None}
        self._tls["ssl_check_hostname"] = True
        for url in options.urls:
            _check(url, self._tls)

    async def connect(self, received: Callable[[bytes], None], lost: Callable[[], None]) -> "RedisConnection":
        """To whichever server answers first. Raises EngineAway, EngineRefuses."""
        servers = islice(self._servers, self._number)
        return await open_first(RedisConnection(url, self._tls, received, lost) for url in servers)


class RedisConnection:
    """One connection: to the server two, since one that is subscribed does nothing else."""

    max_message = MAX_MESSAGE
    spreads = False

    def __init__(
        self, url: str, tls: dict[str, Any], received: Callable[[bytes], None], lost: Callable[[], None]
    ) -> None:
        self._where = shown_address(url)
        self._received = received
        self._lost = lost
        self._client: Redis = Redis.from_url(
            url,
            **_tls_of(url, tls),
            protocol=2,
            socket_connect_timeout=CONNECT_LIMIT,
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            retry_on_error=[],
            health_check_interval=0,
        )
        self._pubsub: PubSub = self._client.pubsub()
        self._confirmations: dict[bytes, asyncio.Future[None]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._ended = False
        self._why: EngineAway | EngineRefuses = EngineAway("the connection has ended")

    async def open(self) -> None:
        """Raises EngineAway, EngineRefuses."""
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                await self._client.execute_command("PING")  # type: ignore[no-untyped-call]
                await self._pubsub.connect()  # type: ignore[no-untyped-call]
        except (AuthenticationError, NoPermissionError) as error:
            raise EngineRefuses(f"{self._where} does not accept the credentials: {error}") from None
        except (OSError, RedisError, TimeoutError) as error:
            if "CERTIFICATE" in str(error).upper():
                raise EngineRefuses(f"{self._where} cannot be trusted, or does not trust us: {error}") from None
            raise EngineAway(f"{self._where}: {str(error) or type(error).__name__}") from None

    async def subscribe(self, subjects: list[str]) -> None:
        """Raises EngineAway, EngineRefuses."""
        if self._ended:
            raise self._why
        loop = asyncio.get_running_loop()
        confirmed = [self._confirmations.setdefault(subject.encode(), loop.create_future()) for subject in subjects]
        try:
            if subjects:
                await self._pubsub.subscribe(*subjects)
                self._read()
                await asyncio.gather(*confirmed)
        except (OSError, RedisError) as error:
            raise EngineAway(str(error)) from None

    async def unsubscribe(self, subjects: list[str]) -> None:
        """Raises EngineAway."""
        try:
            if subjects:
                await self._pubsub.unsubscribe(*subjects)
        except (OSError, RedisError) as error:
            raise EngineAway(str(error)) from None

    async def publish(self, messages: list[ToSend]) -> None:
        """Raises EngineAway, EngineRefuses."""
        if self._ended:
            raise self._why
        pipeline = self._client.pipeline(transaction=False)
        for subject, data in messages:
            pipeline.publish(subject, data)
        try:
            await pipeline.execute()
        except NoPermissionError as error:
            raise self._forbidden(error) from None
        except (OSError, RedisError) as error:
            raise EngineAway(str(error)) from None

    async def close(self) -> None:
        """End it."""
        self._ended = True
        if self._reading is not None:
            self._reading.cancel()
        with contextlib.suppress(OSError, RedisError, TimeoutError):
            async with asyncio.timeout(CLOSE_LIMIT):
                await self._pubsub.aclose()  # type: ignore[no-untyped-call]
                await self._client.aclose()

    def _read(self) -> None:
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._keep_reading())

    async def _keep_reading(self) -> None:
        try:
            while True:
                message: dict[str, Any] | None = await self._pubsub.get_message(timeout=None)
                if message is not None:
                    self._take(message)
        except NoPermissionError as error:
            self._why = self._forbidden(error)
            self._end()
        except (OSError, RedisError):
            self._end()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "message":
            self._received(message["data"])
        elif message["type"] == "subscribe" and (confirmed := self._confirmations.pop(message["channel"], None)):
            confirmed.set_result(None)

    def _end(self) -> None:
        for confirmed in self._confirmations.values():
            confirmed.set_exception(self._why)
        self._confirmations.clear()
        if not self._ended:
            self._ended = True
            self._lost()

    def _forbidden(self, error: NoPermissionError) -> EngineRefuses:
        return EngineRefuses(f"{self._where} does not let us: {error}")


def _tls_of(url: str, tls: dict[str, Any]) -> dict[str, Any]:
    return tls if url.startswith("rediss:") else {}


def _check(url: str, tls: dict[str, Any]) -> None:
    """Raises CannotStart for an address that the library would find wrong each time anew."""
    try:
        Redis.from_url(url, **_tls_of(url, tls)).connection_pool.make_connection()  # type: ignore[no-untyped-call]
    except (TypeError, ValueError) as error:
        raise CannotStart(f"ROOST_CLUSTER: {shown_address(url)} cannot be used: {error}") from None
