"""Clients that come and go in rooms that others drive, and check that nothing is missing while they are there."""

import heapq
import os
import select
import time
from enum import Enum
from typing import Final

import msgspec

from tests.load.board import Tally
from tests.load.client import Newcomer, TurnedAway
from tests.load.crowd import Crowd
from tests.load.dialects.phoenix import join_text, leave_text, lobby_join_text, topic_of
from tests.load.membership import Membership
from tests.load.orders import LoadTestFailed, Visit, Visited
from tests.load.pace import activity
from tests.load.wire import TEXT, ServerFrame, client_frame, cut_frames, read_stamp

TICK: Final = 0.01
"""Seconds between two looks at whose stay is over."""
PAUSE: Final = 0.1
"""Seconds before a visitor comes again whom the server turned away, or to whom the hour was too quiet."""


class Stage(Enum):
    """Where a visitor is."""

    OUTSIDE = "outside"
    JOINING = "joining"
    INSIDE = "inside"
    LEAVING = "leaving"


WAITING: Final = (Stage.JOINING, Stage.LEAVING)


class Visitor:
    """One who comes and goes, each time with a new join_ref."""

    __slots__ = (
        "asked",
        "connection",
        "data",
        "membership",
        "newcomer",
        "next_step",
        "number",
        "present",
        "ref",
        "room",
        "stage",
    )

    def __init__(self, number: int, room: int) -> None:
        self.number = number
        self.room = room
        self.next_step = 0.0
        """When it comes or leaves next; an earlier entry in the diary is out of date."""
        self.stage = Stage.OUTSIDE
        self.newcomer: Newcomer | None = None
        """Set while it connects."""
        self.connection = -1
        """The descriptor of its connection, if there is one."""
        self.data = b""
        self.ref = 0
        self.asked = 0
        """When it sent what it waits an answer for."""
        self.present = False
        """Whether it was shown itself among those present."""
        self.membership = Membership()


