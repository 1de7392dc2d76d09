"""Messages addressed to one worker: sent by any worker of its node or another, with the promises of every publish."""

import logging
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from roost.gateway.bus.message_parts import PART, Parts, part_size, split
from roost.gateway.letters import encode_plain, open_letter, open_plain
from roost.shared.bus import Form, Lane
from roost.shared.phash2 import hash32
from roost.shared.topics import worker_topic

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime
    from roost.shared.peer.audience import Subscription

_log = logging.getLogger("roost.worker")


class WorkerInbox:
    """What other workers send this one, by kind."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._numbers = count(1)
        self._parts = Parts()
        self._handlers: dict[str, Callable[[Any], object]] = {}

    def on(self, kind: str, handler: Callable[[Any], object]) -> None:
        """Have messages of a kind handled; a handler does not wait."""
        if not self._handlers:
            worker = self._runtime.worker
            self._runtime.uplink.subscribe(hash32(worker << 32), worker_topic(worker), Lane.LETTER, (), None, self)
        self._handlers[kind] = handler

    async def send(self, worker: int, kind: str, message: Any, node: str = "") -> None:
        """Send a message to a worker, of this node or another; to a worker that is gone it goes nowhere.

        Raises UnknownNode.
        """
        runtime = self._runtime
        payload = encode_plain((kind, message))
        if not runtime.nodes.is_own(node) and len(payload) > (size := part_size(runtime.uplink.max_payload)):
            parts = split(payload, size, f"{runtime.nodes.own} {runtime.worker} {next(self._numbers)}")
            for part in parts:
                await runtime.publish_to(node, worker_topic(worker), Form.PLAIN, "", encode_plain((PART, part)))
        else:
            await runtime.publish_to(node, worker_topic(worker), Form.PLAIN, "", payload)

    # Told by the uplink

    def confirmed(self, subscription: "Subscription") -> None:
        """Nothing waits for it."""

    def letter(self, topic: str, letter: bytes) -> None:
        kind, message = open_letter(topic, letter)
        if kind == PART:
            whole = self._parts.take(*message)
            if whole is None:
                return
            kind, message = open_plain(whole)
        handler = self._handlers.get(kind)
        if handler is None:
            _log.warning("a message of the unknown kind %r was addressed to this worker", kind)
        else:
            handler(message)
