"""Drives rooms: sends in a closed or an open loop, counts what every member receives, accounts for all of it."""

import os
import select
import socket
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Final

from tests.load.board import Tally
from tests.load.crowd import Crowd
from tests.load.orders import Drive, Driven, LoadTestFailed, Prepare
from tests.load.pace import dues
from tests.load.recorder import Recorder
from tests.load.room import Room, missing_and_surplus
from tests.load.speaker import Speaker
from tests.load.wire import Shape, StampedPush, blank_payload
from tests.load.witness import Witness, chosen

BUFFER_BYTES: Final = 1 << 20
MOST_EVENTS: Final = 512
"""Descriptors read before the clock is looked at again."""
FEW_EVENTS: Final = 16
DOZE: Final = 100e-6
"""Seconds to let more arrive when little had: reading one at a time costs a system call more for each."""
MANY_CLIENTS: Final = 2_000
"""With more than so many, a nap while one frame for each of so many is under way makes no difference to when the last
one comes: writing them takes far longer."""
THIN: Final = 4
"""Frames in a read, on average, below which it is not worth its system call, if many more are under way."""
NAP: Final = 2e-3
"""Seconds to let more arrive then: a server that does not join frames would otherwise be measured by how fast they are
read one by one."""
MUCH_UNDER_WAY: Final = 10_000
"""Frames under way for that: a server that writes them one by one is busy for longer than that."""
MUCH_FOR_EACH: Final = 8
"""And so many of them to each client on average: where there are fewer, waiting brings nothing together."""
PATIENCE: Final = 0.05
"""Seconds after which the clock is looked at even if nothing comes."""
GLANCE: Final = 0.001
"""The same where something may happen that epoll does not tell: in other processes, in a send buffer."""
FIRST_LIMIT: Final = 20.0
"""Seconds in which the first message of every room must be with all members."""
DRAIN_LIMIT: Final = 15.0
"""Seconds in which what is under way at the end must arrive."""
LINGER: Final = 0.2
"""Seconds in which what came too much would still arrive."""


