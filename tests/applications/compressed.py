"""The playground with compression, without it, and with a small limit."""

from examples.playground import EchoSocket, PlaygroundSocket
from roost import Endpoint, WebSocket

SMALL_LIMIT = 10_000

endpoint = Endpoint(check_origin=False)
endpoint.mount("/socket", PlaygroundSocket, websocket=WebSocket(compress=True))
endpoint.mount("/plain", PlaygroundSocket)
endpoint.mount("/echo", EchoSocket, websocket=WebSocket(compress=True))
endpoint.mount("/small", EchoSocket, websocket=WebSocket(compress=True, max_frame_size=SMALL_LIMIT))
