"""What applications see of the other nodes: broadcasts by reach, presence, long-poll, calls, disconnects, events."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import msgspec
import pytest

from roost.broker.bridge.engine import find_engine
from roost.broker.bridge.outgoing import ToSend
from roost.broker.bridge.subjects import Subjects
from roost.broker.bridge.wire import Directs, Origin, Publishes, encode
from roost.shared.bus import Form
from roost.shared.control import EngineOptions
from roost.shared.crossing import Crossing, bucket_of
from tests.e2e.cluster import bridge_pid, cluster
from tests.e2e.long_poll import LongPollClient
from tests.e2e.node import PATIENCE, Node, kill
from tests.e2e.phoenix_js import Channel, PhoenixJs
from tests.e2e.presence_members import Member, agree
from tests.engines import NatsServer
from tests.limits import LIMIT

APP = "tests.applications.clustered:endpoint"
SECRET = "abcdefgh" * 8


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    with (
        NatsServer() as engine,
        cluster(engine, "a", "b", app=APP, SECRET_KEY_BASE=SECRET, STALL_LIMIT=PATIENCE) as nodes,
    ):
        yield nodes


async def rooms_of(phoenix: PhoenixJs, nodes: list[Node], topic: str) -> list[Channel]:
    """A client of each node in one room."""
    return [await (await phoenix.connect(node.url)).join(topic) for node in nodes]


async def test_a_broadcast_reaches_as_far_as_it_is_meant_to(nodes: list[Node], phoenix: PhoenixJs) -> None:
    here, there = await rooms_of(phoenix, nodes, "room:reach")
    for number, (event, more) in enumerate(
        [("here", {}), ("there", {"node": "b"}), ("there", {"node": "a"}), ("from", {}), ("everywhere", {})]
    ):
        assert (await here.push(event, {"n": number, **more}))[0] == "ok"
    await here.hears("said", {"n": 4})
    await there.hears("said", {"n": 4})
    assert [payload["n"] for payload in here.payloads("said")] == [0, 2, 4]
    assert sorted(payload["n"] for payload in there.payloads("said")) == [1, 3, 4]
    status, refusal = await here.push("there", {"node": "nowhere"})
    assert (status, refusal["reason"]) == ("error", "there is no node 'nowhere' now; there are: a, b")
    assert (await there.push("nodes"))[1]["nodes"] == ["a"]


async def test_who_has_joined_hears_what_is_broadcast_elsewhere_from_then_on(
    nodes: list[Node], phoenix: PhoenixJs
) -> None:
    clients = [await phoenix.connect(node.url) for node in nodes]
    for number in range(20):
        topic = f"room:fresh:{number}"
        here = await clients[0].join(topic)
        there = await clients[1].join(topic)
        here.send("everywhere", {"n": number})
        await there.hears("said", {"n": number})


async def test_what_the_engine_does_not_take_is_refused_to_the_publisher(nodes: list[Node], phoenix: PhoenixJs) -> None:
    here, there = await rooms_of(phoenix, nodes, "room:large")
    status, refusal = await here.push("large", {"size": 1_100_000})
    assert status == "error"
    assert "a payload of 1100011 bytes is too large for the other nodes" in refusal["reason"]
    assert (await here.push("large", {"size": 900_000}))[0] == "ok"
    await there.hears_so_often("said", 1)
    assert len(there.payloads("said")[0]["text"]) == 900_000


async def test_a_channel_of_another_node_can_be_asked(nodes: list[Node], phoenix: PhoenixJs) -> None:
    here, there = await rooms_of(phoenix, nodes, "room:asked")
    address = (await there.push("nodes"))[1]["address"]
    question = "x" * 400_000
    assert await here.push("ask", {"address": address, "question": question}) == ("ok", {"answer": ["b", question]})
    status, refusal = await here.push("ask", {"address": [*address[:2], "nowhere"], "question": 1})
    assert (status, refusal["reason"]) == ("error", "there is no node 'nowhere' now; there are: a, b")


async def test_a_long_poll_session_goes_on_at_another_node(nodes: list[Node], phoenix: PhoenixJs) -> None:
    (room, _) = await rooms_of(phoenix, nodes, "room:polled")
    polled = await LongPollClient(nodes[0].port).open()
    assert (await polled.join("room:polled"))[4]["response"]["node"] == "a"
    for number in range(4):
        polled.port = nodes[number % 2].port
        assert await polled.post(["1", str(number), "room:polled", "from", {"n": number}]) == 200
        await room.hears("said", {"n": number})
        polled.port = nodes[(number + 1) % 2].port
        assert (await polled.hears(1))[0][1] == str(number)
    polled.port = nodes[1].port
    polling = asyncio.ensure_future(polled.hears(1))
    await room.push("everywhere", {"n": 4})
    assert (await polling)[0][3:] == ["said", {"n": 4}]


async def test_a_disconnect_by_id_closes_connections_of_every_node(nodes: list[Node], phoenix: PhoenixJs) -> None:
    here = (await rooms_of(phoenix, nodes[:1], "room:closing"))[0]
    clients = [await phoenix.connect(node.url, params={"user": "ada"}) for node in nodes]
    for client in clients:  # who has joined is reached; who has only just connected may not be yet
        await client.join("room:closing")
    other = await phoenix.connect(nodes[1].url, params={"user": "bob"})
    await here.push("disconnect", {"user": "ada"})
    for client in clients:
        await client.sees(event="close")
    assert (await other.try_to_join("room:closing"))[1]["joined"] == "ok"


async def test_presence_is_one_list(nodes: list[Node], phoenix: PhoenixJs) -> None:
    members = [
        await Member.join(phoenix, node, "hall:one", name) for node, name in zip(nodes, ("ada", "bob"), strict=True)
    ]
    members.append(await Member.join(phoenix, nodes[1], "hall:one", "ada"))
    await agree(members, {"ada": 2, "bob": 1})
    await members[0].channel.leave()
    await agree(members[1:], {"ada": 1, "bob": 1})


async def test_who_was_on_a_worker_that_dies_is_not_shown_until_its_silence_is_noticed(
    nodes: list[Node], phoenix: PhoenixJs
) -> None:
    """Its successor tells: on another node nobody can see the death."""
    members = [
        await Member.join(phoenix, node, "hall:worker", user) for node, user in zip(nodes, ("ada", "bob"), strict=True)
    ]
    before = await agree(members, {"ada": 1, "bob": 1})
    kill(nodes[1].status()["gateway"]["workers"][0]["pid"])
    await members[1].client.sees(event="close")
    after = await agree(members, {"ada": 1, "bob": 1}, counted=members[:1])
    assert after["bob"] != before["bob"]


async def test_a_stranger_at_the_engine_harms_nobody(nodes: list[Node], phoenix: PhoenixJs) -> None:
    """What cannot be taken is counted, and costs no process and no client anything."""
    here, there = await rooms_of(phoenix, nodes, "room:strange")
    before = [node.pids() for node in nodes]
    subjects, stranger = Subjects("roost"), Origin("stranger", "none", 1)
    bucket = bucket_of("room:strange")
    bad = [
        Crossing("room:strange", Form.BINARY, "e" * 300, b"x"),
        Crossing("room:strange", Form.JSON, "said", b'{"cut off'),
        Crossing("\0tap", Form.PLAIN, "", b"\x01"),
    ]
    good = Crossing("room:strange", Form.JSON, "said", b'{"n":1}')
    huge = b"\x01" + msgspec.msgpack.encode([3, ["stranger", "none", 1], 1, 1, 1, "1", {bucket: 2**64 - 1}, {}])
    connection = await find_engine(EngineOptions((nodes[0].environment["ROOST_CLUSTER"],))).connect(
        lambda _: None, lambda: None
    )
    await connection.publish(
        [
            ToSend(subjects.everybody, b"\x01nothing"),
            ToSend(subjects.everybody, huge),
            ToSend(subjects.node("b"), encode(Directs(stranger, 1, [Crossing("\0worker:1", Form.JSON, "", b"1")]))),
            ToSend(subjects.bucket(bucket), encode(Publishes(stranger, bucket, 1, [*bad, good]))),
        ]
    )
    await connection.close()
    for room in (here, there):
        await room.hears("said", {"n": 1})
    await here.push("everywhere", {"n": 2})
    await there.hears("said", {"n": 2})
    assert [payload["n"] for payload in there.payloads("said")] == [1, 2]
    assert [node.pids() for node in nodes] == before
    assert nodes[1].ask("nodes")["unreadable"] == 5


async def test_joins_do_not_hang_for_a_bridge_that_does_not_answer(nodes: list[Node], phoenix: PhoenixJs) -> None:
    client = await phoenix.connect(nodes[0].url)
    known = await client.join("room:known")
    frozen = bridge_pid(nodes[0])
    os.kill(frozen, signal.SIGSTOP)
    try:
        channel = await client.join("room:unheard")
        assert (await channel.push("everywhere", {"n": 1}))[0] == "ok"
        await channel.hears("said", {"n": 1})
        assert "no word of the bridge to other nodes for 5 s" in nodes[0].logged()
    finally:
        os.kill(frozen, signal.SIGCONT)
    (there,) = await rooms_of(phoenix, nodes[1:], "room:known")
    await there.push("everywhere", {"n": 2})
    await known.hears("said", {"n": 2})


async def test_who_is_out_of_sight_is_shown_again_when_seen(nodes: list[Node], phoenix: PhoenixJs) -> None:
    """A whole node stands still for a while, and nobody joins anew: the same presences come back."""
    staying, still = [
        await Member.join(phoenix, node, "hall:still", user) for node, user in zip(nodes, ("ada", "bob"), strict=True)
    ]
    before = await agree([staying, still], {"ada": 1, "bob": 1})
    frozen = nodes[1].pids()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        await shown(staying, {"ada"}, LIMIT)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    for member in (staying, still):
        await shown(member, {"ada", "bob"}, LIMIT)
        assert member.picture() == before


async def test_who_was_on_a_node_that_is_killed_leaves_and_comes_back(nodes: list[Node], phoenix: PhoenixJs) -> None:
    here, there = nodes
    staying = await Member.join(phoenix, here, "hall:killed", "ada")
    going = await Member.join(phoenix, there, "hall:killed", "bob")
    (room,) = await rooms_of(phoenix, [here], "room:watching")
    polled = await LongPollClient(there.port).open()
    await agree([staying, going], {"ada": 1, "bob": 1})
    for pid in there.pids():
        with suppress(ProcessLookupError):  # children die with their supervisor
            os.kill(pid, signal.SIGKILL)
    await shown(staying, {"ada"}, LIMIT)
    await told(room, ["NodeDown", "b"], [])
    polled.port = here.port
    assert await polled.post(["1", "1", "room:watching", "nodes", {}]) == 410
    there.stop_processes()
    there.start()
    # phoenix.js connects and joins again by itself.
    await agree([staying, going], {"ada": 1, "bob": 1}, counted=[staying])
    await told(room, ["NodeUp", "b"], ["b"])


async def told(room: Channel, last: list[str], nodes: list[str]) -> None:
    """Wait until a worker was told that, and knows of these other nodes."""
    async with asyncio.timeout(LIMIT):
        while True:
            known = (await room.push("nodes"))[1]
            if [news for news in known["told"] if news[0] != "MessagesLost"][-1] == last and known["nodes"] == nodes:
                return


async def shown(member: Member, users: set[str], limit: float) -> None:
    """Wait until a member's picture has these users."""
    await member.phoenix.sees(lambda _: set(member.picture()) == users, f"{users} are present", limit)
