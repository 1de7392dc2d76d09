"""A broadcast from a worker to its own subscribers alone: encoded once a lane, as a shard does it. Pure."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from roost.gateway.shard_link import Frames, Letters
from roost.shared.bus import PLAIN, Form, Lane, Letter, encode_letter
from roost.shared.deflate import deflate_frame
from roost.shared.serializer import Fastlane, encode_json

if TYPE_CHECKING:
    from roost.gateway.audience import Subscription


def broadcast_locally(
    topic: str, event: str, payload: bytes, subscriptions: Iterable["Subscription"]
) -> list[Frames | Letters]:
    """What is to be handed over for an event whose payload is JSON text."""
    outlets: dict[Lane, list[Any]] = {}
    inboxes: list[Any] = []
    for subscription in subscriptions:
        if subscription.lane is Lane.LETTER or event in subscription.intercepts:
            inboxes.append(subscription.inbox)
        else:
            outlets.setdefault(subscription.lane, []).append(subscription.outlet)
    fastlane = Fastlane(encode_json(topic), Form.JSON, event, payload)
    handovers: list[Frames | Letters] = []
    for lane, recipients in outlets.items():
        frame = fastlane.frame(PLAIN.get(lane, lane))
        assert frame is not None
        handovers.append(Frames(recipients, [deflate_frame(frame) if lane in PLAIN else frame], topic))
    if inboxes:
        handovers.append(Letters(inboxes, topic, encode_letter(Letter(Form.JSON, event, payload))))
    return handovers
