"""Reads our source, and the rules that it keeps: layers, cycles, purity, names, the environment, sizes.

All is read from the text, nothing is imported. Each rule answers what breaks it, one line a breach.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
    *("inspect", "ipaddress", "itertools", "json", "keyword", "math", "numbers", "operator", "re", "string", "struct"),
    *("textwrap", "types"),
    *("sys.intern", "typing", "unicodedata", "urllib.parse", "zlib"),
    *("msgspec", "httptools", "pydantic.TypeAdapter", "pydantic.ValidationError"),
    # Ciphers without the randomness.
    *("cryptography.exceptions", "cryptography.hazmat.primitives.ciphers"),
    *("cryptography.hazmat.primitives.ciphers.aead", "cryptography.hazmat.primitives.ciphers.algorithms"),
    # The sans-I/O part of websockets.
    *("websockets.datastructures", "websockets.exceptions", "websockets.frames", "websockets.headers"),
    *("websockets.http11", "websockets.protocol", "websockets.server", "websockets.speedups", "websockets.utils"),
}
"""What a module that calls itself Pure may import besides our own: no I/O, clock, randomness, environment, logging."""
IMPURE_CALLS: Final = {"open", "print", "input", "__import__", "breakpoint"}

MAY_READ_ENVIRONMENT: Final = {
    *("roost.cli", "roost.commands.options", "roost.commands.machine"),
    "roost.outside",  # for whoever gives it no run directory
    "roost.testing.live_node",  # hands it on to the node that it starts
    "roost.gateway.processes.worker_process",  # in `main`, which loop to run
}
"""Entry points: of the command line, of a process, of code outside of a node."""


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
        for file in _python_files(root / folder):
            parts = file.relative_to(root).with_suffix("").parts
            name = ".".join(parts if folder == "roost" else ("roost", *parts)).removesuffix(".__init__")
            modules[name] = Module(name, file.read_text(), is_package=file.name == "__init__.py")
    return modules


def _python_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _python_files(path)
        elif path.suffix == ".py":
            yield path


def ours(modules: dict[str, Module], module: Module) -> Iterator[tuple[Import, str]]:
    """What a module imports of ours: each import with the name of the module that it names."""
    for found in module.imports():
        for name in found.candidates():
            if name in modules:
                yield found, name


# The rules


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


def environment_reads(modules: dict[str, Module]) -> list[str]:
    """Reads of the environment by others than entry points: everybody else is handed settings."""
    return [
        f"{module.name}:{line} reads the environment"
        for module in modules.values()
        if module.name not in MAY_READ_ENVIRONMENT
        for line in _environment_reads(module)
    ]


def _environment_reads(module: Module) -> Iterator[int]:
    for node in ast.walk(module.tree):
        match node:
            case ast.Attribute(ast.Name("os"), "environ" | "environb" | "getenv"):
                yield node.lineno
            case ast.ImportFrom("os", names) if {alias.name for alias in names} & {"environ", "environb", "getenv"}:
                yield node.lineno


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
