"""Nodes and clients for the tests."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.node import Node
from tests.e2e.phoenix_js import WHY_NOT, PhoenixJs


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A node that serves the playground, with two shards and two workers; shared by the tests of a file."""
    with Node() as running:
        yield running


@pytest.fixture
def lone_node() -> Iterator[Node]:
    """A node for one test, which may break it."""
    with Node() as running:
        yield running


@pytest.fixture
async def phoenix() -> AsyncIterator[PhoenixJs]:
    """The official client."""
    if WHY_NOT:
        pytest.skip(WHY_NOT)
    driver = await PhoenixJs.start()
    yield driver
    await driver.stop()
