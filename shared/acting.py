"""What others have a running node do: publish for them, disconnect clients. Pure."""

from typing import Final

import msgspec

from roost.shared.bus import Form
from roost.shared.control_message import ControlMessage

MAX_OUTSIDE_EVENTS: Final = 1000
"""Events that may be published from outside with one question."""


class OutsideEvent(msgspec.Struct, frozen=True, gc=False):
    """Something that is published from outside of the workers."""

    topic: str
    event: str
    """Empty for a plain message."""
    payload: bytes
    """By its form: JSON text of an object, binary data, or a plain message as MessagePack."""
    form: Form = Form.JSON


class BroadcastEvents(ControlMessage, frozen=True):
    """To the broker, on to the gateway and one worker, which publishes them all, in order. Answered by `Broadcasted`.

    Refused as a whole if any of them cannot be published.
    """

    events: tuple[OutsideEvent, ...]
    """At most `MAX_OUTSIDE_EVENTS`."""
    worker: int | None = None
    """Which worker is to publish it, if it lives: what one worker publishes keeps its order."""
    key: str = ""
    """Names these events: the same ones under the same key are published once, and answered as the first time."""


class Broadcasted(msgspec.Struct, frozen=True):
    """All of it is under way and will not be lost while its worker lives."""

    worker: int
    publish: int
    """The number of the last one among the worker's publishes."""
    repeated: bool = False
    """It was published before, under the same key."""


class DisconnectSockets(ControlMessage, frozen=True):
    """To the broker, on to the gateway and all workers. Answered by `Disconnected`."""

    name: str
    """As in `AskSockets`."""


class Disconnected(msgspec.Struct, frozen=True):
    """Sockets that are being closed."""

    sockets: tuple[str, ...]
    silent: tuple[str, ...] = ()
