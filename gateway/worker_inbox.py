"""Messages addressed to one worker of the node: sent by any worker, with the promises of every publish."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from roost.gateway.letters import encode_plain, open_letter
from roost.shared.bus import Form, Lane, Reach
from roost.shared.phash2 import hash32
from roost.shared.topics import worker_topic

if TYPE_CHECKING:
    from roost.gateway.runtime import Runtime
    from roost.shared.peer.audience import Subscription

_log = logging.getLogger("roost.worker")


class WorkerInbox:
    """What other workers send this one, by kind."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._handlers: dict[str, Callable[[Any], object]] = {}

    def on(self, kind: str, handler: Callable[[Any], object]) -> None:
        """Have messages of a kind handled; a handler does not wait."""
        if not self._handlers:
            worker = self._runtime.worker
            self._runtime.uplink.subscribe(hash32(worker << 32), worker_topic(worker), Lane.LETTER, (), None, self)
        self._handlers[kind] = handler

    async def send(self, worker: int, kind: str, message: Any) -> None:
        """Send a message to a worker; to one that is gone it goes nowhere."""
        payload = encode_plain((kind, message))
        await self._runtime.publish(worker_topic(worker), Form.PLAIN, "", payload, reach=Reach.NODE)

    # Told by the uplink

    def confirmed(self, subscription: "Subscription") -> None:
        """Nothing waits for it."""

    def letter(self, topic: str, letter: bytes) -> None:
        kind, message = open_letter(topic, letter)
        handler = self._handlers.get(kind)
        if handler is None:
            _log.warning("a message of the unknown kind %r was addressed to this worker", kind)
        else:
            handler(message)
