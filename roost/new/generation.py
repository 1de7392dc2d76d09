"""What `roost new` makes: which files, of which templates, under which names. Pure."""

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Final

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN: Final = frozenset({"roost", "test", "tests"})


class BadName(ValueError):
    """What was given is no name for it; the text says what would be."""


@dataclass(frozen=True)
class NewFile:
    """A file to be made."""

    path: str
    """Below the directory of the application."""
    template: str
    names: Mapping[str, str]


@dataclass(frozen=True)
class Generation:
    """Files to be made, and what is to be done by hand then."""

    files: tuple[NewFile, ...]
    then: tuple[str, ...]


def checked_name(name: str) -> str:
    """The name, if it can be one of a module: `order_lines`. Dashes become underscores. Raises BadName."""
    plain = name.replace("-", "_")
    if not _NAME.fullmatch(plain) or keyword.iskeyword(plain) or plain in _TAKEN:
        raise BadName(f"{name!r} is no name for it: small letters, digits and underscores, such as order_lines")
    return plain


def new_app(name: str) -> Generation:
    """A whole application, in a directory of its name."""
    package = checked_name(name)
    names = {"name": name, "package": package, "title": _title(package)}
    channel = _channel_names(package, "room", "user")
    files = (
        NewFile("pyproject.toml", "pyproject.toml", names),
        NewFile("Procfile", "Procfile", names),
        NewFile("README.md", "README.md", names),
        NewFile(".gitignore", "gitignore", names),
        NewFile(f"{package}/__init__.py", "", names),
        NewFile(f"{package}/endpoint.py", "endpoint.py", names),
        NewFile(f"{package}/user_socket.py", "user_socket.py", names),
        NewFile(f"{package}/room_channel.py", "channel.py", channel),
        NewFile("tests/conftest.py", "conftest.py", names),
        NewFile("tests/test_room_channel.py", "test_channel.py", channel),
    )
    return Generation(files, (f"cd {name}", 'pip install -e ".[dev]"', "honcho start"))


def new_channel(package: str, name: str, socket: str) -> Generation:
    """A channel class with its test, for a socket that is there."""
    topic = checked_name(name)
    names = _channel_names(package, topic, checked_name(socket))
    files = (
        NewFile(f"{package}/{topic}_channel.py", "channel.py", names),
        NewFile(f"tests/test_{topic}_channel.py", "test_channel.py", names),
    )
    socket_class = f"{names['Socket']}Socket"
    return Generation(
        files,
        (
            f"add to {package}/endpoint.py:",
            f"    from {package}.{topic}_channel import {names['Channel']}Channel",
            f'    {socket_class}.route("{topic}:*", {names["Channel"]}Channel)',
        ),
    )


def new_socket(package: str, name: str) -> Generation:
    """A socket class with its test."""
    socket = checked_name(name)
    names = {"package": package, "socket": socket, "Socket": _class(socket), "title": socket.replace("_", " ")}
    files = (
        NewFile(f"{package}/{socket}_socket.py", "socket.py", names),
        NewFile(f"tests/test_{socket}_socket.py", "test_socket.py", names),
    )
    return Generation(
        files,
        (
            f"add to {package}/endpoint.py:",
            f"    from {package}.{socket}_socket import {names['Socket']}Socket",
            f'    endpoint.mount("/{socket}", {names["Socket"]}Socket)',
        ),
    )


def new_presence(package: str, name: str) -> Generation:
    """A presence with its test."""
    presence = checked_name(name)
    names = {
        "package": package,
        "name": presence,
        "Presence": f"{_class(presence)}Presence",
        "title": presence.replace("_", " "),
    }
    files = (
        NewFile(f"{package}/{presence}_presence.py", "presence.py", names),
        NewFile(f"tests/test_{presence}_presence.py", "test_presence.py", names),
    )
    return Generation(
        files,
        (
            f"add to {package}/endpoint.py:",
            f"    from {package}.{presence}_presence import presence",
            "    endpoint = Endpoint(..., presences=[presence])",
        ),
    )


def filled(template: str, names: Mapping[str, str]) -> str:
    """A template with its names."""
    return Template(template).substitute(names)


def _channel_names(package: str, topic: str, socket: str) -> dict[str, str]:
    return {
        "package": package,
        "topic": topic,
        "Channel": _class(topic),
        "socket": socket,
        "Socket": _class(socket),
        "title": _title(topic),
    }


def _class(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
