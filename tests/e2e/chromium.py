"""Headless Chromium, driven by commands: what a person would do in the dashboard's page, and what is to be seen."""

import asyncio
import json
import shutil
from itertools import count
from pathlib import Path
from typing import Any, Self

from tests.e2e.phoenix_js import JS
from tests.limits import LIMIT

CHROMIUM = shutil.which("chromium")
WHY_NOT: str | None = (
    None
    if CHROMIUM and shutil.which("node") and (JS / "node_modules" / "playwright-core").exists()
    else "the tests in a browser need Debian's chromium, Node and `make`'s npm packages"
)
"""Why these tests are skipped; None if they are not."""


class Chromium:
    """One browser with any number of windows."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.complaints: list[dict[str, Any]] = []
        """What went wrong in pages: errors, what their policy forbids, dialogs."""
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def start(cls) -> Self:
        assert CHROMIUM is not None
        return cls(
            await asyncio.create_subprocess_exec(
                "node",
                "browser.mjs",
                CHROMIUM,
                cwd=JS,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=2**26,
            )
        )

    async def open(
        self, url: str, *, width: int = 1280, height: int = 900, scheme: str = "light", mobile: bool = False
    ) -> "Window":
        """A window that shows a page."""
        window = Window(self, f"page {next(self._numbers)}")
        await window.ask("open", url=url, width=width, height=height, scheme=scheme, mobile=mobile)
        return window

    async def ask(self, **command: Any) -> Any:
        """Have something done, and hear what came of it."""
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, **command}).encode() + b"\n")
        async with asyncio.timeout(LIMIT):
            return await future

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            if "complaint" in said:
                self.complaints.append(said)
            elif "error" in said:
                self._waiting.pop(said["id"]).set_exception(AssertionError(said["error"]))
            else:
                self._waiting.pop(said["id"]).set_result(said["answer"])


class Window:
    """One page in one window."""

    def __init__(self, browser: Chromium, name: str) -> None:
        self._browser = browser
        self._name = name

    async def ask(self, do: str, **arguments: Any) -> Any:
        return await self._browser.ask(do=do, page=self._name, **arguments)

    async def sees(self, selector: str, text: str = "") -> None:
        """Wait until an element is visible that has this text in it."""
        await self.ask("waits", selector=selector, text=text)

    async def does_not_see(self, selector: str) -> None:
        """Wait until there is no such element, or none that is visible."""
        await self.ask("hidden", selector=selector)

    async def texts(self, selector: str) -> list[str]:
        found: list[str] = await self.ask("texts", selector=selector)
        return found

    async def click(self, selector: str) -> None:
        await self.ask("click", selector=selector)

    async def fill(self, selector: str, text: str) -> None:
        await self.ask("fill", selector=selector, text=text)

    async def press(self, selector: str, key: str) -> None:
        await self.ask("press", selector=selector, key=key)

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        return await self.ask("evaluate", expression=expression)

    async def screenshot(self, path: Path, *, whole: bool = True) -> None:
        await self.ask("screenshot", path=str(path), whole=whole)

    async def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        wider: int = await self.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return wider

    async def close(self) -> None:
        await self.ask("close")
