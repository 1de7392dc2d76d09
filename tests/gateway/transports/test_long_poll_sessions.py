"""Polls that arrive at another node than the one that holds their session."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from roost import Endpoint, LongPoll
from roost.gateway.bus.cluster_news import hear_of_cluster
from roost.gateway.clients.runtime import Runtime
from roost.gateway.connect.capacity import Capacity
from roost.gateway.connect.site import Site
from roost.gateway.transports.long_poll_session import LongPollSession
from roost.shared.cluster import NodeDown
from roost.shared.limits import Limits
from tests.gateway.bus.test_local_bus import HallSocket
from tests.gateway.two_nodes import nodes
from tests.limits import LIMIT

Ask = Callable[..., Awaitable[dict[str, Any]]]


def make(pubsub_timeout: float = LIMIT) -> Endpoint:
    endpoint = Endpoint()
    endpoint.mount("/socket", HallSocket, longpoll=LongPoll(window=1.0, pubsub_timeout=pubsub_timeout))
    return endpoint


def asker(runtime: Runtime) -> Ask:
    """What a node's site answers to a GET, or to a POST of messages."""
    site = Site(runtime.endpoint, runtime, Capacity(Limits(), 100))

    async def ask(token: str = "", *messages: list[Any]) -> dict[str, Any]:
        body = (
            [{"type": "http.request", "body": b"\n".join(json.dumps(message).encode() for message in messages)}]
            if messages
            else []
        )
        sent: list[Any] = []

        async def receive() -> Any:
            return body.pop() if body else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST" if messages else "GET",
            "scheme": "http",
            "raw_path": b"/socket/longpoll",
            "query_string": f"vsn=2.0.0&token={token}".encode(),
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/x-ndjson")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 4000),
        }
        await asyncio.wait_for(site(scope, receive, send), LIMIT)
        answer: dict[str, Any] = json.loads(b"".join(message.get("body", b"") for message in sent))
        return answer

    return ask


@contextmanager
def sites(pubsub_timeout: float = LIMIT) -> Iterator[tuple[dict[str, Runtime], Ask, Ask]]:
    with nodes(partial(make, pubsub_timeout), "a", "b") as (runtimes, _):
        yield runtimes, asker(runtimes["a"]), asker(runtimes["b"])


async def poll_waits(runtime: Runtime) -> None:
    """Until a poll waits in the session that a node has."""
    async with asyncio.timeout(LIMIT):
        while not any(_session(client)._polls for client in runtime.clients.values()):
            await asyncio.sleep(0)


def _session(client: Any) -> LongPollSession:
    assert isinstance(client.transport, LongPollSession)
    return client.transport


JOIN = ["1", "1", "hall:x", "phx_join", {}]
JOINED = ["1", "1", "hall:x", "phx_reply", {"status": "ok", "response": {}}]


def messages(answer: dict[str, Any]) -> list[Any]:
    assert answer["status"] == 200
    return [json.loads(message) for message in answer["messages"]]


async def test_a_session_goes_on_at_whichever_node_its_requests_arrive() -> None:
    with sites() as (runtimes, here, there):
        for runtime in runtimes.values():
            runtime.uplink.max_payload = 4096
        token = (await here())["token"]
        assert (await there(token, JOIN))["status"] == 200
        assert messages(await there(token)) == [JOINED]
        assert (await there(token))["status"] == 204
        polling = asyncio.ensure_future(there(token))
        await poll_waits(runtimes["a"])
        await runtimes["a"].endpoint.broadcast("hall:x", "news", {"text": "x" * 50_000})
        assert messages(await polling) == [[None, None, "hall:x", "news", {"text": "x" * 50_000}]]


async def test_a_session_that_has_ended_is_gone_everywhere() -> None:
    with sites() as (runtimes, here, there):
        token = (await here())["token"]
        for client in list(runtimes["a"].clients.values()):
            _session(client).close(1000)
        assert (await there(token, JOIN))["status"] == 410
        fresh = await there(token)
        assert fresh["status"] == 410
        assert (await there(fresh["token"], JOIN))["status"] == 200


async def test_a_session_whose_node_goes_is_gone_with_it() -> None:
    with sites() as (runtimes, here, there):
        token = (await here())["token"]
        polling = asyncio.ensure_future(there(token))
        await poll_waits(runtimes["a"])
        hear_of_cluster(runtimes["b"], NodeDown("a", "id-of-a"))
        assert (await polling)["status"] == 410
        assert (await there(token, JOIN))["status"] == 410


async def test_a_session_whose_worker_does_not_answer_is_gone() -> None:
    with sites(pubsub_timeout=0.1) as (runtimes, here, there):
        token = (await here())["token"]
        runtimes["a"].inbox._handlers.clear()  # as if it were dead
        assert (await there(token))["status"] == 410
