"""The eager runner on real loops: what a coroutine may rely on as if a task had been made of it."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from roost.gateway.clients.eager import Runner
from tests.gateway import loops
from tests.limits import LIMIT

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


class Stage:
    """A runner in a running loop, used as a transport uses it: from a callback, never from a task."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.runner = Runner(self.loop)
        self.results: asyncio.Queue[tuple[Any, BaseException | None]] = asyncio.Queue()

    def then(self, value: Any, error: BaseException | None) -> None:
        self.results.put_nowait((value, error))

    def run(self, coroutine: Coroutine[Any, Any, Any], owner: Any = None) -> "asyncio.Task[None] | None":
        return self.runner.run(coroutine, owner, self.then)

    async def outside(self, act: Callable[[], Any]) -> Any:
        """Do something in a turn of its own, outside of any task, and answer what it gave."""
        done: asyncio.Future[Any] = self.loop.create_future()

        def turn() -> None:
            assert asyncio.current_task() is None
            try:
                done.set_result(act())
            except BaseException as error:
                done.set_exception(error)
                raise

        self.loop.call_soon(turn)
        return await asyncio.wait_for(done, LIMIT)

    async def begin(self, coroutine: Coroutine[Any, Any, Any], owner: Any = None) -> "asyncio.Task[None] | None":
        return await self.outside(lambda: self.run(coroutine, owner))  # type: ignore[no-any-return]

    def finished(self) -> list[tuple[Any, BaseException | None]]:
        """What has finished and was not asked for yet."""
        return [self.results.get_nowait() for _ in range(self.results.qsize())]

    async def result(self) -> tuple[Any, BaseException | None]:
        return await asyncio.wait_for(self.results.get(), LIMIT)


Play = Callable[[Callable[[Stage], Awaitable[None]]], None]


@pytest.fixture
def play(play: loops.Play) -> Play:
    """Plays a scene on a stage, on each kind of loop."""

    def play_on_stage(scene: Callable[[Stage], Awaitable[None]]) -> None:
        async def staged() -> None:
            stage = Stage()
            await asyncio.sleep(0)  # the parked task starts
            try:
                await scene(stage)
            finally:
                stage.runner.close()

        play(staged)

    return play_on_stage


