"""What applications import: every public name, from one place, loaded when it is first used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import roost
from tests.limits import LIMIT
from tests.shared.processes import ROOT


@pytest.mark.parametrize("name", roost.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(roost, name)
    if name not in ("DEFAULT_SERIALIZERS", "Raw", "__version__"):
        assert value.__doc__
        assert value.__module__.startswith("roost.")


def test_there_are_no_other_names() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = roost.no_such_name


def test_type_checkers_see_the_names_that_programs_get() -> None:
    """The names stand in the file three times: for type checkers, with their homes, and as what is public."""
    tree = ast.parse(Path(roost.__file__).read_text())
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: str(node.module)
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {name: f"roost.{home}" for name, home in roost._HOMES.items()} == seen
    assert set(roost.__all__) == {*seen, "__version__"}


def test_a_name_costs_only_what_it_needs() -> None:
    script = "import roost, sys; roost.Raw; sys.exit('zmq' in sys.modules or 'uvicorn' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=LIMIT, check=True)
