"""The examples that were carried over from elsewhere do what they did there."""

from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from roost.client import open_connection
from roost.client.connection import Connection, websocket_url
from roost.testing import ConnectRefused, JoinRefused, LiveNode, local_node
from tests.guides.blocks import files, module_of
from tests.limits import LIMIT


async def test_from_phoenix() -> None:
    guide = module_of("from-phoenix.md")
    async with local_node(guide.endpoint) as node:
        ada = await node.connect(guide.UserSocket, {"name": "Ada"})
        grace = await node.connect(guide.UserSocket, {"name": "Grace"})
        with pytest.raises(JoinRefused, match="choose a color"):
            await ada.join("room:a")
        room, other = [await one.join("room:a", {"color": "red"}) for one in (ada, grace)]
        assert room.reply == {"room": "a"}
        assert list(await room.assert_push("presence_state")) == ["Ada"]
        await room.assert_reply(room.push("shout", {"body": ""}), "error", {"reason": "say something"})
        await room.assert_reply(room.push("shout", {"body": "hello"}), "ok", {})
        await other.assert_push("shout", {"name": "Ada", "body": "hello"})
        other.push("mute", {"name": "Ada"})
        await room.assert_reply(room.push("shout", {"body": "again"}))
        await room.assert_push("shout", {"name": "Ada", "body": "again"})
        await other.refute_push("shout")


async def test_from_socketio() -> None:
    guide = module_of("from-socketio.md", files("from-socketio.md")["after"])
    async with local_node(guide.endpoint) as node:
        with pytest.raises(ConnectRefused):
            await node.connect(guide.UserSocket)
        ada = await node.connect(guide.UserSocket, {"name": "Ada"})
        grace = await node.connect(guide.UserSocket, {"name": "Grace"})
        room, other = await ada.join("room:lobby"), await grace.join("room:lobby")
        await room.assert_reply(room.push("shout", {"body": "hello"}))
        await other.assert_push("shout", {"name": "Ada", "body": "hello"})
        await room.refute_push("shout")


async def test_from_django_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its endpoint beside a Django project, and its view in another process."""
    site = "from examples.django_session import endpoint as site\n"
    guide = files("from-django-channels.md")
    (tmp_path / "guide_site.py").write_text(f"{site}{guide['endpoint.py, after']}endpoint.app = site.app\n")
    settings = {"PYTHONPATH": str(tmp_path), "TMPDIR": str(tmp_path)}
    with LiveNode("guide_site:endpoint", settings=settings) as node:
        with pytest.raises(InvalidStatus):
            async with open_connection(f"{node.url}/socket"):
                raise AssertionError
        async with httpx.AsyncClient(base_url=node.url, timeout=LIMIT) as client:
            csrf = (await client.get("/login", params={"name": "grace"})).json()["csrf"]
            cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        url = websocket_url(f"{node.url}/socket", {"_csrf_token": csrf})
        async with connect(url, additional_headers={"cookie": cookie}) as websocket:
            connection = Connection(websocket)
            room = await connection.join("chat:lobby")
            await room.push("say", {"body": "hello"})
            assert (await room.receive()).payload == {"name": "grace", "body": "hello"}
            monkeypatch.setenv("ROOST_RUN_DIR", node.run_dir)
            view = module_of("from-django-channels.md", guide["views.py, after"])
            view.announce(SimpleNamespace(POST={"body": "tea"}), "lobby")
            assert (await room.receive()).payload == {"name": "the house", "body": "tea"}
            view.pubsub.close()
            await connection.close()
