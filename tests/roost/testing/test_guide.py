"""The guide's example, as it stands there."""

import json
import re
from pathlib import Path
from typing import Any

from roost.testing import local_node

GUIDE = Path(__file__).parents[3] / "docs" / "testing.md"


async def test_the_example_of_the_guide_passes() -> None:
    example = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)[0]
    names: dict[str, Any] = {}
    exec(compile(example, str(GUIDE), "exec"), names)
    async with local_node(names["chat"]) as node:
        await names["test_a_shout_is_heard"](node)


async def test_the_example_of_typed_payloads_does_what_it_says() -> None:
    guide = GUIDE.with_name("typed-payloads.md").read_text()
    names: dict[str, Any] = {"__name__": "board"}
    exec(compile(re.findall(r"```python\n(.*?)```", guide, re.DOTALL)[0], "guide", "exec"), names)
    async with local_node(names["endpoint"]) as node:
        room = await (await node.connect(names["BoardSocket"])).join("board:a")
        await room.assert_reply(room.push("move", {"x": 1, "y": 2}), "ok", {"x": 1, "y": 2})
        wrong = await room.assert_reply(room.push("move", {"x": "1", "y": 2}), "error")
        assert wrong == json.loads(re.findall(r"```json\n(.*?)```", guide, re.DOTALL)[0])
