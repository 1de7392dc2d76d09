"""What only some channels and raw sockets have: timers, and subscriptions to topics other than their own."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from roost.shared.bus import Lane

_log = logging.getLogger("roost.channel")

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime
    from roost.shared.peer.audience import Subscription


class Inbox(Protocol):
    """What runs the code that timers and subscriptions are for."""

    def info(self, message: Any) -> None:
        """A message for `handle_info`."""


class Timer:
    """A message on its way to `handle_info`."""

    __slots__ = ("_extras", "_handle", "_message")

    def __init__(self, extras: "ChannelExtras", seconds: float, message: Any) -> None:
        self._extras = extras
        self._message = message
        self._handle = extras.runtime.call_later(seconds, self._fire)

    def cancel(self) -> None:
        """Do not send it; if it was sent, nothing happens."""
        self._handle.cancel()
        self._extras.timers.discard(self)

    def _fire(self) -> None:
        self._extras.timers.discard(self)
        self._extras.inbox.info(self._message)


class ChannelExtras:
    """The timers and further subscriptions of one channel or raw socket; they end with it."""

    __slots__ = ("_hash", "_subscriptions", "_unconfirmed", "at_end", "inbox", "runtime", "timers")

    def __init__(self, runtime: "Runtime", client_hash: int, inbox: Inbox) -> None:
        self.runtime = runtime
        self._hash = client_hash
        self.inbox = inbox
        self.timers: set[Timer] = set()
        self.at_end: list[Callable[[], None]] = []
        """What else ends with it."""
        self._subscriptions: dict[str, Subscription] = {}
        self._unconfirmed: dict[Subscription, asyncio.Future[None]] = {}

    def send_after(self, seconds: float, message: Any) -> Timer:
        """Start a timer."""
        timer = Timer(self, seconds, message)
        self.timers.add(timer)
        return timer

    def subscription(self, topic: str) -> "Subscription | None":
        """The subscription to a topic, if there is one."""
        return self._subscriptions.get(topic)

    async def subscribe(self, topic: str) -> None:
        """Subscribe; returns when the subscription stands."""
        if topic in self._subscriptions:
            return
        subscription = self.runtime.uplink.subscribe(self._hash, topic, Lane.LETTER, (), None, self.inbox)
        self._subscriptions[topic] = subscription
        future = self._unconfirmed[subscription] = asyncio.get_running_loop().create_future()
        await future

    def confirmed(self, subscription: "Subscription") -> None:
        """A subscription stands."""
        future = self._unconfirmed.pop(subscription, None)
        if future is not None and not future.done():
            future.set_result(None)

    def unsubscribe(self, topic: str) -> None:
        """End a subscription, if there is one."""
        subscription = self._subscriptions.pop(topic, None)
        if subscription is not None:
            self.runtime.uplink.unsubscribe(subscription)
            self.confirmed(subscription)

    def end(self) -> None:
        """The channel ends."""
        for timer in list(self.timers):
            timer.cancel()
        for topic in list(self._subscriptions):
            self.unsubscribe(topic)
        for end in self.at_end:
            try:
                end()
            except Exception:  # noqa: BLE001 - the crash boundary of the application's code
                _log.exception("what was to be called at the end of a channel failed")
