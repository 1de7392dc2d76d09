"""A folder into which other servers are installed from the registries, and nowhere else."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

INSTALL_LIMIT: Final = 300.0
"""Seconds in which a package must be there."""
FOLDER: Final = Path(tempfile.gettempdir()) / "roost-peers"
"""Where, if nothing else is said; what is there already is not fetched again."""


class NotInstalled(Exception):
    """A package cannot be had; the text is one sentence that says why."""


class Scratch:
    """One folder for each registry: `python`, `node`, `debian`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.python = self.folder / "python" / "bin" / "python"
        self.node = self.folder / "node"
        self.debian = self.folder / "debian"

    def from_pypi(self, *packages: str) -> str:
        """Install Python packages into an environment of their own. Returns the first one's version."""
        if not self.python.exists():
            _run([sys.executable, "-m", "venv", str(self.python.parents[1])])
        version = f"import importlib.metadata; print(importlib.metadata.version({packages[0]!r}))"
        if not self._has(packages):
            _run([str(self.python), "-m", "pip", "install", "--quiet", *packages])
            self._note(packages)
        return _run([str(self.python), "-c", version])

    def from_npm(self, package: str) -> str:
        """Install a Node package. Returns its version."""
        manifest = self.node / "node_modules" / package / "package.json"
        if not manifest.exists():
            _run(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(self.node), package])
        version: str = json.loads(manifest.read_text())["version"]
        return version

    def from_debian(self, *packages: str) -> str:
        """Unpack Debian packages, without installing them. Returns the first one's version."""
        archives = self.debian / "archives"
        if not self._has(packages):
            archives.mkdir(parents=True, exist_ok=True)
            _run(["apt-get", "download", *packages], cwd=archives)
            for archive in archives.glob("*.deb"):
                _run(["dpkg-deb", "--extract", str(archive), str(self.debian)])
            self._note(packages)
        archive = next(archives.glob(f"{packages[0]}_*.deb"))
        return _run(["dpkg-deb", "--field", str(archive), "Version"])

    def _has(self, packages: Sequence[str]) -> bool:
        return self._mark(packages).exists()

    def _note(self, packages: Sequence[str]) -> None:
        self._mark(packages).touch()

    def _mark(self, packages: Sequence[str]) -> Path:
        return self.folder / f"installed-{'+'.join(packages)}"


def _run(command: Sequence[str], cwd: Path | None = None) -> str:
    """What a command prints. Raises NotInstalled."""
    program = shutil.which(command[0])
    if program is None:
        raise NotInstalled(f"there is no {command[0]} on this machine")
    try:
        told = subprocess.run(
            [program, *command[1:]], cwd=cwd, capture_output=True, text=True, timeout=INSTALL_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"`{' '.join(command)}` had not finished after {INSTALL_LIMIT:g} s") from None
    if told.returncode:
        last = (told.stderr.strip() or told.stdout.strip()).splitlines()[-1:] or ["no reason given"]
        raise NotInstalled(f"`{' '.join(command)}` failed: {last[0]}")
    return told.stdout.strip()
