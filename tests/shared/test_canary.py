"""The canary's names."""

from roost.shared.canary import canary_path, canary_topic
from roost.shared.topics import RESERVED


def test_its_topics_are_the_nodes_own() -> None:
    topics = {canary_topic(run, number) for run in ("a", "b") for number in range(3)}
    assert len(topics) == 6
    assert all(topic.startswith(RESERVED) for topic in topics)


def test_its_path_is_as_hard_to_guess_as_the_token() -> None:
    assert canary_path("one") != canary_path("other")
    assert canary_path("one").endswith("/one")
