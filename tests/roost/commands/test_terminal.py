"""What is printed cannot be steered by what clients chose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from roost.commands.terminal import console, duration, short, size, table, visible

anything = st.text() | st.text("[]\\/\x1b\u202e\x9bm31red ", max_size=20)


@given(anything)
def test_names_are_printable_and_no_markup(name: str) -> None:
    out = console()
    with out.capture() as captured:
        out.print(visible(name))
    printed = captured.get().removesuffix("\n")
    assert printed.isprintable()
    if name.isprintable():
        assert printed == name


@given(anything)
def test_names_in_tables_too(name: str) -> None:
    out = console()
    rows = table("topic")
    rows.add_row(visible(name))
    with out.capture() as captured:
        out.print(rows)
    printed = captured.get().split("\n", 1)[1].replace("\n", "")
    assert printed.isprintable()
    if name.isprintable() and name == name.strip() and cell_len(name) < 100:
        assert printed.strip() == name


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_000_000, "2.0 MB"), (3e12, "3000.0 GB")]
)
def test_sizes(value: float, text: str) -> None:
    assert size(value) == text


def test_durations() -> None:
    assert duration(3661.9) == "1:01:01"
    assert duration(-1) == "0:00:00"


def test_a_class_without_its_module() -> None:
    assert short("examples.chat.RoomChannel") == "RoomChannel"
