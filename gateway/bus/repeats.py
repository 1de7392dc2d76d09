"""Which requests were made before, by the key that their makers gave them. Pure."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

MAX_KEYS: Final = 10_000
"""Keys that are remembered; with one more the oldest is forgotten."""
KEEP_SECONDS: Final = 600.0
"""Seconds for which a key is remembered."""
MAX_KEY_LENGTH: Final = 200

A = TypeVar("A")


@dataclass(slots=True)
class _Request(Generic[A]):
    content: bytes
    began: float
    answer: A | None = None
    lost: bool = False


class Repeats(Generic[A]):
    """What was asked under which key, and what was answered."""

    def __init__(self) -> None:
        self._requests: OrderedDict[str, _Request[A]] = OrderedDict()

    def begin(self, key: str, content: bytes, now: float) -> A | str | None:
        """None for a new request, which is to be carried out; the answer of one that was; why not, if it must not be.

        `content` tells requests apart.
        """
        self._forget_old(now)
        if len(key) > MAX_KEY_LENGTH:
            return f"an idempotency key has at most {MAX_KEY_LENGTH} characters"
        request = self._requests.get(key)
        if request is None:
            self._requests[key] = _Request(content, now)
            while len(self._requests) > MAX_KEYS:
                self._requests.popitem(last=False)
            return None
        if request.content != content:
            return f"the idempotency key {key!r} was used for something else"
        if request.lost:
            return f"whether the request with the idempotency key {key!r} was carried out is not known"
        return "the same request is being carried out" if request.answer is None else request.answer

    def done(self, key: str, answer: A) -> None:
        """The request was carried out."""
        if (request := self._requests.get(key)) is not None:
            request.answer = answer

    def lose(self, key: str) -> None:
        """Nobody knows whether the request was carried out: it is not made again under this key."""
        if (request := self._requests.get(key)) is not None:
            request.lost = True

    def forget(self, key: str) -> None:
        """The request was not carried out: it may be made again."""
        self._requests.pop(key, None)

    def _forget_old(self, now: float) -> None:
        while self._requests and next(iter(self._requests.values())).began <= now - KEEP_SECONDS:
            self._requests.popitem(last=False)
