"""Links over real sockets: what is told and asked, and what happens when the other end goes."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from roost.shared.control import Failed, Message
from roost.shared.envelopes import Answer as AnswerEnvelope
from roost.shared.envelopes import encode_envelope
from roost.shared.inspection import AskSubscribers, AskTopics, TopicCount
from roost.shared.link import Link, LinkClosed, Refused
from tests.limits import LIMIT
from tests.shared.processes import short_directory


class End:
    """One end of a link, served, with what it was told."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.told: asyncio.Queue[Message] = asyncio.Queue()
        self.answer: Callable[[Message], Awaitable[Any]] = self.refuse
        self.serving = asyncio.ensure_future(link.serve(self.told.put_nowait, lambda question: self.answer(question)))

    async def refuse(self, question: Message) -> Any:
        raise Refused(f"no answer to {question}")

    async def hears(self) -> Message:
        return await asyncio.wait_for(self.told.get(), LIMIT)

    async def ends(self) -> None:
        await asyncio.wait_for(self.serving, LIMIT)


@pytest.fixture
async def ends() -> AsyncIterator[tuple[End, End]]:
    """Both ends of a link over a pair of sockets."""
    pair = [End(await Link.over(end)) for end in socket.socketpair()]
    yield pair[0], pair[1]
    for end in pair:
        end.link.close()
        await end.ends()


@pytest.fixture
async def raw_end() -> AsyncIterator[tuple[End, socket.socket]]:
    """One end of a link, and at the other a plain socket."""
    ours, theirs = socket.socketpair()
    end = End(await Link.over(ours))
    yield end, theirs
    theirs.close()
    end.link.close()
    await end.ends()


async def echo(question: Message) -> Any:
    assert isinstance(question, AskTopics)
    return [TopicCount(question.prefix, 1)]


class TestTelling:
    """What wants no answer."""

    async def test_what_is_told_is_heard_in_order(self, ends: tuple[End, End]) -> None:
        left, right = ends
        for number in range(100):
            left.link.tell(Failed(str(number)))
        assert [await right.hears() for _ in range(100)] == [Failed(str(number)) for number in range(100)]

    async def test_both_ends_may_tell(self, ends: tuple[End, End]) -> None:
        for teller, listener in (ends, reversed(ends)):
            teller.link.tell(Failed("a sentence"))
            assert await listener.hears() == Failed("a sentence")

    async def test_a_large_message_arrives_whole(self, ends: tuple[End, End]) -> None:
        left, right = ends
        left.link.tell(Failed("x" * 5_000_000))
        left.link.tell(Failed("after"))
        assert await right.hears() == Failed("x" * 5_000_000)
        assert await right.hears() == Failed("after")

    async def test_what_is_told_to_a_closed_link_goes_nowhere(self, ends: tuple[End, End]) -> None:
        left, right = ends
        left.link.close()
        left.link.tell(Failed("a sentence"))
        await right.ends()
        assert right.told.empty()


class TestAsking:
    """What is answered, and what is not."""

    async def test_an_answer_comes_as_the_type_that_was_asked_for(self, ends: tuple[End, End]) -> None:
        left, right = ends
        right.answer = echo
        assert await left.link.ask(AskTopics("room:"), list[TopicCount], LIMIT) == [TopicCount("room:", 1)]

    async def test_many_may_be_asked_at_once_and_answered_in_any_order(self, ends: tuple[End, End]) -> None:
        left, right = ends
        gates = {str(number): asyncio.Event() for number in range(20)}

        async def answer_later(question: Message) -> Any:
            assert isinstance(question, AskTopics)
            await gates[question.prefix].wait()
            return question.prefix

        right.answer = answer_later
        asking = {prefix: asyncio.ensure_future(left.link.ask(AskTopics(prefix), str, LIMIT)) for prefix in gates}
        for prefix in reversed(list(gates)):
            gates[prefix].set()
            assert await asking.pop(prefix) == prefix
            assert not any(future.done() for future in asking.values())

    async def test_both_ends_may_ask_at_once(self, ends: tuple[End, End]) -> None:
        left, right = ends
        left.answer = right.answer = echo
        questions = [
            end.link.ask(AskTopics(name), list[TopicCount], LIMIT) for end, name in ((left, "l"), (right, "r"))
        ]
        assert await asyncio.gather(*questions) == [[TopicCount("l", 1)], [TopicCount("r", 1)]]

    async def test_a_refusal_says_why(self, ends: tuple[End, End]) -> None:
        with pytest.raises(Refused, match="no answer to AskSubscribers"):
            await ends[0].link.ask(AskSubscribers("room:a"), str, LIMIT)

    async def test_a_question_that_fails_is_logged_there_and_ends_no_link(
        self, ends: tuple[End, End], caplog: pytest.LogCaptureFixture
    ) -> None:
        left, right = ends

        async def fail(question: Message) -> Any:
            raise ZeroDivisionError("a bug")

        right.answer = fail
        with caplog.at_level(logging.ERROR), pytest.raises(Refused) as refused:
            await left.link.ask(AskTopics(""), str, LIMIT)
        assert "a bug" not in str(refused.value)
        assert [record.exc_info is not None for record in caplog.records] == [True]
        right.answer = echo
        assert await left.link.ask(AskTopics("a"), list[TopicCount], LIMIT)

    async def test_the_limit_is_kept_and_a_late_answer_disturbs_nobody(self, ends: tuple[End, End]) -> None:
        left, right = ends
        gate = asyncio.Event()

        async def answer_late(question: Message) -> Any:
            await gate.wait()
            return "late"

        right.answer = answer_late
        with pytest.raises(TimeoutError):
            await left.link.ask(AskTopics(""), str, 0.01)
        right.answer = echo
        gate.set()
        assert await left.link.ask(AskTopics("a"), list[TopicCount], LIMIT) == [TopicCount("a", 1)]

    async def test_an_answer_to_no_question_is_ignored(self, raw_end: tuple[End, socket.socket]) -> None:
        end, theirs = raw_end
        theirs.sendall(encode_envelope(AnswerEnvelope(7, "nobody asked")))
        asking = asyncio.ensure_future(end.link.ask(AskTopics(""), str, LIMIT))
        theirs.sendall(encode_envelope(AnswerEnvelope(1, "first")) + encode_envelope(AnswerEnvelope(1, "again")))
        assert await asking == "first"


