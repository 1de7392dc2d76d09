"""Who the client behind a proxy is, and that nobody can say it who is not trusted."""

from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.connect.connect_info import PeerData
from roost.gateway.connect.proxies import MAX_PROXIES, Client, TrustedProxies
from roost.shared.config import BadSetting, Machine, read_settings

PROXY = PeerData("10.0.0.1", 5000, b"the proxy's certificate")
PROXIES = TrustedProxies(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"])
untrusted = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str).filter(lambda text: text not in PROXIES)
trusted = st.sampled_from(["10.0.0.1", "10.255.0.1", "192.0.2.1", "2001:db8::5", "::ffff:10.0.0.9"])
garbage = st.sampled_from(["unknown", "_hidden", "", "999.1.1.1", "1.2.3", "fe80::1%eth0", "[::1", "a, b", "\x00", "é"])
# What a client may send: no line breaks, else anything that the parser of a head lets through.
anything = st.one_of(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n")), untrusted, trusted, garbage)


def behind(
    *forwarded_for: str,
    proxies: TrustedProxies = PROXIES,
    secure: bool = False,
    others: dict[str, str] | None = None,
) -> Client:
    headers = {"x-forwarded-for": forwarded_for}
    headers |= {f"x-forwarded-{name}": (value,) for name, value in (others or {}).items()}
    return proxies.client(PROXY, secure, lambda name: headers.get(name, ()))


@pytest.mark.parametrize(
    ("entries", "peer", "trusts"),
    [
        (["10.0.0.1"], "10.0.0.1", True),
        (["10.0.0.1"], "10.0.0.2", False),
        (["10.0.0.0/8"], "10.200.3.4", True),
        (["10.0.0.0/8"], "11.0.0.0", False),
        (["10.0.0.0/8"], "::ffff:10.1.1.1", True),
        (["::ffff:10.0.0.0/104"], "10.1.1.1", True),
        (["::ffff:10.0.0.1"], "10.0.0.1", True),
        (["2001:db8::/32"], "2001:db8:1::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["fe80::1"], "fe80::1%eth0", True),
        (["0.0.0.0/0"], "::1", False),
        (["::/0"], "127.0.0.1", False),
        (["*"], "198.51.100.1", True),
        (["*"], "::1", True),
        (["*"], "", False),
        (["10.0.0.1"], "", False),
        (["10.0.0.1"], "proxy", False),
    ],
)
def test_who_is_believed(entries: list[str], peer: str, trusts: bool) -> None:
    proxies = TrustedProxies(entries)
    assert (peer in proxies) is trusts
    assert (peer in proxies) is trusts  # remembered


@pytest.mark.parametrize(
    ("forwarded_for", "address", "port"),
    [
        (["203.0.113.9"], "203.0.113.9", 0),
        (["203.0.113.9:4711"], "203.0.113.9", 4711),
        (["203.0.113.9:99999"], "203.0.113.9", 0),
        (["203.0.113.9:²"], "203.0.113.9", 0),
        (["2001:DB9:0::1"], "2001:db9::1", 0),
        (["[2001:db9::1]"], "2001:db9::1", 0),
        (["[2001:db9::1]:443"], "2001:db9::1", 443),
        (["::ffff:203.0.113.9"], "203.0.113.9", 0),
        ([" 203.0.113.9\t"], "203.0.113.9", 0),
        # What the client wrote itself stands to the left of what the first proxy wrote.
        (["1.1.1.1, 203.0.113.9"], "203.0.113.9", 0),
        (["1.1.1.1, 10.0.0.3, 203.0.113.9"], "203.0.113.9", 0),
        # Proxies are passed over; several headers are one list.
        (["203.0.113.9, 10.0.0.3"], "203.0.113.9", 0),
        (["1.1.1.1", "203.0.113.9", "192.0.2.1", "10.0.0.3, 2001:db8::3"], "203.0.113.9", 0),
        # The last that could be made out.
        (["203.0.113.9, unknown"], "10.0.0.1", 5000),
        (["203.0.113.9, unknown, 10.0.0.3:80"], "10.0.0.3", 80),
        (["203.0.113.9,"], "10.0.0.1", 5000),
        (["[203.0.113.9]"], "10.0.0.1", 5000),
        (["[2001:db9::1"], "10.0.0.1", 5000),
        (["[2001:db9::1]443"], "10.0.0.1", 5000),
        (["fe80::1%eth0"], "10.0.0.1", 5000),
        (["203.0.113.009"], "10.0.0.1", 5000),
        ([""], "10.0.0.1", 5000),
        ([], "10.0.0.1", 5000),
        (["10.0.0.4, 10.0.0.3"], "10.0.0.4", 0),
    ],
)
def test_the_client_is_the_right_most_that_is_no_proxy(forwarded_for: list[str], address: str, port: int) -> None:
    peer = behind(*forwarded_for).peer
    assert (peer.address, peer.port) == (address, port)
    assert (peer.ssl_cert is None) is (peer != PROXY)


@pytest.mark.parametrize(
    ("forwarded_for", "others", "secure"),
    [
        ("203.0.113.9", {"proto": "https"}, True),
        ("203.0.113.9", {"proto": " WSS "}, True),
        ("203.0.113.9", {"proto": "http"}, False),
        ("203.0.113.9", {"proto": "ws"}, False),
        ("203.0.113.9", {"ssl": "on"}, True),
        ("203.0.113.9", {"ssl": "off"}, False),
        ("203.0.113.9", {"proto": "http", "ssl": "on"}, False),
        ("unknown", {"proto": "https"}, True),
        # It stands where the client's address stands: what is to the left is the client's own word.
        ("203.0.113.9", {"proto": "https, http"}, False),
        ("203.0.113.9, 10.0.0.2", {"proto": "https, http"}, True),
        ("203.0.113.9, 10.0.0.2", {"proto": "http, https, http"}, True),
        ("203.0.113.9, 10.0.0.2", {"proto": "https"}, True),
        ("203.0.113.9, unknown, 10.0.0.2", {"proto": "https, https, http"}, False),
        ("10.0.0.3, 10.0.0.2", {"proto": "http, https, http"}, True),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_the_scheme(forwarded_for: str, others: dict[str, str], secure: bool, before: bool) -> None:
    assert behind(forwarded_for, secure=before, others=others).secure is secure


@pytest.mark.parametrize("others", [{}, {"proto": "gopher"}, {"proto": ""}, {"ssl": "perhaps"}])
@pytest.mark.parametrize("secure", [True, False])
def test_a_scheme_that_nobody_tells_is_the_connections(others: dict[str, str], secure: bool) -> None:
    assert behind("203.0.113.9", secure=secure, others=others).secure is secure


def test_with_any_the_client_is_whom_the_connecting_proxy_names() -> None:
    anybody = TrustedProxies(["*"])
    assert behind("1.1.1.1, 203.0.113.9", proxies=anybody).peer.address == "203.0.113.9"
    assert behind("1.1.1.1, 203.0.113.9, 10.0.0.3", proxies=anybody).peer.address == "10.0.0.3"
    some = TrustedProxies(["*", "10.0.0.0/8"])
    assert behind("1.1.1.1, 203.0.113.9, 10.0.0.3", proxies=some).peer.address == "203.0.113.9"


@given(st.lists(anything, max_size=5), untrusted, st.lists(trusted, max_size=5))
def test_whatever_the_client_sends_its_address_is_what_the_first_proxy_saw(
    sent: list[str], client: str, proxies: list[str]
) -> None:
    address = ip_address(client)
    seen = behind(*sent, ", ".join([client, *proxies]))
    assert ip_address(seen.peer.address) == (getattr(address, "ipv4_mapped", None) or address)


@given(st.lists(anything, max_size=5), st.lists(anything, max_size=3), st.booleans())
def test_whatever_comes_there_is_a_client_with_an_address(sent: list[str], protos: list[str], secure: bool) -> None:
    seen = behind(*sent, secure=secure, others={"proto": ",".join(protos), "ssl": ",".join(sent)})
    assert str(ip_address(seen.peer.address)) == seen.peer.address
    assert 0 <= seen.peer.port <= 65535


def test_of_a_long_header_only_the_end_is_looked_at() -> None:
    assert behind(",".join(["203.0.113.9", *["10.0.0.3"] * (MAX_PROXIES - 1)])).peer.address == "203.0.113.9"
    assert behind(",".join(["203.0.113.9", *["10.0.0.3"] * MAX_PROXIES])).peer.address == "10.0.0.3"
    assert behind("1," * 8000).peer == PROXY
    assert behind("1" * 16_000).peer == PROXY


@given(st.text("0123456789abcdef:./*, ", max_size=40))
def test_what_the_setting_takes_is_taken_here(text: str) -> None:
    with suppress(BadSetting):
        settings = read_settings(Machine(1, 0, "/tmp", None), {"ROOST_TRUSTED_PROXIES": text})
        proxies = TrustedProxies(settings.trusted_proxies)
        for entry in settings.trusted_proxies:
            assert entry == "*" or entry.partition("/")[0] in proxies
