"""The dashboard in headless Chromium, on nodes of real processes. ROOST_TEST_SCREENSHOTS names where pictures go."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chromium import WHY_NOT, Chromium, Window
from tests.e2e.dashboard import talking
from tests.e2e.node import kill
from tests.e2e.raw import RawClient
from tests.e2e.test_metrics import WatchedNode

pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

PICTURES = os.environ.get("ROOST_TEST_SCREENSHOTS")
LOOKS = {
    "desktop-light": {"width": 1280, "height": 900, "scheme": "light"},
    "desktop-dark": {"width": 1280, "height": 900, "scheme": "dark"},
    "phone-light": {"width": 390, "height": 844, "scheme": "light", "mobile": True},
    "phone-dark": {"width": 360, "height": 740, "scheme": "dark", "mobile": True},
}
HOSTILE = [
    "room:<img src=x onerror=\"document.title='hacked'\">",
    "room:<script>document.title='hacked'</script>",
    "room:\u202egnp.exe\u2066",
    "room:" + "long" * 240,
    "room:a\u200b\u0000\n b",
    "room:%2e%2e/#?'\"&amp;",
    "room:\u65e5\u672c\u8a9e",
]


@pytest.fixture(scope="module")
def node() -> Iterator[WatchedNode]:
    with WatchedNode() as running:
        yield running


@pytest.fixture
def lone_node() -> Iterator[WatchedNode]:
    """For one test, which breaks it."""
    with WatchedNode() as running:
        yield running


@pytest.fixture
async def chromium() -> AsyncIterator[Chromium]:
    """A browser in whose pages nothing may go wrong."""
    browser = await Chromium.start()
    yield browser
    await browser.stop()
    assert not browser.complaints


def page(node: WatchedNode, *, token: bool = True) -> str:
    return f"http://localhost:{node.admin_port}/dashboard" + (f"?token={node.token}" if token else "")


async def picture(window: Window, name: str, *, whole: bool = True) -> None:
    """For people to look at, if they want to."""
    assert await window.overflow() <= 0, name
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        await window.evaluate("scrollTo(0, 0)")
        await window.screenshot(Path(PICTURES) / f"{name}.png", whole=whole)


async def in_all_looks(browser: Chromium, node: WatchedNode, name: str, ready: str, text: str) -> None:
    """The overview on phones and desktops, light and dark; in all four ways if somebody wants to look at them."""
    for look in LOOKS if PICTURES else ("desktop-light", "phone-dark"):
        window = await browser.open(page(node), **LOOKS[look])  # type: ignore[arg-type]
        await window.sees(ready, text)
        await window.sees(".tree", "worker 1")
        await picture(window, f"{name}-{look}")
        await window.close()


@asynccontextmanager
async def crowd(node: WatchedNode, topics: list[str]) -> AsyncIterator[list[RawClient]]:
    """Clients in one room, which they read, each in one of the topics too."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RawClient(node.url)) for _ in range(max(10, len(topics)))]
        for at, client in enumerate(clients):
            await client.join("room:all")
            await client.join(topics[at % len(topics)], "2")
        yield clients


async def test_the_token_is_asked_for_and_kept_out_of_the_address(node: WatchedNode, chromium: Chromium) -> None:
    window = await chromium.open(page(node, token=False))
    await window.sees("#access h1", "asks for its token")
    await picture(window, "token-desktop-light")
    await window.fill("#token", "wrong")
    await window.press("#token", "Enter")
    await window.sees("#access-error", "That is not this node's token.")
    chromium.complaints.clear()  # of 401, which was asked for
    await window.fill("#token", f" {node.token} ")
    await window.click("#access button")
    await window.sees("#state", "Live")
    await window.close()
    window = await chromium.open(page(node))
    await window.sees("#state", "Live")
    assert await window.evaluate("location.href") == page(node, token=False)
    assert await window.evaluate("sessionStorage.length") == 1
    await window.evaluate("location.reload()")
    await window.sees("#state", "Live")
    assert await window.evaluate("document.cookie + localStorage.length") == "0"


