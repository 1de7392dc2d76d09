"""What handlers answer: values, never exceptions. Pure.

`Ok` and `Error` are replies with the statuses that phoenix.js knows; `Reply` has any status; `Stop` ends the channel.
"""

from typing import Any, ClassVar

import msgspec


class Ok(msgspec.Struct, frozen=True):
    """It is done. From `connect` and `join`: you may. The payload may be anything JSON can express."""

    payload: Any = {}
    status: ClassVar[str] = "ok"


class Error(msgspec.Struct, frozen=True):
    """It is refused, and the payload says why; a refusal is a value, exceptions are for bugs.

    From `connect` it is an HTTP response: text and bytes go out as they are, other payloads as JSON, `{}` as no body.
    """

    payload: Any = {}
    http_status: int = 403
    """Counts in `connect` alone."""
    status: ClassVar[str] = "error"


class Reply(msgspec.Struct, frozen=True):
    """A reply with a status of the application's own; phoenix.js matches it with `receive(status, ...)`."""

    status: str
    payload: Any = {}

    def __post_init__(self) -> None:
        _require_text("the status of a Reply", self.status)


class Stop(msgspec.Struct, frozen=True):
    """Stop the channel after this, with a reply first if one is given.

    After `normal`, `shutdown` and reasons that begin with `shutdown:` the client sees `phx_close` and stays away;
    after any other reason it sees `phx_error` and joins again.
    """

    reason: str = "normal"
    reply: Ok | Error | Reply | None = None

    def __post_init__(self) -> None:
        _require_text("the reason of a Stop", self.reason)

    @property
    def graceful(self) -> bool:
        """Whether the client is to see `phx_close`."""
        return self.reason in ("normal", "shutdown") or self.reason.startswith("shutdown:")


AnyReply = Ok | Error | Reply


def _require_text(what: str, value: Any) -> None:
    """Raises TypeError where the application's code can be seen, not where the value is used."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, not {value!r}")
