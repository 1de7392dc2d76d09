"""Who the client of a connection is when a proxy stands between: by the headers of a proxy that is trusted. Pure.

A proxy adds the address of its peer to the end of the list that it was sent. So the list is read from its end, and only
as far as those who wrote it are trusted: what stands before may be the client's own invention.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

from roost.gateway.connect.connect_info import PeerData

_FORWARDED_FOR: Final = "x-forwarded-for"
_FORWARDED_PROTO: Final = "x-forwarded-proto"
_FORWARDED_SSL: Final = "x-forwarded-ssl"

MAX_PROXIES: Final = 32
"""Entries of a header that are looked at, from its end; what stands before them is never reached."""
MAX_REMEMBERED: Final = 1024
"""Peers of which is remembered whether they are trusted."""
ANY: Final = "*"

_SECURE: Final = {"https": True, "wss": True, "http": False, "ws": False}
_ON: Final = {"on": True, "off": False}
_MAPPED: Final = IPv6Network("::ffff:0:0/96")

Values = Callable[[str], Sequence[str]]
"""What a request has under the name of a header, in lower case, in the order in which it came."""
_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network


class Client(NamedTuple):
    """The client of a request."""

    peer: PeerData
    """Its port is 0 if the proxy did not tell it."""
    secure: bool
    """Whether it came by https."""


class TrustedProxies:
    """The proxies whose headers are believed."""

    def __init__(self, entries: Iterable[str]) -> None:
        """Addresses and networks, as `ROOST_TRUSTED_PROXIES` has them; `*` is whoever connects. Raises ValueError.

        `*` says nothing of who is named in a header: the address that the connecting proxy wrote is the client's.
        """
        listed = list(entries)
        self._any = ANY in listed
        self._networks = tuple(_unmapped(ip_network(entry)) for entry in listed if entry != ANY)
        self._trusts = lru_cache(MAX_REMEMBERED)(self._judge)

    def __contains__(self, peer: str) -> bool:
        """Whether a peer of this address is believed; an address that is none is not."""
        return self._trusts(peer)

    def client(self, peer: PeerData, secure: bool, values: Values) -> Client:
        """The client behind a trusted peer: the right-most address that is not itself a proxy's.

        An entry that is no address ends the search: then the client is the last proxy that was made out.
        """
        place = 0
        for number, entry in enumerate(reversed(_last_entries(values(_FORWARDED_FOR)))):
            found = _read_entry(entry)
            if found is None:
                break
            address, port = found
            peer, place = PeerData(str(address), port), number
            if not self._is_proxy(address):
                break
        told = _told_scheme(values, place)
        return Client(peer, secure if told is None else told)

    def _judge(self, peer: str) -> bool:
        address = _read_address(peer.partition("%")[0])
        return address is not None and (self._any or self._is_proxy(address))

    def _is_proxy(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


def _told_scheme(values: Values, place: int) -> bool | None:
    """Whether the client came by https, by the words of the proxy that it connected to; None if they say nothing.

    If each proxy adds its own, the scheme stands where the client's address stands: at this place, from the end.
    """
    protos = _last_entries(values(_FORWARDED_PROTO))
    if protos:
        return _SECURE.get(protos[max(0, len(protos) - 1 - place)].lower())
    flags = _last_entries(values(_FORWARDED_SSL))
    return _ON.get(flags[-1].lower()) if flags else None


def _last_entries(values: Sequence[str]) -> list[str]:
    """The last entries of a header, which may have come in several lines."""
    if not values:
        return []
    return [entry.strip(" \t") for entry in ",".join(values).rsplit(",", MAX_PROXIES)[-MAX_PROXIES:]]


def _read_entry(text: str) -> tuple[_Address, int] | None:
    """Address and port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`."""
    host, port = text, ""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or ":" not in host or (port and port[0] != ":"):
            return None
        port = port[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    address = _read_address(host)
    return None if address is None else (address, _read_port(port))


def _read_address(text: str) -> _Address | None:
    """An IPv4 address that is written as IPv6 counts as what it is; zones mean something to their own machine alone."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return None if address.scope_id else address.ipv4_mapped or address


def _read_port(text: str) -> int:
    """0 for what is no port: the address counts all the same."""
    known = len(text) <= 5 and text.isascii() and text.isdigit() and int(text) <= 65535
    return int(text) if known else 0


def _unmapped(network: _Network) -> _Network:
    """The IPv4 network that an IPv6 one of mapped addresses stands for."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return IPv4Network((str(mapped), network.prefixlen - _MAPPED.prefixlen))
    return network
