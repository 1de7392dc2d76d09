"""What an engine between nodes must do. Subclass these classes in a test module and give them an engine.

    import pytest

    from roost.broker.bridge.engine import EngineOptions
    from roost.testing.engine_conformance import EngineConformance, EngineLossConformance

    class TestMyEngine(EngineConformance):
        @pytest.fixture
        def engine(self):
            return MyEngine(EngineOptions(urls=("mine://localhost",)))

    class TestMyEngineGoes(EngineLossConformance):
        @pytest.fixture
        def server(self):  # a new one for each test
            with MyServer() as server:
                yield server

        @pytest.fixture
        def engine(self, server):
            return MyEngine(EngineOptions(urls=(server.url,)))

        @pytest.fixture
        def kill(self, server):
            return server.kill

They want pytest and pytest-asyncio, in either of its modes, and an engine that nobody else uses meanwhile.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from roost.broker.bridge.engine import Connection, Engine, EngineAway
from roost.broker.bridge.outgoing import ToSend

LIMIT = 10.0
"""Seconds in which what must come has come."""


class Ear:
    """A connection, and all that came by it."""

    def __init__(self) -> None:
        self.came: list[bytes] = []
        self.lost = asyncio.Event()
        self.times_lost = 0
        self.connection: Connection
        self._changed = asyncio.Event()

    async def open(self, engine: Engine) -> None:
        """Connect."""
        self.connection = await engine.connect(self._received, self._is_lost)

    async def hears(self, count: int) -> list[bytes]:
        """The first `count` messages; fails if they do not come, or more do."""
        async with asyncio.timeout(LIMIT):
            while len(self.came) < count:
                self._changed.clear()
                await self._changed.wait()
        assert len(self.came) == count, self.came[count:]
        return self.came

    def _received(self, data: bytes) -> None:
        self.came.append(data)
        self._changed.set()

    def _is_lost(self) -> None:
        self.times_lost += 1
        self.lost.set()


@pytest.mark.asyncio
class EngineConformance:
    """What holds while the engine is there. Needs a fixture `engine`."""

    @pytest_asyncio.fixture
    async def ears(self, engine: Engine) -> AsyncIterator[list[Ear]]:
        """Two connections."""
        async with contextlib.AsyncExitStack() as open_ones:
            ears = [Ear(), Ear()]
            for ear in ears:
                await ear.open(engine)
                open_ones.push_async_callback(ear.connection.close)
            yield ears

    async def test_what_is_published_comes(self, ears: list[Ear]) -> None:
        """Byte for byte."""
        here, there = ears
        message = bytes(range(256))
        await there.connection.subscribe(["roost.a", "roost.b.7"])
        await here.connection.publish([ToSend("roost.a", message), ToSend("roost.b.7", b"")])
        assert await there.hears(2) == [message, b""]

    async def test_nothing_else_comes(self, ears: list[Ear]) -> None:
        """Subjects are whole words; a part of one is another."""
        here, there = ears
        await there.connection.subscribe(["roost.b.7", "roost.last"])
        others = ["roost.b.70", "roost.b", "roost.b.7.1", "other.roost.b.7"]
        await here.connection.publish([*(ToSend(other, b"no") for other in others), ToSend("roost.last", b"yes")])
        assert await there.hears(1) == [b"yes"]

    async def test_what_one_publishes_comes_back(self, ears: list[Ear]) -> None:
        """Bridges listen for their own beats."""
        here, _ = ears
        await here.connection.subscribe(["roost.a"])
        await here.connection.publish([ToSend("roost.a", b"echo")])
        assert await here.hears(1) == [b"echo"]

    async def test_a_confirmed_subscription_hears_what_comes_next(self, ears: list[Ear]) -> None:
        """At once, again and again, with many subjects at a time."""
        here, there = ears
        for turn in range(50):
            await there.connection.subscribe([f"roost.{turn}.{number}" for number in range(20)])
            await here.connection.publish([ToSend(f"roost.{turn}.19", b"%d" % turn)])
        assert await there.hears(50) == [b"%d" % turn for turn in range(50)]

    async def test_what_was_published_before_does_not_come(self, ears: list[Ear]) -> None:
        """`publish` returns when the engine has taken it."""
        here, there = ears
        await here.connection.publish([ToSend("roost.a", b"early")])
        await there.connection.subscribe(["roost.a"])
        await here.connection.publish([ToSend("roost.a", b"late")])
        assert await there.hears(1) == [b"late"]

    async def test_order_is_kept_whatever_the_subjects(self, ears: list[Ear]) -> None:
        """Batch after batch, without waiting for what came."""
        here, there = ears
        await there.connection.subscribe([f"roost.b.{bucket}" for bucket in range(50)])
        sent = [ToSend(f"roost.b.{number * 7 % 50}", b"%d" % number) for number in range(5000)]
        for first in range(0, 5000, 250):
            await here.connection.publish(sent[first : first + 250])
        assert await there.hears(5000) == [data for _, data in sent]

    async def test_what_is_not_wanted_any_more_does_not_come(self, ears: list[Ear]) -> None:
        """And can be wanted again."""
        here, there = ears
        await there.connection.subscribe(["roost.a", "roost.b"])
        await there.connection.unsubscribe(["roost.a"])
        await there.connection.subscribe(["roost.c"])
        await here.connection.publish([ToSend("roost.a", b"no"), ToSend("roost.b", b"one")])
        await there.connection.subscribe(["roost.a"])
        await here.connection.publish([ToSend("roost.a", b"two")])
        assert await there.hears(2) == [b"one", b"two"]

    async def test_the_greatest_message(self, ears: list[Ear]) -> None:
        """At least 64 KiB, and several in one batch."""
        here, there = ears
        size = here.connection.max_message
        assert size >= 65_536
        await there.connection.subscribe(["roost.a"])
        await here.connection.publish([ToSend("roost.a", bytes([number]) * size) for number in range(3)])
        assert [(len(data), data[0]) for data in await there.hears(3)] == [(size, 0), (size, 1), (size, 2)]

    async def test_who_closes_is_not_told_that_it_is_lost(self, ears: list[Ear]) -> None:
        """And hears nothing more."""
        here, there = ears
        await there.connection.subscribe(["roost.a"])
        await there.connection.close()
        await here.connection.publish([ToSend("roost.a", b"late")])
        assert not there.lost.is_set()
        assert there.came == []

    async def test_it_says_what_it_is(self, engine: Engine, ears: list[Ear]) -> None:
        """For `roost status`, and for whether a confirmation is the last word."""
        assert engine.address
        assert ears[0].connection.spreads in (False, True)


@pytest.mark.asyncio
class EngineLossConformance:
    """What holds when the engine goes. Needs a fixture `engine`, and `kill`, which ends its server as kill -9 does."""

    async def test_who_is_connected_is_told_once(self, engine: Engine, kill: Callable[[], None]) -> None:
        """And can do nothing any more, without hanging."""
        ear = Ear()
        await ear.open(engine)
        await ear.connection.subscribe(["roost.a"])
        kill()
        async with asyncio.timeout(LIMIT):
            await ear.lost.wait()
            with pytest.raises(EngineAway):
                await ear.connection.publish([ToSend("roost.a", b"late")])
            with pytest.raises(EngineAway):
                await ear.connection.subscribe(["roost.b"])
            await ear.connection.close()
        assert ear.times_lost == 1

    async def test_nobody_is_there(self, engine: Engine, kill: Callable[[], None]) -> None:
        """It is said at once, or after a limit."""
        kill()
        async with asyncio.timeout(LIMIT):
            with pytest.raises(EngineAway):
                await engine.connect(lambda _: None, lambda: None)
