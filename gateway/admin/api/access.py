"""Who may use the HTTP API: who shows the admin token, or a signed token that says what it is for. Pure."""

from enum import Enum
from typing import Any, Final

API: Final = "/api/"
"""Below this path it is served."""
SALT: Final = "roost api"
"""Tokens of the API are signed with keys of their own."""


class May(Enum):
    """What a token is for."""

    BROADCAST = "broadcast"
    DISCONNECT = "disconnect"
    READ = "read"


EVERYTHING: Final = frozenset(May)
"""What the admin token is for."""


def token_data(rights: frozenset[May]) -> dict[str, Any]:
    """What is signed."""
    return {"may": sorted(right.value for right in rights)}


def rights_of(data: Any) -> frozenset[May]:
    """What a token's data allows; what is not known allows nothing."""
    if not isinstance(data, dict) or not isinstance(data.get("may"), list):
        return frozenset()
    known = {right.value: right for right in May}
    return frozenset(known[word] for word in data["may"] if isinstance(word, str) and word in known)
