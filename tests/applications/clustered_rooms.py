"""Rooms alone: what crosses to other nodes is what clients say, and nothing of Roost's own."""

from examples.playground import PlaygroundSocket
from roost import Endpoint, MessagesLost, WebSocket

endpoint = Endpoint(check_origin=False)
endpoint.mount("/socket", PlaygroundSocket, websocket=WebSocket(timeout=None))
endpoint.telemetry.attach(MessagesLost, lambda event: print(f"lost {event.lost} of {event.node}", flush=True))
