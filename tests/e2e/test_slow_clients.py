"""What a node does with clients that do not read what it sends them, and with clients that send without end."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from roost.gateway.transports.websocket import MAX_FRAMES_A_TURN, WRITE_BYTES
from tests.applications.slow import MAX_OUTBOUND_BYTES
from tests.e2e.node import Node, wait_for
from tests.e2e.raw import RawClient, UnreadClient

FILL = "x" * 1000
ENOUGH = 2 * MAX_OUTBOUND_BYTES // len(FILL)
"""Messages that are more than the kernel and the bound take together."""
ONE_TURN = MAX_FRAMES_A_TURN * (len(FILL) + 100) + WRITE_BYTES
"""Bytes that are answered in one turn, and those that are being written."""


@pytest.fixture(scope="module")
def slow_node() -> Iterator[Node]:
    """One worker, so that all clients meet in it."""
    with Node("tests.applications.slow:endpoint", shards=1, workers=1) as running:
        yield running


def dropped(node: Node) -> dict[str, int]:
    counts: dict[str, int] = node.status()["gateway"]["workers"][0]["books"]["dropped"]
    return counts


async def say(speaker: RawClient, topic: str, first: int, count: int) -> None:
    """Broadcast numbered messages to all. A reply comes behind its broadcast, so all were handed over at the end."""
    for number in range(first, first + count):
        heard = await speaker.ask(["1", str(number), topic, "say", {"number": number, "fill": FILL}])
        assert (heard[3], heard[4]["number"]) == ("said", number)
        assert (await speaker.receive())[:2] == ["1", str(number)]


def numbers(messages: list[Any], event: str = "said") -> list[int]:
    return [message[4]["number"] for message in messages if message[3] == event]


async def test_disconnect_is_what_happens_by_default(slow_node: Node) -> None:
    before = dropped(slow_node)
    async with RawClient(slow_node.url) as speaker, UnreadClient(slow_node.port) as stuck:
        await speaker.join("strict:1")
        await stuck.join("strict:1")
        await say(speaker, "strict:1", 0, ENOUGH)
        messages, close = await stuck.ended()
    assert (close.code, close.reason) == (4008, f"too slow: more than {MAX_OUTBOUND_BYTES} bytes waited")
    said = numbers(messages)
    assert said == list(range(len(said)))
    after = dropped(slow_node)
    lost = {reason: after[reason] - before[reason] for reason in after}
    assert lost["slow_disconnect"] > MAX_OUTBOUND_BYTES // (len(FILL) + 100)
    assert (lost["drop_newest"], lost["latest"]) == (0, 0)
    assert len(said) + lost["slow_disconnect"] + lost["closed"] == ENOUGH


async def test_drop_newest_leaves_out_what_comes_while_too_much_waits(slow_node: Node) -> None:
    before = dropped(slow_node)["drop_newest"]
    async with RawClient(slow_node.url) as speaker, UnreadClient(slow_node.port) as stuck:
        await speaker.join("lossy:1")
        await stuck.join("lossy:1")
        await say(speaker, "lossy:1", 0, ENOUGH)
        left_out = dropped(slow_node)["drop_newest"] - before
        await stuck.send(["1", "2", "lossy:1", "echo", {}])
        said = numbers(await stuck.until(lambda message: message[3] == "phx_reply"))
        assert said == list(range(ENOUGH - left_out))
        await say(speaker, "lossy:1", ENOUGH, 1)
        assert numbers([await stuck.receive()]) == [ENOUGH]
        assert dropped(slow_node)["drop_newest"] - before == left_out > 0


@pytest.mark.parametrize("topic", ["latest:1", "mixed:cursors:1"])
async def test_latest_keeps_the_newest_alone(slow_node: Node, topic: str) -> None:
    before = dropped(slow_node)["latest"]
    async with RawClient(slow_node.url) as speaker, UnreadClient(slow_node.port) as stuck:
        await speaker.join(topic)
        await stuck.join(topic)
        await say(speaker, topic, 0, ENOUGH)
        left_out = dropped(slow_node)["latest"] - before
        *said, newest = numbers(await stuck.until(lambda message: message[4].get("number") == ENOUGH - 1))
        assert newest == ENOUGH - 1
        assert said == list(range(len(said)))
        assert len(said) + 1 + left_out == ENOUGH
        assert left_out > MAX_OUTBOUND_BYTES // (len(FILL) + 100)


async def test_pushes_and_replies_are_never_dropped_and_keep_their_place(slow_node: Node) -> None:
    """Twice the bound is pushed to a client that misses broadcasts meanwhile; its reply comes behind all of it."""
    count = 2 * MAX_OUTBOUND_BYTES // 1000
    async with RawClient(slow_node.url) as speaker, UnreadClient(slow_node.port) as stuck:
        await speaker.join("lossy:2")
        await stuck.join("lossy:2")
        await stuck.send(
            ["1", "2", "lossy:2", "push", {"count": count, "size": 1000}],
            ["1", "3", "lossy:2", "echo", {}],
            [None, "4", "phoenix", "heartbeat", {}],
        )
        await say(speaker, "lossy:2", 0, ENOUGH)
        messages = await stuck.until(lambda message: message[2] == "phoenix")
        assert numbers(messages, "pushed") == list(range(count))
        assert [message[1] for message in messages if message[3] == "phx_reply"] == ["3", "4"]


async def test_pushes_without_end_end_the_connection(slow_node: Node) -> None:
    async with UnreadClient(slow_node.port) as stuck:
        await stuck.join("lossy:3")
        await stuck.send(["1", "2", "lossy:3", "push", {"count": 6 * MAX_OUTBOUND_BYTES // 1000, "size": 1000}])
        _, close = await stuck.ended()
        assert close.code == 4008


async def test_one_message_above_the_bound_reaches_a_client_that_reads(slow_node: Node) -> None:
    size = 8 * MAX_OUTBOUND_BYTES
    async with RawClient(slow_node.url) as speaker, UnreadClient(slow_node.port) as listener:
        await speaker.join("strict:4")
        await listener.join("strict:4")
        await speaker.send(["1", "2", "strict:4", "say", {"number": 1, "fill": "x" * size}])
        await speaker.send(["1", "3", "strict:4", "say", {"number": 2, "fill": ""}])
        messages = await listener.until(lambda message: message[4].get("number") == 2)
        assert [len(message[4]["fill"]) for message in messages] == [size, 0]


async def test_a_client_that_asks_and_never_reads_is_not_read_from(slow_node: Node) -> None:
    """What waits for it stays within the bound, but for what one turn answers; once it reads, all are answered."""
    count = 8 * MAX_OUTBOUND_BYTES // 1000

    def full() -> bool:
        """Whether more than the bound waits for it; the kernel takes many of its questions that nobody has read."""
        waits: int = max(row["waiting"] for row in slow_node.ask("client", "127.0.0.1")["sockets"])
        assert waits <= MAX_OUTBOUND_BYTES + ONE_TURN
        return waits > MAX_OUTBOUND_BYTES

    async with UnreadClient(slow_node.port) as stuck, RawClient(slow_node.url) as other:
        await stuck.join("strict:5")
        questions = [["1", str(number), "strict:5", "echo", {"fill": FILL}] for number in range(count)]
        sending = asyncio.ensure_future(stuck.send(*questions))
        await asyncio.to_thread(wait_for, full, "so much waits that it is not read from", slow_node.logged)
        for number in range(20):
            reply = await other.ask([None, str(number), "phoenix", "heartbeat", {}])
            assert reply[1] == str(number)
        assert await asyncio.to_thread(full)
        answers = [await stuck.receive() for _ in range(count)]
        await sending
        assert [answer[1] for answer in answers] == [str(number) for number in range(count)]


class TestFloods:
    """A client that sends without end is handled in its turn, within a budget; the others go on."""

    async def test_what_waited_for_a_slow_handler_is_all_handled_in_order(self, slow_node: Node) -> None:
        """More than Python's stack is deep, and more than the budget holds at a time."""
        count = 5000
        async with UnreadClient(slow_node.port) as flooding:
            await flooding.join("strict:6")
            questions = [["1", str(number), "strict:6", "echo", {}] for number in range(count)]
            await flooding.send(["1", "first", "strict:6", "sleep", {"seconds": 0.3}])
            sending = asyncio.ensure_future(flooding.send(*questions))
            replies = [await flooding.receive() for _ in range(count + 1)]
            await sending
        assert [reply[1] for reply in replies] == ["first", *map(str, range(count))]

    async def test_what_waited_for_a_slow_join_is_all_handled_in_order(self, slow_node: Node) -> None:
        count = 1000
        async with UnreadClient(slow_node.port) as flooding:
            questions = [["1", str(number), "strict:7", "echo", {}] for number in range(count)]
            await flooding.send(["1", "join", "strict:7", "phx_join", {"sleep": 0.3}], *questions)
            replies = [await flooding.receive() for _ in range(count + 1)]
        assert [reply[1] for reply in replies] == ["join", *map(str, range(count))]

    @pytest.mark.parametrize(("size", "count"), [(0, 10_000), (64 * 1024, 200)])
    async def test_the_others_go_on(self, slow_node: Node, size: int, count: int) -> None:
        """Every heartbeat of another client is answered long before the flood is through."""
        async with UnreadClient(slow_node.port) as flooding, RawClient(slow_node.url) as other:
            await flooding.join("strict:8")
            last = ["1", "last", "strict:8", "echo", {}]
            questions = [["1", "1", "strict:8", "ignore", {"fill": "x" * size}]] * count
            sending = asyncio.ensure_future(flooding.send(*questions, last))
            answered = 0
            waiting = asyncio.ensure_future(flooding.until(lambda message: message[1] == "last"))
            while not waiting.done():
                await other.ask([None, str(answered), "phoenix", "heartbeat", {}])
                answered += 1
            await asyncio.gather(sending, waiting)
        assert answered > 3

    async def test_heartbeats_joins_and_leaves_go_on_beside_a_slow_handler(self, slow_node: Node) -> None:
        async with UnreadClient(slow_node.port) as client:
            await client.join("strict:9")
            await client.send(
                ["1", "slow", "strict:9", "wait", {}],
                [None, "beat", "phoenix", "heartbeat", {}],
                ["2", "join", "strict:10", "phx_join", {}],
                ["2", "leave", "strict:10", "phx_leave", {}],
                ["3", "again", "strict:10", "phx_join", {}],
                ["3", "on", "strict:10", "go_on", {}],
            )
            replies = await client.until(lambda message: message[1] == "slow")
        assert [reply[1] for reply in replies if reply[3] == "phx_reply"] == ["beat", "join", "leave", "again", "slow"]
