"""The code in guides."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

from tests.shared.processes import ROOT

_BLOCK: Final = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)


def blocks(guide: str, language: str) -> list[str]:
    """A guide's blocks in a language, as they stand there."""
    return [text for found, _, text in _BLOCK.findall(_text(guide)) if found == language]


def files(guide: str) -> dict[str, str]:
    """A guide's blocks that have a title, by it: whole files, by their path."""
    return {title: text for _, title, text in _BLOCK.findall(_text(guide)) if title}


def module_of(guide: str, source: str | None = None) -> ModuleType:
    """All of a guide's Python as one module, in its order; or what is given of it."""
    module = ModuleType(f"guide_{Path(guide).stem.replace('-', '_')}")
    sys.modules[module.__name__] = module  # annotations are looked up there
    exec(compile(source or "\n\n".join(blocks(guide, "python")), guide, "exec"), module.__dict__)
    return module


def _text(guide: str) -> str:
    return (ROOT / "docs" / guide).read_text()