async def test_an_empty_node(node: WatchedNode, chromium: Chromium) -> None:
    await in_all_looks(chromium, node, "empty", ".tile .value", "0/s")
    window = await chromium.open(page(node) + "#topics", width=390, height=844, mobile=True)
    await window.sees("#topics", "No topic has subscribers.")
    await window.fill("#topic-search", "nothing:")
    await window.sees("#topics", "No topic begins so.")
    await window.evaluate("location.hash = '#sockets/9.9'")
    await window.sees("#sockets", "No socket is called 9.9.")


async def test_a_busy_node_and_its_topics_and_sockets(node: WatchedNode, chromium: Chromium) -> None:
    async with crowd(node, [f"room:{number}" for number in range(20)]) as clients, talking(clients):
        await in_all_looks(chromium, node, "busy", ".tile .value", " ms")
        for look in ("desktop-light", "phone-dark"):
            window = await chromium.open(page(node), **LOOKS[look])  # type: ignore[arg-type]
            await window.click("#tabs a[href='#topics']")
            await window.sees(".topics tbody tr:first-child", "room:all")
            await picture(window, f"topics-{look}")
            await window.click(".topics tbody tr:first-child a")
            await window.sees(".detail", "20 subscribers")
            assert len(await window.texts(".detail tbody tr")) == 20
            await picture(window, f"topic-{look}")
            await window.click(".detail tbody a")
            await window.sees(".channels", "room:all")
            await window.sees(".events", "connected")
            await picture(window, f"socket-{look}")
            await window.fill("#socket-search", "127.0.0.1")
            await window.press("#socket-search", "Enter")
            await window.sees("#sockets", "20 sockets")
            await picture(window, f"sockets-{look}")
            await window.close()


async def test_a_live_trace(node: WatchedNode, chromium: Chromium) -> None:
    async with crowd(node, HOSTILE) as clients, talking(clients):
        for look in ("desktop-light", "phone-dark"):
            window = await chromium.open(page(node) + "#trace", **LOOKS[look])  # type: ignore[arg-type]
            await window.sees("#trace", "as they happen")
            await window.fill("#trace-topic", "nonsense*x")
            await window.press("#trace-topic", "Enter")
            await window.sees("#trace .bad", "not 'nonsense*x'")
            await window.fill("#trace-topic", "room:*")
            await window.click("#trace button")
            await window.sees(".traced", "room:all")
            await window.sees("#trace", "100 were found.")
            await window.click(".traced summary")
            await window.sees(".traced .hops", "last write")
            await picture(window, f"trace-{look}", whole=False)
            await window.fill("#trace-event", "nothing")
            await window.click("#trace button")
            await window.sees("#trace", "Waiting for the next 100 matches")
            await window.click("#trace button")
            await window.sees("#trace", "Stopped.")
            await window.close()


async def test_hostile_names_are_text_and_nothing_else(node: WatchedNode, chromium: Chromium) -> None:
    async with crowd(node, HOSTILE):
        for look in ("desktop-light", "phone-light"):
            window = await chromium.open(page(node) + "#topics", **LOOKS[look])  # type: ignore[arg-type]
            await window.fill("#topic-search", "room:")
            await window.sees("#topics", f"{len(HOSTILE) + 1} topics")
            shown = await window.texts(".topics tbody bdi")
            assert HOSTILE[0] in shown
            assert "room:\\u{202e}gnp.exe\\u{2066}" in shown
            assert "room:a\\u{200b}\\u{0}\\u{a} b" in shown
            await picture(window, f"hostile-{look}")
            for at in range(len(shown)):
                await window.evaluate(f"document.querySelectorAll('.topics tbody a')[{at}].click()")
                await window.sees(".detail h2", shown[at][:40])
                await window.sees(".detail tbody", "127.0.0.1")
                assert await window.overflow() <= 0
                if "long" in shown[at]:
                    await picture(window, f"hostile-topic-{look}")
            await window.click(".detail tbody a")
            await window.sees(".channels", "room:all")
            await picture(window, f"hostile-socket-{look}")
            assert await window.evaluate("document.title") == "Roost"
            assert await window.evaluate("document.querySelectorAll('main img, main script').length") == 0
            await window.close()


