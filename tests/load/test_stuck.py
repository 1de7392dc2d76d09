"""Members that never read, in front of a real node."""

from tests.load.display import Display
from tests.load.plan import Crowding, Fill, Obstruction, Work
from tests.load.scenarios import Setup, stuck


def test_what_members_that_do_not_read_cost_is_told_and_the_others_lose_nothing() -> None:
    work = Work("stuck", rate=20.0, warmup=0.1, seconds=0.5)
    report = stuck(Setup(Display()), Crowding(1, 20), work, Obstruction(3, "drop_newest", Fill.BEFORE, pairs=1))
    assert report.faultless()
    (result,) = report.results
    for key in ("dropped_drop_newest", "memory_a_stuck_client", "p99_without_median", "p99_stuck_median"):
        assert (result.value(key) or 0) > 0, key
