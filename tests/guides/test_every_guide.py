"""What all guides have in common: their Python can be read, and what it imports is there."""

import ast
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

from roost.testing import LiveNode, local_node
from tests.guides.blocks import blocks, module_of
from tests.shared.processes import ROOT

GUIDES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("guide", [name for name in GUIDES if blocks(name, "python")])
def test_its_python_can_be_read(guide: str) -> None:
    for block in blocks(guide, "python"):
        tree = compile(textwrap.dedent(block), guide, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("roost", "examples"):
                home = import_module(str(node.module))
                assert [name.name for name in node.names if not hasattr(home, name.name)] == []


async def test_presence() -> None:
    source = blocks("presence.md", "python")[0]
    before = "from roost import Socket\n\n\nclass UserSocket(Socket):\n    user_id, device = 'ada', 'phone'\n"
    names = "\n\nasync def names_of(keys):\n    return {key: key.upper() for key in keys}\n"
    guide = module_of("presence.md", source=f"{before}{names}{source}\nUserSocket.route('room:*', RoomChannel)\n")
    async with local_node(guide.endpoint) as node:
        room = await (await node.connect(guide.UserSocket)).join("room:a")
        state = await room.assert_push("presence_state")
        assert (state["ada"]["name"], state["ada"]["metas"][0]["device"]) == ("ADA", "phone")
        await room.assert_reply(room.push("typing", {"typing": True}))
        await node.advance(1.0)
        diff = await room.assert_push("presence_diff", lambda diff: "typing" in diff["joins"]["ada"]["metas"][0])
        assert diff["joins"]["ada"]["name"] == "ADA"


async def test_publishing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it in one node: what other processes publish, and the small client."""
    (tmp_path / "guide_orders.py").write_text(
        "from examples.chat import UserSocket, endpoint\nfrom roost import Channel\n\n\n"
        "class OrderChannel(Channel):\n    pass\n\n\nUserSocket.route('orders:*', OrderChannel)\n"
    )
    from_threads, in_a_loop, with_a_key, client = blocks("publishing.md", "python")
    with LiveNode("guide_orders:endpoint", settings={"PYTHONPATH": str(tmp_path)}) as node:
        monkeypatch.setenv("ROOST_RUN_DIR", node.run_dir)
        shout = client.replace("ws://localhost:4000", node.url).replace("print(", "return (")
        guide = module_of("publishing.md", source=f"{in_main(in_a_loop, 'publish')}\n{in_main(shout, 'shout')}")
        async with guide.open_connection(f"{node.url}/socket", {"name": "Grace"}) as connection:
            order = await connection.join("orders:17")
            module_of("publishing.md", source=f"{from_threads}\n{with_a_key}\npubsub.close()\n")
            await guide.publish()
            told = [await order.receive() for _ in range(3)]
            assert {(message.event, message.payload["at"]) for message in told} == {("paid", 1735689600)}
        assert (await guide.shout())[0] in ("presence_state", "shout")


def in_main(block: str, name: str) -> str:
    """A block that awaits, as a function; its imports stay without."""
    lines = block.splitlines(keepends=True)
    imports = "".join(line for line in lines if line.startswith("from "))
    rest = "".join(line for line in lines if not line.startswith("from "))
    return f"{imports}\n\nasync def {name}():\n{textwrap.indent(rest, '    ')}\n"
