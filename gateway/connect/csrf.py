"""Tokens that show that a request with a session's cookie comes from a page of the same site, as Plug makes them.

The session holds a token of 24 characters; a page gets it masked, each time differently, as 56: the masked token in
base64, then the mask.
"""

import base64
import hmac
import secrets
from collections.abc import MutableMapping
from typing import Any, Final

SESSION_KEY: Final = "_csrf_token"
"""Where the session keeps its token; the parameter that a page sends has the same name."""
_SESSION_TOKEN_CHARS: Final = 24
_MASKED_CHARS: Final = 32


def csrf_token(session: MutableMapping[str, Any], key: str = SESSION_KEY) -> str:
    """A token for a page to send as the parameter `_csrf_token`; the session gets one if it has none yet."""
    kept = session.get(key)
    if not isinstance(kept, str) or len(kept) != _SESSION_TOKEN_CHARS:
        kept = session[key] = _new()
    mask = _new()
    return base64.urlsafe_b64encode(_xor(kept.encode(), mask.encode())).decode() + mask


def is_valid_csrf_token(kept: Any, sent: Any) -> bool:
    """Whether what a page sent was made of what its session keeps. Takes the same time for every wrong one."""
    if not isinstance(kept, str) or len(kept) != _SESSION_TOKEN_CHARS or not kept.isascii():
        return False
    if not isinstance(sent, str) or len(sent) != _MASKED_CHARS + _SESSION_TOKEN_CHARS or not sent.isascii():
        return False
    try:
        masked = base64.b64decode(sent[:_MASKED_CHARS], altchars=b"-_", validate=True)
    except ValueError:
        return False
    return len(masked) == _SESSION_TOKEN_CHARS and hmac.compare_digest(
        _xor(masked, sent[_MASKED_CHARS:].encode()), kept.encode()
    )


def _new() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).decode()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
