"""Who gets a place: the books balance whatever comes and goes, and nobody gets one too many."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from roost.gateway.connect.capacity import MAX_TURNED_AWAY, Capacity, Place
from roost.shared.limits import Limits

ADDRESSES = ("10.0.0.1", "10.0.0.2", "::ffff:10.0.0.1", "2001:db8::1", "2001:db8::2", "2001:db8:1::1", "fe80::1%eth0")
OWNERS = dict(zip(ADDRESSES, "abaccde", strict=True))
"""Which addresses are the same client's, as far as limits go."""
limits = st.builds(Limits, st.integers(1, 6), st.integers(0, 3))


class Connections(RuleBasedStateMachine):
    """Connections come and go while the limits change."""

    def __init__(self) -> None:
        super().__init__()
        self.capacity = Capacity(Limits(4, 2), 5)
        self.here: list[tuple[str | None, Place]] = []
        self.turned_away: list[Place] = []

    def owners(self) -> "Counter[str]":
        """Connections by the client whose they are, as far as it is known."""
        return Counter(OWNERS[address] for address, _ in self.here if address is not None)

    @rule(address=st.sampled_from(ADDRESSES))
    def come(self, address: str) -> None:
        before = self.owners()
        place = self.capacity.enter(address)
        assert place is not None
        allowed = self.capacity.limits.max_connections_per_address
        if len(self.here) >= min(self.capacity.limits.max_connections, 5):
            assert place.refusal == 503
        elif allowed and before[OWNERS[address]] >= allowed:
            assert place.refusal == 429
        else:
            assert place.refusal is None
        if place.refusal:
            self.turned_away.append(place)
        else:
            self.here.append((address, place))

    @rule(address=st.sampled_from(ADDRESSES))
    def come_by_a_proxy(self, address: str) -> None:
        place = self.capacity.enter(None)
        assert place is not None
        if len(self.here) >= min(self.capacity.limits.max_connections, 5):
            assert place.refusal == 503
            place.assign(address)
            assert place.refusal == 503
            self.turned_away.append(place)
        else:
            assert place.refusal is None
            self.here.append((None, place))

    @rule(data=st.data(), address=st.sampled_from(ADDRESSES))
    def turn_out_to_be_a_clients(self, data: st.DataObject, address: str) -> None:
        waiting = [which for which, (known, place) in enumerate(self.here) if known is None and not place.refusal]
        if waiting:
            which = data.draw(st.sampled_from(waiting))
            place = self.here[which][1]
            before = self.owners()[OWNERS[address]]
            place.assign(address)
            allowed = self.capacity.limits.max_connections_per_address
            if allowed and before >= allowed:
                assert place.refusal == 429
            else:
                assert place.refusal is None
                self.here[which] = (address, place)
            place.assign(ADDRESSES[0])  # once and for all

    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        if self.here:
            _, place = self.here.pop(data.draw(st.integers(0, len(self.here) - 1)))
            place.leave()
            place.leave()

    @rule()
    def the_refused_go(self) -> None:
        while self.turned_away:
            self.turned_away.pop().leave()

    @rule(changed=limits)
    def change(self, changed: Limits) -> None:
        self.capacity.limits = changed

    @invariant()
    def the_books_balance(self) -> None:
        assert self.capacity.connections == len(self.here)
        assert sum(self.capacity._by_owner.values()) == self.owners().total()
        assert self.capacity.cut == 0

    def teardown(self) -> None:
        for _, place in self.here:
            place.leave()
        assert self.capacity._by_owner == {}


TestConnections = Connections.TestCase
TestConnections.settings = settings(max_examples=100, stateful_step_count=40)


def test_those_that_wait_for_a_refusal_have_a_limit_too() -> None:
    capacity = Capacity(Limits(1), 100)
    assert capacity.enter("a") is not None
    waiting = [capacity.enter("b") for _ in range(MAX_TURNED_AWAY)]
    assert all(place is not None and place.refusal == 503 for place in waiting)
    assert capacity.enter("c") is None
    assert (capacity.turned_away, capacity.cut) == (MAX_TURNED_AWAY, 1)
    last = waiting.pop()
    assert last is not None
    last.leave()
    assert capacity.enter("c") is not None


def test_a_process_holds_no_more_than_it_has_descriptors() -> None:
    capacity = Capacity(Limits(100), 1)
    assert capacity.max_connections == 1
    assert capacity.enter("a") is not None
    place = capacity.enter("b")
    assert place is not None
    assert place.refusal == 503
