"""What nodes tell each other through an engine that loses comes once, in order, or is counted as lost, exactly."""

from collections import Counter
from collections.abc import Callable

import pytest

from roost.broker.bridge.bridge import Bridge
from roost.broker.bridge.incoming import Incoming, Verdict
from roost.broker.bridge.outgoing import Outgoing, Stream, ToSend
from tests.broker.bridge.simulation import FAULTS, Broken, cut_one, play

SEEDS = range(60)


def test_nothing_comes_twice_or_out_of_order_and_what_is_lost_is_counted() -> None:
    met: Counter[str] = Counter()
    lost = dropped = duplicates = 0
    for seed in SEEDS:
        world = play(seed)
        met += world.met
        for node in world.nodes:
            lost += node.lost.total()
            dropped += node.bridge.outgoing.dropped
            duplicates += sum(member.duplicates for member in node.bridge.members.all())
    assert all(met[fault] for fault in FAULTS), met
    assert lost, "nothing was lost"
    assert dropped, "no buffer was full"
    assert duplicates, "nothing was repeated"


def test_a_node_that_connects_again_has_lost_nothing_of_its_own() -> None:
    assert sum(cut_one(seed).met["cut"] for seed in SEEDS)


def play_all() -> None:
    for seed in SEEDS:
        play(seed)
        cut_one(seed)


def no_repetition(patch: pytest.MonkeyPatch) -> None:
    """What was under way when the engine went is not sent again."""
    patch.setattr(Outgoing, "lost", lambda self: self.confirmed())


def no_memory(patch: pytest.MonkeyPatch) -> None:
    """What comes again is taken for new."""
    publishes = Incoming.publishes
    patch.setattr(Incoming, "publishes", lambda *given: Verdict(0, publishes(*given).lost))


def no_number(patch: pytest.MonkeyPatch) -> None:
    """What finds no room is given no number."""
    take: Callable[[Outgoing, Stream, bytes], bool] = Outgoing.take

    def forgetful(outgoing: Outgoing, stream: Stream, crossing: bytes) -> bool:
        taken = take(outgoing, stream, crossing)
        if not taken:
            outgoing._last[stream] -= 1
        return taken

    patch.setattr(Outgoing, "take", forgetful)


def early_beats(patch: pytest.MonkeyPatch) -> None:
    """Beats speak of what still waits as if it were sent."""
    patch.setattr(
        Outgoing, "settled", lambda self: ({one: last for one, last in self._last.items() if isinstance(one, int)}, {})
    )


def beats_without_numbers(patch: pytest.MonkeyPatch) -> None:
    """Nobody hears that the last publishes are missing."""
    patch.setattr(Incoming, "beat", lambda *_: Verdict(0, 0))


def beats_first(patch: pytest.MonkeyPatch) -> None:
    """A beat overtakes what it speaks of."""
    batch: Callable[[Bridge, float], list[ToSend]] = Bridge.batch
    patch.setattr(Bridge, "batch", lambda self, now: batch(self, now)[::-1])


@pytest.mark.parametrize(
    "plant", [no_repetition, no_memory, no_number, early_beats, beats_without_numbers, beats_first]
)
def test_a_rule_taken_away_is_caught(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(Broken):
        play_all()
