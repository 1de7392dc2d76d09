"""The process of one shard: a plain ZeroMQ poll loop around the shard's rules. No decisions here."""

import gc
import logging
import os
import socket
import sys
import time
from typing import Any, Final

import zmq

from roost.broker.shard import Shard
from roost.broker.shard_trace import ShardTrace
from roost.shared.bus import BadParcel, decode_shard_parcel
from roost.shared.child import become_child, first_message
from roost.shared.control import (
    AskMeasurements,
    AskStatus,
    Message,
    Opened,
    Ping,
    Ready,
    ShardStatus,
    StartShard,
    Stop,
    WorkerExited,
)
from roost.shared.envelopes import Answer, Ask, Envelope, Envelopes, Refusal, Tell, encode_envelope
from roost.shared.hottest import AskHottestTopics, ShardTopics
from roost.shared.inspection import AskTopicPage, TopicCount, TopicPage
from roost.shared.logs import log_to_stderr
from roost.shared.measurements import ShardMeasurements
from roost.shared.pump import Router
from roost.shared.run_directory import RunDirectory, shard_name, worker_name
from roost.shared.topics import RESERVED
from roost.shared.trace import EndTrace, FollowTrace
from roost.shared.usage import own_usage

BURIAL_PERIOD: Final = 0.2
"""Seconds between two looks for dead workers, and two ticks of the count of topics."""
PARCELS_A_TURN: Final = 1000
"""So many parcels are read before the shard answers."""
LINK_READ_BYTES: Final = 256 * 1024
NEVER: Final = 2**31 - 1
"""Collections of middle-aged objects until old ones are looked through: the most that Python takes."""
PAGE_SECONDS: Final = 0.001
"""Seconds for which topics are counted at a time, when somebody asks; publishes come between two pages."""
PAGE_TOPICS: Final = 2000
"""Topics of one page at most."""
PAGE_STEP: Final = 50
"""Topics between two looks at the clock."""

_log = logging.getLogger("roost.shard")


def leave_old_objects_alone() -> None:
    """From now on garbage is looked for among young objects alone.

    A million topics are eight million objects, and a look through all of them stops a shard for three seconds. Nothing
    of a table is ever in a cycle (`tests/broker/test_shard.py`), so there would be nothing to find.
    """
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, NEVER)


