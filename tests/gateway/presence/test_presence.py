"""What applications call, in a worker without shards: tasks are the owners, handle_metas sees the diffs.

Upstream's cases PR-02 to PR-07 and PR-16 to PR-21.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from roost.gateway.endpoint import Endpoint
from roost.gateway.presence.limits import PresenceLimits
from roost.gateway.presence.metas import Presences
from roost.gateway.presence.presence import Presence
from roost.gateway.replies import Error, Ok
from tests.gateway.lone_worker import lone_worker
from tests.limits import LIMIT


class Watched(Presence):
    """Notes what it is told."""

    limits = PresenceLimits(window=0.02, update_period=0.02)

    def __init__(self) -> None:
        super().__init__()
        self.told: asyncio.Queue[tuple[str, dict[str, Presences], Presences]] = asyncio.Queue()

    async def handle_metas(self, topic: str, diff: dict[str, Presences], presences: Presences) -> None:
        self.told.put_nowait((topic, diff, presences))

    async def next(self) -> tuple[str, Any, Any]:
        async with asyncio.timeout(LIMIT):
            return await self.told.get()


class Extended(Watched):
    """As an application with a database."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[set[str]] = []
        self.failing = False

    async def fetch(self, topic: str, presences: Presences) -> Presences:
        self.fetched.append(set(presences))
        await asyncio.sleep(0)
        if self.failing:
            raise RuntimeError("no database")
        return {key: {**presence, "user": key.upper()} for key, presence in presences.items()}


@asynccontextmanager
async def served(*presences: Presence) -> AsyncIterator[None]:
    endpoint = Endpoint(presences=presences)
    with lone_worker(endpoint) as runtime:
        endpoint.serve(runtime)
        try:
            yield
        finally:
            for replica in runtime.presences:
                await replica.close()


@asynccontextmanager
async def living() -> AsyncIterator["asyncio.Task[None]"]:
    """A task that lives on; ended when a test lets it."""
    task = asyncio.create_task(asyncio.Event().wait())
    yield task  # type: ignore[misc]
    task.cancel()
    await asyncio.wait([task])


def without_references(presences: Presences) -> Any:
    return {
        key: {**presence, "metas": [{k: v for k, v in meta.items() if "phx" not in k} for meta in presence["metas"]]}
        for key, presence in presences.items()
    }


async def test_track_list_and_get_by_key() -> None:
    presence = Presence()
    async with served(presence), living() as one, living() as other:
        assert await presence.list("t") == {}
        first = await presence.track(one, "x", {"n": 1}, topic="t")
        assert isinstance(first, Ok)
        assert await presence.list("t") == {"x": {"metas": [{"n": 1, "phx_ref": first.payload}]}}
        await presence.track(other, "x", {"n": 2}, topic="t")
        await presence.track(one, 7, {}, topic="t")
        assert (await presence.list("t")).keys() == {"x", "7"}, "a key of an integer is listed as text"
        found = await presence.get_by_key("t", "x")
        assert found is not None
        assert [meta["n"] for meta in found["metas"]] == [1, 2]
        assert await presence.get_by_key("t", 7)
        assert await presence.get_by_key("t", "y") is None
        assert await presence.get_by_key("u", "x") is None


async def test_what_is_listed_is_the_callers_own() -> None:
    presence = Presence()
    async with served(presence), living() as task:
        await presence.track(task, "x", {"n": [1]}, topic="t")
        (await presence.list("t"))["x"]["metas"][0]["n"].append(2)
        assert (await presence.list("t"))["x"]["metas"][0]["n"] == [1]


async def test_errors_are_values() -> None:
    presence = Presence()
    async with served(presence), living() as task:
        await presence.track(task, "x", {}, topic="t")
        assert await presence.track(task, "x", {}, topic="t") == Error("already_tracked")
        assert await presence.update(task, "y", {}, topic="t") == Error("nopresence")
        await presence.untrack(task, "y", topic="t")
        await presence.untrack(task, "x", topic="t")
        assert await presence.update(task, "x", {}, topic="t") == Error("nopresence")


async def test_a_presence_ends_with_its_task() -> None:
    presence = Watched()
    async with served(presence):
        async with living() as task:
            await presence.track(task, "x", {}, topic="t")
            await presence.track(task, "y", {}, topic="u")
            assert {(await presence.next())[0], (await presence.next())[0]} == {"t", "u"}
        topics = [await presence.next(), await presence.next()]
        assert [(topic, diff["joins"], list(diff["leaves"]), after) for topic, diff, after in sorted(topics)] == [
            ("t", {}, ["x"], {}),
            ("u", {}, ["y"], {}),
        ]
        assert await presence.list("t") == {}
        with pytest.raises(RuntimeError, match="has ended"):
            await presence.track(task, "x", {}, topic="t")


