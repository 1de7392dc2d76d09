"""The guide's example, as it stands there."""

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
