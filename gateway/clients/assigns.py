"""What the command line may tell of an application's attributes: cut to a size, and filtered as log lines are. Pure."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from roost.gateway.inspection.parameter_filter import ParameterFilter, kind, shown

MAX_ENTRIES: Final = 50
"""Of one dict, list, tuple or set; of the rest only the number is told."""
MAX_VALUES: Final = 500
"""Values in all: nobody's state is so large that to look at it holds up the worker."""
MAX_TEXT: Final = 1000
"""Characters of one text."""
MAX_DEPTH: Final = 10
FRAMEWORK: Final = frozenset({"endpoint", "number", "id", "socket", "topic", "subtopic", "rates"})
"""Attributes that Roost sets; and what begins with an underscore is told neither."""


def shown_assigns(attributes: Mapping[str, Any], filter_parameters: ParameterFilter) -> str:
    """The attributes of a channel or socket, as log lines tell parameters."""
    told = {name: value for name, value in attributes.items() if name not in FRAMEWORK and not name.startswith("_")}
    return shown(filter_parameters(_Cut().cut(told, MAX_DEPTH)))


class _Cut:
    """Copies so much of a value as may be told."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def cut(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if type(value) is str:
            return value if len(value) <= MAX_TEXT else f"{value[:MAX_TEXT]}... ({len(value)} characters)"
        if value is None or type(value) in (bool, int, float):
            return value
        if type(value) in (bytes, bytearray):
            return f"<{len(value)} bytes>"
        if type(value) not in (dict, list, tuple, set, frozenset):
            return kind(value)
        if not depth or self._left <= 0:
            return f"{kind(value)} of {len(value)}"
        return self._cut_dict(value, depth) if type(value) is dict else self._cut_list(value, depth)

    def _cut_dict(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        cut: dict[str, Any] = {}
        for name, inner in islice(value.items(), MAX_ENTRIES):
            if self._left <= 0:
                break
            cut[self._name(name)] = self.cut(inner, depth - 1)
        if len(cut) < len(value):
            cut["..."] = f"{len(value)} entries"
        return cut

    def _cut_list(self, value: Any, depth: int) -> list[Any]:
        cut: list[Any] = []
        for inner in islice(value, MAX_ENTRIES):
            if self._left <= 0:
                break
            cut.append(self.cut(inner, depth - 1))
        if len(cut) < len(value):
            cut.append(f"... {len(value)} entries")
        return cut

    def _name(self, name: Any) -> str:
        if type(name) is str:
            return name[:MAX_TEXT]
        return str(name) if type(name) in (bool, int, float) else kind(name)
