"""The long-poll transport by itself: upstream's cases of section 10.4, against two workers."""

from collections.abc import Iterator

import pytest

from tests.applications.entrances import CSRF_TOKEN, SESSION
from tests.conformance.test_connecting import SECRET
from tests.e2e.long_poll import LongPollClient, body_of
from tests.e2e.node import Node


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    running = Node("tests.applications.polled:endpoint", shards=1, workers=2)
    running.environment["ROOST_SECRET_KEY_BASE"] = SECRET
    with running:
        yield running


@pytest.mark.parametrize(("origin", "status"), [("http://localhost", 410), ("http://notallowed.com", 403)])
async def test_ls_01_origins(node: Node, origin: str, status: int) -> None:
    assert (await LongPollClient(node.port).get({"Origin": origin}))["status"] == status


async def test_ls_02_an_answer_at_once(node: Node) -> None:
    polled = await LongPollClient(node.port).open()
    assert await polled.post([None, "1", "phoenix", "heartbeat", {}]) == 200
    answer = [None, "1", "phoenix", "phx_reply", {"response": {}, "status": "ok"}]
    assert await polled.poll() == [answer]


async def test_ls_03_variables_of_the_path(node: Node) -> None:
    polled = await LongPollClient(node.port, "/rooms/a%20b/nested/large/poll", room="query", key="value").open()
    told = (await polled.join("room:told"))[4]["response"]
    assert told["params"] == {"vsn": "2.0.0", "room": "a b", "kind": "large", "key": "value"}


async def test_ls_04_the_token_in_a_header(node: Node) -> None:
    polled = await LongPollClient(node.port).open()
    token, polled.token = polled.token, None
    header = {"X-Phoenix-LongPoll-Token": str(token)}
    join = b'["1","1","room:quiet:a","phx_join",{}]'
    assert body_of(await polled.request("POST", header, join)) == {"status": 200}
    body = await polled.get(header)
    assert (body["status"], body["token"], len(body["messages"])) == (200, token, 1)


async def test_ls_05_the_header_counts_more_than_the_parameter(node: Node) -> None:
    polled = await LongPollClient(node.port).open()
    header = {"X-Phoenix-LongPoll-Token": str(polled.token)}
    polled.token = "bogus"
    assert body_of(await polled.request("POST", header, b'[null,"1","phoenix","heartbeat",{}]')) == {"status": 200}
    assert (await polled.get(header))["status"] == 200


async def test_ls_06_nothing_is_cached(node: Node) -> None:
    response = await LongPollClient(node.port).request("GET")
    assert response.headers["cache-control"] == "no-store"


async def test_ls_07_messages_of_the_servers_own(node: Node) -> None:
    polled = await LongPollClient(node.port).open()
    await polled.join("room:pushes")
    entered, joined = await polled.hears(2)
    assert entered[3] == "user_entered"
    assert joined == ["1", None, "room:pushes", "joined", {"status": "connected"}]


@pytest.mark.parametrize(("path", "seen"), [("/patient/longpoll", "a.token+/="), ("/socket/longpoll", None)])
async def test_the_auth_token(node: Node, path: str, seen: str | None) -> None:
    polled = await LongPollClient(node.port, path).open({"X-Phoenix-AuthToken": "a.token+/="})
    assert (await polled.join("room:told"))[4]["response"]["auth_token"] == seen


@pytest.mark.parametrize(("csrf_token", "session"), [(CSRF_TOKEN, SESSION), ("wrong", None)])
async def test_the_session_of_a_cookie(node: Node, csrf_token: str, session: dict[str, str] | None) -> None:
    polled = LongPollClient(node.port, "/sessions/longpoll", _csrf_token=csrf_token)
    await polled.open({"Cookie": "session=ada"})
    assert (await polled.join("room:told"))[4]["response"]["session"] == session
