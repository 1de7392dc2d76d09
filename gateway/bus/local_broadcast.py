"""A broadcast from a process to its own subscribers alone: encoded once a lane, as a shard does it. Pure."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from roost.shared.bus import Form, Lane, Letter, encode_letter
from roost.shared.peer.shard_link import Frames, Letters
from roost.shared.serializer import Fastlane, encode_json

if TYPE_CHECKING:
    from roost.shared.peer.audience import Subscription


def broadcast_locally(
    topic: str, event: str, payload: bytes, subscriptions: Iterable["Subscription"], form: Form = Form.JSON
) -> list[Frames | Letters]:
    """What is to be handed over for an event, or for a message of code. V1 has no form for what is binary."""
    outlets: dict[Lane, list[Any]] = {}
    inboxes: list[Any] = []
    for subscription in subscriptions:
        if subscription.lane is Lane.LETTER or form is Form.PLAIN or event in subscription.intercepts:
            inboxes.append(subscription.inbox)
        else:
            outlets.setdefault(subscription.lane, []).append(subscription.outlet)
    fastlane = Fastlane(encode_json(topic), form, event, payload)
    handovers: list[Frames | Letters] = []
    for lane, recipients in outlets.items():
        frame = fastlane.frame(lane)
        if frame is not None:
            handovers.append(Frames(recipients, [frame], topic))
    if inboxes:
        handovers.append(Letters(inboxes, topic, encode_letter(Letter(form, event, payload))))
    return handovers
