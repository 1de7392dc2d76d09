"""What may import what: layers, cycles, purity, names; and the sizes that keep modules readable.

All is read from the source, nothing is imported. Each rule is also shown to fail on a source that breaks it.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
FOLDERS: Final = ("shared", "broker", "gateway", "roost")
MAX_FUNCTION_LINES: Final = 50
MAX_MODULE_LINES: Final = 400

MAY_IMPORT: Final = {
    "shared": {"shared"},
    "broker": {"broker", "shared"},
    "gateway": {"gateway", "shared"},
    "roost": {"roost", "shared", "broker", "gateway"},
}

PURE_LIBRARIES: Final = {
    *(
        "abc",
        "array",
        "base64",
        "binascii",
        "bisect",
        "codecs",
        "collections",
        "collections.abc",
        "copy",
        "dataclasses",
        "difflib",
    ),
    *("decimal", "enum", "errno", "fractions", "functools", "hashlib", "heapq", "hmac", "html", "http.HTTPStatus"),
    *("inspect", "ipaddress", "itertools", "json", "math", "numbers", "operator", "re", "string", "struct"),
    *("textwrap", "types"),
    *("sys.intern", "typing", "unicodedata", "urllib.parse", "zlib"),
    *("msgspec", "httptools"),
    # Ciphers without the randomness.
    *("cryptography.exceptions", "cryptography.hazmat.primitives.ciphers"),
    *("cryptography.hazmat.primitives.ciphers.aead", "cryptography.hazmat.primitives.ciphers.algorithms"),
    # The sans-I/O part of websockets.
    *("websockets.datastructures", "websockets.exceptions", "websockets.frames", "websockets.headers"),
    *("websockets.http11", "websockets.protocol", "websockets.server", "websockets.speedups", "websockets.utils"),
}
"""What a module that calls itself Pure may import besides our own: no I/O, clock, randomness, environment, logging."""
IMPURE_CALLS: Final = {"open", "print", "input", "__import__", "breakpoint"}


@dataclass(frozen=True)
class Import:
    """One import: `import module`, or `from module import names`."""

    module: str
    names: tuple[str, ...]
    line: int
    top_level: bool
    """Whether it happens when the module is imported, not when a function is called."""
    for_types: bool
    """Whether it stands below `if TYPE_CHECKING`."""

    def candidates(self) -> list[str]:
        """The modules that it may mean: what is imported from, and names in it that may be modules themselves."""
        return [self.module, *(f"{self.module}.{name}" for name in self.names)]


@dataclass(frozen=True)
class Module:
    """The source of one module, with the name by which it is imported."""

    name: str
    text: str
    is_package: bool = False

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def first_line(self) -> str:
        return (ast.get_docstring(self.tree) or "").partition("\n")[0]

    @property
    def is_pure(self) -> bool:
        return self.first_line.endswith("Pure.")

    @property
    def layer(self) -> str:
        return layer_of(self.name)

    def imports(self) -> Iterator[Import]:
        package = self.name if self.is_package else self.name.rpartition(".")[0]
        return find_imports(self.tree.body, package, top_level=True, for_types=False)


def layer_of(name: str) -> str:
    """The folder a dotted name of ours belongs to; `roost` for everything that is in none of the others."""
    second = name.split(".")[1] if "." in name else ""
    return second if second in FOLDERS else "roost"


def find_imports(nodes: Iterable[ast.AST], package: str, *, top_level: bool, for_types: bool) -> Iterator[Import]:
    """Every import among these nodes and below them."""
    for node in nodes:
        match node:
            case ast.Import(names):
                for alias in names:
                    yield Import(alias.name, (), node.lineno, top_level, for_types)
            case ast.ImportFrom(module, names, level):
                source = _absolute(module, level, package)
                yield Import(source, tuple(alias.name for alias in names), node.lineno, top_level, for_types)
            case ast.If(test, body, orelse):
                checking = ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
                yield from find_imports(body, package, top_level=top_level, for_types=for_types or checking)
                yield from find_imports(orelse, package, top_level=top_level, for_types=for_types)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from find_imports(ast.iter_child_nodes(node), package, top_level=False, for_types=for_types)
            case _:
                yield from find_imports(ast.iter_child_nodes(node), package, top_level=top_level, for_types=for_types)


def _absolute(module: str | None, level: int, package: str) -> str:
    """The module of a `from`, with the dots of a relative one resolved."""
    above = package.split(".")[: len(package.split(".")) - level + 1] if level else []
    return ".".join([*above, *([module] if module else [])])


def read_modules(root: Path) -> dict[str, Module]:
    """Our modules by name. The links below `roost/` are not followed: what they lead to is read in its own place."""
    modules = {}
    for folder in FOLDERS:
        files = (root / folder).glob("*.py") if folder == "roost" else (root / folder).rglob("*.py")
        for file in files:
            parts = file.relative_to(root).with_suffix("").parts
            name = ".".join(parts if folder == "roost" else ("roost", *parts)).removesuffix(".__init__")
            modules[name] = Module(name, file.read_text(), is_package=file.name == "__init__.py")
    return modules


def ours(modules: dict[str, Module], module: Module) -> Iterator[tuple[Import, str]]:
    """What a module imports of ours: each import with the name of the module that it names."""
    for found in module.imports():
        for name in found.candidates():
            if name in modules:
                yield found, name


# The rules: each answers what breaks it, one line a breach.


def layer_breaches(modules: dict[str, Module]) -> list[str]:
    """Imports against the one-way rule, those for types included."""
    return [
        f"{module.name}:{found.line} imports {name}"
        for module in modules.values()
        for found, name in ours(modules, module)
        if layer_of(name) not in MAY_IMPORT[module.layer]
    ]


def bare_imports(modules: dict[str, Module]) -> list[str]:
    """Imports of our folders by a name that an application may use for its own."""
    bare = set(FOLDERS) - {"roost"}
    return [
        f"{module.name}:{found.line} imports {found.module}"
        for module in modules.values()
        for found in module.imports()
        if found.module.split(".")[0] in bare
    ]


def import_cycles(modules: dict[str, Module]) -> list[str]:
    """Modules that need one another to be imported."""
    needs = {
        module.name: {name for found, name in ours(modules, module) if found.top_level and not found.for_types}
        for module in modules.values()
    }
    return [f"{name} needs itself" for name in sorted(needs) if name in _reachable(needs, name)]


def _reachable(needs: dict[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    frontier = set(needs[start])
    while frontier:
        name = frontier.pop()
        if name not in reached:
            reached.add(name)
            frontier |= needs[name]
    return reached


def undocumented(modules: dict[str, Module]) -> list[str]:
    """Modules without a sentence at their top."""
    return [module.name for module in modules.values() if not module.first_line]


def impurities(modules: dict[str, Module]) -> list[str]:
    """What modules that call themselves Pure import or call and may not."""
    breaches = []
    for module in modules.values():
        if module.is_pure:
            breaches += [f"{module.name}:{line} {what}" for line, what in _impurities(modules, module)]
    return breaches


def _impurities(modules: dict[str, Module], module: Module) -> Iterator[tuple[int, str]]:
    for found in module.imports():
        if found.for_types:
            continue
        if found.module not in modules and not _is_pure_library(found):
            yield found.line, f"imports {found.module}"
        for name in found.candidates():
            if name in modules and not modules[name].is_pure:
                yield found.line, f"imports {name}, which is not Pure"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield node.lineno, f"calls {node.func.id}"


def _is_pure_library(found: Import) -> bool:
    if found.module in PURE_LIBRARIES:
        return True
    return bool(found.names) and all(f"{found.module}.{name}" in PURE_LIBRARIES for name in found.names)


def too_long(module: Module) -> list[str]:
    """Functions of too many lines, their docstrings not counted, and the module if it is."""
    lines = len(module.text.splitlines())
    breaches = [f"{module.name} has {lines} lines"] if lines > MAX_MODULE_LINES else []
    for function in ast.walk(module.tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = _code_lines(function)
            if lines > MAX_FUNCTION_LINES:
                breaches.append(f"{module.name}:{function.lineno} {function.name} has {lines} lines")
    return breaches


def _code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


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
        assert {"roost", "roost.cli", "roost.shared.bus", "roost.broker.shard", "roost.gateway.client"} <= set(MODULES)

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
