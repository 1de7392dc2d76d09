"""Which offers of compression are taken, and with what answer (phoenix-behaviour: 2.9; RFC 7692, section 7.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.headers import parse_extension

from roost.gateway.transports.compression import accept_offer
from roost.shared.deflate import WINDOW_BITS

ALWAYS = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


def answer(*offers: str) -> str | None:
    headers = Headers()
    for offer in offers:
        headers["Sec-WebSocket-Extensions"] = offer
    return accept_offer(headers)


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        ("permessage-deflate", ALWAYS),
        ("permessage-deflate; client_max_window_bits", ALWAYS),
        ("permessage-deflate; client_max_window_bits=8", f"{ALWAYS}; client_max_window_bits=8"),
        ("permessage-deflate; server_max_window_bits=15", f"{ALWAYS}; server_max_window_bits=15"),
        ('permessage-deflate; server_max_window_bits="12"', f"{ALWAYS}; server_max_window_bits=12"),
        ("permessage-deflate; client_no_context_takeover; server_no_context_takeover", ALWAYS),
        ("x-webkit-deflate-frame, permessage-deflate", ALWAYS),
        ("permessage-deflate; server_max_window_bits=9, permessage-deflate", ALWAYS),
        (
            "permessage-deflate; unknown, permessage-deflate; client_max_window_bits=9",
            f"{ALWAYS}; client_max_window_bits=9",
        ),
    ],
)
def test_the_first_acceptable_offer_is_taken(offer: str, agreed: str) -> None:
    assert answer(offer) == agreed


def test_offers_may_stand_in_several_headers() -> None:
    assert answer("permessage-deflate; unknown", "permessage-deflate; server_max_window_bits=13") == (
        f"{ALWAYS}; server_max_window_bits=13"
    )


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "permessage-bzip2",
        "permessage-deflate; unknown",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=015",
        f"permessage-deflate; server_max_window_bits={WINDOW_BITS - 1}",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=x",
        "permessage-deflate;;",
        "permessage-deflate; =",
    ],
)
def test_without_an_acceptable_offer_nothing_is_compressed(offer: str) -> None:
    assert answer(offer) is None


def test_a_client_that_offers_nothing() -> None:
    assert answer() is None


windows = st.none() | st.integers(WINDOW_BITS, 15)


@given(st.booleans(), st.booleans(), windows, st.none() | st.just(True) | st.integers(9, 15))  # noqa: FBT003
def test_clients_of_another_library_take_our_answer(
    server_forgets: bool, client_forgets: bool, server_window: int | None, client_window: int | bool | None
) -> None:
    client = ClientPerMessageDeflateFactory(server_forgets, client_forgets, server_window, client_window)
    offer = "; ".join(
        [
            "permessage-deflate",
            *(name if value is None else f"{name}={value}" for name, value in client.get_request_params()),
        ]
    )
    agreed = answer(offer)
    assert agreed is not None
    ((_, params),) = parse_extension(agreed)
    extension = client.process_response_params(params, [])
    assert extension.remote_no_context_takeover
    assert extension.local_no_context_takeover
