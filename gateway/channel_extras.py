"""What only some channels have: timers, and subscriptions to topics other than their own."""

import asyncio
from typing import TYPE_CHECKING, Any

from roost.shared.bus import Lane

if TYPE_CHECKING:
    from roost.gateway.audience import Subscription
    from roost.gateway.channel_process import ChannelProcess


class Timer:
    """A message on its way to `handle_info`."""

    __slots__ = ("_extras", "_handle", "_message")

    def __init__(self, extras: "ChannelExtras", seconds: float, message: Any) -> None:
        self._extras = extras
        self._message = message
        self._handle = extras.process.client.runtime.call_later(seconds, self._fire)

    def cancel(self) -> None:
        """Do not send it; if it was sent, nothing happens."""
        self._handle.cancel()
        self._extras.timers.discard(self)

    def _fire(self) -> None:
        self._extras.timers.discard(self)
        self._extras.process.info(self._message)


class ChannelExtras:
    """The timers and further subscriptions of one channel; they end with it."""

    __slots__ = ("_subscriptions", "_unconfirmed", "process", "timers")

    def __init__(self, process: "ChannelProcess") -> None:
        self.process = process
        self.timers: set[Timer] = set()
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
        client = self.process.client
        subscription = client.runtime.uplink.subscribe(client.hash, topic, Lane.LETTER, (), None, self.process)
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
            self.process.client.runtime.uplink.unsubscribe(subscription)
            self.confirmed(subscription)

    def end(self) -> None:
        """The channel ends."""
        for timer in list(self.timers):
            timer.cancel()
        for topic in list(self._subscriptions):
            self.unsubscribe(topic)
