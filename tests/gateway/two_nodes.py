"""Workers of several nodes in one process; what their bridges would carry from one to another is carried in memory."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from roost.gateway.bus.local_bus import LocalBus
from roost.gateway.clients.runtime import Runtime
from roost.gateway.endpoint import Endpoint
from roost.gateway.transports.turn import Turn
from roost.shared.bus import Form, Lane, Reach, decode_letter
from roost.shared.crossing import check_size, decode_direct
from roost.shared.phash2 import hash32
from roost.shared.topics import BRIDGE

SECRET = "abcdefgh" * 8


class Bridge:
    """A node's way to the others: it takes what is for one node, and publishes it there."""

    def __init__(self, runtime: Runtime, all_nodes: dict[str, Runtime]) -> None:
        self.carried: list[int] = []
        """Bytes of each message."""
        self._all = all_nodes
        runtime.uplink.subscribe(hash32(1), BRIDGE, Lane.LETTER, (), None, self)

    def confirmed(self, subscription: Any) -> None:
        """As every inbox is told."""

    def letter(self, _: str, letter: bytes) -> None:
        opened = decode_letter(letter)
        assert (opened.form, opened.event) == (Form.PLAIN, "")
        direct = decode_direct(opened.payload)
        crossing = direct.crossing
        uplink = self._all[direct.node].uplink
        check_size(opened.payload, uplink.max_payload)
        self.carried.append(len(opened.payload))
        assert uplink.publish_now(crossing.topic, crossing.form, crossing.event, crossing.payload, reach=Reach.NODE)


@contextmanager
def nodes(make: Callable[[], Endpoint], *names: str) -> Iterator[tuple[dict[str, Runtime], dict[str, Bridge]]]:
    """A worker of each of these nodes, all in the running loop, that know of each other."""
    loop = asyncio.get_running_loop()
    runtimes: dict[str, Runtime] = {}
    for name in names:
        turn = Turn(loop)
        endpoint = make()
        runtime = runtimes[name] = Runtime(0, endpoint, loop, turn, LocalBus(0, turn, loop), name)
        endpoint.serve(runtime, (SECRET,), "localhost")
        runtime.calls.listen()
        runtime.nodes.are(other for other in names if other != name)
    try:
        yield runtimes, {name: Bridge(runtime, runtimes) for name, runtime in runtimes.items()}
    finally:
        for runtime in runtimes.values():
            runtime.runner.close()
