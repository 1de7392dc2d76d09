"""What the documents say of the code is true."""

import re
from dataclasses import fields
from functools import cached_property
from importlib import import_module
from inspect import getmembers
from pathlib import Path
from typing import get_args

from roost.gateway.telemetry import EVENTS
from roost.shared import bus, control

ROOT = Path(__file__).parents[1]
HOP = re.compile(r"`((?:gateway|broker|shared|roost)/[\w/]+\.py)`((?:[\s,]*`[A-Za-z_]+(?:\.\w+)?`)*)")
NAME = re.compile(r"`([A-Za-z_]+(?:\.\w+)?)`")


def hops() -> list[tuple[str, str]]:
    """Each file of the hop lists with each name that is given behind it."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    lists = text[text.index("## Five ways through the code") : text.index("## Where this differs")]
    return [(file, name) for file, names in HOP.findall(lists) for name in NAME.findall(names)]


def test_the_hop_lists_name_what_there_is() -> None:
    assert len(hops()) > 30
    for file, name in hops():
        found = import_module("roost." + file.removesuffix(".py").replace("/", "."))
        for part in name.split("."):
            assert hasattr(found, part), f"{file} has no {name}"
            found = getattr(found, part)


def test_every_file_named_in_the_architecture_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    for file in set(re.findall(r"`((?:gateway|broker|shared|roost|tests)/[\w/]+\.py)`", text)):
        assert (ROOT / file).exists(), file


def test_every_module_of_the_gateway_stands_in_its_folders_row_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text[text.index("## The gateway's modules") : text.index("## Five ways through the code")]
    rows = re.findall(r"^\| `([\w/]+)/` \|[^|]*\|([^|]*)\|$", table, re.MULTILINE)
    named = {folder: sorted(re.findall(r"`(\w+)`", modules)) for folder, modules in rows}
    apart = {"admin", "presence", "__pycache__"}
    folders = [ROOT / "gateway", *(path for path in (ROOT / "gateway").iterdir() if path.is_dir())]
    assert named == {
        str(folder.relative_to(ROOT)): sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
        for folder in folders
        if folder.name not in apart
    }, "each module of gateway/ is named once in the table of docs/architecture.md, with its folder"


def test_every_telemetry_event_is_in_the_guide_with_all_that_it_carries() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", (ROOT / "docs" / "telemetry.md").read_text(), re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)`", carries)) - {"ok", "error"} for name, carries in rows}
    assert told == {
        event.__name__: {field.name for field in fields(event)}
        | {name for name, _ in getmembers(event, lambda value: isinstance(value, cached_property))}
        for event in EVENTS
    }


def test_the_example_of_the_readme_is_the_chat() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert (ROOT / "examples" / "chat.py").read_text() in blocks


def test_every_guide_is_in_the_menu_of_the_site() -> None:
    menu = re.findall(r"^ +- ([\w/-]+\.md)$", (ROOT / "docs/site/mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(menu) == sorted(str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md"))


def test_the_wire_document_has_every_message_of_the_bus() -> None:
    items = [bus.Subscribe, bus.Unsubscribe, bus.Publish, bus.Hello, bus.Ping]
    answers = [bus.Gather, bus.Change, bus.Disband, bus.Batch, bus.Welcome, bus.Subscribed, bus.Pong, bus.Reset]
    told = {(str(item.__struct_config__.tag), item.__name__.upper()) for item in (*items, *answers)}
    text = (ROOT / "docs" / "wire.md").read_text()
    assert told == set(re.findall(r"^\| (\d) \| ([A-Z]+) \|", text, re.MULTILINE))


def test_the_wire_document_has_every_control_message() -> None:
    text = (ROOT / "docs" / "wire.md").read_text()
    for message in get_args(control.Message):
        assert message.__name__ in text


def test_every_proof_of_the_guarantees_exists() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text()
    sources = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    proofs = re.findall(r"`([\w/.:]*test_[\w/.]+)`", text)
    assert len(proofs) > 5
    for proof in proofs:
        if proof.endswith(".py"):
            assert ROOT / proof in sources, proof
        else:
            assert any(f"def {proof}(" in source for source in sources.values()), proof


CASES = re.compile(r"\b([A-Z][A-Z0-9])-(\d\d)(?: to \1-(\d\d))?")
"""Phoenix's test cases as people write them: WC-02, OR-01 to OR-15."""
CASES_IN_NAME = re.compile(r"(?:_(and|to)|_([a-z][a-z0-9]))_(\d\d)(?=_|$)")
"""And in the name of a test: test_wc_02_join, test_ct_14_and_15_a_stop, test_ct_27_to_29_what_a_channel_tells."""


def written(text: str) -> set[str]:
    """The cases that a text names."""
    return {
        f"{kind}-{number:02}"
        for kind, first, last in CASES.findall(text)
        for number in range(int(first), int(last or first) + 1)
    }


def named(test: str) -> set[str]:
    """The cases that a test is named after."""
    found: set[str] = set()
    kind, last = "", 0
    for link, new_kind, digits in CASES_IN_NAME.findall(test):
        kind, number = new_kind.upper() or kind, int(digits)
        found |= {f"{kind}-{one:02}" for one in range(last if link == "to" else number, number + 1)}
        last = number
    return found


def test_names_of_cases_are_read() -> None:
    assert written("WC-05 to WC-07, V1-01") == {"WC-05", "WC-06", "WC-07", "V1-01"}
    assert named("test_ct_27_to_29_what") == {"CT-27", "CT-28", "CT-29"}
    assert named("test_ws_07_and_08_names") == {"WS-07", "WS-08"}
    assert named("test_wc_19_ws_02_and_or_origins") == {"WC-19", "WS-02"}
    assert named("test_v1_01") == {"V1-01"}


def test_every_test_of_the_parity_page_exists() -> None:
    """Only the last column names tests; a case has a test of its name, or a file or class that says it has it."""
    rows = re.findall(r"^\|.*\|(.*)\|$", (ROOT / "docs" / "phoenix-parity.md").read_text(), re.MULTILINE)
    sources = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)}
    names = {name for source in sources.values() for name in re.findall(r"^ *(?:async )?def (test_\w+)", source, re.M)}
    docstrings = [text for source in sources.values() for text in re.findall(r'"""(.*?)"""', source, re.DOTALL)]
    cases = set().union(*map(named, names), *map(written, docstrings))
    assert len(rows) > 100
    for tests in rows:
        assert written(tests) <= cases, written(tests) - cases
        for test in re.findall(r"`([^`]*[tT]est[^`]*)`", tests):
            if test.endswith(".py"):
                assert ROOT / test in sources, test
            elif test.startswith("test_"):
                assert test in names, test
            else:
                assert any(f"class {test}" in source for source in sources.values()), test
