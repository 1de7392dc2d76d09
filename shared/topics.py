"""Topics that are the node's own. Pure."""

from typing import Final

RESERVED: Final = "\0"
"""No client can join a topic that begins so, and no application publishes on one."""
BRIDGE: Final = f"{RESERVED}bridge"
"""What workers tell the node's bridge to the other nodes; it alone subscribes."""
TAP: Final = f"{RESERVED}tap"
"""Whoever subscribes here is given everything that is published for the whole cluster, as `Crossing` letters."""
PRESENCE: Final = f"{RESERVED}presence:"
"""How the topics begin on which replicas of a presence meet; they alone of the node's own cross to other nodes."""


def crosses(topic: str) -> bool:
    """Whether what is published on a topic is for the subscribers of other nodes as well."""
    return not topic.startswith(RESERVED) or topic.startswith(PRESENCE)


def application_topic(topic: str) -> str:
    """The topic, if an application may publish on it. Raises TypeError or ValueError: here, and not in every shard."""
    if not isinstance(topic, str):
        raise TypeError(f"a topic is a str, not {topic!r}")
    if not topic.isascii():
        topic.encode()
    if topic.startswith(RESERVED):
        raise ValueError(f"topics that begin with a zero byte are Roost's own: {topic!r}")
    return topic


def worker_topic(worker: int) -> str:
    """The topic of messages that are addressed to one worker; nobody else subscribes to it."""
    return f"{RESERVED}worker:{worker}"
