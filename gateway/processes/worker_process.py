"""The process of one worker: a loop, the uplink to the shards, uvicorn, and the link to its supervisor."""

import asyncio
import gc
import logging
import os
import socket
import sys
import time
from typing import Any, Final

import uvloop
from uvicorn import Config

from roost.gateway.bus.cluster_news import hear_of_cluster
from roost.gateway.bus.cluster_uplink import ClusterUplink
from roost.gateway.bus.uplink import Uplink
from roost.gateway.clients.runtime import Runtime
from roost.gateway.connect.capacity import Capacity
from roost.gateway.connect.proxied_requests import ProxiedRequests
from roost.gateway.connect.proxies import TrustedProxies
from roost.gateway.connect.site import Site
from roost.gateway.endpoint import Endpoint
from roost.gateway.inspection.canary import mount_canary
from roost.gateway.inspection.log_lines import LogLines
from roost.gateway.inspection.measuring import measure_worker
from roost.gateway.inspection.worker_inspection import WorkerInspection
from roost.gateway.inspection.worker_trace import WorkerTrace
from roost.gateway.processes.addresses import listener
from roost.gateway.processes.application import load_endpoint
from roost.gateway.processes.descriptors import room_for_connections
from roost.gateway.processes.draining import drain
from roost.gateway.processes.leaving import leave
from roost.gateway.processes.tls import server_context
from roost.gateway.processes.watchdog import Watchdog
from roost.gateway.telemetry import EndpointInit, ShardMapChanged
from roost.gateway.transports.server import HostedServer
from roost.gateway.transports.turn import Turn
from roost.shared.child import become_child, first_message
from roost.shared.cluster import Listening, MessagesLost, NodeDown, NodeUp
from roost.shared.control import (
    Admit,
    AskMeasurements,
    AskStatus,
    Drain,
    Failed,
    LimitsChanged,
    MapChanged,
    Message,
    Ping,
    Publishing,
    Ready,
    StartWorker,
    Stop,
    WorkerExited,
    WorkerStatus,
)
from roost.shared.drain import Pace
from roost.shared.envelopes import Tell, encode_envelope
from roost.shared.failures import CannotStart
from roost.shared.inspection import GatewayQuestion
from roost.shared.link import Link, Refused
from roost.shared.logs import log_to_stderr
from roost.shared.measurements import WorkerMeasurements
from roost.shared.run_directory import RunDirectory, worker_name
from roost.shared.trace import EndTrace, FollowTrace

_log = logging.getLogger("roost.worker")

BACKLOG: Final = 4096
"""Connections that the kernel queues for a worker before it accepts them."""


