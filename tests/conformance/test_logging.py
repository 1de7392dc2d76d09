"""Log lines and telemetry: upstream's cases of section 10.1 that concern them, against nodes of real processes.

A line is written before the client hears of what it tells, so nothing is waited for.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.e2e.long_poll import LongPollClient
from tests.e2e.node import Node, wait_for
from tests.limits import LIMIT

VERSIONS = ("1.0.0", "2.0.0")
SECRET = "hunter2"


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node("tests.applications.logged:endpoint", shards=1, workers=1) as running:
        yield running


@pytest.fixture(scope="module")
def json_node() -> Iterator[Node]:
    running = Node("tests.applications.logged:endpoint", shards=1, workers=1)
    running.environment |= {"ROOST_LOG_FORMAT": "json", "ROOST_LOG_LEVEL": "debug"}
    with running:
        yield running


@pytest.fixture(scope="module")
def listening() -> Iterator[Node]:
    """Its application writes the events that it hears to `TELEMETRY_FILE`."""
    running = Node("tests.applications.logged:heard", shards=1, workers=1)
    running.environment["TELEMETRY_FILE"] = str(running.run_dir / "telemetry")
    with running:
        yield running


class Log:
    """What the node logs meanwhile."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._before = len(node.logged())

    @property
    def text(self) -> str:
        return self._node.logged()[self._before :]

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


class Speaker:
    """A client of V1 or V2."""

    def __init__(self, connection: ClientConnection, vsn: str) -> None:
        self._connection = connection
        self._old = vsn.startswith("1")

    async def ask(self, topic: str, event: str, payload: Any) -> dict[str, Any]:
        """Send, and take the payload of what comes next."""
        ref = "1"
        old = {"topic": topic, "event": event, "payload": payload, "ref": ref}
        await self._connection.send(json.dumps(old if self._old else [ref, ref, topic, event, payload]))
        reply = json.loads(await self._connection.recv())
        answered: dict[str, Any] = reply["payload"] if self._old else reply[4]
        return answered


@asynccontextmanager
async def speaker(node: Node, vsn: str = "2.0.0", path: str = "/socket", query: str = "") -> AsyncIterator[Speaker]:
    url = f"ws://127.0.0.1:{node.port}{path}/websocket?vsn={vsn}{query}"
    async with connect(url, compression=None) as connection:
        yield Speaker(connection, vsn)


def heard(node: Node) -> list[dict[str, Any]]:
    """The events so far."""
    return [json.loads(line) for line in Path(node.environment["TELEMETRY_FILE"]).read_text().splitlines()]


@pytest.mark.parametrize("vsn", VERSIONS)
async def test_wc_13_connect_log(node: Node, vsn: str) -> None:
    log = Log(node)
    async with speaker(node, vsn, query=f"&password={SECRET}&name=ada"):
        first, *rest = log.text.splitlines()
    assert re.fullmatch(r"worker 0: INFO: CONNECTED TO LoggedSocket in \d+(us|ms)", first)
    assert rest == [
        "  Transport: websocket",
        f"  Serializer: V{vsn[0]}Serializer",
        f'  Parameters: {{"vsn": "{vsn}", "password": "[FILTERED]", "name": "ada"}}',
    ]


async def test_wc_13_a_refused_connection(node: Node) -> None:
    log = Log(node)
    with pytest.raises(InvalidStatus):
        async with speaker(node, query="&how=refused"):
            pass
    assert "INFO: REFUSED CONNECTION TO LoggedSocket in " in log.text
    assert log.text.count("\n") == 4


async def test_wc_13_neither_after_an_exception_nor_for_another_version(node: Node) -> None:
    log = Log(node)
    for vsn, how in (("2.0.0", "crash"), ("3.0.0", "")):
        with pytest.raises(InvalidStatus):
            async with speaker(node, vsn, query=f"&how={how}"):
                pass
    assert "connect was asked to crash" in log.text
    assert "CONNECT" not in log.text


@pytest.mark.parametrize("vsn", VERSIONS)
@pytest.mark.parametrize("path", ["/unlogged", "/quiet"])
async def test_wc_14_connect_log_off(node: Node, vsn: str, path: str) -> None:
    """Off by `log = None`, and by the default level while the node logs at info."""
    log = Log(node)
    async with speaker(node, vsn, path) as client:
        assert (await client.ask("room:a", "phx_join", {"password": SECRET}))["status"] == "ok"
        assert (await client.ask("room:a", "new_msg", {}))["status"] == "ok"
    assert log.text == ""


