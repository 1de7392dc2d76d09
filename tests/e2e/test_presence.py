"""Presence as phoenix.js sees it, on several workers: everybody ends with the same list, and it is the true one."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from roost import PresenceLimits
from tests.e2e.node import Node, kill, wait_for
from tests.e2e.phoenix_js import PhoenixJs
from tests.e2e.presence_members import Member, agree, join_all


@pytest.fixture(scope="module")
def three_workers() -> Iterator[Node]:
    with Node("examples.playground:endpoint", workers=3) as running:
        yield running


@pytest.fixture(scope="module")
def presences() -> Iterator[Node]:
    with Node("tests.applications.presence:endpoint") as running:
        yield running


def windows(seconds: float) -> int:
    """The most diffs that a member may be told in so many seconds."""
    return 2 + int(seconds / PresenceLimits().window)


async def processes(node: Node) -> dict[int, int]:
    """The workers' pids by number."""
    status = await asyncio.to_thread(node.status)
    return {int(worker["number"]): int(worker["pid"]) for worker in status["gateway"]["workers"]}


async def spread(phoenix: PhoenixJs, node: Node, topic: str, users: list[str]) -> list[Member]:
    """Members on at least two workers."""
    for attempt in range(20):
        members = await join_all(phoenix, node, topic, users)
        if len({await member.worker() for member in members}) > 1:
            return members
        for member in members:
            await member.channel.leave()
        if attempt == 19:
            break
    raise AssertionError("20 times all connections came to one worker")


async def test_who_joins_updates_and_leaves_is_seen_by_all(phoenix: PhoenixJs, three_workers: Node) -> None:
    members = await spread(phoenix, three_workers, "lobby:all", ["ann", "bob", "cid", "dan"])
    users = {"ann": 1, "bob": 1, "cid": 1, "dan": 1}
    before = await agree(members, users)
    status, reference = await members[0].channel.push("update", {"typing": True})
    assert status == "ok"
    await members[1].phoenix.sees(
        lambda _: all(member.picture().get("ann") == [reference] for member in members), "the update"
    )
    for member in members:
        # The last one: before it, an attempt whose members all came to one worker may have left.
        diff = [diff for diff in member.diffs() if "ann" in diff["joins"] and "ann" in diff["leaves"]][-1]
        (joined,), (left,) = diff["joins"]["ann"]["metas"], diff["leaves"]["ann"]["metas"]
        assert (joined["phx_ref"], joined["phx_ref_prev"]) == (reference, left["phx_ref"])
        assert [left["phx_ref"]] == before["ann"]
        assert joined["typing"]
        assert "typing" not in left
        assert joined["online_at"] == left["online_at"]
    await members[1].channel.leave()
    await agree([*members[:1], *members[2:]], {"ann": 1, "cid": 1, "dan": 1})


async def test_two_devices_and_one_that_goes_without_a_word(phoenix: PhoenixJs, three_workers: Node) -> None:
    members = await spread(phoenix, three_workers, "lobby:devices", ["ann", "ann", "bob", "bob", "bob"])
    await agree(members, {"ann": 2, "bob": 3})
    members[1].client.tell("cut")
    members[1].client.tell("disconnect")
    members[2].client.tell("disconnect")
    rest = [members[0], *members[3:]]
    await agree(rest, {"ann": 1, "bob": 2})
    left = rest[0].references("leave")
    assert len(left) == 2


async def test_the_state_of_a_joiner_and_the_diffs_that_follow_fit(phoenix: PhoenixJs, three_workers: Node) -> None:
    """While others come and go all the time; each reference joins once for each member, and leaves once."""
    stay = await spread(phoenix, three_workers, "lobby:fit", ["s0", "s1", "s2"])
    going: list[Member] = []
    for number in range(8):
        came = await join_all(phoenix, three_workers, "lobby:fit", [f"u{number}-{one}" for one in range(4)])
        for member in going:
            member.channel.tell("leave", id="left")
        going, stay = came[:2], stay + came[2:]
    for member in going:
        await member.channel.leave()
    await agree(stay, {member.user: 1 for member in stay})


async def test_many_joins_at_once_are_few_diffs(phoenix: PhoenixJs, three_workers: Node) -> None:
    watcher = await Member.join(phoenix, three_workers, "lobby:storm", "watcher")
    loop = asyncio.get_running_loop()
    began = loop.time()
    users = [f"u{number}" for number in range(200)]
    clients = await asyncio.gather(*(phoenix.connect(three_workers.url) for _ in users))
    await asyncio.gather(
        *(client.join("lobby:storm", {"user": user}) for client, user in zip(clients, users, strict=True))
    )
    await agree([watcher], {"watcher": 1} | dict.fromkeys(users, 1))
    assert len(watcher.diffs()) <= windows(loop.time() - began), "diffs are merged by window"
    for client in clients:
        client.tell("disconnect")
    await agree([watcher], {"watcher": 1})


