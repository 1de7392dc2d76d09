"""The settings of a node: names, meanings, defaults, and the sentences that refuse a bad value. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from roost.shared.setting_texts import read_engine_urls, read_name, read_node, read_proxies

MAX_SHARDS: Final = 64
MAX_WORKERS: Final = 64
MAX_CONNECTIONS: Final = 1_000_000
MIN_SECRET_BYTES: Final = 64
DEFAULT_MAX_CONNECTIONS: Final = 16_384
"""Of a worker: ranch's default."""


class BadSetting(ValueError):
    """A setting that cannot be used; the text is one sentence that names it."""


@dataclass(frozen=True)
class Machine:
    """What the defaults depend on."""

    cores: int
    user: int
    temporary_directory: str
    runtime_directory: str | None
    """`$XDG_RUNTIME_DIR`, if there is one."""
    honcho: bool = False
    """Whether honcho started this process: then it kills it 5 s after another of its processes has stopped."""
    host_name: str = "localhost"
    """The machine's."""


@dataclass(frozen=True)
class Setting:
    """One setting: how it is named in the environment, what it means, how its text is read."""

    variable: str
    meaning: str
    read: Callable[[str], Any]
    """Text to value. Raises ValueError, saying what would have been right."""
    default: Callable[[Machine], Any]
    live: bool = False
    """Whether a running node can be given another value: `roost config set`."""

    @property
    def hidden(self) -> bool:
        """Whether its value is never shown."""
        return self.read in _HIDDEN


def _setting(
    variable: str,
    meaning: str,
    read: Callable[[str], Any],
    default: Callable[[Machine], Any],
    *,
    live: bool = False,
) -> Any:
    return field(metadata={"setting": Setting(variable, meaning, read, default, live)})


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


_PORT: Final = _whole(0, 65535)


def _port_or_off(text: str) -> int | None:
    try:
        return None if text == "off" else _PORT(text)
    except ValueError as error:
        raise ValueError(f"{error}, or off") from None


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) or not low <= float(text) <= high:
            raise ValueError(f"seconds from {low:g} to {high:g}")
        return float(text)

    return read


