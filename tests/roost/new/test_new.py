"""What `roost new` makes: applications whose own tests pass, and nothing over what is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from roost.new.generation import BadName, checked_name, new_app
from roost.testing import LiveNode
from tests.shared.processes import ROOT

ROOST = [sys.executable, "-m", "roost"]


def run(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MYPYPATH": str(ROOT)}  # mypy does not see where an editable install points
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application with one of everything, wired as the commands say."""
    directory = tmp_path_factory.mktemp("new")
    assert run(directory, *ROOST, "new", "app", "web-shop").returncode == 0
    shop = directory / "web-shop"
    for kind, name in (("channel", "order_lines"), ("socket", "admin"), ("presence", "staff")):
        made = run(shop, *ROOST, "new", kind, name)
        assert made.returncode == 0, made.stderr
        module, imported, added = [line.strip() for line in made.stdout.partition("then:\n")[2].splitlines()]
        path = shop / module.removeprefix("add to ").rstrip(":")
        above, line, below = path.read_text().partition("from web_shop.")
        text = f"{above}{imported}\n{line}{below}"
        if "..." in added:
            text = text.replace("UserSocket})", "UserSocket}, presences=[presence])")
        else:
            text += f"{added}\n"
        path.write_text(text)
    return shop


def test_its_own_tests_pass(shop: Path) -> None:
    ran = run(shop, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests")
    assert "7 passed" in ran.stdout, ran.stdout + ran.stderr


def test_its_code_is_clean(shop: Path) -> None:
    checked = run(shop, sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,W,B,UP,SIM,RET", ".")
    assert checked.returncode == 0, checked.stdout
    typed = run(shop, sys.executable, "-m", "mypy", "--strict", "-p", "web_shop")
    assert typed.returncode == 0, typed.stdout


def test_it_is_served(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop)
    with LiveNode("web_shop.endpoint:endpoint") as node:
        assert node.port


def test_nothing_is_written_over(shop: Path) -> None:
    before = {path: path.read_bytes() for path in shop.rglob("*.py")}
    again = run(shop, *ROOST, "new", "channel", "room")
    assert again.returncode == 2
    assert "is there already: nothing was made" in again.stderr
    assert {path: path.read_bytes() for path in shop.rglob("*.py")} == before


def test_elsewhere_it_is_said_where_to_go(tmp_path: Path) -> None:
    lost = run(tmp_path, *ROOST, "new", "channel", "room")
    assert lost.returncode == 2
    assert "no package has an endpoint.py" in lost.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["", "Shop", "1shop", "a b", "class", "../a", "tests", "ä"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadName, match="is no name for it"):
        checked_name(name)


def test_a_dash_becomes_an_underscore_in_names_of_modules() -> None:
    assert {file.path for file in new_app("web-shop").files} >= {"web_shop/endpoint.py", "tests/conftest.py"}
