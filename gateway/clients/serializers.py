"""Which serializers a mount has, and for which versions of the protocol each of them is. Pure."""

from collections.abc import Iterable
from typing import Any, Final

from roost.gateway.connect.requirement import Requirement
from roost.gateway.custom_serializer import OwnLane
from roost.gateway.custom_serializer import Serializer as CustomSerializer
from roost.shared.serializer import V1, V2, Serializer, V1Serializer, V2Serializer

Served = tuple[tuple[Serializer, Requirement], ...]
"""In order: the first whose requirement the client's version meets is the client's."""

DEFAULT_SERIALIZERS: Final[tuple[tuple[Any, str], ...]] = ((V1, "~> 1.0.0"), (V2, "~> 2.0.0"))
"""What a mount speaks unless it is told otherwise: Phoenix's V1 and V2."""


def read_serializers(serializers: Iterable[tuple[Any, str]]) -> Served:
    """The pairs of an option: a serializer and its requirement. Raises ValueError."""
    served = tuple((_wire(serializer), Requirement.parse(requirement)) for serializer, requirement in serializers)
    if not served:
        raise ValueError("serializers must name at least one: without any, no client can connect")
    return served


def _wire(serializer: Any) -> Serializer:
    if isinstance(serializer, CustomSerializer):
        return OwnLane(serializer)
    if isinstance(serializer, V1Serializer | V2Serializer):
        return serializer
    raise ValueError(f"a serializer is an instance of a class derived from roost.Serializer, not {serializer!r}")


BUILT_IN: Final = read_serializers(DEFAULT_SERIALIZERS)
