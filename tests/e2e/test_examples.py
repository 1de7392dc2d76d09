"""The examples do what their first lines say, each started as it says there."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from roost.client import PushFailed, open_connection
from roost.testing import LiveNode
from tests.e2e.node import ROOT, Node, wait_for
from tests.limits import LIMIT


async def test_cursors_are_seen_by_the_others() -> None:
    with LiveNode("examples.cursors:endpoint") as node:
        url = f"{node.url}/socket"
        async with open_connection(url, {"name": "Ada"}) as one, open_connection(url) as other:
            ada, guest = await one.join("board:a"), await other.join("board:a")
            key = (await ada.receive()).payload["key"]
            await ada.send("move", {"x": 0.5, "y": 0.25})
            while (message := await guest.receive()).event != "moved":
                assert message.event in ("you", "presence_state", "presence_diff")
            assert message.payload == {"key": key, "x": 0.5, "y": 0.25}
            with pytest.raises(PushFailed) as refused:
                await ada.push("move", {"x": "far"})
            assert refused.value.payload["field"] == "x"
        async with httpx.AsyncClient(base_url=node.url, timeout=LIMIT) as client:
            assert "<title>Roost: cursors</title>" in (await client.get("/")).text
            assert "export function connect" in (await client.get("/channels.js")).text


async def test_orders_come_by_http_and_are_seen_at_once() -> None:
    with LiveNode("examples.orders:endpoint") as node:
        async with open_connection(f"{node.url}/socket") as connection:
            orders = await connection.join("orders")
            assert orders.reply == {"currency": "EUR"}
            async with httpx.AsyncClient(base_url=node.url, timeout=LIMIT) as client:
                await client.post("/orders", params={"item": "tea", "price": 3.5})
                assert "<title>Roost: orders</title>" in (await client.get("/")).text
            assert (await orders.receive()).payload == {"item": "tea", "price": 3.5}


async def test_a_job_is_worked_on_elsewhere_and_tells_how_far_it_is() -> None:
    with LiveNode("examples.jobs:endpoint") as node:
        worker = subprocess.Popen(
            [sys.executable, "-m", "examples.jobs_worker"],
            cwd=ROOT,
            env={"ROOST_RUN_DIR": node.run_dir, "ROOST_PORT": str(node.port), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
        )
        try:
            assert worker.stdout is not None
            assert await asyncio.to_thread(worker.stdout.readline) == b"waiting for jobs\n"
            async with open_connection(f"{node.url}/socket") as connection:
                page = await connection.join("jobs:page")
                job = (await page.push("start"))["job"]
                seen: list[int] = []
                async with asyncio.timeout(LIMIT):
                    while not seen or seen[-1] < 100:
                        message = await page.receive()
                        assert message.payload["job"] == job
                        seen.append(message.payload["percent"])
                assert seen == [5 * step for step in range(1, 21)]
        finally:
            worker.kill()
            worker.communicate()


@pytest.mark.parametrize(
    ("example", "expected"), [("cursors", "serving examples.cursors"), ("jobs", "waiting for jobs")]
)
def test_one_command_starts_an_example(example: str, expected: str) -> None:
    """What `make run EXAMPLE=...` starts, found by make itself."""
    node = Node()
    make = ["make", "-n", "-o", ".venv/run", "-o", ".venv/examples", "run", f"EXAMPLE={example}"]
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    printed = subprocess.run(make, cwd=ROOT, env=outside, check=True, capture_output=True, text=True).stdout
    command = printed[printed.index("honcho") :].split()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**node.environment, "EXAMPLE": example, "PATH": path}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=node.log, stderr=node.log)
    try:
        wait_for(lambda: expected in node.logged() or process.poll() is not None, expected, node.logged)
        assert expected in node.logged()
        assert "Traceback" not in node.logged()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        node.stop()


def test_every_example_is_told_of_with_its_command() -> None:
    told = set(
        re.findall(r"^\| `(\w+)\.py` \| `make run(?: EXAMPLE=\1)?` \|", (ROOT / "docs/examples.md").read_text(), re.M)
    )
    served = {path.stem for path in (ROOT / "examples").glob("*.py") if "\nendpoint = " in path.read_text()}
    assert told == served - {"playground"}
