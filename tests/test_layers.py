"""What may import what: layers, cycles, purity, names, the environment; and the sizes that keep modules readable.

The rules hold for our modules. Each is also shown to fail on a source that breaks it.
"""

from typing import Final

import pytest

from tests.source_rules import (
    FOLDERS,
    MAX_FUNCTION_LINES,
    MAX_MODULE_LINES,
    MAY_READ_ENVIRONMENT,
    ROOT,
    Module,
    bare_imports,
    environment_reads,
    import_cycles,
    impurities,
    layer_breaches,
    layer_of,
    ours,
    read_modules,
    too_long,
    undocumented,
)

MODULES: Final = read_modules(ROOT)


def sources(**texts: str) -> dict[str, Module]:
    """Modules made up to break a rule: `shared__bus` stands for roost.shared.bus, `roost` for the package itself."""
    names = {key: key if key == "roost" else f"roost.{key.replace('__', '.')}" for key in texts}
    return {names[key]: Module(names[key], text, is_package=key == "roost") for key, text in texts.items()}


PURE: Final = '"""A sentence. Pure."""\n'


class TestOurModules:
    """The rules hold."""

    def test_all_folders_were_read(self) -> None:
        assert {module.layer for module in MODULES.values()} == set(FOLDERS)
        assert {"roost", "roost.cli", "roost.shared.bus", "roost.broker.shard"} <= set(MODULES)
        assert {"roost.client.messages", "roost.shared.peer.delivery", "roost.gateway.admin.api.routes"} <= set(MODULES)
        assert {"roost.gateway.channel", "roost.gateway.clients.client", "roost.commands.verify"} <= set(MODULES)

    def test_imports_point_one_way(self) -> None:
        assert layer_breaches(MODULES) == []

    def test_the_public_package_stands_on_all_others(self) -> None:
        from_roost = {
            layer_of(name)
            for module in MODULES.values()
            if module.layer == "roost"
            for _, name in ours(MODULES, module)
        }
        assert from_roost >= {"shared", "broker", "gateway"}

    def test_nothing_is_imported_by_a_name_that_an_application_may_have(self) -> None:
        files = [*(ROOT / "examples").rglob("*.py"), *(ROOT / "tests").glob("*/test_*.py")]
        others = {str(file): Module(str(file), file.read_text()) for file in files}
        assert bare_imports(MODULES | others) == []

    def test_no_module_needs_itself(self) -> None:
        assert import_cycles(MODULES) == []

    def test_every_module_says_what_it_is(self) -> None:
        assert undocumented(MODULES) == []

    def test_pure_modules_are(self) -> None:
        assert sum(module.is_pure for module in MODULES.values()) > 20
        assert impurities(MODULES) == []

    def test_only_entry_points_read_the_environment(self) -> None:
        assert set(MODULES) >= MAY_READ_ENVIRONMENT
        assert environment_reads(MODULES) == []

    @pytest.mark.parametrize("name", sorted(MODULES))
    def test_modules_and_functions_are_short(self, name: str) -> None:
        assert too_long(MODULES[name]) == []


