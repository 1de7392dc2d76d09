"""What becomes of a channel's method that is under way when its client goes."""

import asyncio
from typing import Any, cast

import pytest

from roost.gateway.channel import Channel
from roost.gateway.clients import channel_mailbox
from roost.gateway.clients.client import Client
from roost.gateway.replies import Ok
from roost.gateway.socket import Socket
from roost.shared.serializer import V2
from tests.gateway.lone_worker import lone_worker
from tests.gateway.loops import Play
from tests.limits import LIMIT


class UserSocket(Socket):
    pass


class StuckChannel(Channel[UserSocket]):
    """Never joins."""

    async def join(self, params: Any) -> Ok:
        events: asyncio.Queue[str] = self.socket.events  # type: ignore[attr-defined]
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            events.put_nowait("cancelled")
            raise
        return Ok()

    async def terminate(self, reason: Any) -> None:
        self.socket.events.put_nowait("terminated")  # type: ignore[attr-defined]


class StayingChannel(Channel[UserSocket]):
    """Does not come to an end."""

    async def terminate(self, reason: Any) -> None:
        events: asyncio.Queue[str] = self.socket.events  # type: ignore[attr-defined]
        events.put_nowait(reason)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            events.put_nowait("cancelled")
            raise


UserSocket.route("staying", StayingChannel)
UserSocket.route("*", StuckChannel)


class Unused:
    """A transport that takes what is sent to it, and sends it nowhere."""

    descriptor = -1

    def send(self, frame: Any) -> None:
        """Gone."""


def test_it_is_cancelled_when_its_time_is_over_and_that_is_no_error(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(channel_mailbox, "SHUTDOWN_LIMIT", 0.05)

    async def scene() -> None:
        with lone_worker() as runtime:
            events: asyncio.Queue[str] = asyncio.Queue()
            socket = UserSocket()
            socket.number = runtime.next_number()
            socket.events = events
            client = Client(runtime, socket, V2, cast("Any", Unused()))
            client.receive(b'["1","1","room","phx_join",{}]', binary=False)
            assert events.empty()
            client.close()
            assert len(runtime.ending) == 1
            async with asyncio.timeout(LIMIT):
                assert await events.get() == "cancelled"
                while runtime.ending:
                    await asyncio.sleep(0)
            assert events.empty(), "a join that crashed has nothing to terminate"

    play(scene)
    assert caplog.records == []


def test_so_is_a_terminate_that_does_not_end(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_mailbox, "SHUTDOWN_LIMIT", 0.05)

    async def scene() -> None:
        with lone_worker() as runtime:
            events: asyncio.Queue[str] = asyncio.Queue()
            socket = UserSocket()
            socket.number = runtime.next_number()
            socket.events = events
            client = Client(runtime, socket, V2, cast("Any", Unused()))
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: client.receive(b'["1","1","staying","phx_join",{}]', binary=False))
            async with asyncio.timeout(LIMIT):
                while not runtime.uplink.subscriptions:
                    await asyncio.sleep(0)
            (subscription,) = runtime.uplink.subscriptions.values()
            subscription.inbox.confirmed(subscription)
            loop.call_soon(client.close)
            async with asyncio.timeout(LIMIT):
                assert await events.get() == "closed"
                assert await events.get() == "cancelled"
                while runtime.ending:
                    await asyncio.sleep(0)

    play(scene)