@pytest.mark.parametrize("vsn", VERSIONS)
async def test_wc_15_join_and_handle_in_logs(node: Node, vsn: str) -> None:
    async with speaker(node, vsn) as client:
        log = Log(node)
        await client.ask("room:lobby", "phx_join", {"join": "yes", "password": SECRET})
        first, *rest = log.text.splitlines()
        assert re.fullmatch(r"worker 0: INFO: JOINED room:lobby in \d+(us|ms)", first)
        assert rest == ['  Parameters: {"join": "yes", "password": "[FILTERED]"}']
        log = Log(node)
        await client.ask("room:lobby", "new_msg", {"in": "yes", "password": SECRET})
        first, *rest = log.text.splitlines()
        assert re.fullmatch(
            r"worker 0: INFO: HANDLED new_msg INCOMING ON room:lobby \(LoggedChannel\) in \d+(us|ms)", first
        )
        assert rest == ['  Parameters: {"in": "yes", "password": "[FILTERED]"}']


async def test_lp_16_connect_and_join_logs_of_long_poll(node: Node) -> None:
    log = Log(node)
    client = await LongPollClient(node.port, "/polled/longpoll", password=SECRET).open()
    first, *rest = log.text.splitlines()
    assert re.fullmatch(r"worker 0: INFO: CONNECTED TO LoggedSocket in \d+(us|ms)", first)
    assert rest[0] == "  Transport: longpoll"
    assert rest[-1] == '  Parameters: {"vsn": "2.0.0", "password": "[FILTERED]"}'
    log = Log(node)
    assert (await client.join("room:polled", {"join": "yes", "password": SECRET}))[4]["status"] == "ok"
    first, *rest = log.text.splitlines()
    assert re.fullmatch(r"worker 0: INFO: JOINED room:polled in \d+(us|ms)", first)
    assert rest == ['  Parameters: {"join": "yes", "password": "[FILTERED]"}']


async def test_wc_15_a_refused_join(node: Node) -> None:
    async with speaker(node) as client:
        log = Log(node)
        await client.ask("room:lobby", "phx_join", {"how": "refused"})
        assert re.search(r"INFO: REFUSED JOIN room:lobby in \d+(us|ms)\n  Parameters: ", log.text)


async def test_wc_15_topics_that_begin_with_phoenix_are_not_logged(node: Node) -> None:
    async with speaker(node) as client:
        log = Log(node)
        assert (await client.ask("phoenix:live", "phx_join", {}))["status"] == "ok"
        assert (await client.ask("phoenix:live", "new_msg", {}))["status"] == "ok"
        assert (await client.ask("phoenix", "heartbeat", {}))["status"] == "ok"
        assert log.text == ""


@pytest.mark.parametrize("vsn", VERSIONS)
async def test_wc_26_unmatched_join(node: Node, vsn: str) -> None:
    async with speaker(node, vsn) as client:
        log = Log(node)
        answer = await client.ask("nobody:\n's", "phx_join", {"password": SECRET})
        assert answer == {"status": "error", "response": {"reason": "unmatched topic"}}
        assert log.text == 'worker 0: WARNING: LoggedSocket: unmatched topic "nobody:\\n\'s"\n'


async def test_wc_03_too_many_channels(node: Node) -> None:
    """Upstream logs an error; a fault of the peer is none of ours, so it is a warning."""
    async with speaker(node, path="/narrow") as client:
        await client.ask("room:a", "phx_join", {})
        log = Log(node)
        answer = await client.ask("room:b", "phx_join", {"password": SECRET})
        assert answer == {"status": "error", "response": {"reason": "too many channels joined"}}
        assert log.text == "worker 0: WARNING: NarrowSocket: too many channels joined 'room:b'\n"


async def test_wc_23_a_duplicate_join_is_told_at_debug(json_node: Node) -> None:
    async with speaker(json_node) as client:
        await client.ask("room:a", "phx_join", {})
        log = Log(json_node)
        await client.ask("room:a", "phx_join", {})
        assert [(line["level"], line["message"]) for line in log.objects if line["logger"] == "roost.client"] == [
            ("debug", "LoggedSocket: duplicate join of 'room:a'")
        ]


async def test_what_crashes_does_not_tell_the_payload(node: Node) -> None:
    """The application returns the client's own payload where it must not: the log says so without it."""
    async with speaker(node) as client:
        log = Log(node)
        secret = {"password": SECRET}
        await client.ask("room:lobby", "phx_join", {"how": "garbage", **secret})
        await client.ask("room:lobby", "phx_join", {})
        await client.ask("room:lobby", "fail", secret)
        assert "join returned <dict>" in log.text
        assert "it returned <dict>" in log.text
        assert re.findall(r"\((\w+\.\w+), .*/applications/logged\.py:\d+\)", log.text) == [
            "LoggedChannel.join",
            "LoggedChannel.fail",
        ], "whose line it is"
        assert SECRET not in log.text


