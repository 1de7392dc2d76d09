"""Finding the application: from the working directory, and one sentence when it is not to be found."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.gateway.processes.application import load_endpoint
from roost.shared.failures import CannotStart

GOOD = """
from roost import Endpoint, Socket

endpoint = Endpoint()
endpoint.mount("/socket", Socket)
bare = Endpoint()
number = 1
"""


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of its own, with nothing of it imported afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refusal(app: str) -> str:
    with pytest.raises(CannotStart) as refused:
        load_endpoint(app)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


def test_an_application_in_the_working_directory_is_found(working_directory: Path) -> None:
    (working_directory / "shop.py").write_text(GOOD)
    assert [mount.path for mount in load_endpoint("shop:endpoint").mounts] == ["/socket"]


def test_an_application_may_have_a_folder_named_like_ours(working_directory: Path) -> None:
    (working_directory / "shared").mkdir()
    (working_directory / "shared" / "__init__.py").write_text("")
    (working_directory / "shared" / "sockets.py").write_text(GOOD)
    (working_directory / "app.py").write_text("from shared.sockets import endpoint")
    assert load_endpoint("app:endpoint").mounts


@pytest.mark.parametrize("app", ["shop", ":endpoint", "shop:", "", ":"])
def test_how_it_is_named_is_said(app: str) -> None:
    assert "module:attribute" in refusal(app)


@pytest.mark.parametrize(
    ("app", "reasons"),
    [
        ("shop:missing", ["shop:missing", "no such attribute"]),
        ("shop:number", ["shop:number", "int", "Endpoint"]),
        ("shop:bare", ["shop:bare", "bare.mount"]),
        ("no_such_shop:endpoint", ["no_such_shop", "ModuleNotFoundError"]),
        ("broken:endpoint", ["broken", "ZeroDivisionError", "broken.py:2"]),
        ("wrong:endpoint", ["wrong", "SyntaxError"]),
        ("needs:endpoint", ["needs", "no_such_library"]),
    ],
)
def test_what_is_wrong_is_said(working_directory: Path, app: str, reasons: list[str]) -> None:
    files = {"shop": GOOD, "broken": "x = 0\n1 / x\n", "wrong": "def\n", "needs": "import no_such_library\n"}
    for name, text in files.items():
        (working_directory / f"{name}.py").write_text(text)
    sentence = refusal(app)
    assert [reason for reason in reasons if reason not in sentence] == []


@pytest.mark.parametrize(
    ("wrong", "line", "reasons"),
    [
        ('@event("a")\n    def a(self, payload): ...', 4, ["Room.a", "async def a(self, payload)"]),
        ("async def join(self): ...", 4, ["Room.join", "async def join(self, params)"]),
        ("when_slow = 'drop'", 4, ["Room.when_slow", "WhenSlow.LATEST"]),
        ('@event("a")\n    async def a(self, payload: "Missing"): ...', 5, ["Room.a", "'Missing' is not defined"]),
        ("UserSocket.route('a*b', Channel)", 5, ["one * at its end"]),
        ("UserSocket.route('a', UserSocket)", 5, ["a class made from Channel"]),
        ("Endpoint(sockets={'/socket': Channel})", 5, ["a class made from Socket"]),
        ("Endpoint(presences=Presence())", 5, ["presences=[presence]"]),
    ],
)
def test_the_line_of_the_application_and_the_right_form_are_said(
    working_directory: Path, wrong: str, line: int, reasons: list[str]
) -> None:
    (working_directory / "rooms.py").write_text(
        "from roost import *\nclass UserSocket(Socket): ...\n\nclass Room(Channel[UserSocket]):\n"
        f"    {wrong}\nUserSocket.route('room', Room)\nendpoint = Endpoint(sockets={{'/socket': UserSocket}})\n"
    )
    sentence = refusal("rooms:endpoint")
    assert [reason for reason in [f"rooms.py:{line})", *reasons] if reason not in sentence] == []
