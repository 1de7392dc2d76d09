"""Event methods: found, checked when the class is made, and given what they are annotated with."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from roost.gateway.channel import Channel
from roost.gateway.events import event, find_event_methods
from roost.gateway.payloads import Argument, InvalidPayload, read_any
from roost.gateway.replies import Ok
from roost.gateway.socket import Socket
from roost.shared.serializer import Raw
from tests.shared.json_values import maps, typed, values


class Base(Channel[Socket]):
    @event("shout")
    async def shout(self, payload: dict[str, Any]) -> None: ...

    @event("pass")
    async def pass_on(self, payload: Raw) -> None: ...


class Derived(Base):
    @event("whisper")
    async def whisper(self, payload: Any) -> None: ...


class Point(msgspec.Struct):
    x: int
    y: int = 0


def raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


def test_methods_are_found_by_event_in_bases_too() -> None:
    assert find_event_methods(Base).keys() == {"shout", "pass"}
    assert find_event_methods(Derived).keys() == {"shout", "pass", "whisper"}
    assert find_event_methods(Derived)["shout"].call is Base.shout


@pytest.mark.parametrize("name", ["join", "joined", "handle_in", "handle_info", "terminate"])
def test_callbacks_must_be_async(name: str) -> None:
    with pytest.raises(TypeError, match=rf"Room\.{name} must be async: write `async def {name}"):
        type("Room", (Channel,), {name: lambda self, *rest: None})


def test_callbacks_take_what_they_are_given() -> None:
    async def nothing(self: Any) -> None: ...

    for name, form in (("join", "params"), ("handle_in", "event, payload"), ("terminate", "reason")):
        with pytest.raises(TypeError, match=rf"write `async def {name}\(self, {form}\)`"):
            type("Room", (Channel,), {name: nothing})


def test_callbacks_may_take_more_that_is_optional() -> None:
    async def anything(self: Any, *given: Any, **more: Any) -> None: ...

    type("Room", (Channel,), {"join": anything, "joined": anything, "handle_in": anything})


def test_event_methods_must_be_async() -> None:
    with pytest.raises(TypeError, match=r"Room\.shout must be async"):
        type("Room", (Channel,), {"shout": event("shout")(lambda self, payload: None)})


def test_event_methods_take_a_payload() -> None:
    async def shout(self: Any) -> None: ...

    with pytest.raises(TypeError, match=r"async def shout\(self, payload\)"):
        type("Room", (Channel,), {"shout": event("shout")(shout)})


def test_an_event_has_one_method() -> None:
    async def one(self: Any, payload: Any) -> None: ...

    async def other(self: Any, payload: Any) -> None: ...

    with pytest.raises(TypeError, match="two methods for the event 'shout'"):
        type("Room", (Channel,), {"one": event("shout")(one), "other": event("shout")(other)})


def test_the_name_must_be_given() -> None:
    async def shout(self: Any, payload: Any) -> None: ...

    with pytest.raises(TypeError, match=r'@event\("name"\)'):
        event(shout)  # type: ignore[arg-type]


class TestArguments:
    """A payload becomes what the method's annotation says."""

    @given(values)
    def test_raw_is_given_as_it_came(self, value: Any) -> None:
        payload = raw(value)
        assert find_event_methods(Base)["pass"].argument.read(payload) is payload

    @given(maps)
    def test_a_dict_is_decoded(self, value: dict[str, Any]) -> None:
        assert typed(find_event_methods(Base)["shout"].argument.read(raw(value))) == typed(value)

    @given(values)
    def test_without_a_type_anything_is_decoded(self, value: Any) -> None:
        assert typed(find_event_methods(Derived)["whisper"].argument.read(raw(value))) == typed(value)
        assert typed(read_any(raw(value))) == typed(value)

    @pytest.mark.parametrize("value", [None, 1, "text", [1]])
    def test_what_is_no_dict_is_refused_where_one_is_wanted(self, value: Any) -> None:
        with pytest.raises(InvalidPayload, match="object"):
            find_event_methods(Base)["shout"].argument.read(raw(value))

    def test_a_struct_is_validated_and_the_refusal_says_where(self) -> None:
        async def move(self: Any, payload: Point) -> Ok:
            return Ok()

        argument = Argument(move)
        assert argument.read(raw({"x": 1})) == Point(1)
        with pytest.raises(InvalidPayload, match=r"\$\.x"):
            argument.read(raw({"x": "one"}))

    @pytest.mark.parametrize("payload", [b"1e400", b"[" * 100_000, b'"\xff"', b'"\\ud800"'])
    def test_json_that_python_cannot_have_is_refused(self, payload: bytes) -> None:
        with pytest.raises(InvalidPayload):
            read_any(Raw(payload))
        with pytest.raises(InvalidPayload):
            find_event_methods(Derived)["whisper"].argument.read(Raw(payload))
