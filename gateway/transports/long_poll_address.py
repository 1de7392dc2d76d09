"""Where a long-poll session lives, and the token by which its client names it: signed, and good for a limited time."""

import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from roost.gateway.replies import Ok
from roost.gateway.token import Token

if TYPE_CHECKING:
    from roost.gateway.endpoint import Endpoint


class SessionAddress(NamedTuple):
    """Names one session of the cluster, for any of its workers."""

    node: str
    worker: int
    number: int
    """That of its socket."""
    key: str
    """Random: a node that begins anew begins with the same numbers, and keeps its secret."""


def new_address(node: str, worker: int, number: int) -> SessionAddress:
    """The address of a session that begins."""
    return SessionAddress(node, worker, number, secrets.token_urlsafe(16))


def sign_address(endpoint: "Endpoint", mount_path: str, address: SessionAddress, max_age: float) -> str:
    """The token for a client of that mount."""
    return Token.sign(endpoint, _salt(mount_path), list(address), max_age=max_age)


def read_address(endpoint: "Endpoint", mount_path: str, token: Any) -> SessionAddress | None:
    """What a token names; None if it is not ours, is too old, or is that of another mount."""
    match Token.verify(endpoint, _salt(mount_path), token):
        case Ok([str(node), int(worker), int(number), str(key)]):
            return SessionAddress(node, worker, number, key)
    return None


def _salt(mount_path: str) -> str:
    """Each mount has tokens of its own, for who may connect to one may not connect to all."""
    return f"long poll {mount_path}"
