"""The sub-protocols that a client offers, and the token that may be among them (upstream's cases SP-01 to SP-05)."""

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers

from roost.gateway.connect.subprotocols import choose_subprotocol, take_auth_token
from roost.gateway.transports.handshake import Refused

BEARER = "base64url.bearer.phx."


def offering(*values: str) -> Headers:
    return Headers([("Sec-WebSocket-Protocol", value) for value in values])


def token_of(*values: str) -> tuple[str | None, list[str]]:
    headers = offering(*values)
    token = take_auth_token(headers)
    return token, headers.get_all("sec-websocket-protocol")


@given(st.text(st.characters(codec="latin-1")).filter(lambda text: not text.encode("latin-1").isascii() or text))
def test_a_token_as_phoenix_js_sends_it(token: str) -> None:
    sent = base64.b64encode(token.encode("latin-1")).rstrip(b"=").decode()
    taken, left = token_of(f"phoenix, {BEARER}{sent}")
    assert left == ["phoenix"]
    assert taken is not None
    assert taken.encode() == token.encode("latin-1") or taken == token


def test_standard_base64_with_or_without_padding() -> None:
    assert token_of(f"{BEARER}+/+/") == ("ûÿ¿", [])
    for sent in ("YQ", "YQ=", "YQ=="):
        assert token_of(f"phoenix,{BEARER}{sent}") == ("a", ["phoenix"])
    assert token_of(BEARER) == ("", [])


@pytest.mark.parametrize("values", [(), ("phoenix",), (f"{BEARER}YQ, {BEARER}Yg, phoenix",)])
def test_without_exactly_one_token_the_header_stays(values: tuple[str, ...]) -> None:
    assert token_of(*values) == (None, list(values))


@pytest.mark.parametrize("sent", ["!", "a", "YQ-_", "Y Q", "é"])
def test_what_is_no_base64_is_refused(sent: str) -> None:
    with pytest.raises(Refused) as refused:
        token_of(BEARER + sent)
    assert refused.value.status == 400
    assert not refused.value.reason


def test_sp_01_without_a_list_the_header_is_ignored() -> None:
    assert choose_subprotocol(offering("sip"), None) is None


def test_clients_need_not_offer_anything() -> None:
    assert choose_subprotocol(offering(), ["sip"]) is None


@pytest.mark.parametrize("offered", [("sip, mqtt",), ("mqtt, sip",), ("mqtt", "sip"), (" sip ,mqtt,",)])
def test_sp_03_the_first_that_is_served(offered: tuple[str, ...]) -> None:
    assert choose_subprotocol(offering(*offered), ["nothing", "sip", "mqtt"]) == "sip"


@pytest.mark.parametrize("offered", ["sip", "", " , ", "SIP"])
def test_sp_04_none_that_is_served(offered: str) -> None:
    with pytest.raises(Refused) as refused:
        choose_subprotocol(offering(offered), ["mqtt"])
    assert (refused.value.status, refused.value.body) == (403, "")
    assert "mqtt" in refused.value.reason


@given(st.lists(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])).map(str.strip)))
def test_no_header_does_worse_than_a_refusal(values: list[str]) -> None:
    with suppress(Refused):
        take_auth_token(offering(*values, *(BEARER + value for value in values[:1])))
    with suppress(Refused):
        choose_subprotocol(offering(*values), ["a"])