class Worker:
    """One worker of the gateway."""

    def __init__(self, start: StartWorker, endpoint: Endpoint, link: Link, loop: asyncio.AbstractEventLoop) -> None:
        self._start = start
        self._link = link
        self._loop = loop
        run_dir = RunDirectory.open(start.run_dir)
        # Rule W1: the lock is the last preparation, and comes before the map is read.
        self._life = run_dir.live(worker_name(start.number))
        turn = Turn(loop)
        self._uplink = (
            ClusterUplink(run_dir, start.number, turn, loop, link.tell)
            if start.clustered
            else Uplink(run_dir, start.number, turn, loop)
        )
        self._runtime = Runtime(start.number, endpoint, loop, turn, self._uplink, start.node)
        endpoint.serve(self._runtime, start.secrets, start.public_host)
        mount_canary(endpoint, run_dir.canary_token())
        LogLines(endpoint).attach()
        self._leaving: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._capacity = Capacity(start.limits, room_for_connections())
        if self._capacity.max_connections < start.limits.max_connections:
            _log.warning("room for %d connections: raise the limit of open files", self._capacity.max_connections)
        proxies = TrustedProxies(start.trusted_proxies) if start.trusted_proxies else None
        site = self._site = Site(endpoint, self._runtime, self._capacity, proxies)
        if start.drained:
            site.close()
        config = Config(
            app=ProxiedRequests(site, proxies, self._capacity) if proxies else site,
            http=site.entrance,  # type: ignore[arg-type]
            ws=site.upgrade,  # type: ignore[arg-type]
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # one rule for all requests: ours
            backlog=BACKLOG,
            timeout_graceful_shutdown=1,
        )
        https = [listener(address) for address in start.tls.addresses] if start.tls else []
        context = server_context(start.tls.certfile, start.tls.keyfile) if start.tls else None
        self._server = HostedServer(config, self._serves, https, context)
        self._watchdog = Watchdog(loop)
        self._inspection = WorkerInspection(self._runtime, self._uplink, self._server, start)
        self._trace = WorkerTrace(self._runtime, self._uplink)

    async def run(self) -> None:
        """Serve until the supervisor says stop, or is gone."""
        serving_link = asyncio.ensure_future(self._link.serve(self._hear_soon, self._asked))
        serving_link.add_done_callback(_link_ended)
        self._uplink.changed_over = self._report
        self._runtime.calls.listen()
        self._report(self._uplink.epoch)
        await self._uplink.linked()
        await asyncio.gather(*(presence.start() for presence in self._runtime.presences))
        gc.collect()
        gc.freeze()
        await self._server.serve([listener(address) for address in self._start.addresses])
        self._watchdog.close()
        await asyncio.gather(*(presence.close() for presence in self._runtime.presences))
        self._uplink.close()

    def _serves(self) -> None:
        self._link.tell(Ready())
        self._watchdog.start()
        runtime = self._runtime
        runtime.telemetry.emit(
            EndpointInit(system_time=time.time(), endpoint=runtime.endpoint, worker=self._start.number)
        )

    def _hear_soon(self, message: Message) -> None:
        """What is told may have code of channels run, which is run from no task (see `Runner`)."""
        self._loop.call_soon(self._carry_out, message)

    def _carry_out(self, message: Message) -> None:
        try:
            self._told(message)
        except Exception as error:  # noqa: BLE001 - nothing of a worker that is half told may go on
            _die(error)

    def _told(self, message: Message) -> None:
        match message:
            case Stop():
                for task in (self._leaving, self._draining):
                    if task is not None:
                        task.cancel()
                self._leaving = asyncio.ensure_future(leave(self._server, self._site, self._runtime, message))
            case Drain(pace):
                self._drain(pace)
            case Admit():
                if self._draining is not None:
                    self._draining.cancel()
                self._site.open()
            case _:
                self._hear(message)

    def _hear(self, message: Message) -> None:
        match message:
            case EndTrace(number):
                self._trace.end(number)
            case LimitsChanged(limits):
                self._capacity.limits = limits
            case WorkerExited():
                for presence in self._runtime.presences:
                    presence.look_for_dead()
            case MapChanged(shard_map):
                self._uplink.adopt(shard_map)
                self._report(self._uplink.epoch)
                if isinstance(self._uplink, ClusterUplink):
                    self._uplink.tell_interest_again()
            case Listening() | NodeUp() | NodeDown() | MessagesLost():
                hear_of_cluster(self._runtime, message)

    def _drain(self, pace: Pace) -> None:
        if not self._site.closed and self._leaving is None:
            self._draining = asyncio.ensure_future(drain(self._server, self._runtime, pace))
            self._site.close()

    def _report(self, epoch: int) -> None:
        self._link.tell(Publishing(self._start.number, epoch))
        self._runtime.telemetry.emit(ShardMapChanged(worker=self._start.number, epoch=epoch))

    async def _asked(self, message: Message) -> Any:
        match message:
            case Ping():
                return True
            case AskStatus():
                return self._status()
            case AskMeasurements():
                return self._measurements()
            case FollowTrace():
                return self._trace.follow(message)
            case _ if isinstance(message, GatewayQuestion):
                return await self._inspection.answer(message)
        raise Refused(f"a worker does not know {type(message).__name__}")

    def _measurements(self) -> WorkerMeasurements:
        return measure_worker(self._runtime, self._uplink, self._capacity, self._watchdog)

    def _status(self) -> WorkerStatus:
        clients = self._runtime.clients
        return WorkerStatus(
            number=self._start.number,
            pid=os.getpid(),
            serving=self._server.serving,
            draining=self._leaving is not None,
            connections=len(clients),
            channels=sum(len(client.topics) for client in clients.values()),
            published=self._uplink.published,
            books=self._uplink.books.answer(self._runtime.drops.counts()),
            turned_away=self._capacity.turned_away,
            cut=self._capacity.cut,
            drained=self._site.closed,
            traces=self._trace.count,
        )


def _link_ended(serving_link: "asyncio.Task[None]") -> None:
    if not serving_link.cancelled():  # else the loop ends
        _die(serving_link.exception())


def _die(error: BaseException | None) -> None:
    """The supervisor is gone, or what it told could not be carried out: nothing of a worker may stay behind."""
    if error is not None:
        _log.critical("what the gateway told could not be carried out", exc_info=error)
    os._exit(1)


async def _serve(link: socket.socket, start: StartWorker, endpoint: Endpoint) -> None:
    await Worker(start, endpoint, await Link.over(link), asyncio.get_running_loop()).run()


def main() -> None:
    """Become a worker: the first message on the link says which."""
    link = become_child(sys.argv)
    start = first_message(link)
    if not isinstance(start, StartWorker):
        raise SystemExit(f"a worker begins with StartWorker, not {type(start).__name__}")
    log_to_stderr(sys.argv[1], start.logs)
    try:
        endpoint = load_endpoint(start.app)
    except CannotStart as reason:
        link.sendall(encode_envelope(Tell(Failed(str(reason)))))
        raise SystemExit(1) from None
    # The tests run some of what they do on asyncio's own loop too.
    run = asyncio.run if os.environ.get("ROOST_TEST_EVENT_LOOP") == "asyncio" else uvloop.run
    run(_serve(link, start, endpoint))


if __name__ == "__main__":
    main()
