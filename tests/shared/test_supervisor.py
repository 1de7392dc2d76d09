"""The supervisor with real children: kept alive, given up, stopped, and dead when it is."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared import liveness
from roost.shared import supervisor as supervision
from roost.shared.control import AskStatus, Message, Ready, StartWorker
from roost.shared.failures import CannotStart
from roost.shared.inspection import AskTopics
from roost.shared.link import Refused
from roost.shared.supervisor import Child, RestartIntensity, Supervisor
from tests.e2e.node import children, lives
from tests.limits import LIMIT
from tests.shared.processes import dies, running, says

STALL_LIMIT = 2.0
"""Seconds in which even a busy machine lets a child answer."""


class Family:
    """A supervisor of `kept_child`, with what was heard from its children."""

    def __init__(self, stall_limit: float = 60.0) -> None:
        self.numbers = count(1)
        self.ready: asyncio.Queue[Child] = asyncio.Queue()
        self.exited: asyncio.Queue[Child] = asyncio.Queue()
        self.supervisor = Supervisor(
            "tests.shared.kept_child", self._told, self._asked, self.exited.put_nowait, stall_limit=stall_limit
        )

    def keep(self, name: str, app: str = "serve") -> None:
        async def prepare() -> StartWorker:
            return StartWorker(next(self.numbers), "", app, (), ())

        self.supervisor.keep(name, prepare)

    async def next_ready(self) -> Child:
        return await asyncio.wait_for(self.ready.get(), LIMIT)

    async def next_exited(self) -> Child:
        return await asyncio.wait_for(self.exited.get(), LIMIT)

    async def gave_up(self) -> str:
        return await asyncio.wait_for(self.supervisor.gave_up, LIMIT)

    def _told(self, child: Child, message: Message) -> None:
        assert isinstance(message, Ready)
        assert child.ready.is_set()
        self.ready.put_nowait(child)

    async def _asked(self, child: Child, message: Message) -> Any:
        if isinstance(message, AskTopics):
            return f"{message.prefix} for {child.name}"
        raise Refused("not known here")


@pytest.fixture
async def family() -> AsyncIterator[Family]:
    family = Family()
    yield family
    pids = [child.pid for child in family.supervisor.children.values()]
    await asyncio.wait_for(family.supervisor.stop(LIMIT), 2 * LIMIT)
    assert all(dies(pid) for pid in pids)
    assert family.supervisor.children == {}


class TestKeeping:
    """One for one: a child that dies is started again, and no other."""

    async def test_children_are_started_and_known_by_name(self, family: Family) -> None:
        family.keep("a")
        family.keep("b")
        children = {child.name: child for child in (await family.next_ready(), await family.next_ready())}
        assert children == family.supervisor.children
        assert {name: child.process.returncode for name, child in children.items()} == {"a": None, "b": None}

    async def test_many_are_started_one_a_turn_so_that_their_supervisor_answers_meanwhile(self, family: Family) -> None:
        before = started = len(children(os.getpid()))
        for name in "abcdefgh":
            family.keep(name)
        while started < before + 8:
            await asyncio.sleep(0)
            now = len(children(os.getpid()))
            assert now - started <= 1
            started = now
        for _ in range(8):
            await family.next_ready()

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
    async def test_a_child_that_dies_is_started_again(self, family: Family, how: signal.Signals) -> None:
        family.keep("a")
        family.keep("b")
        children = {child.name: child for child in (await family.next_ready(), await family.next_ready())}
        os.kill(children["a"].pid, how)
        assert await family.next_exited() is children["a"]
        again = await family.next_ready()
        assert again.name == "a"
        assert again.pid != children["a"].pid
        assert again.start == StartWorker(3, "", "serve", (), ())
        assert family.supervisor.children == {"a": again, "b": children["b"]}
        assert family.supervisor.restarts == 1
        assert not family.supervisor.gave_up.done()

    async def test_children_do_not_hear_the_signals_meant_for_their_supervisor(self, family: Family) -> None:
        family.keep("a")
        child = await family.next_ready()
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(child.pid, number)
        assert await child.link.ask(AskStatus(), int, LIMIT) == 1

    async def test_each_is_asked_and_the_silent_are_named(self, family: Family) -> None:
        for name, app in (("a", "serve"), ("b", "serve"), ("c", "deaf")):
            family.keep(name, app)
        for _ in range(3):
            await family.next_ready()
        answers, silent = await family.supervisor.ask_all(AskStatus(), int, 1.0)
        assert len(set(answers)) == 2
        assert silent == ["c"]
        await family.supervisor.stop(0.01, "c")

    async def test_children_may_ask_too(self, family: Family) -> None:
        family.keep("a")
        child = await family.next_ready()
        assert await child.link.ask(AskTopics("room:"), str, LIMIT) == "room: for a"


class TestGivingUp:
    """What starting again does not help against."""

    async def test_a_child_that_always_dies(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(supervision, "MAX_RESTARTS", 2)
        family = Family()
        family.keep("a", "exit")
        sentence = await family.gave_up()
        assert sentence.startswith("a ")
        assert "more than 2 restarts" in sentence
        assert family.supervisor.restarts == 2
        assert [(await family.next_exited()).process.returncode for _ in range(3)] == [3, 3, 3]

    async def test_a_child_that_says_so_itself(self, family: Family) -> None:
        family.keep("a", "fail")
        assert await family.gave_up() == "it cannot work like this"
        await family.next_exited()
        assert family.supervisor.restarts == 0

    async def test_a_child_that_cannot_be_prepared(self, family: Family) -> None:
        async def prepare() -> StartWorker:
            raise OSError("no room")

        family.supervisor.keep("a", prepare)
        assert await family.gave_up() == "a cannot be started: no room"


class TestStopping:
    """Asked first, killed when that does not help, and never started again."""

    async def test_all_stop_when_told(self, family: Family) -> None:
        for name in "abc":
            family.keep(name)
        children = [await family.next_ready() for _ in range(3)]
        assert await asyncio.wait_for(family.supervisor.stop(LIMIT), LIMIT) == []
        assert [child.process.returncode for child in children] == [0, 0, 0]
        assert family.supervisor.children == {}
        assert family.exited.qsize() == 3

    async def test_one_stops_and_the_others_go_on(self, family: Family) -> None:
        family.keep("a")
        family.keep("b")
        children = {child.name: child for child in (await family.next_ready(), await family.next_ready())}
        await asyncio.wait_for(family.supervisor.stop(LIMIT, "a"), LIMIT)
        assert family.supervisor.children == {"b": children["b"]}
        assert await children["b"].link.ask(AskStatus(), int, LIMIT)
        assert family.ready.empty()

    async def test_one_that_does_not_stop_is_killed_after_the_limit(self, family: Family) -> None:
        family.keep("a", "deaf")
        child = await family.next_ready()
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await asyncio.wait_for(family.supervisor.stop(0.2), LIMIT) == ["a"]
        assert loop.time() - began >= 0.2
        assert child.process.returncode == -signal.SIGKILL
        assert family.supervisor.children == {}

    async def test_one_that_is_stopped_by_a_signal_is_killed_too(self, family: Family) -> None:
        family.keep("a")
        child = await family.next_ready()
        os.kill(child.pid, signal.SIGSTOP)
        await asyncio.wait_for(family.supervisor.stop(0.1), LIMIT)
        assert child.process.returncode == -signal.SIGKILL

    @pytest.mark.parametrize("turns", range(4))
    async def test_one_that_is_being_spawned_does_not_outlive_it(self, family: Family, turns: int) -> None:
        before = set(children(os.getpid()))
        family.keep("a")
        while not (spawned := set(children(os.getpid())) - before):
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.wait_for(family.supervisor.stop(LIMIT), LIMIT)
        assert not any(map(lives, spawned))

    async def test_one_that_is_being_prepared_is_not_started(self, family: Family) -> None:
        preparing = asyncio.Event()

        async def prepare() -> StartWorker:
            preparing.set()
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

        family.supervisor.keep("a", prepare)
        await asyncio.wait_for(preparing.wait(), LIMIT)
        await asyncio.wait_for(family.supervisor.stop(LIMIT), LIMIT)
        assert family.ready.empty()
        assert family.exited.empty()


class TestAdding:
    """One more, if it starts; the others notice nothing."""

    async def add(self, family: Family, name: str, app: str) -> None:
        async def prepare() -> StartWorker:
            return StartWorker(next(family.numbers), "", app, (), ())

        await asyncio.wait_for(family.supervisor.add(name, prepare), LIMIT)

    async def test_one_that_starts_is_kept(self, family: Family) -> None:
        await self.add(family, "a", "serve")
        child = await family.next_ready()
        assert family.supervisor.children == {"a": child}
        os.kill(child.pid, signal.SIGKILL)
        assert (await family.next_ready()).name == "a"

    @pytest.mark.parametrize(
        ("app", "why"),
        [("fail", "it cannot work like this"), ("exit", "b exited with status 3 before it was ready")],
    )
    async def test_one_that_does_not_is_not_kept_and_nobody_gives_up(self, family: Family, app: str, why: str) -> None:
        family.keep("a")
        child = await family.next_ready()
        with pytest.raises(CannotStart) as refused:
            await self.add(family, "b", app)
        assert str(refused.value) == why
        assert family.supervisor.children == {"a": child}
        assert not family.supervisor.gave_up.done()
        assert family.supervisor.restarts == 0
        await self.add(family, "b", "serve")  # the name is free again

    async def test_one_that_is_never_ready_is_killed(self, family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(supervision, "START_LIMIT", 0.5)
        with pytest.raises(CannotStart, match="b was not ready within"):
            await self.add(family, "b", "never ready")
        assert family.supervisor.children == {}


class TestStalling:
    """One that has stopped answering is killed, and then it is one that died."""

    @pytest.fixture
    async def impatient(self) -> AsyncIterator[Family]:
        family = Family(stall_limit=STALL_LIMIT)
        yield family
        await asyncio.wait_for(family.supervisor.stop(LIMIT), 2 * LIMIT)

    async def test_one_that_was_suspended_is_killed_and_started_again(
        self, impatient: Family, caplog: pytest.LogCaptureFixture
    ) -> None:
        impatient.keep("a")
        impatient.keep("b")
        children = {child.name: child for child in (await impatient.next_ready(), await impatient.next_ready())}
        loop = asyncio.get_running_loop()
        os.kill(children["a"].pid, signal.SIGSTOP)
        suspended = loop.time()
        assert await impatient.next_exited() is children["a"]
        assert loop.time() - suspended >= 0.8 * STALL_LIMIT
        assert children["a"].process.returncode == -signal.SIGKILL
        again = await impatient.next_ready()
        assert impatient.supervisor.children == {"a": again, "b": children["b"]}
        (said,) = [record.getMessage() for record in caplog.records]
        assert said == f"a (pid {children['a'].pid}) did not answer for 2 s and was killed; starting it again"

    async def test_one_that_is_being_started_has_longer(
        self, impatient: Family, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(liveness, "START_LIMIT", 2 * STALL_LIMIT)
        impatient.keep("a", "never ready")
        loop = asyncio.get_running_loop()
        began = loop.time()
        child = await impatient.next_exited()
        assert loop.time() - began >= 1.6 * STALL_LIMIT
        assert child.stalled == pytest.approx(2 * STALL_LIMIT)

    async def test_one_that_answers_lives(self, impatient: Family) -> None:
        impatient.keep("a")
        child = await impatient.next_ready()
        loop = asyncio.get_running_loop()
        until = loop.time() + 1.5 * STALL_LIMIT
        while loop.time() < until:
            assert await child.link.ask(AskStatus(), int, LIMIT) == 1
        assert impatient.supervisor.children == {"a": child}

    async def test_a_supervisor_that_was_itself_suspended_blames_nobody(self) -> None:
        with running("tests.shared.keeper", "serve", str(STALL_LIMIT)) as keeper:
            child = int(says(keeper))
            os.kill(keeper.pid, signal.SIGSTOP)
            os.kill(child, signal.SIGSTOP)
            assert not dies(child, 1.5 * STALL_LIMIT)
            os.kill(child, signal.SIGCONT)
            os.kill(keeper.pid, signal.SIGCONT)
            assert not dies(child, 1.5 * STALL_LIMIT)


class TestDying:
    """A supervisor that is killed takes its children along, those too that hear nothing any more."""

    @pytest.mark.parametrize("app", ["serve", "deaf"])
    def test_children_die_with_their_supervisor(self, app: str) -> None:
        with running("tests.shared.keeper", app, "10") as keeper:
            child = int(says(keeper))
            keeper.kill()
            assert dies(child)


class TestRestartIntensity:
    """So many in so many seconds."""

    @given(st.integers(0, 4), st.lists(st.floats(0, 5), max_size=30))
    def test_it_allows_what_a_look_back_allows(self, limit: int, pauses: list[float]) -> None:
        intensity = RestartIntensity(limit, 10.0)
        now, before = 100.0, []
        for pause in pauses:
            now += pause
            before.append(now)
            recent = sum(then > now - 10.0 for then in before)
            assert intensity.allows(now) is (recent <= limit)