class TestTheRulesThemselves:
    """Each rule fails on what breaks it, and only there."""

    @pytest.mark.parametrize(
        ("importer", "imported"),
        [
            ("broker__shard", "roost.gateway.client"),
            ("gateway__client", "roost.broker.shard"),
            ("shared__bus", "roost.broker.shard"),
            ("shared__bus", "roost.gateway.client"),
            ("gateway__client", "roost"),
            ("broker__shard", "roost.cli"),
        ],
    )
    @pytest.mark.parametrize(
        "statement",
        [
            "import {0}",
            "def function():\n    import {0}",
            "if TYPE_CHECKING:\n    import {0}",
            "try:\n    pass\nfinally:\n    import {0} as other",
        ],
    )
    def test_imports_against_the_layers(self, importer: str, imported: str, statement: str) -> None:
        others = {"broker__shard": "", "gateway__client": "", "roost": "", "cli": "", "shared__bus": ""}
        modules = sources(**others | {importer: statement.format(imported)})
        assert [breach.split(" ", 1)[1] for breach in layer_breaches(modules)] == [f"imports {imported}"]

    @pytest.mark.parametrize(
        "statement",
        [
            "from roost.gateway import client",
            "from ..gateway.client import Client",
            "from ..gateway import client",
            "from roost.gateway.client import Client",
        ],
    )
    def test_every_way_to_write_an_import_is_seen(self, statement: str) -> None:
        assert layer_breaches(sources(broker__shard=statement, gateway__client="", gateway=""))

    def test_imports_along_the_layers_are_free(self) -> None:
        modules = sources(
            shared__bus="import struct",
            broker__shard="from roost.shared.bus import Publish",
            gateway__client="import roost.shared.bus",
            cli="from roost.broker.shard import Shard\nfrom roost.gateway.client import Client",
            roost="from roost.shared.bus import VERSION",
        )
        assert layer_breaches(modules) == []

    @pytest.mark.parametrize(
        "statement", ["import shared", "import broker.shard", "from gateway import client", "from shared.bus import A"]
    )
    def test_bare_names(self, statement: str) -> None:
        assert len(bare_imports(sources(shared__bus=statement))) == 1

    def test_bare_names_are_not_seen_where_there_are_none(self) -> None:
        assert bare_imports(sources(shared__bus="import sharedness\nfrom roost.shared import bus\nshared = 1")) == []

    def test_cycles(self) -> None:
        ring = sources(
            shared__a="from roost.shared.b import B",
            shared__b="from roost.shared import c",
            shared__c="import roost.shared.a",
            shared__d="import roost.shared.a",
        )
        assert import_cycles(ring) == [f"roost.shared.{name} needs itself" for name in "abc"]

    @pytest.mark.parametrize(
        "statement",
        [
            "if TYPE_CHECKING:\n    import roost.shared.a",
            "if typing.TYPE_CHECKING:\n    import roost.shared.a",
            "def function():\n    import roost.shared.a",
            "class Some:\n    def method(self):\n        import roost.shared.a",
        ],
    )
    def test_what_is_no_cycle(self, statement: str) -> None:
        assert import_cycles(sources(shared__a="import roost.shared.b", shared__b=statement)) == []

    @pytest.mark.parametrize("statement", ["if TYPE_CHECKING:\n    pass\nelse:\n    {0}", "class Some:\n    {0}"])
    def test_what_is_a_cycle_all_the_same(self, statement: str) -> None:
        back = statement.format("import roost.shared.a")
        assert len(import_cycles(sources(shared__a="import roost.shared.b", shared__b=back))) == 2

    @pytest.mark.parametrize("text", ["", "import os", "# A comment.", '""""""'])
    def test_missing_docstrings(self, text: str) -> None:
        assert undocumented(sources(shared__a=text)) == ["roost.shared.a"]

    @pytest.mark.parametrize(
        "statement",
        [
            *("import asyncio", "import socket", "import os", "import os.path", "from os import environ", "import sys"),
            *("import time", "from datetime import datetime", "import random", "import secrets", "import logging"),
            *("import subprocess", "import threading", "import select", "import signal", "from pathlib import Path"),
            *("import tempfile", "import ssl", "import zmq", "import uvloop", "import uvicorn", "import starlette"),
            *("import websockets", "from websockets import connect", "from websockets.asyncio.client import connect"),
            *("import urllib.request", "from http import client", "import http.client", "import somebody.elses"),
            *("def function():\n    import time", "try:\n    import json\nexcept ImportError:\n    import os"),
            *("open('file')", "x = [print(1)]"),
        ],
    )
    def test_impurities(self, statement: str) -> None:
        assert len(impurities(sources(shared__a=PURE + statement))) == 1
        assert impurities(sources(shared__a=statement)) == []

    @pytest.mark.parametrize(
        "statement",
        [
            *("import msgspec", "import httptools", "from websockets.server import ServerProtocol", "import struct"),
            *("from websockets import frames", "from collections.abc import Callable", "from urllib import parse"),
            *("if TYPE_CHECKING:\n    import asyncio", "from roost.shared.pure import Pure", "reader.open('file')"),
        ],
    )
    def test_what_pure_modules_may(self, statement: str) -> None:
        assert impurities(sources(shared__a=PURE + statement, shared__pure=PURE)) == []

    def test_purity_does_not_pass_through_modules_that_are_not_pure(self) -> None:
        chain = sources(
            shared=PURE,
            shared__a=PURE + "from roost.shared import b",
            shared__b="import roost.shared.c",
            shared__c="import time",
        )
        assert impurities(chain) == ["roost.shared.a:2 imports roost.shared.b, which is not Pure"]

    def test_only_the_first_line_says_pure(self) -> None:
        assert impurities(sources(shared__a='"""A sentence.\n\nMore. Pure."""\nimport time')) == []

    @pytest.mark.parametrize(
        "statement",
        ["x = os.environ['A']", "def f():\n    os.getenv('A')", "from os import path, environ", "os.environb"],
    )
    def test_reads_of_the_environment(self, statement: str) -> None:
        assert environment_reads(sources(cli=statement)) == []
        assert len(environment_reads(sources(shared__a=statement))) == 1

    @pytest.mark.parametrize("statement", ["os.getcwd()", "request.environ", "from os import path"])
    def test_what_does_not_read_the_environment(self, statement: str) -> None:
        assert environment_reads(sources(shared__a=statement)) == []

    def test_long_functions(self) -> None:
        body = "    x = 1\n" * MAX_FUNCTION_LINES
        (module,) = sources(shared__a=f"async def function():\n{body}").values()
        assert too_long(module) == [f"roost.shared.a:1 function has {MAX_FUNCTION_LINES + 1} lines"]

    def test_docstrings_do_not_count(self) -> None:
        body = '    """One.\n\n    Two.\n    """\n' + "    x = 1\n" * (MAX_FUNCTION_LINES - 1)
        (module,) = sources(shared__a=f"class Some:\n  def method(self):\n{body}").values()
        assert too_long(module) == []

    def test_long_modules(self) -> None:
        (allowed, refused) = sources(
            shared__a="x = 1\n" * MAX_MODULE_LINES, shared__b="x = 1\n" * (MAX_MODULE_LINES + 1)
        ).values()
        assert too_long(allowed) == []
        assert too_long(refused) == [f"roost.shared.b has {MAX_MODULE_LINES + 1} lines"]
