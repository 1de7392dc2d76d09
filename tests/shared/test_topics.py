"""Topics that are the node's own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared.topics import RESERVED, application_topic, worker_topic


@given(st.text())
def test_applications_have_all_topics_but_the_nodes_own(topic: str) -> None:
    if topic.startswith(RESERVED):
        with pytest.raises(ValueError, match="zero byte"):
            application_topic(topic)
    else:
        assert application_topic(topic) == topic


@pytest.mark.parametrize("topic", [None, 5, b"topic", ["topic"]])
def test_a_topic_is_text(topic: Any) -> None:
    with pytest.raises(TypeError, match="a topic is a str, not"):
        application_topic(topic)


def test_a_topic_is_text_that_can_be_sent() -> None:
    with pytest.raises(UnicodeEncodeError):
        application_topic("\ud800")


def test_every_worker_has_a_topic_that_no_application_can_have() -> None:
    topics = {worker_topic(number) for number in range(100)}
    assert len(topics) == 100
    for topic in topics:
        with pytest.raises(ValueError, match="zero byte"):
            application_topic(topic)
