"""A worker's part in publishing from outside: it judges the events that the gateway gives it, and publishes them."""

import msgspec

from roost.gateway.bus.uplink import Uplink
from roost.gateway.letters import encode_plain
from roost.shared.acting import Broadcasted, OutsideEvent
from roost.shared.bus import Form
from roost.shared.crossing import check_size
from roost.shared.link import Refused
from roost.shared.serializer import encode_broadcast
from roost.shared.topics import application_topic


async def publish_events(worker: int, uplink: Uplink, events: tuple[OutsideEvent, ...]) -> Broadcasted:
    """Publish all of them in order, waiting for credit where need be. Raises Refused, before any is published."""
    number = 0
    for topic, form, event, data in [_publishable(event, uplink.max_payload) for event in events]:
        number = uplink.publish_now(topic, form, event, data) or await uplink.publish(topic, form, event, data)
    return Broadcasted(worker, number)


def _publishable(event: OutsideEvent, limit: int) -> tuple[str, Form, str, bytes]:
    """As the bus takes it. Raises Refused."""
    try:
        topic = application_topic(event.topic)
        match event.form:
            case Form.JSON:
                form, data = encode_broadcast(topic, event.event, msgspec.json.decode(event.payload))
            case Form.BINARY:
                form, data = encode_broadcast(topic, event.event, event.payload)
            case Form.PLAIN:
                form, data = Form.PLAIN, encode_plain(msgspec.msgpack.decode(event.payload))
        check_size(data, limit, len(topic) + len(event.event))
    except (TypeError, ValueError, msgspec.DecodeError) as error:
        raise Refused(f"that cannot be broadcast: {error}") from None
    return topic, form, event.event, data
