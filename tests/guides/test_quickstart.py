"""The quickstart, typed in: its files in an application of `roost new`, its tests, and a node that serves them."""

import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from roost.client import open_connection
from roost.testing import LiveNode
from tests.guides.blocks import blocks, files
from tests.shared.processes import ROOT

PHOENIX_JS = ROOT / "tests/js/node_modules/phoenix/priv/static/phoenix.mjs"


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application as the guide has it."""
    directory = tmp_path_factory.mktemp("quickstart")
    run(directory, "roost", "new", "app", "chat")
    (directory / "chat/static").mkdir()
    for path, text in files("quickstart.md").items():
        (directory / "chat" / path).write_text(text)
    return directory / "chat"


def run(directory: Path, *module: str) -> str:
    ran = subprocess.run([sys.executable, "-m", *module], cwd=directory, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_its_tests_pass(chat: Path) -> None:
    assert "2 passed" in run(chat, "pytest", "-p", "no:cacheprovider", "-p", "no:xdist")


async def test_it_is_served_with_its_page(chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(chat)
    with LiveNode("chat.endpoint:endpoint") as node:
        with urlopen(node.url) as page:
            assert page.read().decode() == files("quickstart.md")["static/index.html"]
        async with open_connection(f"{node.url}/socket", {"name": "Ada"}) as connection:
            room = await connection.join("room:lobby")
            await room.push("shout", {"body": "hello"})
            assert (await room.receive()).payload == {"name": "Ada", "body": "hello"}


@pytest.mark.skipif(not PHOENIX_JS.exists(), reason="npm has not installed phoenix.js")
def test_phoenix_js_is_where_the_guide_takes_it_from(chat: Path) -> None:
    (line,) = [line for block in blocks("quickstart.md", "sh") for line in block.splitlines() if line.startswith("cp ")]
    assert ROOT / "tests/js" / line.split()[1] == PHOENIX_JS
    shutil.copy(PHOENIX_JS, chat / "static")
    assert 'from "/phoenix.mjs"' in (chat / "static/index.html").read_text()
