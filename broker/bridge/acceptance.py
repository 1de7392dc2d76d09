"""Which publishes of other nodes this node lets in: none that a shard, a worker or a client could not take. Pure.

The engine carries whatever somebody hands it. What our own nodes publish was checked where it was published.
"""

from typing import Final

import msgspec

from roost.shared.binary_messages import FieldTooLong, encode_broadcast
from roost.shared.bus import Form
from roost.shared.crossing import Crossing
from roost.shared.topics import BRIDGE, TAP, crosses

_json: Final = msgspec.json.Decoder(msgspec.Raw)
_plain: Final = msgspec.msgpack.Decoder()


def refusal(crossing: Crossing, *, direct: bool) -> str | None:
    """Why a publish is not let in, in a sentence; None if it is. `direct`: it is for this node alone."""
    topic = crossing.topic
    if not crosses(topic) and (not direct or topic in (TAP, BRIDGE)):
        return f"a publish on {topic!r}, which is each node's own"
    try:
        _open(crossing)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, FieldTooLong) as error:
        return f"a publish on {topic!r} that nobody can be given: {error}"
    return None


def _open(crossing: Crossing) -> None:
    match crossing.form:
        case Form.JSON:
            _json.decode(crossing.payload)
            crossing.payload.decode()  # browsers end a connection whose text is none
        case Form.BINARY:
            encode_broadcast(crossing.topic, crossing.event, b"")
        case Form.PLAIN:
            _plain.decode(crossing.payload)
