"""Clients that are only there: connected, joined, a heartbeat now and then."""

import os
import time
from typing import Final

import msgspec

from tests.load.board import Tally
from tests.load.crowd import Crowd
from tests.load.dialects.phoenix import heartbeat_text
from tests.load.histogram import Histogram
from tests.load.orders import Held, Hold
from tests.load.wire import client_frame, cut_frames

TICK: Final = 0.02
"""Seconds between two looks at whose heartbeat is due."""
ANSWER_LIMIT: Final = 10.0
"""Seconds in which the last heartbeats are to be answered."""


class Vigil:
    """One process's clients over the time of an order."""

    def __init__(self, crowd: Crowd, order: Hold) -> None:
        self._crowd = crowd
        self._order = order
        self._clients = sorted(crowd.sockets)
        self._frame = client_frame(heartbeat_text(), os.urandom(4))
        self._beaten: dict[int, int] = {}
        """When the clients that wait for an answer sent their heartbeat."""
        self._heard: dict[int, bytes] = {}
        """The start of a frame that is not whole."""
        self._outcome = Held(latency=Histogram())

    def run(self) -> Held:
        began, cpu = time.monotonic(), time.process_time()
        period = self._order.period / len(self._clients)
        while (passed := time.monotonic() - began) < self._order.seconds:
            while self._outcome.beats < passed / period:
                self._beat(self._clients[self._outcome.beats % len(self._clients)])
            self._listen()
        self._outcome.seconds = time.monotonic() - began
        self._outcome.cpu = time.process_time() - cpu
        deadline = time.monotonic() + ANSWER_LIMIT
        while self._outcome.answers < self._outcome.beats and time.monotonic() < deadline:
            self._listen()
        self._outcome.disconnected = self._crowd.disconnected
        return self._outcome

    def _beat(self, client: int) -> None:
        self._outcome.beats += 1
        self._beaten[client] = time.monotonic_ns()
        try:
            self._crowd.sockets[client].send(self._frame)
        except OSError:
            pass  # whoever is cut off is counted when it reads

    def _listen(self) -> None:
        for client, _ in self._crowd.epoll.poll(TICK):
            try:
                data = self._crowd.sockets[client].recv(4096)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                self._hear(client, data)
            else:
                self._crowd.drop(client)
        self._crowd.board.note(Tally.ANSWERED, self._crowd.process, self._outcome.answers)

    def _hear(self, client: int, data: bytes) -> None:
        frames, rest = cut_frames(self._heard.pop(client, b"") + data)
        if rest:
            self._heard[client] = rest
        for frame in frames:
            _, _, topic, event, _ = msgspec.json.decode(frame.payload)
            if topic == "phoenix" and event == "phx_reply" and client in self._beaten:
                self._outcome.answers += 1
                self._outcome.latency.record(time.monotonic_ns() - self._beaten.pop(client))
