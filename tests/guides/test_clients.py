"""The Python of the guide to clients, and the version of phoenix.js that it says was tested."""

import json
import re
from pathlib import Path

from roost.testing import LiveNode
from tests.guides.blocks import blocks, module_of
from tests.shared.processes import ROOT


async def test_the_python_client(tmp_path: Path) -> None:
    (tmp_path / "guide_channels.py").write_text("\n\n".join(blocks("channels.md", "python")))
    with LiveNode("guide_channels:endpoint", settings={"PYTHONPATH": str(tmp_path)}) as node:
        guide = module_of("clients.md")
        assert await guide.main(f"{node.url}/socket") == ("welcome", {"name": "Ada"})


def test_the_version_of_phoenix_js() -> None:
    lock = json.loads((ROOT / "tests/js/package-lock.json").read_text())
    told = re.search(r"\[phoenix\]\(#phoenixjs\) ([\d.]+)", (ROOT / "docs/clients.md").read_text())
    assert told
    assert told[1] == lock["packages"]["node_modules/phoenix"]["version"]
