"""Why a connection is over, in the words in which `terminate` hears of it. Pure.

Phoenix's channels hear with what their transport ended: `closed`, `disconnected`, `draining`, `inactive`. Ours hear of
a client that was too slow, or whose time has come, too.
"""

from typing import Final

from roost.shared.frames import CloseCode

CLOSED: Final = "closed"
"""The client has gone, or what it sent ended its connection."""

_BY_CODE: Final[dict[int, str]] = {
    CloseCode.GOING_AWAY: "disconnected",
    CloseCode.PROTOCOL_ERROR: "inactive",
    CloseCode.SERVICE_RESTART: "draining",
    CloseCode.TOO_SLOW: "too slow",
    CloseCode.EXPIRED: "expired",
}


def closing_reason(code: int | None) -> str:
    """`code`: with which the server ended the connection; None if the client did, or broke the protocol."""
    return CLOSED if code is None else _BY_CODE.get(code, CLOSED)