async def test_presences_of_a_killed_worker_leave_at_once_and_come_back_with_their_clients(phoenix: PhoenixJs) -> None:
    with Node("tests.applications.seldom_beats:endpoint", workers=3) as node:
        members = await spread(phoenix, node, "lobby:killed", [f"u{number}" for number in range(8)])
        users = {member.user: 1 for member in members}
        before = await agree(members, users)
        numbers = [await member.worker() for member in members]
        doomed = Counter(numbers).most_common()[-1][0]
        gone = [member for member, number in zip(members, numbers, strict=True) if number == doomed]
        others = [member for member in members if member not in gone]
        kill((await processes(node))[doomed])
        dead = {reference for member in gone for reference in before[member.user]}
        await phoenix.sees(
            lambda _: all(dead <= set(member.references("leave")) for member in others), "all that were there left"
        )
        after = await agree(members, users, counted=others)
        for member in others:
            assert after[member.user] == before[member.user], "those who stayed were not touched"
        await asyncio.to_thread(wait_for, lambda: len(asyncio.run(processes(node))) == 3, "a third worker again")


async def test_nobody_notices_that_shards_are_killed_and_their_number_changes(phoenix: PhoenixJs) -> None:
    with Node(workers=2) as node:
        stay = await spread(phoenix, node, "lobby:shards", [f"s{number}" for number in range(4)])
        for number in range(4):
            came = await join_all(phoenix, node, "lobby:shards", [f"a{number}", f"b{number}"])
            if number % 2:
                scaled = await asyncio.to_thread(node.run, "scale", "shards", str(number + 1))
                assert scaled.returncode == 0, scaled.stderr
            else:
                kill((await asyncio.to_thread(node.status))["shards"][0]["pid"])
            await came[0].channel.leave()
            stay.append(came[1])
        await agree(stay, {member.user: 1 for member in stay})


async def test_a_worker_that_only_stalls_causes_nothing(phoenix: PhoenixJs) -> None:
    with Node(workers=2).patient() as node:
        members = await spread(phoenix, node, "lobby:stalled", [f"u{number}" for number in range(6)])
        users = {member.user: 1 for member in members}
        before = await agree(members, users)
        numbers = [await member.worker() for member in members]
        pids = await processes(node)
        others = [member for member, number in zip(members, numbers, strict=True) if number != numbers[0]]
        told = [len(member.diffs()) for member in others]
        os.kill(pids[numbers[0]], signal.SIGSTOP)
        try:
            for _ in range(3):  # each a while in which the others' clocks beat
                await asyncio.to_thread(node.run, "status")
        finally:
            os.kill(pids[numbers[0]], signal.SIGCONT)
        assert await agree(members, users) == before
        assert [len(member.diffs()) for member in others] == told


async def test_a_new_worker_knows_who_is_there_before_it_serves(phoenix: PhoenixJs) -> None:
    with Node(workers=1) as node:
        members = await join_all(phoenix, node, "lobby:scaled", [f"u{number}" for number in range(5)])
        old = await members[0].worker()
        scaled = await asyncio.to_thread(node.run, "scale", "workers", "3")
        assert scaled.returncode == 0, scaled.stderr
        for number in range(30):
            member = await Member.join(phoenix, node, "lobby:scaled", f"late{number}")
            members.append(member)
            if await member.worker() != old:
                break
        (state,) = member.channel.payloads("presence_state")
        assert {f"u{number}" for number in range(5)} <= set(state)
        await agree(members, {one.user: 1 for one in members})


