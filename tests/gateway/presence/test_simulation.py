"""Seeds in which everything happens: all promises hold; and each rule that is taken away is found missing."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest

from roost.gateway.presence import tracker as tracker_module
from roost.gateway.presence.causal_context import CausalContext
from roost.gateway.presence.entries import Part
from roost.gateway.presence.presence_set import PresenceSet
from roost.gateway.presence.replicas import Replicas
from roost.gateway.presence.tracker import Tracker
from tests.gateway.presence.simulation import Failed, Simulation, play

SEEDS: Final = 120
SHARES: Final = 4
TELLING: Final = (1, 2, 3, 7, 43)
"""Seeds that show the faults; if they do not show one any more, others are tried."""
SEEDS_FOR_A_FAULT: Final = 150
KINDS: Final = {
    *("Heartbeat", "TransferRequest", "Transfer", "Farewell", "word of a dead one"),
    *("node down", "node up"),
    *("started", "killed", "left", "cut", "healed", "lost", "stalled", "untrack", "update", "end"),
}


@pytest.mark.parametrize("share", range(SHARES))
def test_replicas_agree_in_the_end_and_no_ghost_outlives_its_bound(share: int) -> None:
    met: Counter[str] = Counter()
    for seed in range(1 + share, 1 + SEEDS, SHARES):
        met += play(seed)
    assert met.keys() >= KINDS


def test_a_seed_is_the_same_each_time() -> None:
    assert play(1) == play(1)


def believe_everybody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Simulation, "lives", lambda *_: True)


def judge_silence_of_watched(patch: pytest.MonkeyPatch) -> None:
    heard = Replicas.heard
    patch.setattr(Replicas, "heard", lambda self, name, *, watched: heard(self, name, watched=False))


def believe_what_is_kept(patch: pytest.MonkeyPatch) -> None:
    def cover(self: PresenceSet, name: str, part: Part) -> None:
        self.context.add(name, part.clouds.get(name, ()))
        self.context.raise_to(name, part.clock.get(name, 0))

    patch.setattr(PresenceSet, "_cover", cover)


def take_in_strangers(patch: pytest.MonkeyPatch) -> None:
    class Anybody:
        def __contains__(self, name: object) -> bool:
            return True

    merge = PresenceSet.merge
    patch.setattr(PresenceSet, "merge", lambda self, part, _: merge(self, part, Anybody()))


def never_ask(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tracker, "_request", lambda *_: None)


def take_nothing_away_by_deltas(patch: pytest.MonkeyPatch) -> None:
    take_away = PresenceSet._take_away
    patch.setattr(
        PresenceSet,
        "_take_away",
        lambda self, name, part, rows: take_away(self, name, Part(clock=part.clock, kept=part.kept), rows),
    )


def see_no_holes(patch: pytest.MonkeyPatch) -> None:
    add = CausalContext.add

    def add_up_to(self: CausalContext, replica: str, numbers: Any) -> None:
        numbers = list(numbers)
        add(self, replica, numbers)
        if numbers:
            self.raise_to(replica, max(numbers))

    patch.setattr(CausalContext, "add", add_up_to)


def keep_the_context_of_the_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CausalContext, "forget", lambda *_: None)


def keep_the_gone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PresenceSet, "forget", lambda *_: [])


def never_show_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PresenceSet, "show", lambda *_: [])


def never_hide(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PresenceSet, "hide", lambda *_: [])


def pass_on_what_is_hidden(patch: pytest.MonkeyPatch) -> None:
    def merge(self: PresenceSet, part: Part, known: Any) -> Any:
        hidden, self.hidden = self.hidden, set()
        changes = original(self, part, known)
        self.hidden = hidden
        return changes

    original = PresenceSet.merge
    patch.setattr(PresenceSet, "merge", merge)


def fall_silent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tracker_module, "SILENT_BEATS", 10_000)


def show_what_is_out_of_sight(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tracker, "lost", lambda *_: None)


def ask_only_one_who_is_outdone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tracker_module, "undominated", lambda clocks: clocks[:0])


@pytest.mark.parametrize(
    "fault",
    [
        believe_everybody,
        judge_silence_of_watched,
        believe_what_is_kept,
        never_ask,
        take_nothing_away_by_deltas,
        see_no_holes,
        keep_the_context_of_the_forgotten,
        keep_the_gone,
        never_show_again,
        never_hide,
        pass_on_what_is_hidden,
        fall_silent,
        ask_only_one_who_is_outdone,
        take_in_strangers,
        show_what_is_out_of_sight,
    ],
    ids=lambda fault: fault.__name__,
)
def test_a_rule_taken_away_is_caught(fault: Callable[[pytest.MonkeyPatch], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fault(patch)
        assert any(_fails(seed) for seed in (*TELLING, *range(1, 1 + SEEDS_FOR_A_FAULT)))


def _fails(seed: int) -> bool:
    try:
        play(seed)
    except (Failed, LookupError, ValueError):
        return True
    return False
