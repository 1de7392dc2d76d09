"""The ring of what happened last."""

from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.inspection.recent_events import RecentEvent, RecentEvents


@given(st.lists(st.integers(1, 3)), st.integers(1, 10))
def test_the_last_events_are_remembered_in_order(sockets: list[int], limit: int) -> None:
    ring = RecentEvents(limit)
    noted = [RecentEvent(float(at), socket, "join", f"room:{at}") for at, socket in enumerate(sockets)]
    for event in noted:
        ring.note(*event)
    for socket in (1, 2, 3):
        assert list(ring.of(socket)) == [event for event in noted[-limit:] if event.socket == socket]
