"""Requests under keys: each is carried out once."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from roost.gateway.bus.repeats import KEEP_SECONDS, MAX_KEY_LENGTH, MAX_KEYS, Repeats


def begun(repeats: Repeats[int], key: str, content: bytes, now: float = 0.0) -> int | str | None:
    return repeats.begin(key, content, now)


class TestRepeats:
    def test_the_same_request_is_answered_as_the_first_time(self) -> None:
        repeats: Repeats[int] = Repeats()
        assert begun(repeats, "a", b"1") is None
        repeats.done("a", 17)
        assert begun(repeats, "a", b"1") == 17

    def test_another_request_under_the_same_key_is_refused(self) -> None:
        repeats: Repeats[int] = Repeats()
        assert begun(repeats, "a", b"1") is None
        assert begun(repeats, "a", b"2") == "the idempotency key 'a' was used for something else"

    def test_one_that_is_under_way_is_not_begun_again(self) -> None:
        repeats: Repeats[int] = Repeats()
        assert begun(repeats, "a", b"1") is None
        assert begun(repeats, "a", b"1") == "the same request is being carried out"

    def test_one_that_failed_may_be_made_again(self) -> None:
        repeats: Repeats[int] = Repeats()
        assert begun(repeats, "a", b"1") is None
        repeats.forget("a")
        assert begun(repeats, "a", b"1") is None

    def test_one_of_which_nobody_knows_may_not(self) -> None:
        repeats: Repeats[int] = Repeats()
        assert begun(repeats, "a", b"1") is None
        repeats.lose("a")
        assert "is not known" in str(begun(repeats, "a", b"1"))

    def test_a_key_is_forgotten_after_its_time(self) -> None:
        repeats: Repeats[int] = Repeats()
        assert begun(repeats, "a", b"1", 0.0) is None
        repeats.done("a", 17)
        assert begun(repeats, "a", b"1", KEEP_SECONDS - 1) == 17
        assert begun(repeats, "a", b"2", KEEP_SECONDS) is None

    def test_the_oldest_key_is_forgotten_when_there_are_too_many(self) -> None:
        repeats: Repeats[int] = Repeats()
        for number in range(MAX_KEYS + 1):
            assert begun(repeats, str(number), b"1") is None
        assert begun(repeats, "1", b"1") == "the same request is being carried out"
        assert begun(repeats, "0", b"1") is None

    def test_a_key_has_a_limit(self) -> None:
        assert "at most 200 characters" in str(begun(Repeats(), "a" * (MAX_KEY_LENGTH + 1), b"1"))
        assert begun(Repeats(), "a" * MAX_KEY_LENGTH, b"1") is None


class OnceEach(RuleBasedStateMachine):
    """Whatever is asked and however it ends, no request is carried out twice unless it failed for sure."""

    def __init__(self) -> None:
        super().__init__()
        self.repeats: Repeats[int] = Repeats()
        self.carried_out: dict[str, tuple[bytes, int]] = {}
        self.count = 0

    @rule(key=st.sampled_from("ab"), content=st.sampled_from([b"1", b"2"]), ends=st.sampled_from(["done", "failed"]))
    def ask(self, key: str, content: bytes, ends: str) -> None:
        answer = self.repeats.begin(key, content, 0.0)
        if key in self.carried_out:
            expected, number = self.carried_out[key]
            assert answer == number if content == expected else isinstance(answer, str)
        else:
            assert answer is None
            if ends == "failed":
                self.repeats.forget(key)
            else:
                self.count += 1
                self.repeats.done(key, self.count)
                self.carried_out[key] = (content, self.count)


TestOnceEach = OnceEach.TestCase
