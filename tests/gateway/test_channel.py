"""What is wrong with a channel class is said when it is made."""

from typing import Any

import pytest

from roost.gateway.channel import Channel


@pytest.mark.parametrize(
    ("intercepts", "sentence"),
    [("new_msg", r"Room.intercepts lists events: write \('new_msg',\)"), ((5,), "an event is a str, not 5")],
)
def test_intercepts_are_events(intercepts: Any, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        type("Room", (Channel,), {"intercepts": intercepts})
