"""The addresses of an engine: those of one kind, each with a port that is one."""

import pytest

from roost.shared.setting_texts import read_engine_urls


def test_addresses_are_separated_by_commas() -> None:
    assert read_engine_urls(" nats://u:p@a:1, nats://b ") == ("nats://u:p@a:1", "nats://b")
    assert read_engine_urls(" ") == ()


@pytest.mark.parametrize("text", ["a:4222", "nats://", "nats://a,redis://b", "nats://a, ,nats://b"])
def test_what_is_no_address_of_one_engine_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="addresses of one engine"):
        read_engine_urls(text)


@pytest.mark.parametrize("port", ["42x", "70000", "-1"])
def test_a_port_that_is_none_is_named_and_the_password_is_not(port: str) -> None:
    with pytest.raises(ValueError, match="the port is wrong") as refused:
        read_engine_urls(f"nats://user:s3cret@host:{port}")
    assert "s3cret" not in str(refused.value)
