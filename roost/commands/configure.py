"""`roost config`: every setting and where it came from; those that are changed while the node runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from honcho import environ
from msgspec.structs import replace

from roost.commands.node import Where, ask_node
from roost.commands.show import print_settings
from roost.commands.terminal import print_json
from roost.shared.config import BadSetting, Machine
from roost.shared.control import AskConfig, ConfigRow, SetConfig
from roost.shared.failures import CannotStart
from roost.shared.settings_table import PREFIX, SettingRow, complaints, settings_table

RUNNING: Final = "the running node"


def show_settings(machine: Machine, sources: Sequence[tuple[str, Mapping[str, str]]], *, json: bool) -> None:
    """Print every setting as it is here; those that a running node was given anew, as they are there."""
    rows = settings_table(machine, sources)
    directory = next(row.value for row in rows if row.name == "run_dir")
    rows = _with_live_values(rows, directory)
    unknown = complaints(sources[-1][1])
    print_json(rows) if json else print_settings(rows, unknown)


def check_file(file: Path, *, json: bool) -> None:
    """Say what is wrong with the settings in a file, each in a sentence. Raises BadSetting if anything is."""
    try:
        values = environ.parse(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{file} cannot be read: {error}") from None
    said = complaints(values)
    ours = sum(name.startswith(PREFIX) for name in values)
    if json:
        print_json({"file": str(file), "settings": ours, "complaints": said})
    if said:
        raise BadSetting("\n".join(f"{file}: {sentence}" for sentence in said))
    if not json:
        print(f"{file}: {ours} settings, nothing wrong")  # noqa: T201 - this is the command line


def _with_live_values(rows: list[SettingRow], directory: str) -> list[SettingRow]:
    try:
        live = {row.name: row.value for row in ask_node(directory, AskConfig(), list[ConfigRow])}
    except CannotStart:
        return rows
    return [
        replace(row, value=live[row.name], source=RUNNING) if _differs(row, live.get(row.name)) else row for row in rows
    ]


def _differs(row: SettingRow, live: str | None) -> bool:
    return live is not None and live.removesuffix(".0") != row.value.removesuffix(".0")


def get_config(where: Where, name: str | None) -> list[ConfigRow]:
    """One setting, or all. Raises CannotStart."""
    rows = ask_node(where, AskConfig(), list[ConfigRow])
    if name is not None:
        rows = [row for row in rows if row.name == _plain(name)]
        if not rows:
            raise CannotStart(f"there is no {name} that can be changed in a running node; see `roost config get`")
    return rows


def set_config(where: Where, name: str, value: str, *, json: bool) -> None:
    """Change a setting; as JSON, print all of them. Raises CannotStart with the sentence that refuses it."""
    rows = ask_node(where, SetConfig(_plain(name), value), list[ConfigRow])
    if json:
        print_json(rows)


def _plain(name: str) -> str:
    """A setting by the name of its option or its variable, too."""
    return name.lower().removeprefix("--").removeprefix("roost_").replace("-", "_")
