"""Connections with a time: each is ended then and not before, however often it is renewed."""

from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.connect.expiry import SLACK, Expiry

steps = st.lists(
    st.tuples(st.sampled_from(["watch", "forget", "due"]), st.integers(0, 5), st.floats(0, 10)), max_size=40
)


@given(steps)
def test_who_is_due_is_who_was_watched_last_until_before_then(taken: list[tuple[str, int, float]]) -> None:
    expiry: Expiry[int] = Expiry()
    watched: dict[int, float] = {}
    now = 0.0
    for what, number, time in taken:
        match what:
            case "watch":
                watched[number] = now + time
                expiry.watch(number, number, now + time)
            case "forget":
                watched.pop(number, None)
                expiry.forget(number)
            case _:
                now += time
                expected = {one for one, at in watched.items() if at <= now}
                assert set(expiry.due(now)) == expected
                watched = {one: at for one, at in watched.items() if one not in expected}
        assert expiry.next() == min(watched.values(), default=None)


def test_renewing_again_and_again_takes_no_memory() -> None:
    expiry: Expiry[int] = Expiry()
    for time in range(10 * SLACK):
        expiry.watch(1, 1, float(time))
    assert len(expiry._heap) <= SLACK + 2
    assert expiry.due(10.0 * SLACK) == [1]
