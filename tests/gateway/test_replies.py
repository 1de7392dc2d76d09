"""What handlers answer."""

from typing import Any

import pytest

from roost.gateway.replies import Error, Ok, Reply, Stop


def test_statuses_are_those_that_phoenix_js_knows() -> None:
    assert (Ok().status, Error().status, Reply("later").status) == ("ok", "error", "later")
    assert Ok().payload == Error().payload == Reply("later").payload == {}


def test_an_empty_payload_is_nobody_elses() -> None:
    assert Ok().payload is not Ok().payload


def test_the_status_of_ok_cannot_be_set() -> None:
    with pytest.raises(TypeError):
        Ok({}, "other")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("reason", "graceful"),
    [
        *((reason, True) for reason in ("normal", "shutdown", "shutdown:", "shutdown:moved")),
        *((reason, False) for reason in ("", "other", "Normal", "shutdown ", "shutdowns", "kill")),
    ],
)
def test_after_which_reasons_a_client_stays_away(reason: str, graceful: bool) -> None:
    assert Stop(reason).graceful is graceful


@pytest.mark.parametrize("text", [None, 5, b"normal", RuntimeError("full")])
def test_reasons_and_statuses_are_text(text: Any) -> None:
    with pytest.raises(TypeError, match="the reason of a Stop is a str, not"):
        Stop(text)
    with pytest.raises(TypeError, match="the status of a Reply is a str, not"):
        Reply(text)


def test_stopping_is_normal_unless_said_otherwise() -> None:
    assert Stop() == Stop("normal", None)
