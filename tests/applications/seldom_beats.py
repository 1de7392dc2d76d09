"""The playground, with presences whose clocks beat once in ten minutes: who knows of a death has been told of it."""

from examples.playground import endpoint
from roost.gateway.presence import replica

vars(replica)["BEAT"] = 600.0

__all__ = ["endpoint"]