async def test_lines_as_json(json_node: Node) -> None:
    async with speaker(json_node) as client:
        log = Log(json_node)
        await client.ask("room:lobby", "phx_join", {"token": SECRET, "name": "é\n"})
        (joined,) = log.objects
        assert re.fullmatch(r"JOINED room:lobby in \d+(us|ms)", joined.pop("message"))
        assert 0 < joined.pop("duration") < 60
        assert joined.pop("pid") in json_node.pids()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", joined.pop("time"))
        assert joined == {
            "level": "info",
            "logger": "roost.channel",
            "process": "worker 0",
            "topic": "room:lobby",
            "channel": "LoggedChannel",
            "result": "ok",
            "parameters": '{"token": "[FILTERED]", "name": "é\\n"}',
        }


async def test_every_process_writes_json(json_node: Node) -> None:
    lines = [json.loads(line) for line in json_node.logged().splitlines()]
    assert {"broker", "gateway"} <= {line["process"] for line in lines}
    shard = json_node.status()["shards"][0]["pid"]
    worker = json_node.status()["gateway"]["workers"][0]["pid"]
    assert {shard, worker} < json_node.pids()


async def test_at_debug_the_default_levels_are_logged(json_node: Node) -> None:
    log = Log(json_node)
    async with speaker(json_node, path="/quiet") as client:
        await client.ask("room:lobby", "phx_join", {})
        await client.ask("room:lobby", "new_msg", {})
    ours = [line for line in log.objects if line["logger"] in ("roost.channel", "roost.socket")]
    assert [line["level"] for line in ours] == ["debug"] * 3
    assert [line["message"].split()[0] for line in ours] == ["CONNECTED", "JOINED", "HANDLED"]


async def test_without_a_wanted_line_nothing_is_attached() -> None:
    with Node("tests.applications.logged:quiet", shards=1, workers=1) as running:
        async with speaker(running) as client:
            await client.ask("room:a", "phx_join", {})
            assert (await client.ask("room:a", "new_msg", {}))["response"] == {"attached": ["SocketDrain"]}


async def test_telemetry_of_a_socket_and_a_channel(listening: Node) -> None:
    async with speaker(listening, query="&name=ada") as client:
        await client.ask("room:b", "phx_join", {"how": "refused"})
        await client.ask("room:a", "phx_join", {"n": 1})
        before = len(heard(listening))
        await client.ask("room:a", "new_msg", {"n": 2})
        connected, refused, joined, handled = heard(listening)[-4:]
        assert len(heard(listening)) == before + 1
    assert 0 < connected.pop("duration") < 60
    assert connected == {
        "kind": "connected",
        "result": "ok",
        "transport": "websocket",
        "vsn": "2.0.0",
        "serializer": "V2Serializer",
        "params": {"vsn": "2.0.0", "name": "ada"},
        "socket": "LoggedSocket",
    }
    for event, result, topic, params in (
        (refused, "error", "room:b", {"how": "refused"}),
        (joined, "ok", "room:a", {"n": 1}),
    ):
        assert 0 < event.pop("duration") < 60
        assert event == {"kind": "joined", "result": result, "topic": topic, "params": params}
    assert 0 < handled.pop("duration") < 60
    assert handled == {"kind": "handled_in", "event": "new_msg", "ref": "1", "params": {"n": 2}}


async def test_no_event_after_an_exception_and_a_handler_that_raises_is_detached_once(listening: Node) -> None:
    async with speaker(listening) as client:
        await client.ask("room:a", "phx_join", {})
        await client.ask("room:a", "new_msg", {})
        before = heard(listening)
        assert (await client.ask("room:a", "no such event", {})) == {"reason": "channel_crash"}
        await client.ask("room:c", "phx_join", {"how": "crash"})
        assert heard(listening) == before
    log = listening.logged()
    assert log.count("a handler of ChannelHandledIn raised and is detached") == 1
    assert "a handler was asked to raise" in log


async def test_a_changed_shard_map_is_told(listening: Node) -> None:
    def epochs() -> list[int]:
        return [event["epoch"] for event in heard(listening) if event["kind"] == "map"]

    before = epochs()[-1]
    assert listening.run("scale", "shards", "2").returncode == 0
    wait_for(lambda: epochs()[-1] > before, "the worker publishes in the new epoch", listening.logged)


async def test_the_beginning_and_the_draining_of_a_worker() -> None:
    running = Node("tests.applications.logged:heard", shards=1, workers=1)
    file = running.run_dir / "telemetry"
    running.environment["TELEMETRY_FILE"] = str(file)
    with running:
        (init,) = [event for event in heard(running) if event["kind"] == "init"]
        assert (init["worker"], init["system_time"] > 1.7e9) == (
            running.status()["gateway"]["workers"][0]["number"],
            True,
        )
        async with speaker(running), speaker(running):
            assert running.gateway is not None
            running.gateway.terminate()
            wait_for(lambda: heard(running)[-1]["kind"] == "drain", "the worker drains", running.logged)
        assert heard(running)[-1] == {"kind": "drain", "count": 2, "total": 2, "index": 1, "rounds": 1}
        running.gateway.wait(LIMIT)
        assert "INFO: DRAINING 2 of 2 total connection(s) every 250ms - round 1 of 1\n" in running.logged()