async def test_untrack_without_a_key_takes_an_owner_out_of_everything() -> None:
    presence = Presence()
    async with served(presence), living() as one, living() as other:
        for topic in "tu":
            for key in "xy":
                await presence.track(one, key, {}, topic=topic)
        await presence.track(other, "x", {}, topic="t")
        await presence.untrack(one)
        assert (await presence.list("t")).keys() == {"x"}
        assert await presence.list("u") == {}


class TestHandleMetas:
    """Upstream's cases PR-16 to PR-21."""

    async def test_joins_further_keys_further_metas_and_leaves(self) -> None:
        presence = Watched()
        async with served(presence), living() as one, living() as other:
            await presence.track(one, "x", {"n": 1}, topic="t")
            topic, diff, after = await presence.next()
            assert (topic, without_references(diff["joins"]), diff["leaves"]) == ("t", {"x": {"metas": [{"n": 1}]}}, {})
            assert without_references(after) == {"x": {"metas": [{"n": 1}]}}
            await presence.track(one, "y", {"n": 2}, topic="t")
            assert (await presence.next())[2].keys() == {"x", "y"}
            await presence.track(other, "x", {"n": 3}, topic="t")
            _, diff, after = await presence.next()
            assert without_references(diff["joins"]) == {"x": {"metas": [{"n": 3}]}}
            assert [meta["n"] for meta in after["x"]["metas"]] == [1, 3]
            await presence.untrack(one, "x", topic="t")
            _, diff, after = await presence.next()
            assert without_references(diff["leaves"]) == {"x": {"metas": [{"n": 1}]}}
            assert [meta["n"] for meta in after["x"]["metas"]] == [3]
            await presence.untrack(other)
            assert (await presence.next())[2].keys() == {"y"}
            await presence.untrack(one)
            assert (await presence.next())[2] == {}

    async def test_an_update_is_one_diff_with_both_sides(self) -> None:
        presence = Watched()
        async with served(presence), living() as task:
            first = await presence.track(task, "x", {"n": 1}, topic="t")
            await presence.next()
            second = await presence.update(task, "x", {"n": 2}, topic="t")
            _, diff, _ = await presence.next()
            joined = {"n": 2, "phx_ref": second.payload, "phx_ref_prev": first.payload}
            assert diff["joins"] == {"x": {"metas": [joined]}}
            assert diff["leaves"] == {"x": {"metas": [{"n": 1, "phx_ref": first.payload}]}}

    async def test_what_comes_and_goes_in_one_turn_is_told_to_nobody(self) -> None:
        presence = Watched()
        async with served(presence), living() as task:
            await presence.track(task, "x", {}, topic="t")
            await presence.untrack(task, "x", topic="t")
            await presence.track(task, "y", {}, topic="t")
            _, diff, _ = await presence.next()
            assert (list(diff["joins"]), diff["leaves"]) == (["y"], {})

    async def test_many_in_one_window_are_one_diff(self) -> None:
        presence = Watched()
        async with served(presence), living() as task:
            for number in range(50):
                await presence.track(task, number, {}, topic="t")
            _, diff, _ = await presence.next()
            assert len(diff["joins"]) == 50

    async def test_one_that_takes_too_long_is_cut_off(self, caplog: pytest.LogCaptureFixture) -> None:
        class Slow(Watched):
            limits = PresenceLimits(callback_limit=0.05, window=0.01)

            async def handle_metas(self, topic: str, diff: dict[str, Presences], presences: Presences) -> None:
                await super().handle_metas(topic, diff, presences)
                await asyncio.Event().wait()

        presence = Slow()
        async with served(presence), living() as task:
            await presence.track(task, "x", {}, topic="t")
            await presence.next()
            await presence.track(task, "y", {}, topic="t")
            await presence.next()
        assert "handle_metas failed on 't'" in caplog.text

    async def test_a_failure_is_logged_and_the_next_diff_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        class Failing(Watched):
            async def handle_metas(self, topic: str, diff: dict[str, Presences], presences: Presences) -> None:
                await super().handle_metas(topic, diff, presences)
                raise RuntimeError("a bug")

        presence = Failing()
        async with served(presence), living() as task:
            await presence.track(task, "x", {}, topic="t")
            await presence.next()
            await presence.track(task, "y", {}, topic="t")
            await presence.next()
        assert "handle_metas failed on 't'" in caplog.text


