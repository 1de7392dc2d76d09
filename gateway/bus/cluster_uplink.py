"""The bus of a worker whose node may be one of several: joins wait for the bridge, and payloads have its limit."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from roost.gateway.bus.interest import INTEREST_LIMIT, TICK, WorkerInterest
from roost.gateway.bus.uplink import Uplink
from roost.gateway.transports.turn import Turn
from roost.shared.bus import Form, Lane, Reach
from roost.shared.cluster import Interest, Listening
from roost.shared.crossing import check_size
from roost.shared.run_directory import RunDirectory
from roost.shared.topics import BRIDGE

if TYPE_CHECKING:
    from roost.shared.peer.audience import Subscription

_log = logging.getLogger("roost.worker")


class ClusterUplink(Uplink):
    """What it does more than `Uplink` costs nothing where there is no cluster."""

    def __init__(
        self,
        run_dir: RunDirectory,
        worker: int,
        turn: Turn,
        loop: asyncio.AbstractEventLoop,
        tell: Callable[[Interest], None],
    ) -> None:
        """`tell` takes what the bridge is to be told."""
        super().__init__(run_dir, worker, turn, loop)
        self._interest = WorkerInterest(worker)
        self._tell = tell
        self._delivery.may_stand = self._may_stand
        self._cooling = loop.call_later(TICK, self._tick)

    # The bridge

    def listens(self, listening: Listening) -> None:
        """The bridge has said what the node hears."""
        self.max_payload = listening.max_payload
        self._interest.heard(listening)
        self._look_again()

    def tell_interest_again(self) -> None:
        """There may be another broker or bridge."""
        self._interest.again()
        self._turn.wake()

    # For channels and mailboxes

    def subscribe(
        self, client_hash: int, topic: str, lane: Lane, intercepts: tuple[str, ...], outlet: Any, inbox: Any
    ) -> "Subscription":
        self._interest.add(topic)
        return super().subscribe(client_hash, topic, lane, intercepts, outlet, inbox)

    def unsubscribe(self, subscription: "Subscription") -> None:
        if subscription.number in self.subscriptions:
            self._interest.discard(subscription.topic)
        super().unsubscribe(subscription)

    def publish_now(
        self,
        topic: str,
        form: Form,
        event: str,
        payload: bytes,
        sender: int = 0,
        reach: Reach = Reach.CLUSTER,
    ) -> int:
        """Raises PayloadTooLarge, too."""
        if reach == Reach.CLUSTER or topic == BRIDGE:
            check_size(payload, self.max_payload, len(topic) + len(event))
        return super().publish_now(topic, form, event, payload, sender, reach)

    def close(self) -> None:
        self._cooling.cancel()
        super().close()

    # Inside

    def _may_stand(self, subscription: "Subscription") -> bool:
        stands_behind: str | None = getattr(subscription.inbox, "stands_behind", None)
        return self._interest.stands(subscription.topic) and (
            stands_behind is None or self._interest.stands(stands_behind)
        )

    def _look_again(self) -> None:
        self._carry_out([self._delivery.look_again()])
        self._turn.wake()

    def _tick(self) -> None:
        self._cooling = self._loop.call_later(TICK, self._tick)
        if self._interest.tick():
            _log.warning("no word of the bridge to other nodes for %g s: joins do not wait for it", INTEREST_LIMIT)
            self._look_again()
        self._tell_news()

    def _end_turn(self) -> None:
        self._tell_news()
        super()._end_turn()

    def _tell_news(self) -> None:
        news = self._interest.news()
        if news is not None:
            self._tell(news)
