"""The canary's names: its path, its topics, its events. Pure."""

from typing import Final

from roost.shared.topics import RESERVED

OWN_PATHS: Final = "/.roost"
"""How the paths of the node's own sockets begin; no application sees them."""
TOPICS: Final = f"{RESERVED}canary:"
"""How the canary's topics begin."""
PUBLISH: Final = "publish"
"""What a client pushes to have its payload broadcast."""
NUMBERED: Final = "numbered"
"""What all subscribers of the topic then get."""


def canary_path(token: str) -> str:
    """Where the canary's socket is mounted."""
    return f"{OWN_PATHS}/canary/{token}"


def canary_topic(run: str, number: int) -> str:
    """A topic: `run` names one verification of the node, `number` one of its topics."""
    return f"{TOPICS}{run}:{number}"
