"""Which replicas are up, down and gone (upstream's cases RP-01 to RP-07, TR-02, TR-03)."""

import pytest

from roost.gateway.presence.replicas import Replicas, Turn


@pytest.fixture
def replicas() -> Replicas:
    return Replicas(down_beats=3, gone_beats=6)


def test_limits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="down_beats is at least 2"):
        Replicas(down_beats=1)
    with pytest.raises(ValueError, match="gone_beats is more than down_beats"):
        Replicas(down_beats=5, gone_beats=5)


def test_one_that_is_unknown_is_up_when_it_speaks_and_stays_so(replicas: Replicas) -> None:
    assert "a" not in replicas
    assert replicas.heard("a", watched=False) is Turn.UP
    assert replicas.heard("a", watched=False) is None
    assert replicas.is_up("a")
    for _ in range(20):
        assert replicas.beat() == []
        replicas.heard("a", watched=False)


def test_silence_makes_it_down_once_and_a_word_makes_it_up(replicas: Replicas) -> None:
    replicas.heard("a", watched=False)
    assert [replicas.beat() for _ in range(4)] == [[], [], [("a", Turn.DOWN)], []]
    assert "a" in replicas
    assert not replicas.is_up("a")
    assert replicas.heard("a", watched=False) is Turn.UP
    assert replicas.is_up("a")


def test_long_silence_makes_it_gone(replicas: Replicas) -> None:
    replicas.heard("a", watched=False)
    turns = [turn for _ in range(6) for turn in replicas.beat()]
    assert turns == [("a", Turn.DOWN), ("a", Turn.GONE)]
    assert "a" not in replicas
    assert replicas.heard("a", watched=False) is Turn.UP


def test_the_silence_of_one_that_is_watched_means_nothing(replicas: Replicas) -> None:
    replicas.heard("a", watched=True)
    assert [turn for _ in range(100) for turn in replicas.beat()] == []
    assert replicas.is_up("a")


def test_one_that_is_lost_is_down_until_it_speaks(replicas: Replicas) -> None:
    replicas.heard("a", watched=False)
    assert replicas.lost("a")
    assert not replicas.lost("a")
    assert not replicas.is_up("a")
    assert [replicas.beat() for _ in range(3)] == [[], [], [("a", Turn.GONE)]]
    replicas.heard("b", watched=False)
    replicas.lost("b")
    assert replicas.heard("b", watched=False) is Turn.UP
    assert replicas.is_up("b")


def test_who_is_watched_or_unknown_is_not_lost(replicas: Replicas) -> None:
    replicas.heard("a", watched=True)
    assert not replicas.lost("a")
    assert not replicas.lost("nobody")
    assert replicas.is_up("a")


def test_one_that_is_dead_for_certain_is_forgotten(replicas: Replicas) -> None:
    replicas.heard("a", watched=True)
    assert replicas.forget("a")
    assert not replicas.forget("a")
    assert replicas.names() == []