class Signal:
    """An event that a coroutine waits for, and whether it has come so far."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    async def wait(self) -> None:
        self.reached.set()
        await self.go.wait()


class TestFinishing:
    """How the result of a coroutine arrives."""

    def test_one_that_never_waits_is_finished_at_once(self, play: Play) -> None:
        async def work() -> str:
            return "done"

        async def scene(stage: Stage) -> None:
            def act() -> tuple[Any, Any]:
                return stage.run(work()), stage.finished()

            assert await stage.outside(act) == (None, [("done", None)])

        play(scene)

    def test_many_that_never_wait_are_finished_in_order(self, play: Play) -> None:
        async def work(number: int) -> int:
            return number

        async def scene(stage: Stage) -> None:
            tasks = await stage.outside(lambda: [stage.run(work(number)) for number in range(100)])
            assert tasks == [None] * 100
            assert stage.finished() == [(number, None) for number in range(100)]

        play(scene)

    def test_one_that_waits_is_finished_by_a_task(self, play: Play) -> None:
        async def work(signal: Signal) -> str:
            await signal.wait()
            await asyncio.sleep(0)
            return "done"

        async def scene(stage: Stage) -> None:
            signal = Signal()
            task = await stage.begin(work(signal))
            assert task is not None
            assert signal.reached.is_set()
            assert stage.finished() == []
            signal.go.set()
            assert await stage.result() == ("done", None)
            await asyncio.wait_for(task, LIMIT)

        play(scene)

    @pytest.mark.parametrize("waits", [False, True])
    def test_what_is_raised_arrives_and_goes_no_further(self, play: Play, waits: bool) -> None:
        async def work() -> None:
            if waits:
                await asyncio.sleep(0)
            raise ValueError("a bug")

        async def scene(stage: Stage) -> None:
            task = await stage.begin(work())
            value, error = await stage.result()
            assert value is None
            assert isinstance(error, ValueError)
            assert (task is not None) is waits
            if task is not None:
                await asyncio.wait_for(task, LIMIT)

        play(scene)

    @pytest.mark.parametrize("waits", [False, True])
    def test_a_cancellation_that_is_raised_arrives_like_any_error(self, play: Play, waits: bool) -> None:
        async def work() -> None:
            if waits:
                await asyncio.sleep(0)
            raise asyncio.CancelledError

        async def scene(stage: Stage) -> None:
            await stage.begin(work())
            assert isinstance((await stage.result())[1], asyncio.CancelledError)

        play(scene)

    def test_an_error_of_what_is_waited_for_can_be_caught(self, play: Play) -> None:
        async def work(future: "asyncio.Future[None]") -> str:
            try:
                await future
            except OSError as error:
                return f"caught {error}"
            return "not raised"

        async def scene(stage: Stage) -> None:
            future = stage.loop.create_future()
            await stage.begin(work(future))
            future.set_exception(OSError("broken"))
            assert await stage.result() == ("caught broken", None)

        play(scene)

    def test_several_that_begin_in_one_turn_are_all_finished(self, play: Play) -> None:
        """After the first that waits there is no parked task yet: the others take the ordinary way."""

        async def work(number: int) -> int:
            await asyncio.sleep(0)
            return number

        async def scene(stage: Stage) -> None:
            tasks = await stage.outside(lambda: [stage.run(work(number)) for number in range(10)])
            assert all(task is not None for task in tasks)
            assert len({id(task) for task in tasks}) == 10
            assert sorted([await stage.result() for _ in range(10)]) == [(number, None) for number in range(10)]

        play(scene)

    def test_the_runner_can_be_used_again_and_again(self, play: Play) -> None:
        async def work(number: int) -> int:
            if number % 3:
                await asyncio.sleep(0)
            return number

        async def scene(stage: Stage) -> None:
            for number in range(50):
                await stage.begin(work(number))
                assert await stage.result() == (number, None)

        play(scene)


class TestCancelling:
    """A cancellation reaches the coroutine where it waits, whenever it comes."""

    @pytest.mark.parametrize("begun_together", [1, 2])
    def test_at_once_after_it_began(self, play: Play, begun_together: int) -> None:
        """The second of a turn has not even started: it must, or nobody would ever hear of its end."""
        log: list[str] = []

        async def work() -> None:
            log.append("started")
            try:
                await asyncio.Event().wait()
            finally:
                log.append("ended")

        async def scene(stage: Stage) -> None:
            def act() -> None:
                for _ in range(begun_together):
                    task = stage.run(work())
                    assert task is not None
                    stage.runner.cancel(task)

            await stage.outside(act)
            for _ in range(begun_together):
                assert isinstance((await stage.result())[1], asyncio.CancelledError)
            assert sorted(log) == sorted(["started", "ended"] * begun_together)

        play(scene)

    def test_later(self, play: Play) -> None:
        async def work(signal: Signal) -> None:
            await asyncio.sleep(0)
            await signal.wait()

        async def scene(stage: Stage) -> None:
            signal = Signal()
            task = await stage.begin(work(signal))
            assert task is not None
            await asyncio.wait_for(signal.reached.wait(), LIMIT)
            stage.runner.cancel(task)
            assert isinstance((await stage.result())[1], asyncio.CancelledError)

        play(scene)

    @pytest.mark.parametrize("steps_before", [0, 1])
    def test_one_that_catches_it_goes_on(self, play: Play, steps_before: int) -> None:
        async def work(signal: Signal) -> str:
            for _ in range(steps_before):
                await asyncio.sleep(0)
            try:
                await signal.wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                return "went on"
            return "was not cancelled"

        async def scene(stage: Stage) -> None:
            signal = Signal()
            task = await stage.begin(work(signal))
            assert task is not None
            await asyncio.wait_for(signal.reached.wait(), LIMIT)
            stage.runner.cancel(task)
            assert await stage.result() == ("went on", None)

        play(scene)

    def test_before_the_task_has_taken_over(self, play: Play) -> None:
        async def work() -> str:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                return "went on"
            return "was not cancelled"

        async def scene(stage: Stage) -> None:
            def act() -> None:
                task = stage.run(work())
                assert task is not None
                task.cancel()

            await stage.outside(act)
            assert await stage.result() == ("went on", None)

        play(scene)

    @pytest.mark.parametrize("waits_after", [False, True])
    def test_by_itself(self, play: Play, waits_after: bool) -> None:
        async def work() -> str:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            if waits_after:
                await asyncio.sleep(0)
            return "never waited"

        async def scene(stage: Stage) -> None:
            await stage.begin(work())
            value, error = await stage.result()
            if waits_after:
                assert isinstance(error, asyncio.CancelledError)
            else:
                assert value == "never waited"
            await stage.begin(asyncio.sleep(0, "the next one is not cancelled"))
            assert await stage.result() == ("the next one is not cancelled", None)

        play(scene)


class TestTimeouts:
    """asyncio.timeout needs a current task that is cancelled and that counts cancellations."""

    @pytest.mark.parametrize("seconds", [-1, 0, 0.001])
    @pytest.mark.parametrize("steps_before", [0, 1])
    def test_it_strikes(self, play: Play, seconds: float, steps_before: int) -> None:
        async def work() -> str:
            for _ in range(steps_before):
                await asyncio.sleep(0)
            try:
                async with asyncio.timeout(seconds):
                    await asyncio.Event().wait()
            except TimeoutError:
                await asyncio.sleep(0)
                return "in time"
            return "not at all"

        async def scene(stage: Stage) -> None:
            await stage.begin(work())
            assert await stage.result() == ("in time", None)

        play(scene)

    @pytest.mark.parametrize("waits", [False, True])
    def test_it_does_not_strike(self, play: Play, waits: bool) -> None:
        async def work() -> str:
            async with asyncio.timeout(LIMIT):
                if waits:
                    await asyncio.sleep(0)
            return "in time"

        async def scene(stage: Stage) -> None:
            await stage.begin(work())
            assert await stage.result() == ("in time", None)

        play(scene)

    def test_one_within_another(self, play: Play) -> None:
        async def work() -> list[str]:
            log = []
            try:
                async with asyncio.timeout(LIMIT) as outer:
                    try:
                        async with asyncio.timeout(0):
                            await asyncio.Event().wait()
                    except TimeoutError:
                        log.append("inner")
                    outer.reschedule(0)
                    await asyncio.Event().wait()
            except TimeoutError:
                log.append("outer")
            return log

        async def scene(stage: Stage) -> None:
            await stage.begin(work())
            assert await stage.result() == (["inner", "outer"], None)

        play(scene)

    def test_wait_for_and_task_groups(self, play: Play) -> None:
        async def work() -> list[int]:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(asyncio.sleep(0, number)) for number in range(3)]
            return [task.result() for task in tasks] + [await asyncio.wait_for(asyncio.sleep(0, 3), LIMIT)]

        async def scene(stage: Stage) -> None:
            await stage.begin(work())
            assert await stage.result() == ([0, 1, 2, 3], None)

        play(scene)


class TestSurroundings:
    """What a coroutine finds around it."""

    @pytest.mark.parametrize("waits", [False, True])
    def test_it_has_a_context_of_its_own(self, play: Play, waits: bool) -> None:
        async def work(name: str) -> tuple[str, str]:
            before = variable.get("nothing")
            variable.set(name)
            if waits:
                await asyncio.sleep(0)
            return before, variable.get()

        async def scene(stage: Stage) -> None:
            variable.set("outside")
            await stage.outside(lambda: [stage.run(work(name)) for name in "abc"])
            got = sorted([(await stage.result())[0] for _ in range(3)])
            assert got == [("nothing", name) for name in "abc"]
            assert variable.get() == "outside"

        play(scene)

    def test_it_has_one_current_task_as_long_as_it_lives_alone(self, play: Play) -> None:
        async def work() -> list[Any]:
            tasks = [asyncio.current_task()]
            for _ in range(3):
                await asyncio.sleep(0)
                tasks.append(asyncio.current_task())
            return tasks

        async def scene(stage: Stage) -> None:
            task = await stage.begin(work())
            tasks, error = await stage.result()
            assert error is None
            assert task is not None
            assert tasks == [task] * 4

        play(scene)

    def test_outside_of_it_there_is_no_current_task(self, play: Play) -> None:
        async def scene(stage: Stage) -> None:
            def act() -> list[Any]:
                current = []
                for coroutine in (asyncio.sleep(0), asyncio.sleep(0), raises()):
                    stage.run(coroutine)
                    current.append(asyncio.current_task())
                return current

            async def raises() -> None:
                raise ValueError

            assert await stage.outside(act) == [None] * 3

        play(scene)

    @pytest.mark.parametrize("raises", [False, True])
    def test_each_step_is_taken_on_its_owners_behalf(self, play: Play, raises: bool) -> None:
        log: list[tuple[str, Any]] = []

        async def work(stage: Stage, name: str) -> None:
            for _ in range(3):
                log.append((name, stage.runner.owner))
                await asyncio.sleep(0)
            if raises:
                raise ValueError

        async def scene(stage: Stage) -> None:
            def act() -> list[Any]:
                owners = []
                for name in "abc":
                    stage.run(work(stage, name), owner=name)
                    owners.append(stage.runner.owner)
                return owners

            assert await stage.outside(act) == [None] * 3
            for _ in range(3):
                await stage.result()
                assert stage.runner.owner is None
            assert sorted(log) == [(name, name) for name in "aaabbbccc"]

        play(scene)

    def test_what_is_no_exception_of_programs_is_not_kept(self, play: Play) -> None:
        class Interrupt(BaseException):
            pass

        async def work() -> None:
            raise Interrupt

        async def scene(stage: Stage) -> None:
            def act() -> tuple[Any, Any]:
                with pytest.raises(Interrupt):
                    stage.run(work())
                return asyncio.current_task(), stage.runner.owner

            assert await stage.outside(act) == (None, None)
            assert stage.finished() == []

        play(scene)


class TestFromWithinATask:
    """What a coroutine that waited brought about happens in its task; the next coroutine is often begun right there."""

    @pytest.mark.parametrize("waits", [False, True])
    def test_the_next_one_may_begin_when_one_that_waited_has_finished(self, play: Play, waits: bool) -> None:
        """A channel's mailbox: a message came while a handler waited, and is handled when that has finished."""

        async def next_one() -> str:
            if waits:
                await asyncio.sleep(0)
            return "next"

        async def scene(stage: Stage) -> None:
            def begin_next(value: Any, error: BaseException | None) -> None:
                stage.then(value, error)
                stage.run(next_one())

            await stage.outside(lambda: stage.runner.run(asyncio.sleep(0, "first"), None, begin_next))
            assert await stage.result() == ("first", None)
            assert await stage.result() == ("next", None)

        play(scene)


class TestCancellingWhatIsWaitedFor:
    """A task that is cancelled cancels what it waits for, so that a gather, say, does not run on without it."""

    @pytest.mark.parametrize("when", ["before the task takes over", "after"])
    def test_the_awaited_future_is_cancelled(self, play: Play, when: str) -> None:
        async def scene(stage: Stage) -> None:
            awaited = stage.loop.create_future()

            async def work() -> None:
                await awaited

            def act() -> None:
                task = stage.run(work())
                assert task is not None
                if when == "after":
                    stage.runner.cancel(task)
                else:
                    task.cancel()

            await stage.outside(act)
            assert isinstance((await stage.result())[1], asyncio.CancelledError)
            assert awaited.cancelled()

        play(scene)