async def test_ten_thousand_topics(lone_node: WatchedNode, chromium: Chromium) -> None:
    async with AsyncExitStack() as stack:
        for part in range(100):
            client = await stack.enter_async_context(RawClient(lone_node.url))
            for number in range(100):
                await client.send([str(number), str(number), f"room:{part:02}{number:02}", "phx_join", {}])
            for _ in range(100):
                await client.receive()
        window = await chromium.open(page(lone_node) + "#topics")
        await window.sees("#topics", "1 to 50 of 10,000 topics, 10,000 subscribers")
        await picture(window, "many-desktop-light")
        await window.click(".pages button:last-child")
        await window.sees("#topics", "51 to 100 of 10,000 topics")
        await window.fill("#topic-search", "room:42")
        await window.sees("#topics", "1 to 50 of 100 topics")
        await window.fill("#topic-search", "room:4242")
        await window.sees("#topics", "1 topic, 1 subscriber")
        assert await window.texts(".topics tbody bdi") == ["room:4242"]


async def test_a_dead_shard_and_a_dead_broker(lone_node: WatchedNode, chromium: Chromium) -> None:
    status: Any = lone_node.status()
    dead = status["shards"][1]["pid"]
    async with crowd(lone_node, ["room:a"]) as clients, talking(clients):
        os.kill(dead, signal.SIGSTOP)
        try:
            await in_all_looks(chromium, lone_node, "dead-shard", ".shard.silent", "does not answer")
            window = await chromium.open(page(lone_node))
            await window.sees(".notice", "Shard 0/1 does not answer")
            await window.sees("#state", "1 silent")
        finally:
            os.kill(dead, signal.SIGCONT)
        await window.sees("#state", "Live")
        kill(dead)
        await window.sees(".tree", "started again 1 time")
        assert lone_node.broker is not None
        kill(lone_node.broker.pid)
        await window.sees(".notice", "No clients are taken: there is no broker.")
        await window.sees("#state", "Not ready")
        await picture(window, "dead-broker-desktop-light")


async def test_the_number_of_shards_is_changed_with_the_slider(lone_node: WatchedNode, chromium: Chromium) -> None:
    async with crowd(lone_node, ["room:a"]) as clients, talking(clients):
        window = await chromium.open(page(lone_node), **LOOKS["phone-light"])  # type: ignore[arg-type]
        await window.sees("#state", "Live")
        await window.sees(".scale output", "3")
        for _ in range(2):
            await window.press("#shards", "ArrowRight")
        await window.click(".scale button")
        await window.sees(".resharding", "3 \u2192 5 shards")
        await window.sees(".resharding", "nothing was lost")
        await window.sees(".heat", "1/4")
        await window.does_not_see(".epoch-head")
        assert await window.texts(".shard .tile-name") == [f"1/{number}" for number in range(5)]
        await picture(window, "scaled-phone-light")


async def test_it_comes_back_with_the_node(lone_node: WatchedNode, chromium: Chromium) -> None:
    window = await chromium.open(page(lone_node))
    await window.sees("#state", "Live")
    assert lone_node.gateway is not None
    lone_node.gateway.terminate()
    await window.sees("#state", "Node unreachable")
    await asyncio.to_thread(lone_node.gateway.wait)
    await asyncio.to_thread(lone_node.start_gateway)
    await window.sees("#state", "Live")
    chromium.complaints.clear()  # of a node that was not there
