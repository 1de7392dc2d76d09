"""Control messages: the same after the wire however it is cut, and no bytes do worse than BadEnvelope."""

import struct
from contextlib import suppress
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared import acting, cluster, control, envelopes, hottest, inspection, trace
from roost.shared.books import ShardBooks
from roost.shared.bus import Form, Lane
from roost.shared.drain import Pace
from roost.shared.envelopes import BadEnvelope, Envelope, Envelopes, encode_envelope
from roost.shared.limits import Limits
from roost.shared.shard_map import ShardMap, Slot
from tests.shared.json_values import text

numbers = st.integers(0, 2**63 - 1)
small = st.integers(0, 63)
slots = st.builds(Slot, small, small)
maps = st.builds(
    ShardMap, numbers, small, small, st.dictionaries(small, st.lists(numbers, max_size=3).map(tuple), max_size=3)
)
addresses = st.lists(st.tuples(text, st.integers(0, 65535)), max_size=2).map(tuple)

paces = st.builds(Pace, numbers, st.floats(0, 60), st.floats(0, 60))

filters = st.builds(
    trace.TraceFilter,
    st.none() | text.map(lambda prefix: prefix.replace("*", "") + "*"),
    st.none() | text,
    st.none() | text,
)
fields_of: dict[type, tuple[st.SearchStrategy[Any], ...]] = {
    control.StartShard: (slots, numbers, text),
    control.StartWorker: (numbers, text, text, addresses, st.lists(text).map(tuple)),
    control.Ready: (),
    control.Failed: (text,),
    control.Stop: (paces, st.floats(0, 60), st.floats(0, 60)),
    control.Drain: (paces,),
    control.Admit: (),
    control.DrainGateway: (st.booleans(),),
    control.AskDrain: (),
    control.MapChanged: (maps,),
    control.WorkerExited: (numbers,),
    control.JoinNode: (numbers,),
    control.TakeWorkerNumber: (),
    control.Ping: (),
    control.AskStatus: (),
    control.AskMeasurements: (),
    control.AskNodeMeasurements: (),
    hottest.AskHottestTopics: (numbers,),
    control.LimitsChanged: (st.builds(Limits, numbers, numbers),),
    control.AskConfig: (),
    control.SetConfig: (text, text),
    control.Opened: (slots, numbers),
    control.Publishing: (numbers, numbers),
    control.ScaleShards: (numbers,),
    control.AskResharding: (),
    control.ScaleWorkers: (small,),
    control.AskWorkerChange: (),
    control.StartBridge: (numbers, text, text, st.builds(control.EngineOptions, st.lists(text).map(tuple)), numbers),
    cluster.Interest: (numbers, numbers, st.binary(max_size=10)),
    cluster.Listening: (
        st.dictionaries(numbers, numbers, max_size=3),
        st.binary(max_size=10),
        numbers,
        st.lists(text, max_size=3).map(tuple),
    ),
    cluster.NodeUp: (text, text),
    cluster.NodeDown: (text, text),
    cluster.MessagesLost: (text, st.none() | numbers),
    cluster.AskCluster: (),
    cluster.AskNode: (text, st.binary(max_size=10)),
    cluster.AskedHere: (text, st.binary(max_size=10)),
    inspection.AskTopics: (text, st.lists(st.builds(inspection.Cursor, slots, numbers), max_size=3).map(tuple)),
    inspection.AskTopicPage: (text, st.none() | numbers),
    inspection.AskTree: (),
    inspection.AskRoutes: (),
    inspection.AskPresences: (text, numbers),
    inspection.AskSubscribers: (text, numbers),
    inspection.AskSockets: (text,),
    inspection.AskClient: (text, numbers),
    inspection.AskSlowestClients: (numbers,),
    acting.BroadcastEvents: (
        st.lists(
            st.builds(acting.OutsideEvent, text, text, st.binary(max_size=10), st.sampled_from(Form)), max_size=3
        ).map(tuple),
        st.none() | small,
        text,
    ),
    acting.DisconnectSockets: (text,),
    trace.StartTrace: (filters, numbers, st.floats(0, 600)),
    trace.PollTrace: (numbers, st.dictionaries(text, numbers, max_size=3)),
    trace.StopTrace: (numbers,),
    trace.FollowTrace: (numbers, filters, numbers, st.dictionaries(text, numbers, max_size=3)),
    trace.EndTrace: (numbers,),
}
messages: st.SearchStrategy[control.Message] = st.one_of(
    [st.builds(kind, *fields) for kind, fields in fields_of.items()]
)
answers = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
any_envelope: st.SearchStrategy[Envelope] = st.one_of(
    st.builds(envelopes.Tell, messages),
    st.builds(envelopes.Ask, numbers, messages),
    st.builds(envelopes.Answer, numbers, answers),
    st.builds(envelopes.Refusal, numbers, text),
)