class Traffic:
    """The rooms of one process: prepared once, then driven once."""

    def __init__(self, crowd: Crowd, order: Prepare) -> None:
        self._crowd = crowd
        self._event, self._payload_bytes = order.event, order.payload_bytes
        self._recorder = Recorder()
        self._receivers = crowd.receivers()
        self._received = [0] * crowd.capacity
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._rooms = [Room(seat.room, crowd.members[seat.room]) for seat in crowd.seats]
        self._room_of = [self._rooms[0]] * crowd.capacity
        for room in self._rooms:
            for member in room.members:
                self._room_of[member] = room
        watched = order.watched or any(seat.spans for seat in crowd.seats)
        self._speakers = {
            seat.room: Speaker(
                room, crowd.sockets[room.members[0]], self._push_into(room), crowd.board if watched else None
            )
            for seat, room in zip(crowd.seats, self._rooms, strict=True)
            if seat.home
        }
        self._spanning = frozenset(seat.room for seat in crowd.seats if seat.spans)
        self._shared = [room for room in self._rooms if room.number in self._spanning]
        self._wide = [self._speakers[seat.room] for seat in crowd.seats if seat.spans and seat.home]
        """Speakers of rooms that have members in other processes."""
        self._witnesses: list[Witness] = []
        self._touched: set[Room] = set()
        """Rooms that have received enough for another message to be complete."""
        self._stuck: set[Speaker] = set()
        self._frame_bytes = 0
        self._much_under_way = 0
        self._arrived = 0
        """Bytes received by all clients together."""
        self._reads = 0
        self._expected = 0
        """Bytes that they will have received when all that was sent here has arrived, but for shared rooms."""
        self._window_open = False
        self._schedule: Iterator[tuple[int, Speaker]] = iter(())
        self._next: tuple[int, Speaker] | None = None
        """The next message of an open loop."""

    def prepare(self) -> None:
        """Send the first message of each room and wait for it. Raises LoadTestFailed."""
        deadline = time.monotonic() + FIRST_LIMIT
        for client in self._crowd.sockets.values():
            # As a client that also talks: not an acknowledgement for every read, which would cost more than the read.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        for speaker in self._speakers.values():
            self._say(speaker, time.monotonic_ns())
        self._learn_frames(deadline)
        alone = [speaker for speaker in self._speakers.values() if speaker.room.number not in self._spanning]
        self._expected = sum(speaker.room.goal for speaker in alone)
        while any(room.done < 1 for room in self._rooms) or any(speaker.complete < 1 for speaker in self._wide):
            self._turn(time.monotonic_ns() + 1_000_000)
            if time.monotonic() > deadline:
                missing = sum(self._received[member] == 0 for room in self._rooms for member in room.members)
                raise LoadTestFailed(f"{missing} clients have not received the first message after {FIRST_LIMIT:g} s")

    def run(self, order: Drive) -> Driven:
        """Warm up, measure, wait for what is under way, account for all."""
        while (wait := order.start - time.monotonic_ns()) > 0:
            time.sleep(wait / 1e9)
        begin = order.start + int(order.warmup * 1e9)
        self._start(order)
        self._run_until(begin)
        cpu = time.process_time()
        self._recorder.begin(time.monotonic_ns(), self._deliveries())
        for piece in range(1, order.slices + 1):
            self._run_until(begin + int(order.seconds * 1e9 * piece / order.slices))
            self._recorder.cut(time.monotonic_ns(), self._deliveries())
        outcome = self._recorder.end()
        outcome.cpu = time.process_time() - cpu
        self._drain()
        self._account(outcome)
        return outcome

    # Frames

    def _push_into(self, room: Room) -> StampedPush:
        dialect = self._crowd.dialect
        text = dialect.push(room.number, self._event, blank_payload(self._payload_bytes))
        return StampedPush(text, os.urandom(4), dialect.opcode)

    def _learn_frames(self, deadline: float) -> None:
        """The first client reads a frame; from then on it is known how long all frames are."""
        room, dialect = self._rooms[0], self._crowd.dialect
        member = room.members[0]
        heard = self._first_delivery(member, deadline)
        shape = self._shape(heard, room)
        topic = dialect.topic(room.number)
        self._frame_bytes = shape.length
        frames = max(MUCH_UNDER_WAY, MUCH_FOR_EACH * len(self._crowd.sockets))
        self._much_under_way = frames * shape.length
        for each in self._rooms:
            each.measure(shape.length)
        self._received[member] = room.total = self._arrived = len(heard)
        self._touched.add(room)
        for each, witness in chosen(self._rooms):
            self._appoint(
                witness, each, shape.renamed(topic, dialect.topic(each.number)), heard if witness == member else b""
            )

    def _shape(self, delivery: bytes, room: Room) -> Shape:
        try:
            shape = Shape.of(delivery)
        except ValueError as error:
            raise LoadTestFailed(f"the server's first message was wrong: {error}") from None
        payload = shape.payload(self._payload_bytes)
        if not self._crowd.dialect.brings_about(delivery, room.number, self._event, payload):
            wanted = f"the {self._event} of {self._payload_bytes} bytes that was pushed into room {room.number}"
            raise LoadTestFailed(f"the server's first message was wrong: {delivery!r} is not {wanted}")
        return shape

    def _first_delivery(self, member: int, deadline: float) -> bytes:
        """One and no more, for nobody has sent another."""
        waiting = select.poll()
        waiting.register(member, select.POLLIN)
        heard = b""
        while self._crowd.dialect.first_delivery(heard) is None:
            if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise LoadTestFailed(f"the first message had not come back after {FIRST_LIMIT:g} s")
            try:
                size = self._receivers[member](self._buffer)
            except BlockingIOError:
                continue
            if not size:
                raise LoadTestFailed("the server closed the connection of the client that sent the first message")
            heard += self._buffer[:size]
        return heard

    def _appoint(self, member: int, room: Room, shape: Shape, heard: bytes) -> None:
        witness = Witness(self._receivers[member], room, shape, self._recorder, heard)
        self._receivers[member] = witness
        self._witnesses.append(witness)
        room.witnessed = True

    # The loop

    def _start(self, order: Drive) -> None:
        """The rate is that of all rooms whose home is here; a window is each room's own."""
        if order.rate and self._speakers:
            day = int((order.warmup + order.seconds) * 1e9) if order.day else None
            schedule = dues(order.start, order.rate, day)
            self._schedule = zip(schedule, cycle(self._speakers.values()), strict=False)
            self._next = next(self._schedule)
        elif order.window:
            self._window_open = True
            for speaker in self._speakers.values():
                self._say(speaker, time.monotonic_ns(), order.window)

    def _run_until(self, until: int) -> None:
        while time.monotonic_ns() < until:
            self._turn(until)

    def _turn(self, until: int) -> None:
        """Send what is due, read what has come, see what is complete."""
        now = time.monotonic_ns()
        while self._next is not None and self._next[0] <= now:
            due, speaker = self._next
            self._say(speaker, due)
            self._next = next(self._schedule)
        for speaker in list(self._stuck):
            self._go_on(speaker)
        limit = until if self._next is None else min(until, self._next[0])
        events = self._crowd.epoll.poll(0, MOST_EVENTS) or self._wait(limit - now)
        self._read(events)
        self._settle(time.monotonic_ns())
        self._crowd.board.note(Tally.DELIVERED, self._crowd.process, self._deliveries())
        self._let_more_arrive(len(events))

    def _let_more_arrive(self, reads: int) -> None:
        """Reading costs a system call, however little there is."""
        self._reads += reads
        under_way = self._under_way()
        if reads < FEW_EVENTS:
            if under_way > FEW_EVENTS * self._frame_bytes:
                many = MANY_CLIENTS * self._frame_bytes
                time.sleep(NAP if len(self._crowd.sockets) > MANY_CLIENTS and under_way > many else DOZE)
        elif under_way > self._much_under_way and self._arrived < THIN * self._reads * self._frame_bytes:
            time.sleep(NAP)

    def _under_way(self) -> int:
        """Bytes that were sent, wherever, and have not arrived here."""
        sent = self._crowd.board.sent
        shared = sum(sent(room.number) * self._frame_bytes * len(room.members) for room in self._shared)
        return self._expected + shared - self._arrived

    def _wait(self, nanoseconds: int) -> list[tuple[int, int]]:
        """epoll's own time-out has whole milliseconds, which is too coarse for messages that are due."""
        epoll = self._crowd.epoll
        patience = min(max(nanoseconds / 1e9, 0.0), GLANCE if self._wide or self._stuck else PATIENCE)
        select.select([epoll], [], [], patience)
        return epoll.poll(0, MOST_EVENTS)

    def _read(self, events: list[tuple[int, int]]) -> None:
        """The loop in which the time goes: one read, four sums."""
        buffer, receivers, received, room_of = self._buffer, self._receivers, self._received, self._room_of
        touch = self._touched.add
        arrived = 0
        descriptor = -1
        try:
            for descriptor, _ in events:
                size = receivers[descriptor](buffer)
                if not size:
                    self._crowd.drop(descriptor)
                received[descriptor] += size
                arrived += size
                room = room_of[descriptor]
                room.total = total = room.total + size
                if total >= room.goal:
                    touch(room)
        except BlockingIOError:
            pass
        except OSError:
            self._crowd.drop(descriptor)  # the rest is still readable, and comes again
        self._arrived += arrived

    def _settle(self, now: int) -> None:
        for room in self._touched:
            if room.number in self._spanning:
                room.sent = self._crowd.board.sent(room.number)
                room.settle(self._received)
                self._crowd.board.note_done(room.number, self._crowd.process, room.done)
            elif complete := room.settle(self._received):
                self._complete(self._speakers[room.number], complete, now)
        self._touched.clear()
        for speaker in self._wide:
            if complete := self._crowd.board.done(speaker.room.number) - speaker.complete:
                self._complete(speaker, complete, now)

    def _complete(self, speaker: Speaker, messages: int, now: int) -> None:
        """So many more messages are with all members; a closed loop sends as many again."""
        room, recorder = speaker.room, self._recorder
        for _ in range(messages):
            speaker.complete += 1
            recorder.last.record(now - room.dues.popleft())
            if room.witnessed and (first := room.first_seen(speaker.complete)) is not None:
                recorder.spread.record(max(now - first, 0))
        if self._window_open:
            self._say(speaker, now, messages)

    def _say(self, speaker: Speaker, due: int, messages: int = 1) -> None:
        if speaker.room.number not in self._spanning:
            self._expected += messages * self._frame_bytes * len(speaker.room.members)
        if not speaker.say(due, messages):
            self._stuck.add(speaker)

    def _go_on(self, speaker: Speaker) -> None:
        if speaker.go_on():
            self._stuck.discard(speaker)

    def _deliveries(self) -> int:
        return self._arrived // self._frame_bytes

    # Afterwards

    def _drain(self) -> None:
        """Send no more; wait until all that was sent has come, and a little longer for what should not."""
        self._next = None
        self._window_open = False
        board, process = self._crowd.board, self._crowd.process
        board.note(Tally.FINISHED, process, board.noted(Tally.FINISHED)[process] + 1)
        deadline = time.monotonic() + DRAIN_LIMIT
        while not self._all_arrived() and time.monotonic() < deadline:
            self._turn(time.monotonic_ns() + 10_000_000)
        self._run_until(time.monotonic_ns() + int(LINGER * 1e9))

    def _all_arrived(self) -> bool:
        finished = self._crowd.board.noted(Tally.FINISHED)
        if self._spanning and min(finished) < max(finished):
            return False
        for room in self._rooms:
            if room.number in self._spanning:
                room.sent = self._crowd.board.sent(room.number)
        return self._arrived >= sum(room.sent * room.length * len(room.members) for room in self._rooms)

    def _account(self, outcome: Driven) -> None:
        """What each member should have received, against what it has."""
        for room in self._rooms:
            for member in room.members:
                expected = room.sent * room.length
                lost, duplicated = missing_and_surplus(self._received[member], expected, room.length)
                outcome.lost += lost
                outcome.duplicated += duplicated
        outcome.frame_bytes = self._frame_bytes
        outcome.corrupt = sum(witness.corrupt for witness in self._witnesses)
        outcome.disconnected = self._crowd.disconnected
