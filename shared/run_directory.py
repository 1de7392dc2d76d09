"""The run directory: where the processes of a node meet. Sockets, locks, the shard map, the development secret.

A process is alive as long as it holds the lock on its file under `alive/`. The kernel lets go of a lock when its
holder dies, however it dies, so this is never wrong; a lost connection, in contrast, means nothing.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
import signal
import stat
from pathlib import Path
from typing import Final, Self

from roost.shared.failures import CannotStart
from roost.shared.shard_map import EMPTY, ShardMap, Slot, decode_map, encode_map

MAX_SOCKET_PATH_BYTES: Final = 107
"""`sun_path` holds 108 bytes, the last one zero."""
_DEATH_LOOK: Final = 0.01
"""Seconds between two looks whether a process that was killed is dead."""
_LONGEST_SOCKET_NAME: Final = "bus/4294967295-63-4294967295.sock"


class RunDirectoryError(CannotStart):
    """The run directory cannot be used; the text is one sentence that says why."""


def shard_name(slot: Slot, incarnation: int) -> str:
    """The name under which one incarnation of a slot lives."""
    return f"shard-{slot.epoch}-{slot.number}-{incarnation}"


def worker_name(number: int) -> str:
    """The name under which a worker lives."""
    return f"worker-{number}"


def bridge_name(number: int) -> str:
    """The further name under which a worker lives that is the bridge to other nodes, and serves nobody."""
    return f"bridge-{number}"


def check_path(root: Path) -> None:
    """Raises RunDirectoryError if the system's sockets cannot have paths below this one."""
    longest = len(os.fsencode(root / _LONGEST_SOCKET_NAME))
    if longest > MAX_SOCKET_PATH_BYTES:
        raise RunDirectoryError(
            f"ROOST_RUN_DIR {root} is too long: its socket paths would take {longest} bytes "
            f"and the system allows {MAX_SOCKET_PATH_BYTES}"
        )


class LockTaken(Exception):
    """Another process holds the lock."""

    def __init__(self, pid: str) -> None:
        super().__init__(f"held by pid {pid}")
        self.pid = pid