def test_every_message_is_tried() -> None:
    assert set(fields_of) == set(get_args(control.Message))


@given(st.lists(any_envelope, max_size=4), st.data())
def test_a_stream_gives_what_was_sent_wherever_it_is_cut(sent: list[Envelope], data: st.DataObject) -> None:
    stream = b"".join(map(encode_envelope, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    reader = Envelopes()
    got: list[Envelope] = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += reader.feed(stream[begin:end])
    assert got == sent


@given(st.lists(any_envelope, min_size=1, max_size=3))
def test_a_reader_that_asks_for_what_is_missing_reads_nothing_of_the_next(sent: list[Envelope]) -> None:
    stream = b"".join(map(encode_envelope, sent))
    for envelope in sent:
        reader = Envelopes()
        got: list[Envelope] = []
        while not got:
            want = reader.missing()
            assert want > 0
            piece, stream = stream[:want], stream[want:]
            got = reader.feed(piece)
        assert got == [envelope]
    assert stream == b""


@given(any_envelope)
def test_answers_of_messages_survive_as_plain_data(envelope: Envelope) -> None:
    """What an answer carries is converted to its type by who asked, so it must be plain data on the way."""
    (got,) = Envelopes().feed(encode_envelope(envelopes.Answer(1, envelope)))
    assert isinstance(got, envelopes.Answer)
    assert msgspec.convert(got.value, Envelope) == envelope


def test_statuses_survive_as_answers() -> None:
    shard = control.ShardStatus(Slot(0, 1), 2, 3, True, 4, 5, 6, 7, ShardBooks(10, 7, 2, 1))  # noqa: FBT003
    node = control.NodeStatus("1", 2, 3.5, ShardMap(1, 1, 0, {0: (1, 1)}), (shard,), None, ("worker 1",))
    row = inspection.SubscriberRow(Slot(0, 1), 1, 2, Lane.V2, 3.5)
    rows = inspection.Subscribers(1, (row,), ("worker 0",))
    pages = inspection.TopicPages((inspection.TopicPage(Slot(0, 1), 1, 7, (inspection.TopicCount("a", 2),)),))
    leaf = inspection.WorkerTree(1, ("http://[::1]:4000",), {"a.B": 2}, {}, 0)
    branch = inspection.ProcessBranch("worker 0", 7, 1, True, "serving", leaf)  # noqa: FBT003
    tree = inspection.NodeTree(1, (branch,), inspection.GatewayTree(2, "a:b", (branch,)))
    for value in (shard, node, rows, pages, tree):
        (got,) = Envelopes().feed(encode_envelope(envelopes.Answer(1, value)))
        assert isinstance(got, envelopes.Answer)
        assert msgspec.convert(got.value, type(value)) == value


@given(st.binary())
def test_no_bytes_do_worse_than_bad_envelope(data: bytes) -> None:
    for stream in (data, struct.pack(">I", len(data)) + data):
        with suppress(BadEnvelope):
            Envelopes().feed(stream)


@given(any_envelope, st.data())
def test_no_damaged_envelope_does_worse_than_bad_envelope(envelope: Envelope, data: st.DataObject) -> None:
    stream = bytearray(encode_envelope(envelope))
    stream[data.draw(st.integers(4, len(stream) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BadEnvelope):
        Envelopes().feed(bytes(stream))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode({"type": "shout"}),
        msgspec.msgpack.encode({"type": "ask", "number": 1}),
        msgspec.msgpack.encode({"type": "tell", "message": {"type": "NoSuchMessage"}}),
        b"\x83\xa4type\xa6answer\xa6number\1\xa5value" + b"\x91" * 100_000 + b"\1",
        b"\x83\xa4type\xa6answer\xa6number\1\xa5value\xdd\xff\xff\xff\xff",
        b"\x83\xa4type\xa6answer\xa6number\1\xa5value\x81\x80\1",
        b"\x83\xa4type\xa6answer\xa6number\1\xa5value\xa1\xff",
    ],
    ids=["nothing", "no type", "unknown", "fields missing", "no message", "deep", "too few", "key", "no text"],
)
def test_bodies_that_are_no_envelope(body: bytes) -> None:
    with pytest.raises(BadEnvelope):
        Envelopes().feed(struct.pack(">I", len(body)) + body)


def test_a_length_beyond_the_limit_is_refused_before_its_bytes_come() -> None:
    with pytest.raises(BadEnvelope, match=str(envelopes.MAX_MESSAGE_BYTES)):
        Envelopes().feed(struct.pack(">I", envelopes.MAX_MESSAGE_BYTES + 1))
    assert Envelopes().feed(struct.pack(">I", envelopes.MAX_MESSAGE_BYTES)) == []
