"""What cannot be installed is named in a sentence."""

from pathlib import Path

import pytest

from tests.load.scratch import NotInstalled, Scratch


def test_a_registry_whose_client_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled, match="there is no npm on this machine"):
        Scratch(tmp_path / "scratch").from_npm("ws")


def test_a_package_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tmp_path / "npm"
    client.write_text("#!/bin/sh\necho 'no such package' >&2\nexit 1\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(NotInstalled, match="failed: no such package"):
        Scratch(tmp_path / "scratch").from_npm("ws")


def test_what_is_there_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = tmp_path / "node" / "node_modules" / "ws" / "package.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"version": "1.2.3"}')
    monkeypatch.setenv("PATH", "")
    assert Scratch(tmp_path).from_npm("ws") == "1.2.3"