class ShardProcess:
    """The shell around one `Shard`."""

    def __init__(self, link: socket.socket, start: StartShard) -> None:
        self._link = link
        self._envelopes = Envelopes()
        self._start = start
        self._stopped = False
        self._opened = False
        run_dir = RunDirectory.open(start.run_dir)
        # Rule S1: first the lock, then the map, then the list of live workers.
        self._life = run_dir.live(shard_name(start.slot, start.incarnation))
        if run_dir.read_map().incarnation(start.slot) != start.incarnation:
            raise SystemExit(f"the shard map no longer names incarnation {start.incarnation}")
        self._shard = Shard(
            awaited=run_dir.live_workers(),
            alive=lambda worker: run_dir.alive(worker_name(worker)),
        )
        self._trace = ShardTrace(start.slot, start.incarnation, self._shard)
        self._router = Router(zmq.Context(), run_dir.bus_socket(start.slot, start.incarnation))

    def run(self) -> None:
        """Serve until the supervisor says stop, or is gone."""
        self._tell(Tell(Ready()))
        poller = zmq.Poller()
        poller.register(self._router.socket, zmq.POLLIN)
        poller.register(self._link.fileno(), zmq.POLLIN)
        leave_old_objects_alone()
        burial = time.monotonic()
        while not self._stopped:
            now = time.monotonic()
            if now >= burial:
                self._shard.bury_the_dead()
                self._shard.fanout.hottest.tick(now, self._shard.fanout.deliveries)
                self._trace.end_unasked(now)
                burial = now + BURIAL_PERIOD
            self._take_turn(now)
            wake = min(burial, self._shard.deadline() or burial)
            ready = dict(poller.poll(max(0, int((wake - time.monotonic()) * 1000) + 1)))
            if self._link.fileno() in ready:
                self._read_link()
        self._router.close()

    def _take_turn(self, now: float) -> None:
        receive = self._trace.receive
        for worker, session, data in self._router.drain(PARCELS_A_TURN):
            try:
                parcel = decode_shard_parcel(data)
            except BadParcel as error:
                _log.error("worker %d sent what is no parcel: %s", worker, error)
                continue
            if parcel.session == session:
                receive(worker, parcel)
        for outgoing in self._shard.turn(now):
            self._router.send(*outgoing)
        if self._shard.open and not self._opened:
            self._opened = True
            self._tell(Tell(Opened(self._start.slot, self._start.incarnation)))

    # The link to the supervisor

    def _read_link(self) -> None:
        data = self._link.recv(LINK_READ_BYTES)
        if not data:
            self._stopped = True
        for envelope in self._envelopes.feed(data):
            match envelope:
                case Tell(message):
                    self._told(message)
                case Ask(number, message):
                    self._answer(number, message)

    def _told(self, message: Message) -> None:
        match message:
            case Stop():
                self._stopped = True
            case WorkerExited():
                self._shard.bury_the_dead()
            case EndTrace(number):
                self._trace.end(number)

    def _answer(self, number: int, message: Message) -> None:
        value: Any
        match message:
            case Ping():
                value = True
            case AskStatus():
                value = self._status()
            case AskMeasurements():
                value = self._measurements()
            case AskTopicPage(prefix, before):
                value = self._topic_page(prefix, before)
            case AskHottestTopics():
                value = ShardTopics(self._start.slot, tuple(self._shard.fanout.hottest.hottest(time.monotonic())))
            case FollowTrace():
                value = self._trace.follow(message, time.monotonic())
            case _:
                self._tell(Refusal(number, f"a shard does not know {type(message).__name__}"))
                return
        self._tell(Answer(number, value))

    def _topic_page(self, prefix: str, before: int | None) -> TopicPage:
        """As many topics as can be counted in a moment."""
        table = self._shard.table
        end = time.monotonic() + PAGE_SECONDS
        topics: list[TopicCount] = []
        looked_at = 0
        while before != 0 and looked_at < PAGE_TOPICS and time.monotonic() < end:
            found, before = table.topics_below(before, PAGE_STEP)
            looked_at += len(found)
            topics += [
                TopicCount(topic.name, topic.size())
                for topic in found
                if topic.name.startswith(prefix) and not topic.name.startswith(RESERVED)
            ]
        assert before is not None
        return TopicPage(self._start.slot, self._start.incarnation, before, tuple(topics))

    def _status(self) -> ShardStatus:
        shard = self._shard
        own = [topic.size() for topic in shard.table.own_topics()]
        return ShardStatus(
            slot=self._start.slot,
            incarnation=self._start.incarnation,
            pid=os.getpid(),
            open=shard.open,
            topics=shard.table.topic_count() - len(own),
            subscribers=shard.table.subscriber_count() - sum(own),
            published=shard.fanout.published,
            unencodable=shard.fanout.unencodable,
            books=shard.books(),
            traces=self._trace.count,
        )

    def _measurements(self) -> ShardMeasurements:
        """Without a walk over the topics: it is asked again and again."""
        shard = self._shard
        return ShardMeasurements(
            slot=self._start.slot,
            incarnation=self._start.incarnation,
            usage=own_usage(),
            open=shard.open,
            topics=shard.table.topic_count(),
            subscribers=shard.table.subscriber_count(),
            published=shard.fanout.published,
            deliveries=shard.fanout.deliveries,
            unencodable=shard.fanout.unencodable,
            queued_publishes=shard.queued,
            outbox_bytes=shard.outbox_bytes,
            batches=shard.batches.measured(),
        )

    def _tell(self, envelope: Envelope) -> None:
        self._link.sendall(encode_envelope(envelope))


def main() -> None:
    """Become a shard: the first message on the link says which."""
    link = become_child(sys.argv)
    start = first_message(link)
    if not isinstance(start, StartShard):
        raise SystemExit(f"a shard begins with StartShard, not {type(start).__name__}")
    log_to_stderr(sys.argv[1], start.logs)
    ShardProcess(link, start).run()


if __name__ == "__main__":
    main()
