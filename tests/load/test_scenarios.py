"""A scenario from its command to its report."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT = 240.0


def test_in_a_day_of_a_chat_service_visitors_are_present(tmp_path: Path) -> None:
    figures, picture = tmp_path / "mixed.json", tmp_path / "mixed.svg"
    sizes = (
        "--rooms",
        "2",
        "--clients",
        "3",
        "--visitors",
        "8",
        "--stay",
        "0.2",
        "--rate",
        "20",
        "--seconds",
        "1",
        "--no-floor",
    )
    command = [sys.executable, "-m", "tests.load", "mixed", *sizes, "--json", str(figures), "--plot", str(picture)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    (roost,) = json.loads(figures.read_text())["results"]
    assert roost["faults"] == []
    assert roost["figures"]["visit_states"] > 0
    assert roost["figures"]["visit_diffs"] > 0
    for panel in ("Latency", "Throughput", "Memory"):
        assert panel in picture.read_text()
