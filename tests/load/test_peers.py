"""The comparison itself, on the two servers that need no download."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT = 240.0


def peers(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.load", "peers", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False)


def test_the_bare_loop_and_the_websockets_library_do_the_same_work_and_are_compared(tmp_path: Path) -> None:
    figures, picture = tmp_path / "peers.json", tmp_path / "peers.svg"
    trials = ("--trial", "fanout", "--trial", "joins")
    sizes = ("--seconds", "0.3", "--members", "20", "--clients", "40")
    files = ("--json", str(figures), "--plot", str(picture), "--scratch", str(tmp_path / "scratch"))
    told = peers("--only", "floor", "--only", "websockets", *trials, *sizes, *files)
    assert told.returncode == 0, told.stderr
    data = json.loads(figures.read_text())
    assert [server["name"] for server in data["servers"]] == ["the bare loop", "websockets"]
    for server in data["servers"]:
        assert set(server["figures"]) == {"fanout", "joins", "memory"}
        assert not any("lost" in remark or "twice" in remark for remark in server["remarks"])
        # What may be quoted depends on how busy the machine is; the work is done in any case.
        for key in ("fanout", "joins"):
            figure = server["figures"][key]
            assert figure["ratio"] is not None or "the generator was the limit" in figure["why_none"], figure
    assert "| the bare loop |" in told.stdout
    assert "| websockets " in told.stdout
    assert "<svg" in picture.read_text()
    assert not (tmp_path / "scratch").exists()


def test_a_peer_that_does_not_exist_is_named() -> None:
    told = peers("--only", "nothing")
    assert told.returncode == 1
    assert "there is no server 'nothing': choose of floor, bun, " in told.stderr.replace("\n", " ")
