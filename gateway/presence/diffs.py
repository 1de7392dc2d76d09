"""Tells a worker's own subscribers who came and who left: one `presence_diff` a topic and window.

Decided in `diff_window`; here are the clock, the application's `fetch` and `handle_metas`, and the local broadcast.
Diffs of one topic go out one after another: while one is being fetched, the next one grows.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from roost.gateway.bus.local_broadcast import broadcast_locally
from roost.gateway.presence.diff_window import Diff, DiffWindow, merge
from roost.gateway.presence.entries import Change, Entry
from roost.gateway.presence.metas import (
    Presences,
    by_key,
    check_fetched,
    decode_presences,
    encode_diff,
    encode_presences,
    only_references,
    pick,
)
from roost.gateway.presence.presence_set import PresenceSet
from roost.shared.serializer import encode_json

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime
    from roost.gateway.presence.presence import Presence
    from roost.shared.peer.audience import Subscription

DIFF: Final = "presence_diff"

_log = logging.getLogger("roost.presence")


class Diffs:
    """The diffs of one presence in one worker."""

    def __init__(self, presence: "Presence", presences: PresenceSet, runtime: "Runtime") -> None:
        self.number = 0
        """The number of the last change, over all topics."""
        self._presence = presence
        self._presences = presences
        self._uplink = runtime.uplink
        self._topics = runtime.uplink.local_topics
        self._topics.keep(pattern.removesuffix("*") for pattern in presence.topics)
        self._topics.released.append(self._wake)
        self._loop = asyncio.get_running_loop()
        self._windows: dict[str, DiffWindow] = {}
        self._due: dict[str, float] = {}
        """When a topic may be told next; kept until that has passed."""
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def add(self, changes: list[Change]) -> None:
        """Something changed."""
        for change in changes:
            topic = change.entry.topic
            window = self._windows.get(topic)
            if window is None:
                window = self._windows[topic] = DiffWindow(self.number)
            self.number += 1
            window.add(self.number, change)
        for topic in {change.entry.topic for change in changes}:
            self._schedule(topic)

    def showed(self, subscription: "Subscription", number: int) -> None:
        """A subscriber was sent a `presence_state` that shows everything up to a number."""
        window = self._windows.get(subscription.topic)
        if window is not None:
            window.showed(subscription.number, number, held=self._topics.held(subscription.number))
        self._topics.release(subscription)

    async def close(self) -> None:
        """Tell nobody anything any more."""
        while tasks := list(self._tasks.values()):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for timer in self._timers.values():
            timer.cancel()

    # The clock

    def _wake(self, topic: str) -> None:
        if topic in self._windows:
            self._schedule(topic)

    def _schedule(self, topic: str) -> None:
        if topic not in self._timers and topic not in self._tasks:
            due = max(self._due.get(topic, 0.0), self._loop.time())
            self._timers[topic] = self._loop.call_at(due, self._turn, topic)

    def _turn(self, topic: str) -> None:
        del self._timers[topic]
        window = self._windows.get(topic)
        if window is None:
            self._due.pop(topic, None)
            return
        self._due[topic] = self._loop.time() + self._presence.limits.window
        until = window.last
        if self._presence.is_plain:
            self._tell(topic, window, until, None)
            self._finish(topic, window)
        else:
            self._tasks[topic] = self._loop.create_task(self._fetch_and_tell(topic, window, until))

    def _finish(self, topic: str, window: DiffWindow) -> None:
        """Wait for what comes next: changes, a channel that may be told, or nothing for a whole window."""
        if not window.pending():
            del self._windows[topic]
            self._schedule(topic)
        elif window.last > window.told:
            self._schedule(topic)

    # One diff

    async def _fetch_and_tell(self, topic: str, window: DiffWindow, until: int) -> None:
        before = window.told
        common = merge(window.between(before, until))
        try:
            fetched = await self._fetch(topic, [change.entry for change in window.between(0, until)])
            self._tell(topic, window, until, fetched)
            if common and self._presence.watches_metas:
                await self._handle_metas(topic, common, fetched)
        finally:
            del self._tasks[topic]
            self._finish(topic, window)

    def _tell(self, topic: str, window: DiffWindow, until: int, fetched: Presences | None) -> None:
        held: list[int] = []
        groups: dict[int, list[Subscription]] = {}
        may_hold = not window.overflows()
        for subscription in self._topics.subscribers(topic):
            number = subscription.number
            if may_hold and self._topics.held(number):
                held.append(number)
            elif (mark := window.mark(number)) < until:
                groups.setdefault(mark, []).append(subscription)
        for mark, subscriptions in groups.items():
            diff = merge(window.between(mark, until))
            if diff:
                payload = self._encode(topic, diff, fetched)
                self._uplink.hand_over(broadcast_locally(topic, DIFF, payload, subscriptions), DIFF)
        window.tell(until, held)

    async def _fetch(self, topic: str, entries: list[Entry]) -> Presences | None:
        """What the application makes of all that the diff is about, asked once."""
        if not self._presence.fetches or not (self._presence.watches_metas or self._has_subscribers(topic)):
            return None
        keys = by_key({entry.dot: entry for entry in entries}.values())
        try:
            async with asyncio.timeout(self._presence.limits.callback_limit):
                return check_fetched(await self._presence.fetch(topic, decode_presences(encode_presences(keys))))
        except Exception:  # noqa: BLE001 - the crash boundary of the application's code
            _log.error("%s: fetch failed, a diff of %r has references alone", self._presence.name, topic, exc_info=True)
            return only_references(keys)

    def _encode(self, topic: str, diff: Diff, fetched: Presences | None) -> bytes:
        joins, leaves = by_key(diff.joins), by_key(diff.leaves)
        if fetched is None:
            return encode_diff(encode_presences(joins), encode_presences(leaves))
        try:
            return encode_diff(encode_json(pick(fetched, joins)), encode_json(pick(fetched, leaves)))
        except Exception:  # noqa: BLE001 - whatever the application's code made of it
            _log.error("%s: what fetch answered for %r is no presences", self._presence.name, topic, exc_info=True)
            return encode_diff(encode_json(only_references(joins)), encode_json(only_references(leaves)))

    def _has_subscribers(self, topic: str) -> bool:
        return next(self._topics.subscribers(topic), None) is not None

    async def _handle_metas(self, topic: str, diff: Diff, fetched: Presences | None) -> None:
        try:
            told = {"joins": _show(diff.joins, fetched), "leaves": _show(diff.leaves, fetched)}
            async with asyncio.timeout(self._presence.limits.callback_limit):
                await self._presence.handle_metas(topic, told, decode_presences(self._presences.text(topic)))
        except Exception:  # noqa: BLE001 - the crash boundary of the application's code
            _log.error("%s: handle_metas failed on %r", self._presence.name, topic, exc_info=True)


def _show(entries: list[Entry], fetched: Presences | None) -> Presences:
    keys = by_key(entries)
    return decode_presences(encode_presences(keys)) if fetched is None else pick(fetched, keys)