class TestFetch:
    async def test_list_and_get_by_key_are_fetched(self) -> None:
        presence = Extended()
        async with served(presence), living() as task:
            await presence.track(task, "x", {"n": 1}, topic="t")
            assert without_references(await presence.list("t")) == {"x": {"metas": [{"n": 1}], "user": "X"}}
            found = await presence.get_by_key("t", "x")
            assert found is not None
            assert found["user"] == "X"

    async def test_a_diff_is_fetched_once_for_both_sides(self) -> None:
        presence = Extended()
        async with served(presence), living() as task:
            for key in "xyz":
                await presence.track(task, key, {}, topic="t")
            _, diff, _ = await presence.next()
            assert presence.fetched == [{"x", "y", "z"}]
            assert {key: found["user"] for key, found in diff["joins"].items()} == {"x": "X", "y": "Y", "z": "Z"}
            await presence.untrack(task, "x", topic="t")
            await presence.update(task, "y", {"n": 2}, topic="t")
            _, diff, _ = await presence.next()
            assert presence.fetched[1:] == [{"x", "y"}]
            assert {key: found["user"] for key, found in diff["leaves"].items()} == {"x": "X", "y": "Y"}
            assert without_references(diff["joins"]) == {"y": {"metas": [{"n": 2}], "user": "Y"}}

    async def test_when_it_fails_references_are_told_and_the_failure_logged(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        presence = Extended()
        presence.failing = True
        async with served(presence), living() as task:
            answer = await presence.track(task, "x", {"secret": 1}, topic="t")
            _, diff, _ = await presence.next()
            assert diff["joins"] == {"x": {"metas": [{"phx_ref": answer.payload}]}}
            with pytest.raises(RuntimeError, match="no database"):
                await presence.list("t")
        assert "fetch failed" in caplog.text

    async def test_one_that_takes_too_long_has_failed(self) -> None:
        class Slow(Watched):
            limits = PresenceLimits(callback_limit=0.05)

            async def fetch(self, topic: str, presences: Presences) -> Presences:
                await asyncio.Event().wait()
                return presences

        presence = Slow()
        async with served(presence), living() as task:
            await presence.track(task, "x", {"secret": 1}, topic="t")
            _, diff, _ = await presence.next()
            assert without_references(diff["joins"]) == {"x": {"metas": [{}]}}

    @pytest.mark.parametrize("wrong", [{"x": {"user": "X"}}, {"x": "here"}, {"x": {"metas": ["m"]}}, ["x"], None])
    async def test_an_answer_that_is_no_presences_is_a_failure(
        self, wrong: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Wrong(Watched):
            async def fetch(self, topic: str, presences: Presences) -> Presences:
                answer: Presences = wrong
                return answer

        presence = Wrong()
        async with served(presence), living() as task:
            answer = await presence.track(task, "x", {"secret": 1}, topic="t")
            _, diff, _ = await presence.next()
            assert diff["joins"] == {"x": {"metas": [{"phx_ref": answer.payload}]}}
        assert "fetch answers {key:" in caplog.text


class TestMistakes:
    """Each is a sentence that says what to do."""

    async def test_one_that_is_not_served(self) -> None:
        with pytest.raises(RuntimeError, match=r"give it to the endpoint, Endpoint\(presences="):
            await Presence().list("t")

    async def test_a_task_without_a_topic(self) -> None:
        presence = Presence()
        async with served(presence), living() as task:
            with pytest.raises(TypeError, match="say topic="):
                await presence.track(task, "x", {})

    async def test_an_owner_that_is_none(self) -> None:
        presence = Presence()
        async with served(presence):
            with pytest.raises(TypeError, match="belongs to a channel or a task"):
                await presence.track("me", "x", {}, topic="t")  # type: ignore[arg-type]

    async def test_a_meta_that_is_no_dict(self) -> None:
        presence = Presence()
        async with served(presence), living() as task:
            with pytest.raises(TypeError, match="a meta is a dict"):
                await presence.track(task, "x", "here", topic="t")  # type: ignore[arg-type]
            assert await presence.list("t") == {}

    def test_methods_that_are_not_async(self) -> None:
        with pytest.raises(TypeError, match="must be async"):

            class Wrong(Presence):
                def fetch(self, topic: str, presences: Presences) -> Presences:  # type: ignore[override]
                    return presences

    async def test_a_topic_where_it_is_not_tracked(self) -> None:
        class Narrow(Presence):
            topics = ("lobby:*", "hall")

        presence = Narrow()
        async with served(presence), living() as task:
            for topic in ("lobby:1", "hall"):
                assert (await presence.track(task, "x", {}, topic=topic)).status == "ok"
            for topic in ("room:1", "hall:1", "lobby"):
                with pytest.raises(ValueError, match=r"its `topics` are lobby:\*, hall"):
                    await presence.track(task, "x", {}, topic=topic)

    @pytest.mark.parametrize(
        ("topics", "complaint"), [("lobby:*", "write \\('lobby"), (("a*b",), "one \\* at its end")]
    )
    def test_topics_that_are_no_patterns(self, topics: Any, complaint: str) -> None:
        with pytest.raises((TypeError, ValueError), match=complaint):
            type("Wrong", (Presence,), {"topics": topics})

    def test_limits_of_another_type(self) -> None:
        with pytest.raises(TypeError, match="must be PresenceLimits"):

            class Wrong(Presence):
                limits = {"window": 1}  # type: ignore[assignment]  # noqa: RUF012

    def test_two_of_one_name_and_a_class_instead_of_an_object(self) -> None:
        with pytest.raises(ValueError, match="two presences are named"):
            Endpoint(presences=[Presence(), Presence()])
        with pytest.raises(TypeError, match="lists objects of Presence"):
            Endpoint(presences=[Presence])  # type: ignore[list-item]
