"""Rooms under each policy for slow clients, and some that have time for them; nobody is disconnected for silence."""

from examples.playground import RoomChannel
from roost import Endpoint, Socket, WebSocket, WhenSlow
from roost.gateway.transports.outbox import MAX_OUTBOUND_BYTES


def _rooms(policy: WhenSlow, max_outbound_bytes: int = MAX_OUTBOUND_BYTES) -> Endpoint:
    class StuckSocket(Socket):
        pass

    class StuckChannel(RoomChannel):
        when_slow = policy

    StuckSocket.route("room:*", StuckChannel)
    rooms = Endpoint(check_origin=False)
    rooms.mount("/socket", StuckSocket, websocket=WebSocket(timeout=None, max_outbound_bytes=max_outbound_bytes))
    return rooms


disconnect = _rooms(WhenSlow.DISCONNECT)
drop_newest = _rooms(WhenSlow.DROP_NEWEST)
latest = _rooms(WhenSlow.LATEST)
unhurried = _rooms(WhenSlow.DISCONNECT, max_outbound_bytes=64 * 1024 * 1024)
