"""The pages of the examples in headless Chromium. ROOST_TEST_SCREENSHOTS names where pictures go."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from roost.testing import LiveNode
from tests.e2e.chromium import WHY_NOT, Chromium, Window
from tests.e2e.node import ROOT

pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

PICTURES = os.environ.get("ROOST_TEST_SCREENSHOTS")


@pytest.fixture
async def chromium() -> AsyncIterator[Chromium]:
    browser = await Chromium.start()
    yield browser
    await browser.stop()


async def all_went_well(chromium: Chromium, *windows: Window) -> None:
    """Nothing went wrong in any page; they are closed before their server goes."""
    assert not chromium.complaints
    for window in windows:
        await window.close()


async def picture(window: Window, name: str) -> None:
    if PICTURES is not None:
        await window.screenshot(Path(PICTURES) / f"{name}.png")


async def test_chat_shows_who_is_here_who_types_and_what_is_said(chromium: Chromium) -> None:
    with LiveNode("examples.chat:endpoint", workers=2) as node:
        ada = await chromium.open(f"{node.url}/?name=Ada")
        await ada.sees("#here li", "Ada")
        bob = await chromium.open(f"{node.url}/?name=Bob", width=390, height=700, mobile=True)
        await ada.sees("#here li", "Bob")
        await bob.sees("#here li", "Ada")
        await bob.fill("#body", "hello <b>there</b>")
        await ada.sees("#typing", "Bob is typing")
        await picture(ada, "chat-typing")
        await bob.press("#body", "Enter")
        await ada.sees("#said li", "Bob: hello <b>there</b>")
        assert await ada.texts("#typing") == [""]
        assert await bob.overflow() <= 0
        await picture(bob, "chat-phone")
        await bob.close()
        await ada.evaluate(
            "new Promise((done) => { const look = () => document.querySelectorAll('#here li').length === 1 "
            "? done(true) : setTimeout(look, 20); look(); })"
        )
        await all_went_well(chromium, ada)


async def test_cursors_follow_their_people(chromium: Chromium) -> None:
    with LiveNode("examples.cursors:endpoint") as node:
        ada = await chromium.open(f"{node.url}/?name=Ada")
        await ada.sees("#here", "nobody else is here")
        bob = await chromium.open(f"{node.url}/?name=Bob")
        await ada.sees("#here", "1 other is here")
        move = "new PointerEvent('pointermove', {clientX: 300, clientY: 200})"
        await bob.evaluate(f"document.getElementById('board').dispatchEvent({move})")
        await ada.sees(".cursor", "Bob")
        await picture(ada, "cursors")
        await bob.close()
        await ada.does_not_see(".cursor")
        await all_went_well(chromium, ada)


async def test_orders_appear_on_the_open_page(chromium: Chromium) -> None:
    with LiveNode("examples.orders:endpoint") as node:
        page = await chromium.open(node.url)
        await page.sees("#state", "connected")
        async with httpx.AsyncClient(base_url=node.url, timeout=20) as client:
            for item, price in (("tea", 3.5), ("<i>coffee</i>", 4.25)):
                await client.post("/orders", params={"item": item, "price": price})
        await page.sees("#turnover", "7.75")
        assert await page.texts("#count") == ["2"]
        await page.sees("td", "<i>coffee</i>")
        await picture(page, "orders")
        await all_went_well(chromium, page)


async def test_a_job_runs_to_its_end_on_the_page(chromium: Chromium) -> None:
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
            page = await chromium.open(node.url)
            await page.sees("#state", "connected")
            await page.click("#start")
            await page.sees("#jobs output", "done")
            await picture(page, "jobs")
            await all_went_well(chromium, page)
        finally:
            worker.kill()
            worker.communicate()
