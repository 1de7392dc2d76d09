"""The token of a long-poll session."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.endpoint import Endpoint
from roost.gateway.token import Token
from roost.gateway.transports.long_poll_address import new_address, read_address, sign_address
from tests.gateway.lone_worker import lone_worker

SECRET = "abcdefgh" * 8


@pytest.fixture
def endpoint() -> Endpoint:
    async def served() -> Endpoint:
        endpoint = Endpoint()
        with lone_worker() as runtime:
            endpoint.serve(runtime, (SECRET,))
        return endpoint

    return asyncio.run(served())


def test_a_token_names_its_session(endpoint: Endpoint) -> None:
    address = new_address("a", 3, 2**40)
    assert read_address(endpoint, "/socket", sign_address(endpoint, "/socket", address, 60)) == address


def test_two_sessions_of_one_number_are_not_the_same() -> None:
    assert new_address("a", 1, 1) != new_address("a", 1, 1)


def test_tokens_of_other_mounts_and_old_ones_are_none(endpoint: Endpoint) -> None:
    address = new_address("a", 1, 1)
    assert read_address(endpoint, "/other", sign_address(endpoint, "/socket", address, 60)) is None
    assert read_address(endpoint, "/socket", sign_address(endpoint, "/socket", address, -1)) is None


@pytest.mark.parametrize("data", [None, 1, [], [1, 2], ["a", 1, "2", "3"], [1, 2, "3"], {"worker": 1}])
def test_other_data_of_the_same_secret_is_none(endpoint: Endpoint, data: Any) -> None:
    assert read_address(endpoint, "/socket", Token.sign(endpoint, "long poll /socket", data)) is None


@given(token=st.none() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text()))
def test_whatever_a_client_sends_instead(token: Any) -> None:
    class Served(Endpoint):
        secrets = (SECRET,)

    assert read_address(Served(), "/socket", token) is None