class Visits:
    """The visitors of one process over the time of an order."""

    def __init__(self, crowd: Crowd, order: Visit) -> None:
        self._crowd = crowd
        self._order = order
        self._visitors = [Visitor(number, number % order.rooms) for number in range(order.visitors)]
        self._by_connection: dict[int, Visitor] = {}
        self._diary: list[tuple[float, int]] = []
        """Whose time has come when: a heap."""
        self._outcome = Visited()

    def run(self) -> Visited:
        """Let them come and go. Raises LoadTestFailed if the server leaves one without an answer."""
        while (wait := self._order.start - time.monotonic_ns()) > 0:
            time.sleep(wait / 1e9)
        began, cpu = time.monotonic(), time.process_time()
        for visitor in self._visitors:
            self._later(visitor, self._order.stay * visitor.number / len(self._visitors))
        while (passed := time.monotonic() - began) < self._order.seconds:
            self._take_steps(passed / self._order.seconds)
            self._listen()
        self._outcome.seconds = time.monotonic() - began
        self._outcome.cpu = time.process_time() - cpu
        self._see_off()
        return self._outcome

    def _listen(self) -> None:
        for connection, _ in self._crowd.epoll.poll(TICK):
            self._hear(self._by_connection[connection])
        self._crowd.board.note(Tally.ANSWERED, self._crowd.process, self._outcome.joins)

    def _later(self, visitor: Visitor, seconds: float) -> None:
        visitor.next_step = time.monotonic() + seconds
        heapq.heappush(self._diary, (visitor.next_step, visitor.number))

    def _take_steps(self, time_of_day: float) -> None:
        now = time.monotonic()
        most = len(self._visitors) * (activity(time_of_day) if self._order.day else 1.0)
        while self._diary and self._diary[0][0] <= now:
            when, number = heapq.heappop(self._diary)
            visitor = self._visitors[number]
            if when != visitor.next_step:
                continue
            if visitor.stage is Stage.INSIDE:
                self._leave(visitor)
            elif number < most:
                self._come(visitor)
            else:
                self._later(visitor, PAUSE)

    def _see_off(self) -> None:
        """Whoever has asked gets an answer; then all go."""
        deadline = time.monotonic() + self._order.limit
        while any(visitor.stage in WAITING for visitor in self._visitors) and time.monotonic() < deadline:
            self._listen()
        left_waiting = sum(visitor.stage in WAITING for visitor in self._visitors)
        if left_waiting:
            raise LoadTestFailed(f"{left_waiting} visitors had no answer after {self._order.limit:g} s")
        for visitor in self._visitors:
            self._end_stay(visitor)
        self._crowd.hang_up()

    # What visitors do

    def _leave(self, visitor: Visitor) -> None:
        visitor.stage = Stage.LEAVING
        self._ask(visitor, leave_text(topic_of(visitor.room), visitor.ref))

    def _come(self, visitor: Visitor) -> None:
        visitor.stage = Stage.JOINING
        visitor.asked = time.monotonic_ns()
        visitor.ref += 1
        if visitor.connection >= 0:
            self._ask(visitor, join_text(topic_of(visitor.room), visitor.ref))
            return
        visitor.ref, visitor.data = 1, b""
        try:
            newcomer = Newcomer(self._crowd.address, next(self._crowd.sources), visitor.room, self._crowd.dialect)
        except TurnedAway as why:
            self._lose(visitor, why)
            return
        visitor.newcomer, visitor.connection = newcomer, newcomer.socket.fileno()
        self._by_connection[visitor.connection] = visitor
        self._crowd.sockets[visitor.connection] = newcomer.socket
        self._crowd.epoll.register(visitor.connection, select.EPOLLIN)

    def _ask(self, visitor: Visitor, text: bytes) -> None:
        visitor.asked = time.monotonic_ns()
        try:
            self._crowd.sockets[visitor.connection].send(client_frame(text, os.urandom(4)))
        except OSError as error:
            self._lose(visitor, TurnedAway(f"the connection broke: {error.strerror}"))

    def _hang_up(self, visitor: Visitor) -> None:
        if visitor.connection >= 0:
            del self._by_connection[visitor.connection]
            self._crowd.sockets.pop(visitor.connection).close()
        visitor.connection, visitor.newcomer, visitor.stage = -1, None, Stage.OUTSIDE

    def _lose(self, visitor: Visitor, why: TurnedAway) -> None:
        """The server has turned a visitor away; it comes again."""
        self._outcome.failures += 1
        self._outcome.reason = str(why)
        self._end_stay(visitor)
        self._hang_up(visitor)
        self._later(visitor, PAUSE)

    # What they hear

    def _hear(self, visitor: Visitor) -> None:
        try:
            if visitor.newcomer is None:
                self._read(visitor)
            elif visitor.newcomer.advance():
                visitor.data, visitor.newcomer = visitor.newcomer.rest, None
                self._joined(visitor)
                self._take(visitor, b"")
        except TurnedAway as why:
            self._lose(visitor, why)

    def _read(self, visitor: Visitor) -> None:
        try:
            data = self._crowd.sockets[visitor.connection].recv(65536)
        except OSError as error:
            raise TurnedAway(f"the connection broke: {error.strerror}") from None
        if not data:
            raise TurnedAway("the server closed the connection")
        self._take(visitor, data)

    def _take(self, visitor: Visitor, data: bytes) -> None:
        frames, visitor.data = cut_frames(visitor.data + data)
        for frame in frames:
            self._handle(visitor, frame)
            if visitor.connection < 0:
                return

    def _handle(self, visitor: Visitor, frame: ServerFrame) -> None:
        if frame.opcode != TEXT:
            raise TurnedAway("the server closed the WebSocket")
        _, ref, _, event, payload = msgspec.json.decode(frame.payload)
        if event == "phx_reply" and ref == str(visitor.ref):
            if payload["status"] != "ok":
                raise TurnedAway(f"the server refused: {frame.payload.decode()}")
            self._joined(visitor) if visitor.stage is Stage.JOINING else self._left(visitor)
        elif event == "new_msg":
            self._outcome.deliveries += 1
            if visitor.stage is Stage.OUTSIDE:
                self._outcome.stray += 1
            else:
                visitor.membership.receive(read_stamp(payload["s"].encode())[1])
        elif event == "presence_state":
            self._outcome.states += 1
            visitor.present = str(visitor.number) in payload
        elif event == "presence_diff":
            self._outcome.diffs += 1

    def _joined(self, visitor: Visitor) -> None:
        visitor.stage = Stage.INSIDE
        visitor.membership.accept(self._crowd.board.sent(visitor.room))
        self._outcome.joins += 1
        self._outcome.join_latency.record(time.monotonic_ns() - visitor.asked)
        visitor.present = False
        if self._order.presence:
            self._ask(visitor, lobby_join_text(visitor.room, visitor.number))
        self._later(visitor, self._order.stay)

    def _left(self, visitor: Visitor) -> None:
        visitor.stage = Stage.OUTSIDE
        self._outcome.leaves += 1
        self._outcome.unseen += self._order.presence and not visitor.present
        self._end_stay(visitor)
        if self._order.reconnect:
            self._hang_up(visitor)
        self._later(visitor, 0)

    def _end_stay(self, visitor: Visitor) -> None:
        self._outcome.lost += visitor.membership.lost
        self._outcome.duplicated += visitor.membership.duplicated
        visitor.membership = Membership()
