"""The simulation finds what is wrong: each rule taken away is caught, and nothing is caught when none is."""

import pytest

from tests.simulation import faults_of_shards, faults_of_workers  # noqa: F401 - they register their faults
from tests.simulation.planting import FAULTS, planted
from tests.simulation.scenario import Failed, play

OTHER_SEEDS = 150
"""So many seeds are tried if the one that is known does not show a fault any more."""


@pytest.mark.parametrize("name", sorted(name for name, fault in FAULTS.items() if fault.seed is not None))
def test_a_rule_taken_away_is_caught(name: str) -> None:
    seeds = [FAULTS[name].seed or 1, *range(1, OTHER_SEEDS + 1)]
    with planted(name):
        assert any(_fails(seed) for seed in seeds), f"no seed shows that {FAULTS[name].rule}"


@pytest.mark.parametrize("seed", sorted({fault.seed or 1 for fault in FAULTS.values()}))
def test_the_same_seeds_pass_without_a_fault(seed: int) -> None:
    play(seed)


def _fails(seed: int) -> bool:
    try:
        play(seed)
    except Failed:
        return True
    return False
