"""Agreeing on permessage-deflate with a client (RFC 7692, section 7.1). Pure.

Neither side keeps anything from one message to the next: so one compressed broadcast fits every client, and a client
costs no window while it is idle.
"""

from collections.abc import Sequence
from typing import Final

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader
from websockets.headers import build_extension, parse_extension

from roost.shared.deflate import WINDOW_BITS

_NAME: Final = "permessage-deflate"
_SERVER_WINDOW: Final = "server_max_window_bits"
_CLIENT_WINDOW: Final = "client_max_window_bits"
_FORGET: Final = ("server_no_context_takeover", "client_no_context_takeover")
_WINDOWS: Final = {str(bits): bits for bits in range(8, 16)}

Parameter = tuple[str, str | None]


def accept_offer(headers: Headers) -> str | None:
    """The Sec-WebSocket-Extensions of the response to a client's offers; None if none of them can be taken.

    The first that can be is taken, as in Phoenix. One with unknown, repeated or invalid parameters cannot be, nor can
    one whose client has less than our window. A header that cannot be parsed offers nothing.
    """
    offers = ", ".join(headers.get_all("Sec-WebSocket-Extensions"))
    try:
        parsed = parse_extension(offers) if offers else []
    except InvalidHeader:
        return None
    for name, offered in parsed:
        if name == _NAME and (agreed := _agree(offered)) is not None:
            return build_extension([(name, agreed)])
    return None


def _agree(offered: Sequence[Parameter]) -> list[Parameter] | None:
    """What is answered to an offer; None if it cannot be taken."""
    if len(dict(offered)) != len(offered):
        return None
    agreed: list[Parameter] = [(name, None) for name in _FORGET]
    for name, value in offered:
        if name in _FORGET:
            if value is not None:
                return None
        elif name == _SERVER_WINDOW:
            if _WINDOWS.get(value or "", 0) < WINDOW_BITS:
                return None
            agreed.append((name, value))
        elif name == _CLIENT_WINDOW:
            if value is not None:
                if value not in _WINDOWS:
                    return None
                agreed.append((name, value))
        else:
            return None
    return agreed
