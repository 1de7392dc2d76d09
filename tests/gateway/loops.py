"""How scenes are played on both kinds of loop that Roost may run on; the fixture `play` does it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import uvloop

KINDS: Final = ("asyncio", "uvloop")

Scene = Callable[[], Awaitable[None]]
Play = Callable[[Scene], None]


def play_on(kind: str, scene: Scene) -> None:
    """Run a scene; fails if the loop was told of an error that nobody caught."""
    errors: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        await scene()

    factory = uvloop.new_event_loop if kind == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(watched())
    assert errors == []
