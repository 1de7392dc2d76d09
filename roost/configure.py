"""`roost config`: settings that are read and changed while the node runs."""

from roost.node import ask_node
from roost.shared.control import AskConfig, ConfigRow, SetConfig
from roost.shared.failures import CannotStart
from roost.show import print_config
from roost.terminal import print_json


def get_config(run_dir: str, name: str | None, *, json: bool) -> None:
    """Print one setting's value, or a table of all. Raises CannotStart."""
    rows = ask_node(run_dir, AskConfig(), list[ConfigRow])
    if name is not None:
        rows = [row for row in rows if row.name == _plain(name)]
        if not rows:
            raise CannotStart(f"there is no {name} that can be changed in a running node; see `roost config get`")
    print_json(rows) if json else print_config(rows, values_only=name is not None)


def set_config(run_dir: str, name: str, value: str) -> None:
    """Change a setting. Raises CannotStart with the sentence that refuses it."""
    ask_node(run_dir, SetConfig(_plain(name), value), list[ConfigRow])


def _plain(name: str) -> str:
    """A setting by the name of its option or its variable, too."""
    return name.lower().removeprefix("--").removeprefix("roost_").replace("-", "_")
