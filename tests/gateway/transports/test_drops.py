"""Counts of dropped frames."""

from roost.gateway.transports.drops import Drops, Reason


def test_each_reason_is_counted_for_itself() -> None:
    drops = Drops()
    assert drops.counts() == {"slow_disconnect": 0, "drop_newest": 0, "latest": 0, "no_binary": 0, "closed": 0}
    drops.add(Reason.LATEST)
    drops.add(Reason.CLOSED, 3)
    assert drops.counts() == {"slow_disconnect": 0, "drop_newest": 0, "latest": 1, "no_binary": 0, "closed": 3}
    assert drops.total() == 4
