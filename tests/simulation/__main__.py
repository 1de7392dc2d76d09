"""Seeds of the simulations, by hand and in thousands.

`python -m tests.simulation SEED` prints the trace of one seed of a cluster; `soak N [FIRST]` plays N seeds of clusters
on all cores, with a bridge in those that are negative; `presence N [FIRST]` as many of presence's replicas.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.gateway.presence import simulation as presence
from tests.simulation.scenario import Failed, Scenario, play

Play = Callable[[int], Counter[str]]


def show(seed: int) -> int:
    scenario = Scenario(seed, trace=True)
    try:
        scenario.run()
        verdict = "kept every promise"
    except Exception as error:  # noqa: BLE001 - whatever it is, the trace explains it
        verdict = f"failed: {type(error).__name__}: {error}"
    print(*(scenario.clock.trace or ()), sep="\n")
    print(f"seed {seed} {verdict}")
    return 0 if verdict.startswith("kept") else 1


def play_some(play_one: Play, seeds: list[int]) -> tuple[Counter[str], list[str]]:
    met: Counter[str] = Counter()
    failures = []
    for seed in seeds:
        try:
            met += play_one(seed)
        except (Failed, presence.Failed) as failed:
            failures.append(str(failed))
    return met, failures


def soak(play_one: Play, seeds: int, first: int = 1) -> int:
    began = time.monotonic()
    met: Counter[str] = Counter()
    failures: list[str] = []
    played = 0
    chunks = [list(range(at, min(at + 50, first + seeds))) for at in range(first, first + seeds, 50)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for chunk, (some, failed) in zip(chunks, pool.map(partial(play_some, play_one), chunks), strict=True):
            met += some
            played += len(chunk)
            failures += failed
            for failure in failed:
                print(f"\n{failure}")
            print(
                f"\r{played:,} of {seeds:,} seeds, {len(failures)} failed, {time.monotonic() - began:.0f} s",
                end="",
                flush=True,
            )
    print()
    for kind, times in sorted(met.items()):
        print(f"{times:12,}  {kind}")
    return 1 if failures else 0


def main() -> int:
    match sys.argv[1:]:
        case ["soak", *numbers] if len(numbers) in (1, 2):
            return soak(play, *map(int, numbers))
        case ["presence", *numbers] if len(numbers) in (1, 2):
            return soak(presence.play, *map(int, numbers))
        case [seed]:
            return show(int(seed))
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
