"""Payloads that methods annotate with types: what is taken, and what a refusal names."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import pytest
from pydantic import BaseModel, Field, field_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass

from roost import Channel, Endpoint, Ok, Socket, event
from roost.gateway.payloads import Argument, InvalidPayload
from roost.shared.serializer import Raw, encode_json
from roost.testing import local_node


class Struct(msgspec.Struct):
    x: int
    items: list["Struct"] = []


@dataclass
class Data:
    x: int
    items: list["Data"]


class Model(BaseModel):
    x: int = Field(ge=0)
    items: list["Model"] = []


@pydantic_dataclass
class Checked:
    x: int = Field(ge=0)


class Holder(msgspec.Struct):
    model: Model


class Careless(BaseModel):
    x: int

    @field_validator("x")
    @classmethod
    def look_up(cls, x: int) -> int:
        return {1: 1}[x]


async def struct(payload: Struct) -> None: ...
async def data(payload: Data) -> None: ...
async def model(payload: Model) -> None: ...
async def models(payload: list[Model] | None) -> None: ...
async def models_by_name(payload: dict[str, Model]) -> None: ...
async def checked(payload: Checked) -> None: ...
async def at_most(payload: Annotated[int, Field(le=9)]) -> None: ...
async def holder(payload: Holder) -> None: ...
async def model_or_bytes(payload: Model | bytes) -> None: ...


def read(method: Any, value: Any) -> Any:
    return Argument(method).read(Raw(msgspec.json.encode(value)))


VALUE = {"x": 1, "items": [{"x": 2, "items": []}]}


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (struct, Struct(1, [Struct(2)])),
        (data, Data(1, [Data(2, [])])),
        (model, Model(x=1, items=[Model(x=2)])),
        (model_or_bytes, Model(x=1, items=[Model(x=2)])),
    ],
)
def test_a_payload_that_fits_becomes_the_type(method: Any, expected: Any) -> None:
    assert read(method, VALUE) == expected


@pytest.mark.parametrize("method", [struct, data, model])
@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"x": "one", "items": []}, "x"),
        ({"items": []}, "x"),
        ({"x": 1, "items": [{"x": 1, "items": []}, {"x": None, "items": []}]}, "items[1].x"),
        ({"x": 1, "items": [{"items": []}]}, "items[0].x"),
        ({"x": 1, "items": {}}, "items"),
        ([], None),
    ],
)
def test_one_that_does_not_is_refused_by_the_name_of_its_field(method: Any, value: Any, field: str | None) -> None:
    with pytest.raises(InvalidPayload) as refused:
        read(method, value)
    assert refused.value.field == field


def test_a_models_own_rules_count() -> None:
    with pytest.raises(InvalidPayload, match="greater than or equal to 0") as refused:
        read(model, {"x": -1})
    assert refused.value.field == "x"


@pytest.mark.parametrize(
    ("method", "good", "expected", "bad", "field"),
    [
        (models, [{"x": 1}], [Model(x=1)], [{"x": 1}, {"x": -1}], "[1].x"),
        (models, None, None, {"x": 1}, None),
        (models_by_name, {"a": {"x": 1}}, {"a": Model(x=1)}, {"a": {}}, "a.x"),
        (checked, {"x": 1}, Checked(x=1), {"x": -1}, "x"),
        (checked, {"x": 1}, Checked(x=1), {}, "x"),
        (at_most, 9, 9, 10, None),
        (holder, {"model": {"x": 1}}, Holder(Model(x=1)), {"model": {"x": -1}}, "model"),
    ],
)
def test_what_pydantic_checks_may_stand_anywhere(
    method: Any, good: Any, expected: Any, bad: Any, field: str | None
) -> None:
    assert read(method, good) == expected
    with pytest.raises(InvalidPayload) as refused:
        read(method, bad)
    assert refused.value.field == field


def test_a_type_that_nothing_can_become_is_named_with_its_line() -> None:
    async def both(payload: Model | Struct) -> None: ...

    with pytest.raises(TypeError, match=r"what JSON cannot be decoded to: .*both, .*test_payloads\.py:\d"):
        Argument(both).check()


def test_a_model_beside_bytes_leaves_bytes_alone() -> None:
    assert Argument(model_or_bytes).read(b"\x00") == b"\x00"


def test_a_model_is_sent_as_plain_data() -> None:
    assert encode_json({"at": Model(x=1)}) == b'{"at":{"x":1,"items":[]}}'


def test_a_model_is_sent_under_the_names_that_it_is_taken_by() -> None:
    class Named(BaseModel):
        x: int = Field(alias="the x")

    assert encode_json(Named.model_validate({"the x": 1})) == b'{"the x":1}'


def test_what_nobody_can_encode_is_refused_as_before() -> None:
    with pytest.raises(TypeError, match="Encoding objects of type object is unsupported"):
        encode_json({"a": object()})


class TypedSocket(Socket):
    """Everybody may."""


class TypedChannel(Channel[TypedSocket]):
    async def join(self, params: Struct) -> Ok:
        return Ok(params)

    @event("careless")
    async def careless(self, payload: Careless) -> Ok:
        return Ok(payload.x)

    @event("model")
    async def model(self, payload: Model) -> Ok:
        await self.push("took", payload)
        return Ok(payload)


TypedSocket.route("typed:*", TypedChannel)


async def test_a_client_is_told_which_field_is_wrong_and_the_channel_goes_on() -> None:
    async with local_node(Endpoint(sockets={"/socket": TypedSocket})) as node:
        room = await (await node.connect(TypedSocket)).join("typed:a", {"x": 1})
        assert room.reply == {"x": 1, "items": []}
        wrong = await room.assert_reply(room.push("model", {"x": "one"}), "error")
        assert wrong == {
            "reason": "invalid payload",
            "field": "x",
            "detail": "Input should be a valid integer, unable to parse string as an integer",
        }
        await room.assert_reply(room.push("model", {"x": 2}), "ok", {"x": 2, "items": []})
        await room.assert_push("took", {"x": 2, "items": []})


async def test_a_validator_that_raises_ends_its_channel_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with local_node(Endpoint(sockets={"/socket": TypedSocket})) as node:
        socket = await node.connect(TypedSocket)
        room, other = await socket.join("typed:a", {"x": 1}), await socket.join("typed:b", {"x": 1})
        await room.assert_reply(room.push("careless", {"x": 1}), "ok", 1)
        room.push("careless", {"x": 2})
        await room.assert_crashed()
        await other.assert_reply(other.push("careless", {"x": 1}), "ok", 1)
    (line,) = caplog.records
    assert line.exc_info is not None
    assert isinstance(line.exc_info[1], KeyError)
    assert "careless" in line.getMessage()
