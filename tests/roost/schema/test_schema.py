"""What an application's channels take and send, as documents."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec
import pytest
from pydantic import BaseModel

from roost import Channel, Endpoint, Ok, Raw, RawSocket, Socket, event
from roost.schema.asyncapi import as_asyncapi
from roost.schema.collecting import take_inventory
from roost.schema.inventory import Inventory
from roost.schema.typescript import as_typescript

JS = Path(__file__).parents[2] / "js"


class Point(msgspec.Struct):
    x: int
    y: int | None = None


@dataclass
class Stroke:
    color: Literal["red", "blue"]
    points: list[Point]
    named: dict[str, float]


class Shape(BaseModel):
    """A shape."""

    size: tuple[int, int]
    label: str = ""


class BoardSocket(Socket):
    """Everybody may."""


class BoardChannel(Channel[BoardSocket]):
    """A board that all draw on."""

    sends: ClassVar = {"drawn": Stroke, "cursor-moved": Point}

    async def join(self, params: Point) -> Ok:
        return Ok()

    @event("draw", reply=Point)
    async def draw(self, payload: Stroke) -> Ok:
        return Ok(Point(1))

    @event("shape")
    async def shape(self, payload: Shape) -> None: ...

    @event("image")
    async def image(self, payload: bytes) -> None: ...

    @event("raw")
    async def raw(self, payload: Raw) -> None: ...

    @event("either")
    async def either(self, payload: Point | list[str | int]) -> None: ...

    async def handle_in(self, event: str, payload: Any) -> None: ...


class PlainChannel(Channel[BoardSocket]): ...


class EchoSocket(RawSocket):
    """No channels here."""


BoardSocket.route("board:*", BoardChannel)
BoardSocket.route("lobby", PlainChannel)


@pytest.fixture
def inventory() -> Inventory:
    return take_inventory(Endpoint(sockets={"/socket": BoardSocket, "/echo": EchoSocket}))


def test_every_route_of_every_socket_is_there(inventory: Inventory) -> None:
    assert [(one.name, one.pattern, one.others) for one in inventory.channels] == [
        ("BoardChannel", "board:*", True),
        ("PlainChannel", "lobby", False),
    ]
    assert set(inventory.types) == {"Point", "Stroke", "Shape"}


def test_typescript(inventory: Inventory) -> None:
    assert (
        as_typescript(inventory)
        == """// What clients and channels say to each other. Made by `roost schema`.

export interface Point {
  x: number
  y?: number | null
}

export interface Shape {
  size: [number, number]
  label?: string
}

export interface Stroke {
  color: "blue" | "red"
  points: Point[]
  named: Record<string, number>
}

/** BoardChannel: topics "board:*" of the socket at /socket. */
// It takes further events, too.
export interface BoardChannel {
  join: Point
  push: {
    draw: Stroke
    either: (string | number)[] | Point
    image: ArrayBuffer
    raw: unknown
    shape: Shape
  }
  reply: {
    draw: Point
  }
  receive: {
    "cursor-moved": Point
    drawn: Stroke
  }
}

/** PlainChannel: topics "lobby" of the socket at /socket. */
export interface PlainChannel {
  join: unknown
  push: {}
  reply: {}
  receive: {}
}
"""
    )


def test_every_reference_of_the_asyncapi_document_leads_somewhere(inventory: Inventory) -> None:
    document = as_asyncapi(inventory, "board", "1.0.0")
    assert document["asyncapi"] == "3.0.0"
    assert document["channels"]["socket_board"]["address"] == "board:{subtopic}"
    assert document["channels"]["socket_lobby"]["address"] == "lobby"
    assert document["operations"]["socket_board_draw"]["reply"]["messages"]
    assert document["operations"]["socket_board_drawn_sent"]["action"] == "send"
    references = _references(document)
    assert len(references) > 20
    for reference in references:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [reference for inner in value.values() for reference in _references(inner)]
    return [reference for inner in value for reference in _references(inner)] if isinstance(value, list) else []


@pytest.mark.skipif(shutil.which("node") is None, reason="without Node nobody reads TypeScript")
def test_typescript_says_the_same_to_its_compiler(inventory: Inventory, tmp_path: Path) -> None:
    compiler = JS / "node_modules" / "typescript" / "bin" / "tsc"
    if not compiler.exists():
        pytest.skip("the npm packages of tests/js are not installed: `make test` does")
    (tmp_path / "board.ts").write_text(as_typescript(inventory))
    use = 'import { BoardChannel } from "./board"\n'
    stroke = '{ color: "red", points: [{ x: 1 }], named: { a: 1 } }'
    right = f'export const stroke: BoardChannel["push"]["draw"] = {stroke}\n'
    wrong = 'export const point: BoardChannel["join"] = { x: "one" }\n'
    (tmp_path / "right.ts").write_text(use + right)
    (tmp_path / "wrong.ts").write_text(use + wrong)
    results = {
        name: subprocess.run(
            ["node", str(compiler), "--noEmit", "--strict", str(tmp_path / f"{name}.ts")],
            capture_output=True,
            text=True,
            check=False,
        )
        for name in ("right", "wrong")
    }
    assert results["right"].returncode == 0, results["right"].stdout
    assert "Type 'string' is not assignable to type 'number'" in results["wrong"].stdout


def test_the_command_writes_both() -> None:
    def write(*arguments: str) -> str:
        command = [sys.executable, "-m", "roost", "schema", "examples.chat:endpoint", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert json.loads(write("--title", "Chat"))["info"]["title"] == "Chat"
    assert "export interface RoomChannel" in write("--format", "typescript")


class Tree(BaseModel):
    children: list["Tree"] = []


class TreeChannel(Channel[BoardSocket]):
    @event("plant")
    async def plant(self, payload: Tree) -> None: ...

    @event("forest")
    async def forest(self, payload: list[Tree] | None) -> None: ...


def test_pydantics_models_are_known_by_name_wherever_they_stand() -> None:
    class WoodSocket(Socket):
        """Everybody may."""

    WoodSocket.route("wood", TreeChannel)
    inventory = take_inventory(Endpoint(sockets={"/socket": WoodSocket}))
    script = as_typescript(inventory)
    assert "export interface Tree {\n  children?: Tree[]\n}" in script
    assert "    forest: Tree[] | null\n    plant: Tree\n" in script
