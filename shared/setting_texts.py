"""How settings that are addresses or names are read from their text. Pure."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

MAX_NAME_BYTES: Final = 255
"""Of the name of a node or a cluster."""
EVERY_NODE: Final = "all"
"""Instead of a node's name, in commands."""


def read_engine_urls(text: str) -> tuple[str, ...]:
    """Addresses of the servers of one engine; none for an empty text."""
    urls = tuple(url.strip() for url in text.split(",")) if text.strip() else ()
    for url in urls:
        _check_port(url)
    schemes = {url.partition("://")[0] for url in urls if re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s/]+\S*", url)}
    if urls and (len(schemes) != 1 or not all("://" in url for url in urls)):
        raise ValueError("addresses of one engine, separated by commas, such as nats://10.0.0.7:4222")
    return urls


def _check_port(url: str) -> None:
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        raise ValueError(
            f"addresses such as nats://10.0.0.7:4222; of one of these the port is wrong: {error}"
        ) from None


def read_name(text: str) -> str:
    """The name of a node or a cluster."""
    if not text.isprintable() or " " in text or not 1 <= len(text.encode()) <= MAX_NAME_BYTES:
        raise ValueError(f"1 to {MAX_NAME_BYTES} bytes of text that can be printed, without spaces")
    return text


def read_node(text: str) -> str:
    """The name of a node: commands take `all` for every node."""
    if read_name(text) == EVERY_NODE:
        raise ValueError(f"another name than {EVERY_NODE}, which stands for every node")
    return text


def read_proxies(text: str) -> tuple[str, ...]:
    """Addresses and networks as the standard writes them, and `*`; nobody for an empty text."""
    return tuple(_proxy(entry.strip()) for entry in text.split(",")) if text.strip() else ()


def _proxy(text: str) -> str:
    try:
        if text == "*":
            return text
        if "%" in text:  # a zone means something to its own machine alone
            raise ValueError(text)
        return str(ipaddress.ip_network(text) if "/" in text else ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(
            "addresses and networks separated by commas, such as 10.0.0.7, 10.0.0.0/8 or fd00::/8, or * for whoever "
            f"connects ({text!r} is none of these)"
        ) from None
