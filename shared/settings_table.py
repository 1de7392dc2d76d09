"""Every setting with its value, where that came from and what it means; and what is wrong with those given. Pure."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from roost.shared.config import BadSetting, Machine, Setting, all_settings, read_setting

PREFIX: Final = "ROOST_"
DEFAULT: Final = "default"
HIDDEN: Final = "(hidden)"


class SettingRow(msgspec.Struct, frozen=True):
    """One setting."""

    name: str
    variable: str
    value: str
    source: str
    """Where the value came from."""
    meaning: str
    live: bool
    """Whether `roost config set` changes it while the node runs."""


def settings_table(machine: Machine, sources: Sequence[tuple[str, Mapping[str, str]]]) -> list[SettingRow]:
    """All settings from named sources, the first that has one wins. Raises BadSetting."""
    rows = []
    for name, setting in all_settings().items():
        source, text = _find(setting, sources)
        value = setting.default(machine) if text is None else read_setting(setting, text)
        shown = HIDDEN if setting.hidden and value else _shown(value)
        rows.append(SettingRow(name, setting.variable, shown, source, setting.meaning, setting.live))
    return rows


def complaints(values: Mapping[str, str]) -> list[str]:
    """A sentence for each of these variables that no node would take, or that means nothing to one."""
    known = {setting.variable: setting for setting in all_settings().values()}
    said = []
    for variable, text in values.items():
        if variable in known:
            try:
                read_setting(known[variable], text)
            except BadSetting as error:
                said.append(str(error))
        elif variable.upper().startswith(PREFIX):
            near = difflib.get_close_matches(variable.upper(), known, 1)
            said.append(f"{variable} is no setting" + (f"; did you mean {near[0]}?" if near else ""))
    return said


def _find(setting: Setting, sources: Sequence[tuple[str, Mapping[str, str]]]) -> tuple[str, str | None]:
    for name, source in sources:
        if setting.variable in source:
            return name, source[setting.variable]
    return DEFAULT, None


def _shown(value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
