"""What a worker tells its traces, and that it tells nobody anything when none is on."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from roost.gateway.bus.uplink import Uplink
from roost.gateway.clients.runtime import Runtime
from roost.gateway.inspection.worker_trace import WorkerTrace
from roost.shared import trace_recorder
from roost.shared.bus import TRACED, Form, Lane, Publish
from roost.shared.trace import FollowTrace, Note, Published, TraceFilter
from tests.gateway.lone_worker import lone_worker
from tests.limits import LIMIT


@contextmanager
def traced(**wanted: str) -> Iterator[tuple[Runtime, WorkerTrace]]:
    with lone_worker() as runtime:
        assert isinstance(runtime.uplink, Uplink)
        trace = WorkerTrace(runtime, runtime.uplink)
        trace.follow(FollowTrace(1, TraceFilter(**wanted), 3))
        try:
            yield runtime, trace
        finally:
            trace.end(1)


def notes(trace: WorkerTrace, **wanted: str) -> tuple[Note, ...]:
    return trace.follow(FollowTrace(1, TraceFilter(**wanted), 3)).notes


def marks(runtime: Runtime) -> list[int]:
    """Of all publishes so far, none of which is through: whether each is traced."""
    assert isinstance(runtime.uplink, Uplink)
    logged = runtime.uplink._delivery._log._logged
    return [msgspec.msgpack.decode(one.item, type=Publish).trace & TRACED for one in logged]


def told(runtime: Runtime) -> list[bool]:
    """Whether anybody is told what happens."""
    assert isinstance(runtime.uplink, Uplink)
    return [runtime.tracer is not None, runtime.uplink.tracer is not None]


async def test_publishes_that_match_are_marked_up_to_the_limit() -> None:
    with traced(topic="room:*", event="news") as (runtime, trace):
        for topic, event in (("room:1", "news"), ("hall:1", "news"), ("room:1", "other"), *[("room:2", "news")] * 4):
            assert runtime.uplink.publish_now(topic, Form.JSON, event, b'{"password":"x"}')
        assert runtime.uplink.publish_now("\0presence:a", Form.PLAIN, "", b"")
        assert marks(runtime) == [1, 0, 0, 1, 1, 0, 0, 0]
        published = [note for note in notes(trace) if isinstance(note, Published)]
        assert [(note.number, note.topic) for note in published] == [(1, "room:1"), (4, "room:2"), (5, "room:2")]
        assert all((note.shards, note.worker, note.size) == (1, 1, 16) for note in published)
        assert published[0].payload == '{"password": "[FILTERED]"}'


async def test_the_nodes_own_topics_are_not_told() -> None:
    with traced() as (runtime, trace):
        runtime.uplink.subscribe(1, "\0worker:7", Lane.LETTER, (), None, None)
        runtime.uplink.publish_now("\0worker:7", Form.PLAIN, "", b"")
        assert notes(trace) == ()
        assert marks(runtime) == [0]


async def test_large_payloads_are_not_looked_at() -> None:
    with traced() as (runtime, trace):
        runtime.uplink.publish_now("room:1", Form.JSON, "news", b'{"a":"%b"}' % (b"x" * 5000))
        runtime.uplink.publish_now("room:1", Form.JSON, "news", b'{"a":"%b"}' % (b"x" * 1000))
        runtime.uplink.publish_now("room:1", Form.BINARY, "news", b"12345")
        large, cut, binary = (note for note in notes(trace) if isinstance(note, Published))
        assert (large.size, large.payload) == (5008, None)
        assert cut.payload is not None
        assert len(cut.payload) < 210
        assert binary.payload == "5 bytes of binary data"


async def test_nobody_is_told_anything_when_no_trace_is_on() -> None:
    with traced() as (runtime, trace):
        assert told(runtime) == [True, True]
        trace.follow(FollowTrace(2, TraceFilter(), 1))
        trace.end(1)
        assert told(runtime) == [True, True]
        trace.end(2)
        assert told(runtime) == [False, False]
        assert runtime.uplink.publish_now("room:1", Form.JSON, "news", b"{}")
        assert marks(runtime) == [0]


async def test_it_ends_by_itself_when_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_recorder, "ASKER_LIMIT", 0.0)
    with traced() as (runtime, trace):
        async with asyncio.timeout(LIMIT):
            while trace.count:
                await asyncio.sleep(0)
        assert told(runtime) == [False, False]