class TestClosing:
    """When the other end is gone."""

    @pytest.mark.parametrize("closing", ["ours", "theirs"])
    async def test_questions_under_way_are_told(self, ends: tuple[End, End], closing: str) -> None:
        left, right = ends
        asked = asyncio.Event()

        async def never(question: Message) -> Any:
            asked.set()
            await asyncio.Event().wait()

        right.answer = never
        asking = [asyncio.ensure_future(left.link.ask(AskTopics(""), str, LIMIT)) for _ in range(3)]
        await asyncio.wait_for(asked.wait(), LIMIT)
        (left if closing == "ours" else right).link.close()
        results = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(result) for result in results] == [LinkClosed] * 3
        await left.ends()
        await right.ends()

    async def test_nothing_can_be_asked_afterwards(self, ends: tuple[End, End]) -> None:
        left, right = ends
        right.link.close()
        await left.ends()
        with pytest.raises(LinkClosed):
            await left.link.ask(AskTopics(""), str, LIMIT)

    async def test_an_answer_for_one_who_is_gone_goes_nowhere(self, ends: tuple[End, End]) -> None:
        left, right = ends
        gate, answered = asyncio.Event(), asyncio.Event()

        async def answer_late(question: Message) -> Any:
            await gate.wait()
            answered.set()
            return "late"

        right.answer = answer_late
        asking = asyncio.ensure_future(left.link.ask(AskTopics(""), str, LIMIT))
        left.link.tell(Failed("asked"))
        await right.hears()
        left.link.close()
        with pytest.raises(LinkClosed):
            await asking
        await right.ends()
        gate.set()
        await asyncio.wait_for(answered.wait(), LIMIT)

    @pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff", b"\0\0\0\1\xc1", b"GET / HTTP/1.1\r\n\r\n"])
    async def test_bytes_that_are_no_envelope_end_the_link(
        self, raw_end: tuple[End, socket.socket], garbage: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        end, theirs = raw_end
        asking = asyncio.ensure_future(end.link.ask(AskTopics(""), str, LIMIT))
        with caplog.at_level(logging.WARNING):
            theirs.sendall(garbage)
            await end.ends()
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        with pytest.raises(LinkClosed):
            await asking

    async def test_an_envelope_cut_off_is_not_heard(self, raw_end: tuple[End, socket.socket]) -> None:
        end, theirs = raw_end
        theirs.sendall(encode_envelope(AnswerEnvelope(1, "whole"))[:-1])
        theirs.shutdown(socket.SHUT_WR)
        await end.ends()
        assert end.told.empty()


async def test_a_link_can_be_made_to_a_path() -> None:
    with short_directory() as directory:
        await link_by_path(str(directory / "s"))


async def link_by_path(path: str) -> None:
    """No link where nobody listens; then one that works both ways and ends on both sides."""
    with pytest.raises(OSError, match="No such file"):
        await Link.to(path)
    accepted: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_unix_server(lambda *streams: accepted.set_result(Link(*streams)), path)
    left = End(await Link.to(path))
    right = End(await asyncio.wait_for(accepted, LIMIT))
    left.link.tell(Failed("a sentence"))
    assert await right.hears() == Failed("a sentence")
    left.link.close()
    await right.ends()
    await left.ends()
    server.close()