def _text(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("not empty")
    return text


def _secret(text: str) -> str:
    if len(text.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"at least {MIN_SECRET_BYTES} bytes long")
    return text


def _secrets(text: str) -> tuple[str, ...]:
    return tuple(_secret(secret) for secret in text.split())


_HIDDEN: Final = (_secret, _secrets, read_engine_urls)
"""Texts that are read by these are never shown."""


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return text

    return read


def _default_run_dir(machine: Machine) -> str:
    if machine.runtime_directory:
        return f"{machine.runtime_directory}/roost"
    return f"{machine.temporary_directory}/roost-{machine.user}"


@dataclass(frozen=True)
class LogSettings:
    """How the processes of a node log."""

    level: str = "info"
    format: str = "text"


@dataclass(frozen=True)
class Settings:
    """All settings of a node, read once by the command line and handed down."""

    port: int = _setting(
        "ROOST_PORT",
        "TCP port on which clients connect; 0 takes a free one",
        _PORT,
        lambda _: 4000,
    )
    host: str = _setting(
        "ROOST_HOST",
        "name or address to listen on; localhost means 127.0.0.1 and ::1",
        _text,
        lambda _: "localhost",
    )
    admin_port: int | None = _setting(
        "ROOST_ADMIN_PORT",
        "TCP port of metrics, health and the dashboard, on loopback alone; 0 takes a free one, off has none",
        _port_or_off,
        lambda _: None,
    )
    public_host: str = _setting(
        "ROOST_PUBLIC_HOST",
        "host name by which browsers know the node: only its pages may connect, unless the application says otherwise",
        _text,
        lambda _: "localhost",
    )
    trusted_proxies: tuple[str, ...] = _setting(
        "ROOST_TRUSTED_PROXIES",
        "addresses and networks of proxies, separated by commas, whose X-Forwarded-For and X-Forwarded-Proto are "
        "believed; * for whoever connects",
        read_proxies,
        lambda _: (),
    )
    shards: int = _setting(
        "ROOST_SHARDS",
        "PubSub shard processes",
        _whole(1, MAX_SHARDS),
        lambda machine: max(1, machine.cores // 4),
    )
    workers: int = _setting(
        "ROOST_WORKERS",
        "gateway worker processes",
        _whole(1, MAX_WORKERS),
        lambda machine: max(1, machine.cores - 1),
    )
    run_dir: str = _setting("ROOST_RUN_DIR", "directory of a running node's sockets and locks", _text, _default_run_dir)
    secret_key_base: str | None = _setting(
        "ROOST_SECRET_KEY_BASE",
        "secret from which keys are derived; unset, one is kept in the run directory",
        _secret,
        lambda _: None,
    )
    old_secret_key_bases: tuple[str, ...] = _setting(
        "ROOST_OLD_SECRET_KEY_BASES",
        "earlier secrets, separated by spaces, whose tokens are still good",
        _secrets,
        lambda _: (),
    )
    log_level: str = _setting(
        "ROOST_LOG_LEVEL",
        "what is logged: debug, info, warning or error",
        _one_of("debug", "info", "warning", "error"),
        lambda _: "info",
    )
    log_format: str = _setting(
        "ROOST_LOG_FORMAT",
        "how it is logged: text, or json for one JSON object a line",
        _one_of("text", "json"),
        lambda _: "text",
    )

    stall_limit: float = _setting(
        "ROOST_STALL_LIMIT",
        "seconds without an answer after which a worker or shard is killed and started again",
        _seconds(0.5, 3600),
        lambda _: 10.0,
    )
    certfile: str | None = _setting(
        "ROOST_CERTFILE",
        "file with the certificate chain (PEM) for https, which is served beside http",
        _text,
        lambda _: None,
    )
    keyfile: str | None = _setting(
        "ROOST_KEYFILE",
        "file with the certificate's key (PEM), unless it is in the same file",
        _text,
        lambda _: None,
    )
    https_port: int = _setting(
        "ROOST_HTTPS_PORT",
        "TCP port for https; 0 takes a free one",
        _PORT,
        lambda _: 4040,
    )
    max_connections: int = _setting(
        "ROOST_MAX_CONNECTIONS",
        "connections that a worker takes; further clients are answered 503",
        _whole(1, MAX_CONNECTIONS),
        lambda _: DEFAULT_MAX_CONNECTIONS,
        live=True,
    )
    max_connections_per_address: int = _setting(
        "ROOST_MAX_CONNECTIONS_PER_ADDRESS",
        "connections that a worker takes from one address, further ones are answered 429; 0 for no limit",
        _whole(0, MAX_CONNECTIONS),
        lambda _: 0,
        live=True,
    )
    drain_batch_size: int = _setting(
        "ROOST_DRAIN_BATCH_SIZE",
        "clients that are sent away at a time, by all workers together",
        _whole(1, MAX_CONNECTIONS),
        lambda _: 1000,
        live=True,
    )
    drain_batch_interval: float = _setting(
        "ROOST_DRAIN_BATCH_INTERVAL",
        "seconds from one batch of clients that are sent away to the next",
        _seconds(0.01, 60),
        lambda _: 0.25,
        live=True,
    )
    drain_limit: float = _setting(
        "ROOST_DRAIN_LIMIT",
        "seconds over which clients are sent away at most, in larger batches if need be; 0 for all at once",
        _seconds(0, 3600),
        lambda _: 30.0,
        live=True,
    )
    stop_limit: float = _setting(
        "ROOST_STOP_LIMIT",
        "seconds after which whatever launched the node kills it when it stops; by default 60, under honcho 5",
        _seconds(4, 3600),
        lambda machine: 5.0 if machine.honcho else 60.0,
    )

    cluster: tuple[str, ...] = _setting(
        "ROOST_CLUSTER",
        "addresses of the engine between nodes of a cluster, separated by commas: nats://host:4222, tls://host:4222, "
        "redis://host:6379 or rediss://host:6379, with user and password or token if need be; none for a node alone",
        read_engine_urls,
        lambda _: (),
    )
    node: str = _setting(
        "ROOST_NODE",
        "name of the node, which no other node of its cluster has",
        read_node,
        lambda machine: machine.host_name,
    )
    cluster_name: str = _setting(
        "ROOST_CLUSTER_NAME",
        "name of the cluster: nodes of one name are one cluster, and an engine may carry several",
        read_name,
        lambda _: "roost",
    )
    cluster_credentials: str | None = _setting(
        "ROOST_CLUSTER_CREDENTIALS",
        "file with NATS credentials, or with the seed of an nkey",
        _text,
        lambda _: None,
    )
    cluster_cafile: str | None = _setting(
        "ROOST_CLUSTER_CAFILE",
        "file with the certificates (PEM) by which the engine's server is known, if it is not of a public authority",
        _text,
        lambda _: None,
    )
    cluster_certfile: str | None = _setting(
        "ROOST_CLUSTER_CERTFILE",
        "file with the certificate chain (PEM) that is shown to the engine",
        _text,
        lambda _: None,
    )
    cluster_keyfile: str | None = _setting(
        "ROOST_CLUSTER_KEYFILE",
        "file with its key (PEM), unless it is in the same file",
        _text,
        lambda _: None,
    )
    cluster_buffer_bytes: int = _setting(
        "ROOST_CLUSTER_BUFFER_BYTES",
        "bytes of publishes that wait for the engine while it is away; further ones are dropped and counted",
        _whole(1024 * 1024, 64 * 1024**3),
        lambda _: 64 * 1024 * 1024,
    )

    @property
    def logs(self) -> LogSettings:
        """How the node's processes log."""
        return LogSettings(self.log_level, self.log_format)


def all_settings() -> dict[str, Setting]:
    """Every setting, by name."""
    return {place.name: place.metadata["setting"] for place in fields(Settings)}


def live_settings() -> dict[str, Setting]:
    """The settings that a running node can be given anew, by name."""
    return {name: setting for name, setting in all_settings().items() if setting.live}


def with_live_setting(settings: Settings, name: str, text: str) -> Settings:
    """The settings with another value of a live one. Raises BadSetting."""
    live = live_settings()
    if name not in live:
        raise BadSetting(f"{name} cannot be changed in a running node; {', '.join(live)} can")
    return replace(settings, **{name: read_setting(live[name], text)})


def read_settings(machine: Machine, *sources: Mapping[str, str]) -> Settings:
    """Settings from sources keyed by variable, the first that has a variable wins. Raises BadSetting."""
    values = {}
    for name, setting in all_settings().items():
        text = next((source[setting.variable] for source in sources if setting.variable in source), None)
        values[name] = setting.default(machine) if text is None else read_setting(setting, text)
    return Settings(**values)


def read_setting(setting: Setting, text: str) -> Any:
    """The value that a text stands for. Raises BadSetting."""
    try:
        return setting.read(text)
    except ValueError as error:
        shown = "what was given" if setting.hidden else f"{text!r}"
        raise BadSetting(f"{setting.variable} must be {error}, not {shown}") from None
