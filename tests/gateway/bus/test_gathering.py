"""Subscriptions that wait for more of their kind."""

from roost.gateway.bus.gathering import MAX_TURNS, Gathering


def test_a_turn_without_subscriptions_waits_for_nothing() -> None:
    assert not Gathering().waits()


def test_a_lone_subscription_waits_for_one_turn() -> None:
    gathering = Gathering()
    gathering.subscribe()
    assert [gathering.waits(), gathering.waits()] == [True, False]


def test_as_long_as_more_come_they_wait_together() -> None:
    gathering = Gathering()
    turns = 0
    gathering.subscribe()
    while gathering.waits():
        gathering.subscribe()
        turns += 1
    assert turns == MAX_TURNS


def test_a_publish_takes_them_along() -> None:
    gathering = Gathering()
    gathering.subscribe()
    gathering.hurry()
    assert not gathering.waits()


def test_afterwards_it_begins_anew() -> None:
    gathering = Gathering()
    gathering.subscribe()
    gathering.hurry()
    gathering.waits()
    gathering.subscribe()
    assert [gathering.waits(), gathering.waits()] == [True, False]
