"""Updates that come too fast are merged, and the last one counts."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.presence.update_pace import UpdatePace

PLACE = (1, "t", "k")


@given(st.lists(st.integers(0, 40), min_size=1, max_size=40))
def test_no_two_within_a_period_and_the_last_is_made(gaps: list[int]) -> None:
    pace = UpdatePace(10.0)
    now, made = 0.0, []
    for number, gap in enumerate(gaps):
        until = now + gap
        while (due := pace.due()) is not None and due <= until:
            made += [(due, meta) for _, meta, _ in pace.take(due)]
        now = until
        meta = b"%d" % number
        if pace.admits(PLACE, now):
            made.append((now, meta))
        else:
            pace.wait(PLACE, meta, "r")
            assert pace.waiting(PLACE) == meta
    while (due := pace.due()) is not None:
        made += [(due, meta) for _, meta, _ in pace.take(due)]
    times = [at for at, _ in made]
    assert all(later - earlier >= 10 for earlier, later in pairwise(times))
    assert made[-1][1] == b"%d" % (len(gaps) - 1)
    assert pace.due() is None


def test_what_is_forgotten_is_not_made() -> None:
    pace = UpdatePace(10.0)
    assert pace.admits(PLACE, 0.0)
    pace.wait(PLACE, b"m", "r")
    pace.forget(PLACE)
    assert list(pace.take(100.0)) == []
    assert pace.admits(PLACE, 1.0)
