"""What becomes of a topic's broadcasts for a client that does not read them fast enough. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from roost.gateway.routes import Route, find_route


class WhenSlow(StrEnum):
    """The policy of a topic. Replies and pushes are subject to none: they wait, in their place in the order."""

    DISCONNECT = "disconnect"
    """Past `max_outbound_bytes` the client is disconnected with close code 4008; it comes back and joins anew."""
    DROP_NEWEST = "drop_newest"
    """Past `max_outbound_bytes` the client misses broadcasts until it has read some of what waits."""
    LATEST = "latest"
    """While the client cannot take them, only the topic's newest broadcast waits for it."""


Declared = WhenSlow | Mapping[str, WhenSlow]
"""What a channel class may say: one policy, or policies by topic pattern; `DISCONNECT` where no pattern matches."""


class WhenSlowRules:
    """The policies of one channel class."""

    __slots__ = ("_only", "_routes")

    def __init__(self, channel: str, declared: Any) -> None:
        """Raises TypeError or ValueError if the channel class declares what is no policy."""
        by_pattern = declared if isinstance(declared, Mapping) else {"*": declared}
        self._routes = [Route(pattern, _policy(channel, policy)) for pattern, policy in by_pattern.items()]
        self._only = None if isinstance(declared, Mapping) else self._routes[0].channel

    def of(self, topic: str) -> WhenSlow:
        """The policy of a topic: the first pattern that matches says it."""
        if self._only is not None:
            return self._only
        found = find_route(self._routes, topic)
        return WhenSlow.DISCONNECT if found is None else found[0].channel


def _policy(channel: str, policy: Any) -> WhenSlow:
    try:
        return WhenSlow(policy)
    except ValueError:
        known = ", ".join(f"WhenSlow.{one.name}" for one in WhenSlow)
        raise TypeError(
            f"{channel}.when_slow is one of {known}, or a dict of topic patterns to them; {policy!r} is none"
        ) from None
