"""What `roost trace` prints: a line a match, and below a broadcast where it was when; or JSON, one object a line."""

import sys
import time
from typing import Any, Final

import msgspec

from roost.commands.terminal import console, number, print_silent, size, visible
from roost.shared.trace import Happened, Published
from roost.shared.trace_assembly import Broadcast, Hop, as_plain
from roost.shared.trace_session import News, TraceSession

SECOND: Final = 1_000_000_000
"""Nanoseconds."""


class TraceInJson:
    """For programs."""

    def __init__(self) -> None:
        self._wall = 0

    def begin(self, trace: TraceSession, limit: int, seconds: float) -> None:
        """The trace is on."""
        self._wall = trace.wall
        _write({"kind": "trace", "limit": limit, "seconds": seconds, "silent": trace.silent})

    def add(self, news: News) -> None:
        """What was seen since."""
        for row in news.rows:
            _write({"time": (self._wall + row.at) / SECOND, **as_plain(row)})
        for process in news.silent:
            _write({"kind": "silent", "process": process})
        for process, lost in news.lost.items():
            _write({"kind": "lost", "process": process, "count": lost})
        if news.over:
            _write({"kind": "over", "reason": news.over})


class TraceInWords:
    """For people."""

    def __init__(self) -> None:
        self._wall = 0
        self._out = console()
        self._silent: tuple[str, ...] = ()

    def begin(self, trace: TraceSession, limit: int, seconds: float) -> None:
        """The trace is on."""
        self._wall = trace.wall
        self._out.print(f"the next {number(limit)} matches within {seconds:g} s; Ctrl-C ends it", style="dim")
        self._say_silent(trace.silent)

    def add(self, news: News) -> None:
        """What was seen since."""
        for row in news.rows:
            print_row = self._print_broadcast if isinstance(row, Broadcast) else self._print_happened
            print_row(row)  # type: ignore[arg-type]
        self._say_silent(news.silent)
        for process, lost in news.lost.items():
            self._line(f"{process} saw {number(lost)} more than it could keep until they were read", "yellow")
        if news.over:
            self._line(news.over, "dim")

    def _say_silent(self, silent: tuple[str, ...]) -> None:
        """Each once, until it answers again."""
        print_silent(self._out, (name for name in silent if name not in self._silent))
        for name in self._silent:
            if name not in silent:
                self._line(f"{name} answers again", "green")
        self._silent = silent

    def _print_happened(self, row: Happened) -> None:
        words = [self._time(row.at), row.kind, *_named(row.topic, row.event), f"socket {row.socket or '-'}"]
        if row.subscriber is not None:
            words.append(f"subscriber {row.subscriber} in shard {row.slot}")
        if row.ref is not None:
            words.append(f"ref {visible(row.ref)}")
        if row.recipients is not None:
            words.append(f"to {number(row.recipients)} of worker {row.worker}")
        self._line(" ".join([*words, *_status(row.status), *_payload(row.size, row.payload)]))

    def _print_broadcast(self, row: Broadcast) -> None:
        published = row.published
        words = [self._time(row.at), "broadcast", *_named(published.topic, published.event)]
        words.append(_origin(published))
        self._line(" ".join([*words, *_payload(published.size, published.payload)]))
        for hop in row.hops:
            self._line(f"  {_elapsed(hop.at - row.at)}  {hop.hop:<11} {_place(hop)}")
        for missing in row.missing:
            self._line(f"  nothing heard of {missing}", "red")

    def _line(self, text: str, style: str | None = None) -> None:
        self._out.print(text, style=style, soft_wrap=True)

    def _time(self, at: int) -> str:
        seconds, nanoseconds = divmod(self._wall + at, SECOND)
        return f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{nanoseconds // 1000:06}"


def _origin(published: Published) -> str:
    if published.node is not None:
        return f"publish {published.number} of the bridge, from node {visible(published.node)}"
    return f"publish {published.number} of worker {published.worker}, socket {published.socket or '-'}"


def _named(topic: str | None, event: str | None) -> list[str]:
    return [visible(name) for name in (topic, event) if name is not None]


def _status(status: str | None) -> list[str]:
    return [] if status is None else [visible(status)]


def _payload(of_size: int | None, payload: str | None) -> list[str]:
    told = [] if of_size is None else [size(of_size)]
    return told if payload is None else [*told, visible(payload)]


def _elapsed(nanoseconds: int) -> str:
    return f"{nanoseconds / 1_000_000:9.3f} ms"


def _place(hop: Hop) -> str:
    if hop.worker is None and hop.slot is None:
        return "bridge"
    if hop.worker is None:
        members = hop.members
        if members is None:
            return f"shard {hop.slot}"
        found = ", ".join(f"{number(count)} of worker {worker}" for worker, count in sorted(members.items()))
        return f"shard {hop.slot}: {found or 'no members'}"
    place = f"worker {hop.worker}" + (f", from shard {hop.slot}" if hop.slot is not None else "")
    return place if hop.recipients is None else f"{place}, to {number(hop.recipients)}"


def _write(plain: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(plain) + b"\n")
    sys.stdout.buffer.flush()
