"""Fixtures of pytest: `channel_node` for channels in the test's own process, `live_node` for real nodes."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from roost.gateway.endpoint import Endpoint
    from roost.testing.live_node import LiveNode
    from roost.testing.local_node import LocalNode


async def _channel_node(endpoint: "Endpoint") -> "AsyncIterator[LocalNode]":
    """Channels in the test's own process. Your own fixture `endpoint` answers the endpoint whose they are."""
    from roost.testing.local_node import local_node

    async with local_node(endpoint) as node:
        yield node


def _missing() -> None:
    pytest.fail("the fixture channel_node wants pytest-asyncio: pip install pytest-asyncio", pytrace=False)


if find_spec("pytest_asyncio") is None:
    channel_node: Any = pytest.fixture(name="channel_node")(_missing)
else:
    import pytest_asyncio

    channel_node = pytest_asyncio.fixture(name="channel_node")(_channel_node)


@pytest.fixture(scope="session")
def live_node() -> "Iterator[Callable[..., LiveNode]]":
    """`live_node("myapp:endpoint")` answers a real node that serves it; of each kind one is started a session."""
    from roost.testing.live_node import LiveNode

    nodes: dict[Any, LiveNode] = {}
    with ExitStack() as running:

        def serve(app: str, **options: Any) -> LiveNode:
            key = (app, repr(sorted(options.items())))
            if key not in nodes:
                nodes[key] = running.enter_context(LiveNode(app, **options))
            return nodes[key]

        yield serve
