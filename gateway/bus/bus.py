"""The bus as channels, mailboxes and presences see it, whatever carries it. Pure.

In a worker that is `Uplink`, by way of the shards; where there are none it is `LocalBus`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from roost.gateway.bus.local_topics import LocalTopics
from roost.shared.bus import Form, Lane, Reach
from roost.shared.peer.shard_link import Frames, Letters

if TYPE_CHECKING:
    from roost.shared.peer.audience import Subscription


class Bus(Protocol):
    """Subscribe, publish, and the echo of what was published."""

    local_topics: LocalTopics
    max_payload: int
    """Bytes that a publish for other nodes may have. At the limit: PayloadTooLarge."""

    @property
    def ticked(self) -> float:
        """The time by the loop's clock, to half a second."""

    @property
    def subscriptions(self) -> "Mapping[int, Subscription]":
        """All subscriptions of this process, by number."""

    def subscribe(
        self, client_hash: int, topic: str, lane: Lane, intercepts: tuple[str, ...], outlet: Any, inbox: Any
    ) -> "Subscription":
        """Subscribe; `inbox.confirmed(subscription)` is called when it stands."""

    def unsubscribe(self, subscription: "Subscription") -> None:
        """Nothing comes from now on."""

    def subscriber(self, number: int) -> Any:
        """Who subscribes under that number: what was given as `inbox`; None if nobody does any more."""

    def publish_now(
        self,
        topic: str,
        form: Form,
        event: str,
        payload: bytes,
        sender: int = 0,
        reach: Reach = Reach.CLUSTER,
    ) -> int:
        """Publish if there is credit. Returns the publish's number, or 0: then `publish` must be awaited."""

    async def publish(
        self,
        topic: str,
        form: Form,
        event: str,
        payload: bytes,
        sender: int = 0,
        reach: Reach = Reach.CLUSTER,
    ) -> int:
        """Publish when there is credit. Returns the publish's number."""

    def hand_over(self, handovers: list[Frames | Letters], event: str) -> None:
        """Hand over what this process tells its own subscribers: that event."""

    def echoed(self, client_hash: int, number: int) -> bool:
        """Whether a client has had this process's publish of that number."""

    def hold(self, client_hash: int, number: int, holder: Any) -> None:
        """Have `holder.released()` called when `echoed` has become true."""

    def drained(self) -> bool:
        """Whether all that was published has reached its receivers."""

    def node_id(self) -> str:
        """Names the node among others."""

    def live_workers(self) -> set[int]:
        """All workers of the node that live."""

    def worker_lives(self, worker: int) -> bool:
        """Whether a worker of the node lives."""