class RunDirectory:
    """A directory of mode 0700 that belongs to this user."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._map_seen = (0, 0)

    @classmethod
    def open(cls, path: str) -> Self:
        """Make the directory if there is none, check that nobody else can reach into it. Raises RunDirectoryError."""
        root = Path(os.path.abspath(path))
        check_path(root)
        try:
            root.mkdir(0o700, parents=True, exist_ok=True)
            _check_owner(root)
            for name in ("alive", "bus"):
                (root / name).mkdir(0o700, exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(f"ROOST_RUN_DIR {root} cannot be used: {error.strerror}") from None
        return cls(root)

    # Sockets

    @property
    def control_socket(self) -> str:
        """Where the broker answers the gateway and the command line."""
        return str(self.path / "control.sock")

    def bus_socket(self, slot: Slot, incarnation: int) -> str:
        """Where one incarnation of a slot receives. Never reused: a second bind would steal it silently."""
        return str(self.path / "bus" / f"{slot.epoch}-{slot.number}-{incarnation}.sock")

    def remove_bus_socket(self, slot: Slot, incarnation: int) -> None:
        """Remove what an incarnation that is dead left behind. Only for the broker."""
        Path(self.bus_socket(slot, incarnation)).unlink(missing_ok=True)

    def remove_sockets(self) -> None:
        """Remove what sockets are left. Only for the broker, while no shard lives."""
        for leftover in (*(self.path / "bus").iterdir(), self.path / "control.sock"):
            leftover.unlink(missing_ok=True)

    # Locks

    def take(self, name: str) -> "Lock":
        """Take the lock of a role that one process has at a time, such as `broker`. Raises LockTaken."""
        return Lock(self.path / f"{name}.lock", wait=False)

    def holder(self, name: str) -> str | None:
        """The pid of whoever has the lock of a role; None if nobody has."""
        file = self.path / f"{name}.lock"
        return file.read_text(errors="replace").strip() if _is_locked(file) else None

    def live(self, name: str) -> "Lock":
        """Be the live process of that name until this process ends."""
        return Lock(self._life(name), wait=True)

    def alive(self, name: str) -> bool:
        """Whether the process of that name lives. Never wrong, and nobody else needs to live to answer."""
        return _is_locked(self._life(name))

    async def end(self, name: str) -> None:
        """Kill the process of that name, if it lives, and wait until it is dead."""
        while self.alive(name):
            with contextlib.suppress(ValueError, ProcessLookupError):
                os.kill(int(self._life(name).read_bytes()), signal.SIGKILL)
            await asyncio.sleep(_DEATH_LOOK)

    def live_workers(self) -> set[int]:
        """The numbers of all workers that live."""
        files = (self.path / "alive").glob("worker-*")
        return {int(file.name.removeprefix("worker-")) for file in files if _is_locked(file)}

    def serving_workers(self) -> set[int]:
        """The numbers of those among them that are no bridge."""
        return {number for number in self.live_workers() if not self.alive(bridge_name(number))}

    def live_incarnations(self, slot: Slot) -> set[int]:
        """The incarnations of a slot that live: one, but for those that a dead broker left dying."""
        before = f"shard-{slot.epoch}-{slot.number}-"
        files = (self.path / "alive").glob(f"{before}*")
        return {int(file.name.removeprefix(before)) for file in files if _is_locked(file)}

    def forget_the_dead(self) -> None:
        """Remove the files of dead processes. Only when the node has stopped: a starter must not lose its file."""
        for file in (self.path / "alive").iterdir():
            if not _is_locked(file):
                file.unlink(missing_ok=True)

    # Small files

    def read_map(self) -> ShardMap:
        """The shard map, `EMPTY` before there was one."""
        try:
            return decode_map((self.path / "shards.json").read_bytes())
        except FileNotFoundError:
            return EMPTY

    def map_changed(self) -> bool:
        """Whether the map's file is another one than when this was last asked."""
        status = (self.path / "shards.json").stat()
        seen, self._map_seen = self._map_seen, (status.st_ino, status.st_mtime_ns)
        return seen != self._map_seen

    def write_map(self, shard_map: ShardMap) -> None:
        """Replace the shard map. Only for the broker."""
        self._replace("shards.json", encode_map(shard_map))

    def take_worker_number(self) -> int:
        """A worker number that was never given before. Only for the broker."""
        file = self.path / "next_worker"
        number = int(file.read_bytes()) if file.exists() else 1
        self._replace(file.name, b"%d" % (number + 1))
        return number

    def secret_key_base(self) -> str:
        """The secret of a node that was given none: made once, readable by its owner alone."""
        return self._secret("secret_key_base", 64)

    def node_id(self) -> str:
        """Names the node among others: made once."""
        return self._secret("node_id", 9)

    def canary_token(self) -> str:
        """What opens the canary's socket: made once, readable by its owner alone. Safe in the path of a URL."""
        return self._secret("canary_token", 32)

    def admin_token(self) -> str:
        """What opens the admin listener: made once, readable by its owner alone. Safe in the query of a URL."""
        return self._secret("admin_token", 32)

    def _secret(self, name: str, random_bytes: int) -> str:
        """Made by whoever asks first; a link appears whole or not at all, so nobody reads half of it."""
        file = self.path / name
        if not file.exists():
            fresh = self.path / f"{name}.{os.getpid()}"
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(secrets.token_urlsafe(random_bytes))
            with contextlib.suppress(FileExistsError):
                file.hardlink_to(fresh)
            fresh.unlink()
        return file.read_text()

    def _replace(self, name: str, content: bytes) -> None:
        fresh = self.path / f"{name}.new"
        fresh.write_bytes(content)
        fresh.replace(self.path / name)

    def _life(self, name: str) -> Path:
        return self.path / "alive" / name


class Lock:
    """An exclusive kernel lock on a file that names its holder's pid; not inherited by children."""

    def __init__(self, file: Path, *, wait: bool) -> None:
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            pid = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise LockTaken(pid or "unknown") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Let go before this process ends."""
        os.close(self._descriptor)


def _is_locked(file: Path) -> bool:
    """Ask with a shared lock, so that two who ask do not take each other for the holder."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _check_owner(root: Path) -> None:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    status = os.fstat(descriptor)
    os.close(descriptor)
    if status.st_uid != os.geteuid():
        raise RunDirectoryError(f"ROOST_RUN_DIR {root} belongs to another user")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise RunDirectoryError(f"ROOST_RUN_DIR {root} is open to other users: run `chmod 700 {root}`")
