"""Upstream's cases of its channel test helpers (Phoenix 1.8, `test/phoenix/test/channel_test.exs`), each by its ID.

Where it has another process, here it is another task; where it has atoms for keys, here they are no text; what it casts
is sent to `handle_info`. What is left has no counterpart: CT-03 (which process is sent what the client is), CT-35 and
CT-36 (`code_change`: a worker is started anew, its channels are joined again).
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import msgspec
import pytest

from roost import Channel, ConnectInfo, Endpoint, Error, Ok, Reply, Socket, Stop, event, intercept
from roost.gateway.clients.channel_mailbox import SHUTDOWN_LIMIT
from roost.testing import CallFailed, ClientChannel, ConnectRefused, JoinRefused, LocalNode, connect_info, local_node


class Point(msgspec.Struct):
    x: int
    y: int


ended: list[tuple[str, str]] = []
"""Topics and reasons of the channels that have ended."""


class UserSocket(Socket):
    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Ok | Error:
        if params.get("reject") == "true":
            return Error({"reason": "rejected"})
        self.params = params
        self.address = info.peer_data.address
        if "id" in params:
            self.id = f"user:{params['id']}"
        return Ok()


class RoomChannel(Channel[UserSocket]):
    assigned: ClassVar[str] = "nothing"

    async def join(self, params: Any) -> Any:
        match self.subtopic:
            case "error":
                return Error({"reason": "mine"})
            case "garbage":
                return "garbage"
        self.join_params = params
        return Ok({"topic": self.topic})

    @event("noreply")
    async def noreply(self, payload: Any) -> None:
        await self.push("noreply", payload)

    @event("reply")
    async def reply(self, payload: Any) -> Ok:
        return Ok({"resp": payload["req"]})

    @event("bare")
    async def bare(self, _: Any) -> Reply:
        return Reply("weird")

    @event("later")
    async def later(self, payload: Any) -> None:
        handle = self.reply_later()

        async def answer() -> None:
            await asyncio.sleep(payload["seconds"])
            handle.reply(Ok({"late": True}))

        self.task = asyncio.ensure_future(answer())

    @event("hang")
    async def hang(self, _: Any) -> None:
        await asyncio.Event().wait()

    @event("crash")
    async def crash(self, _: Any) -> None:
        raise RuntimeError("boom")

    @event("stop")
    async def stop(self, payload: Any) -> Stop:
        return Stop(payload.get("reason", "normal"), Ok(payload["reply"]) if "reply" in payload else None)

    @event("broadcast")
    async def tell_all(self, payload: Any) -> Ok:
        await self.broadcast("broadcast", payload)
        return Ok()

    @event("broadcast_from")
    async def tell_others(self, payload: Any) -> Ok:
        await self.broadcast_from("broadcast", payload)
        return Ok()

    @event("follow")
    async def follow(self, payload: Any) -> Ok:
        await self.subscribe(payload["topic"])
        return Ok()

    @intercept("stop")
    async def stopped(self, _: Any) -> Stop:
        return Stop("shutdown")

    async def handle_info(self, message: Any) -> Stop | None:
        match message:
            case "stop":
                return Stop("shutdown")
            case {"push": payload}:
                await self.push("info", payload)
            case {"broadcast": payload}:
                await self.broadcast("broadcast", payload)
            case _:
                await self.push("relayed", {"topic": message.topic, "event": message.event})
        return None

    async def handle_call(self, question: Any) -> Any:
        return {"answer": question}

    async def terminate(self, reason: str | BaseException) -> None:
        ended.append((self.topic, str(reason)))


class QuietChannel(Channel[UserSocket]):
    @event("ping")
    async def ping(self, _: Any) -> Ok:
        return Ok()


UserSocket.route("room:assigned", RoomChannel, {"assigned": "something"})
UserSocket.route("room:*", RoomChannel)
UserSocket.route("quiet:*", QuietChannel)


@pytest.fixture
async def node() -> AsyncIterator[LocalNode]:
    ended.clear()
    async with local_node(Endpoint(sockets={"/socket": UserSocket})) as node:
        yield node


@pytest.fixture
async def room(node: LocalNode) -> ClientChannel:
    return await (await node.connect(UserSocket)).subscribe_and_join("room:a", {"n": 1})


async def test_ct_01_a_socket_has_its_endpoint(node: LocalNode) -> None:
    assert (await node.connect(UserSocket)).socket.endpoint is node.endpoint


async def test_ct_02_a_socket_with_an_id_and_attributes(node: LocalNode) -> None:
    socket = (await node.connect(UserSocket, {"id": 7})).socket
    assert isinstance(socket, UserSocket)
    assert (socket.id, socket.params["id"], socket.address) == ("user:7", "7", "127.0.0.1")


async def test_ct_04_a_join_answers_what_the_channel_replies(room: ClientChannel) -> None:
    assert room.reply == {"topic": "room:a"}
    assert isinstance(room.channel, RoomChannel)
    assert room.channel.join_params == {"n": 1}


async def test_ct_05_19_and_25_another_task_connects_joins_and_is_pushed_to(node: LocalNode) -> None:
    async def elsewhere() -> ClientChannel:
        return await (await node.connect(UserSocket, {"id": 7})).join("room:a", {"n": 1})

    room = await asyncio.create_task(elsewhere())
    assert room.reply == {"topic": "room:a"}
    assert room.socket.socket.id == "user:7"
    await asyncio.create_task(node.broadcast("room:a", "news", {"n": 1}))
    await asyncio.create_task(room.assert_push("news", {"n": 1}))


async def test_ct_06_a_refused_join_raises_with_the_answer(node: LocalNode) -> None:
    with pytest.raises(JoinRefused, match="answered error") as refused:
        await (await node.connect(UserSocket)).join("room:error")
    assert (refused.value.status, refused.value.payload) == ("error", {"reason": "mine"})


async def test_ct_07_a_join_that_returns_garbage_has_crashed(node: LocalNode) -> None:
    with pytest.raises(JoinRefused) as refused:
        await (await node.connect(UserSocket)).join("room:garbage")
    assert refused.value.payload == {"reason": "join crashed"}


async def test_ct_08_a_push_is_asserted_by_a_function(room: ClientChannel) -> None:
    room.push("noreply", {"n": 3})
    assert await room.assert_push("noreply", lambda payload: payload["n"] > 2) == {"n": 3}


async def test_ct_09_a_push_and_no_reply(room: ClientChannel) -> None:
    ref = room.push("noreply", {"n": 1})
    await room.assert_push("noreply", {"n": 1})
    await room.refute_reply(ref)


async def test_ct_10_replies_bare_and_with_a_payload(room: ClientChannel) -> None:
    await room.assert_reply(room.push("bare"), "weird", {})
    await room.assert_reply(room.push("reply", {"req": "q"}), "ok", {"resp": "q"})
    await room.refute_push("reply")


async def test_ct_11_20_and_41_keys_become_text_at_any_depth(node: LocalNode) -> None:
    room = await (await node.connect(UserSocket)).join("room:a", {1: [{2: {3: "deep"}}]})
    assert isinstance(room.channel, RoomChannel)
    assert room.channel.join_params == {"1": [{"2": {"3": "deep"}}]}
    await room.assert_reply(
        room.push("reply", {"req": [{1: 2}, {3: [{4: 5}]}]}), "ok", {"resp": [{"1": 2}, {"3": [{"4": 5}]}]}
    )


async def test_ct_12_a_reply_of_another_task(room: ClientChannel) -> None:
    await room.assert_reply(room.push("later", {"seconds": 0}), "ok", {"late": True})


async def test_ct_13_a_crash_runs_terminate_and_is_no_close(room: ClientChannel) -> None:
    room.push("crash")
    await room.assert_crashed()
    assert ended == [("room:a", "boom")]
    with pytest.raises(AssertionError, match="to be closed"):
        await room.assert_closed()


async def test_ct_14_a_normal_stop_closes_and_later_pushes_do_no_harm(room: ClientChannel) -> None:
    room.push("stop")
    await room.assert_closed()
    assert ended == [("room:a", "normal")]
    await room.refute_push("anything")
    room.push("noreply")
    await room.refute_push("noreply")


async def test_ct_15_a_stop_with_a_reply(room: ClientChannel) -> None:
    ref = room.push("stop", {"reason": "shutdown", "reply": {"last": 1}})
    await room.assert_reply(ref, "ok", {"last": 1})
    await room.assert_closed()
    assert ended == [("room:a", "shutdown")]


async def test_ct_16_a_broadcast_is_asserted_by_a_function(room: ClientChannel) -> None:
    room.push("broadcast", {"n": 3})
    await room.assert_broadcast("broadcast", lambda payload: payload["n"] > 2)


async def test_ct_17_a_broadcast_to_the_others_is_seen_by_a_subscriber(room: ClientChannel) -> None:
    room.push("broadcast_from", {"n": 3})
    await room.assert_broadcast("broadcast", {"n": 3})
    await room.refute_push("broadcast")


async def test_ct_18_connect_refused_and_joins_by_routing(node: LocalNode) -> None:
    with pytest.raises(ConnectRefused) as refused:
        await node.connect(UserSocket, {"reject": True})
    assert refused.value.error == Error({"reason": "rejected"})
    socket = await node.connect(UserSocket, {"id": 1})
    assert socket.socket.id == "user:1"
    assert isinstance((await socket.join("room:a")).channel, RoomChannel)
    assert isinstance((await socket.join("quiet:a")).channel, QuietChannel)


async def test_ct_21_a_reply_is_asserted_by_a_function(room: ClientChannel) -> None:
    await room.assert_reply(room.push("reply", {"req": 5}), "ok", lambda payload: payload["resp"] > 4)


async def test_ct_22_structs_are_sent_as_their_fields(node: LocalNode, room: ClientChannel) -> None:
    """Upstream hands a struct through; here a test's payload goes the way of a client's, so it is JSON on arrival."""
    await room.assert_reply(room.push("reply", {"req": Point(1, 2)}), "ok", {"resp": {"x": 1, "y": 2}})
    await node.broadcast("room:a", "moved", Point(3, 4))
    await room.assert_push("moved", {"x": 3, "y": 4})


async def test_ct_23_parameters_are_text_as_in_a_query(node: LocalNode) -> None:
    socket = (await node.connect(UserSocket, {"n": 1, "list": [1, {"deep": True}], "none": None})).socket
    assert isinstance(socket, UserSocket)
    assert socket.params == {"n": "1", "list": ["1", {"deep": "true"}], "none": "", "vsn": "2.0.0"}


async def test_ct_24_what_is_not_intercepted_is_pushed_by_itself(node: LocalNode, room: ClientChannel) -> None:
    await node.broadcast("room:a", "news", {"n": 1})
    await room.assert_push("news", {"n": 1})


async def test_ct_26_what_handle_out_stops_is_closed(node: LocalNode, room: ClientChannel) -> None:
    await node.broadcast("room:a", "stop", {})
    await room.assert_closed()
    assert ended == [("room:a", "shutdown")]


async def test_ct_27_what_handle_info_stops_is_closed(room: ClientChannel) -> None:
    room.send_info("stop")
    await room.assert_closed()
    assert ended == [("room:a", "shutdown")]


async def test_ct_28_handle_info_pushes(room: ClientChannel) -> None:
    room.send_info({"push": {"n": 1}})
    await room.assert_push("info", {"n": 1})


async def test_ct_29_handle_info_broadcasts(room: ClientChannel) -> None:
    room.send_info({"broadcast": {"n": 1}})
    await room.assert_broadcast("broadcast", {"n": 1})


async def test_ct_30_handle_call_answers(room: ClientChannel) -> None:
    assert await room.call("why") == {"answer": "why"}


async def test_ct_31_what_other_code_casts_has_its_effect(node: LocalNode, room: ClientChannel) -> None:
    await room.assert_reply(room.push("follow", {"topic": "casts"}))
    await node.send("casts", {"push": {"n": 1}})
    await room.assert_push("info", {"n": 1})


async def test_ct_32_leaving_is_answered_and_closes_and_again_does_no_harm(room: ClientChannel) -> None:
    await room.assert_reply(room.leave(), "ok", {})
    await room.assert_closed()
    assert ended == [("room:a", "left")]
    await room.assert_reply(room.leave(), "ok", {})
    assert len(ended) == 1


async def test_ct_33_a_closed_connection_ends_its_channels_once(room: ClientChannel) -> None:
    await room.socket.close()
    await room.socket.close()
    assert ended == [("room:a", "closed")]


async def test_ct_34_a_method_that_hangs_when_its_client_closes_is_ended(node: LocalNode, room: ClientChannel) -> None:
    room.push("hang")
    await room.refute_push("anything")
    await room.socket.close()
    assert ended == []
    await node.advance(SHUTDOWN_LIMIT)
    assert [topic for topic, _ in ended] == ["room:a"]


async def test_ct_37_another_topic_is_relayed_by_handle_info(node: LocalNode, room: ClientChannel) -> None:
    await room.assert_reply(room.push("follow", {"topic": "elsewhere"}))
    await node.broadcast("elsewhere", "news", {})
    await room.assert_push("relayed", {"topic": "elsewhere", "event": "news"})


async def test_ct_38_an_unknown_message_is_warned_of(node: LocalNode, caplog: pytest.LogCaptureFixture) -> None:
    quiet = await (await node.connect(UserSocket)).join("quiet:a")
    with caplog.at_level(logging.WARNING):
        quiet.send_info("what is this")
        await quiet.assert_reply(quiet.push("ping"))
    assert "has no handle_info" in caplog.text


async def test_ct_39_a_disconnect_on_the_id_closes_the_connection(node: LocalNode) -> None:
    socket = await node.connect(UserSocket, {"id": 7})
    await socket.subscribe_and_join("room:a")
    await node.subscribe("user:7")
    await node.broadcast("user:7", "disconnect", {})
    await node.assert_broadcast("user:7", "disconnect")
    await socket.assert_closed(1001)
    assert ended == [("room:a", "disconnected")]


async def test_ct_40_a_routes_assigns_are_attributes(node: LocalNode) -> None:
    channel = (await (await node.connect(UserSocket)).join("room:assigned")).channel
    assert isinstance(channel, RoomChannel)
    assert channel.assigned == "something"


async def test_a_channel_that_ended_answers_no_question(room: ClientChannel) -> None:
    address = room.channel.address
    await room.assert_reply(room.leave())
    with pytest.raises(CallFailed):
        await room.socket.node.endpoint.call(address, "why")


async def test_what_connect_is_told_of_a_client_can_be_chosen(node: LocalNode) -> None:
    socket = (await node.connect(UserSocket, info=connect_info(address="10.0.0.7"))).socket
    assert isinstance(socket, UserSocket)
    assert socket.address == "10.0.0.7"
