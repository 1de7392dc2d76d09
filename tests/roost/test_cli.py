"""The command line, as far as no node is needed: what it refuses, in one sentence and without a traceback."""

import logging
import sys
from pathlib import Path

import pytest

from roost.cli import main
from roost.shared.config import MAX_SHARDS


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own settings counts, and logging is as it was afterwards."""
    monkeypatch.setattr(logging.getLogger(), "handlers", list(logging.getLogger().handlers))
    monkeypatch.setattr(logging.getLogger(), "level", logging.getLogger().level)
    for variable in ("PORT", "HOST", "SHARDS", "WORKERS", "SECRET_KEY_BASE"):
        monkeypatch.delenv(f"ROOST_{variable}", raising=False)
    monkeypatch.setenv("ROOST_RUN_DIR", str(tmp_path / "run"))


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit status of a command, and what it printed."""
    monkeypatch.setattr(sys, "argv", ["roost", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, printed.out, printed.err


@pytest.mark.parametrize(
    ("command", "option", "variable"),
    [
        (("broker",), ("--shards", "0"), "ROOST_SHARDS"),
        (("broker",), ("--shards", str(MAX_SHARDS + 1)), "ROOST_SHARDS"),
        (("gateway", "app:endpoint"), ("--port", "http"), "ROOST_PORT"),
        (("gateway", "app:endpoint"), ("--workers", "many"), "ROOST_WORKERS"),
        (("gateway", "app:endpoint"), ("--host", ""), "ROOST_HOST"),
        (("gateway", "app:endpoint"), ("--trusted-proxies", "nginx"), "ROOST_TRUSTED_PROXIES"),
        (("status",), ("--run-dir", ""), "ROOST_RUN_DIR"),
    ],
)
@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_bad_setting_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    option: tuple[str, str],
    variable: str,
    how: str,
) -> None:
    if how == "environment":
        monkeypatch.setenv(variable, option[1])
        option = ()  # type: ignore[assignment]
    status, out, err = run(monkeypatch, capsys, *command, *option)
    assert (status, out) == (2, "")
    assert err.startswith(f"{variable} must be ")
    assert err.count("\n") == 1


def test_an_option_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("ROOST_RUN_DIR", "")
    status, _, err = run(monkeypatch, capsys, "status", "--run-dir", str(tmp_path))
    assert status == 1
    assert str(tmp_path) in err


@pytest.mark.parametrize("command", [["status"], ["topics"], ["subscribers", "room:a"], ["stop"]])
def test_without_a_node_it_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
) -> None:
    status, out, err = run(monkeypatch, capsys, *command)
    assert (status, out) == (1, "")
    assert err.startswith(f"no node runs in {tmp_path}")
    assert "honcho start" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", [["broker"], ["gateway", "app:endpoint"]])
def test_a_run_directory_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
) -> None:
    status, out, err = run(monkeypatch, capsys, *command, "--run-dir", str(tmp_path / ("x" * 108)))
    assert (status, out) == (1, "")
    assert err.startswith("ROOST_RUN_DIR ")
    assert err.count("\n") == 1


def test_the_help_names_every_setting_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    _, broker, _ = run(monkeypatch, capsys, "broker", "--help")
    _, gateway, _ = run(monkeypatch, capsys, "gateway", "--help")
    assert [name for name in ("ROOST_RUN_DIR", "ROOST_SHARDS") if name not in broker] == []
    assert [
        name for name in ("ROOST_PORT", "ROOST_HOST", "ROOST_WORKERS", "ROOST_RUN_DIR") if name not in gateway
    ] == []
