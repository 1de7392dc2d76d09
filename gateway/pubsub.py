"""PubSub for code in a worker: messages by topic, from channels and from any task."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Self

from roost.gateway.bus.nodes import named_node
from roost.gateway.channel import Channel
from roost.gateway.letters import encode_plain, open_letter
from roost.shared.bus import Form, Lane, Reach
from roost.shared.phash2 import hash32
from roost.shared.topics import application_topic

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime
    from roost.shared.peer.audience import Subscription

MAX_MAILBOX: Final = 10_000
"""Messages that wait in a mailbox; with one more it is closed and its reader told."""


class MailboxFull(Exception):
    """A mailbox was not read fast enough and has been closed; messages were missed."""


class Mailbox:
    """A subscription of a task: `async for message in mailbox`. Leave its `async with` to unsubscribe."""

    def __init__(self, runtime: "Runtime", topic: str) -> None:
        self.topic = topic
        self._runtime = runtime
        self._messages: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._full = False
        self._standing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        client_hash = hash32(runtime.worker << 32 | runtime.next_number())
        self.subscription: Subscription | None = runtime.uplink.subscribe(
            client_hash, topic, Lane.LETTER, (), None, self
        )

    async def receive(self) -> Any:
        """The next message: plain data, or a `Broadcast`. Raises MailboxFull."""
        while not self._messages:
            if self._full:
                raise MailboxFull(f"more than {MAX_MAILBOX} messages of {self.topic!r} waited")
            self._arrived.clear()
            await self._arrived.wait()
        return open_letter(self.topic, self._messages.popleft())

    def close(self) -> None:
        """Unsubscribe."""
        subscription, self.subscription = self.subscription, None
        if subscription is not None:
            self._runtime.uplink.unsubscribe(subscription)

    def subscriber_of(self, topic: str) -> int:
        """The mailbox's number as a subscriber, 0 if it does not subscribe to that topic."""
        return self.subscription.number if self.subscription is not None and topic == self.topic else 0

    async def __aenter__(self) -> Self:
        await self._standing
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return await self.receive()

    # Told by the uplink

    def confirmed(self, _: "Subscription") -> None:
        if not self._standing.done():
            self._standing.set_result(None)

    def letter(self, _: str, letter: bytes) -> None:
        if len(self._messages) >= MAX_MAILBOX:
            self._full = True
            self.close()
        else:
            self._messages.append(letter)
        self._arrived.set()


class PubSub:
    """Messages between code. What MessagePack can express may be sent: plain data, no objects."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime

    def subscribe(self, topic: str) -> Mailbox:
        """A mailbox for a task: `async with pubsub.subscribe("jobs") as jobs: ...` is subscribed inside the block."""
        return Mailbox(self._runtime, application_topic(topic))

    async def broadcast(self, topic: str, message: Any) -> None:
        """Send a message to all subscribers of a topic: to mailboxes, and to channels as `handle_info`.

        They are those of all nodes, if the node is one of several. Raises PayloadTooLarge if it has no way to them.
        """
        await self._runtime.publish(application_topic(topic), Form.PLAIN, "", encode_plain(message))

    async def broadcast_from(self, sender: Channel[Any] | Mailbox, topic: str, message: Any) -> None:
        """The same, but not to the sender's own subscription to the topic."""
        await self._publish_from(sender, topic, message, Reach.CLUSTER)

    async def local_broadcast(self, topic: str, message: Any) -> None:
        """Send a message to the subscribers of a topic on this node alone, whatever its size."""
        await self._runtime.publish(application_topic(topic), Form.PLAIN, "", encode_plain(message), reach=Reach.NODE)

    async def local_broadcast_from(self, sender: Channel[Any] | Mailbox, topic: str, message: Any) -> None:
        """The same, but not to the sender's own subscription to the topic."""
        await self._publish_from(sender, topic, message, Reach.NODE)

    async def direct_broadcast(self, node: str, topic: str, message: Any) -> None:
        """Send a message to the subscribers on one node. Raises UnknownNode, with the names of those that are there."""
        topic = application_topic(topic)
        await self._runtime.publish_to(named_node(node), topic, Form.PLAIN, "", encode_plain(message))

    async def _publish_from(self, sender: Channel[Any] | Mailbox, topic: str, message: Any, reach: Reach) -> None:
        data, number = encode_plain(message), sender.subscriber_of(topic)
        await self._runtime.publish(application_topic(topic), Form.PLAIN, "", data, number, reach)