class TestApplications:
    """What else an application may do."""

    async def test_a_state_that_is_pushed_late_fits_too(self, phoenix: PhoenixJs, presences: Node) -> None:
        members = await join_all(phoenix, presences, "late:x", [f"u{number}" for number in range(3)])
        for wave in range(3):
            members += await join_all(phoenix, presences, "late:x", [f"w{wave}-{number}" for number in range(3)])
        await agree(members, {member.user: 1 for member in members})

    async def test_fetch_adds_to_states_and_diffs(self, phoenix: PhoenixJs, presences: Node) -> None:
        members = await spread(phoenix, presences, "fetched:x", ["ann", "bob", "cid"])
        await agree(members, {"ann": 1, "bob": 1, "cid": 1})
        await members[2].channel.leave()
        await agree(members[:2], {"ann": 1, "bob": 1})
        for member in members[:2]:
            shown = [*member.channel.payloads("presence_state")]
            for diff in member.diffs():
                shown += [diff["joins"], diff["leaves"]]
            assert {(key, one["name"]) for part in shown for key, one in part.items()} <= {
                ("ann", "ANN"),
                ("bob", "BOB"),
                ("cid", "CID"),
            }

    async def test_a_channel_that_crashes_is_not_present(self, phoenix: PhoenixJs, presences: Node) -> None:
        members = await spread(phoenix, presences, "plain:crash", ["ann", "bob"])
        before = await agree(members, {"ann": 1, "bob": 1})
        members[0].channel.send("crash")
        await phoenix.sees(lambda _: before["ann"][0] in members[1].references("leave"), "the crashed one left")
        await agree(members, {"ann": 1, "bob": 1})  # phoenix.js has joined again

    async def test_updates_without_pause_are_merged_and_the_last_is_seen(
        self, phoenix: PhoenixJs, presences: Node
    ) -> None:
        members = await spread(phoenix, presences, "plain:fast", ["ann", "bob"])
        await agree(members, {"ann": 1, "bob": 1})
        loop = asyncio.get_running_loop()
        told, began = len(members[1].diffs()), loop.time()
        assert (await members[0].channel.push("updates", {"count": 500}))[0] == "ok"

        def last_is_seen(member: Member) -> bool:
            synced = member.events("sync")
            return bool(synced) and synced[-1]["list"]["ann"]["metas"][0]["n"] == 499

        await phoenix.sees(lambda _: all(map(last_is_seen, members)), "the last update")
        await agree(members, {"ann": 1, "bob": 1})
        assert len(members[1].diffs()) - told <= windows(loop.time() - began)

    async def test_limits_are_answered_and_nothing_is_closed(self, phoenix: PhoenixJs, presences: Node) -> None:
        member = await Member.join(phoenix, presences, "small:x", "ann")

        async def track(key: str, **meta: Any) -> Any:
            return await member.channel.push("track", {"key": key, "meta": meta})

        assert (await track("a", long="x" * 300)) == ("error", "meta_too_large")
        assert (await track("a"))[0] == "ok"
        assert (await track("a")) == ("error", "already_tracked")
        assert (await track("b"))[0] == "ok"
        assert (await track("c")) == ("error", "too_many_presences")
        other = await Member.join(phoenix, presences, "small:x", "bob")
        await phoenix.sees(lambda _: other.picture().keys() == {"a", "b"}, "both")
        assert (await other.channel.push("track", {"key": "c"}))[0] == "ok"
        assert (await other.channel.push("track", {"key": "d"})) == ("error", "topic_full")
        assert await member.channel.push("untrack", {}) == ("ok", {})
        await agree([member, other], {"c": 1})

    async def test_one_whose_join_is_refused_is_not_present(self, phoenix: PhoenixJs, presences: Node) -> None:
        watcher = await Member.join(phoenix, presences, "plain:refused", "watcher")
        _, verdict = await (await phoenix.connect(presences.url)).try_to_join("refusing:x")
        assert verdict["response"] == {"reason": "no"}
        await agree([watcher], {"watcher": 1})
        assert "what was to be called at the end of a channel failed" in presences.logged()

    async def test_a_task_is_present_until_it_ends(self, phoenix: PhoenixJs, presences: Node) -> None:
        members = await spread(phoenix, presences, "task:x", ["ann", "bob"])
        await members[0].channel.push("start")
        await agree(members, {"ann": 1, "bob": 1, "task": 1})
        await members[0].channel.push("stop")
        await agree(members, {"ann": 1, "bob": 1})

    async def test_a_client_that_joins_twice_is_present_once(self, phoenix: PhoenixJs, presences: Node) -> None:
        members = await spread(phoenix, presences, "plain:twice", ["ann", "bob"])
        before = await agree(members, {"ann": 1, "bob": 1})
        again = Member(
            phoenix,
            members[0].client,
            await members[0].client.join("plain:twice", {"user": "ann"}, presence=True),
            "ann",
        )
        after = await agree([again, members[1]], {"ann": 1, "bob": 1})
        assert after["ann"] != before["ann"]
        assert after["bob"] == before["bob"]

    async def test_diffs_can_be_intercepted(self, phoenix: PhoenixJs, presences: Node) -> None:
        one = await (await phoenix.connect(presences.url)).join("intercepting:x", {"user": "ann"})
        other = await (await phoenix.connect(presences.url)).join("intercepting:x", {"user": "bob"})
        await one.hears("intercepted", {"joins": ["bob"], "leaves": []})
        await other.leave()
        await one.hears("intercepted", {"joins": [], "leaves": ["bob"]})
        assert one.payloads("presence_diff") == []

    async def test_without_a_state_all_diffs_come_and_code_hears_other_topics(
        self, phoenix: PhoenixJs, presences: Node
    ) -> None:
        listener = await (await phoenix.connect(presences.url)).join("listening:x")
        await listener.sees(event="presence_diff")
        assert [list(diff["joins"]) for diff in listener.payloads("presence_diff")] == [["listener"]]
        await Member.join(phoenix, presences, "plain:heard", "ann")
        await listener.hears("heard", {"event": "presence_diff", "joins": ["ann"]})

    async def test_v1_and_long_poll_clients_see_the_same(self, phoenix: PhoenixJs, presences: Node) -> None:
        members = [
            await Member.join(phoenix, presences, "plain:mixed", "v2"),
            await Member.join(phoenix, presences, "plain:mixed", "poll", transport="longpoll"),
            await Member.join(phoenix, presences, "plain:mixed", "last"),
        ]
        await agree(members, {"v2": 1, "poll": 1, "last": 1})
        await members[2].channel.leave()
        await agree(members[:2], {"v2": 1, "poll": 1})
