"""The examples do what their first lines say, each started as it says there."""

import asyncio
import subprocess
import sys

import httpx
import pytest

from roost.client import PushFailed, open_connection
from roost.testing import LiveNode
from tests.e2e.node import ROOT

LIMIT = 30.0


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
