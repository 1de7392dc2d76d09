"""What all messages of the control socket have in common. Pure."""

import msgspec


class ControlMessage(msgspec.Struct, frozen=True, tag=True):
    """One control message; its type's name is its tag. `control` lists them all."""
