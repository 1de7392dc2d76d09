"""The gateway: supervisor of the workers, and their way to the broker."""

import asyncio
import logging
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from roost.gateway.admin.admin_site import admin_listener
from roost.gateway.admin.listener import HOST, AdminListener
from roost.gateway.admin.own_node import OwnNode
from roost.gateway.bus.outside import OutsidePublishing
from roost.gateway.inspection.gateway_inspection import ANSWER_LIMIT, inspect
from roost.gateway.inspection.gateway_trace import follow_trace
from roost.gateway.processes.addresses import Address, Reservation, url
from roost.gateway.processes.gateway_drain import GatewayDrain
from roost.gateway.processes.headcount import count_clients
from roost.gateway.processes.reloading import reload_on_change
from roost.gateway.processes.scaling import WorkerScaling, worker_at
from roost.gateway.processes.tls import server_context
from roost.shared.acting import BroadcastEvents
from roost.shared.cluster import Interest, Listening, MessagesLost, NodeDown, NodePlace, NodeUp
from roost.shared.config import BadSetting, Settings, live_settings, with_live_setting
from roost.shared.control import (
    AskConfig,
    AskDrain,
    AskNodeMeasurements,
    AskStatus,
    AskWorkerChange,
    ConfigRow,
    DrainGateway,
    GatewayStatus,
    JoinNode,
    LimitsChanged,
    MapChanged,
    Message,
    Publishing,
    Ready,
    ScaleWorkers,
    SetConfig,
    StartWorker,
    Stop,
    TakeWorkerNumber,
    Tls,
    WorkerExited,
    WorkerStatus,
)
from roost.shared.drain import Pace, stop_times
from roost.shared.failures import CannotStart
from roost.shared.inspection import GatewayQuestion
from roost.shared.limits import limits_of
from roost.shared.link import Link, LinkClosed, Refused
from roost.shared.run_directory import LockTaken, RunDirectory
from roost.shared.shard_map import ShardMap
from roost.shared.stop_signals import finish_undisturbed, hear_stop_signals
from roost.shared.supervisor import Child, Supervisor
from roost.shared.trace import EndTrace, FollowTrace

BROKER_PERIOD: Final = 0.1
"""Seconds between two attempts to reach the broker."""

_log = logging.getLogger("roost.gateway")


class Gateway:
    """The gateway of one node."""

    def __init__(
        self,
        app: str,
        settings: Settings,
        run_dir: RunDirectory,
        addresses: tuple[Address, ...],
        tls: Tls | None = None,
        admin_addresses: tuple[Address, ...] = (),
        *,
        source: Path | None = None,
    ) -> None:
        """With `source`, workers are started anew whenever a source file below it changes."""
        self._app = app
        self._source = source
        self._settings = settings
        self._run_dir = run_dir
        self._addresses = addresses
        self._tls = tls
        self._https_addresses = tls.addresses if tls else ()
        self._admin_addresses = admin_addresses
        self._secrets = (settings.secret_key_base or run_dir.secret_key_base(), *settings.old_secret_key_bases)
        self._workers = Supervisor(
            "roost.gateway.processes.worker_process",
            self._worker_told,
            self._worker_asked,
            self._worker_exited,
            stall_limit=settings.stall_limit,
        )
        self._broker: Link | None = None
        self._joined = asyncio.Event()
        self._stop = asyncio.Event()
        self._waiting = {worker_at(place) for place in range(settings.workers)}
        self._scaling: WorkerScaling | None = None
        self._outside = OutsidePublishing(self._workers)
        self._drain = GatewayDrain(self._workers, self._pace)
        self._listening: Listening | None = None
        """What the bridge told last, for workers that are started later."""
        self._node = OwnNode(self._workers, app, lambda: self._broker, self._why_not_ready)
        self._admin: AdminListener | None = None
        if admin_addresses:
            self._admin = admin_listener(
                run_dir.admin_token(), self._secrets, self._node, self._outside.publish, admin_addresses
            )

    async def run(self) -> None:
        """Serve until SIGTERM, SIGINT or the broker's word. Raises CannotStart when workers cannot be kept alive."""
        hear_stop_signals(self._stop.set)
        linking = asyncio.ensure_future(self._keep_link())
        if self._admin is not None:
            self._admin.start()
        self._scaling = WorkerScaling(self._workers, self._next_worker, self._pace, self._settings.workers)
        self._workers.gave_up.add_done_callback(lambda _: self._stop.set())
        reloading = None
        if self._source is not None:
            reloading = asyncio.ensure_future(reload_on_change(self._source, self._scaling.restart))
        await self._stop.wait()
        finish_undisturbed()
        if reloading is not None:
            reloading.cancel()
        self._scaling.stop()
        self._drain.stop()
        await self._stop_workers()
        if self._admin is not None:
            await self._admin.stop()
        linking.cancel()
        if self._broker is not None:
            self._broker.close()
        if self._workers.gave_up.done():
            raise CannotStart(self._workers.gave_up.result())

    # The broker

    async def _keep_link(self) -> None:
        """Be linked to the broker; when there is none, say so once and wait for it."""
        waiting = False
        while not self._stop.is_set():
            try:
                link = await Link.to(self._run_dir.control_socket)
            except OSError:
                if not waiting:
                    _log.info("waiting for a broker in %s (start one with `roost broker`)", self._run_dir.path)
                waiting = True
                await asyncio.sleep(BROKER_PERIOD)
                continue
            waiting = False
            serving = asyncio.ensure_future(link.serve(self._told, self._asked))
            try:
                self._workers.tell_all(MapChanged(await link.ask(JoinNode(os.getpid()), ShardMap, ANSWER_LIMIT)))
                self._broker = link
                self._joined.set()
                await serving
            except (LinkClosed, TimeoutError, Refused):
                link.close()
            finally:
                self._broker = None
                self._joined.clear()
                serving.cancel()

    def _told(self, message: Message) -> None:
        match message:
            case Stop():
                self._stop.set()
            case MapChanged():
                self._workers.tell_all(message)
            case Listening():
                self._listening = message
                self._workers.tell_all(message)
            case NodeUp() | NodeDown() | MessagesLost() | EndTrace():
                self._workers.tell_all(message)

    async def _asked(self, message: Message) -> Any:
        match message:
            case AskStatus():
                return await self._status()
            case AskNodeMeasurements():
                return await self._node.measure()
            case AskConfig():
                return self._config()
            case SetConfig(name, value):
                return self._configure(name, value)
            case ScaleWorkers(workers):
                if self._scaling is None or self._stop.is_set():
                    raise Refused("the gateway is stopping")
                return self._scaling.scale(workers)
            case AskWorkerChange():
                return self._scaling and self._scaling.change
            case DrainGateway(on):
                if self._stop.is_set():
                    raise Refused("the gateway is stopping, and sends its clients away anyhow")
                return self._drain.begin() if on else self._drain.end()
            case AskDrain():
                return self._drain.status
            case _ if isinstance(message, GatewayQuestion | FollowTrace):
                return await self._ask_workers(message)
        raise Refused(f"a gateway does not know {type(message).__name__}")

    async def _ask_workers(self, question: GatewayQuestion | FollowTrace) -> Any:
        if isinstance(question, FollowTrace):
            return await follow_trace(self._workers, question)
        if isinstance(question, BroadcastEvents):
            return await self._outside.publish(question)
        return await inspect(self._workers, self._app, question)

    def _config(self) -> list[ConfigRow]:
        return [
            ConfigRow(name, str(getattr(self._settings, name)), setting.meaning)
            for name, setting in live_settings().items()
        ]

    def _configure(self, name: str, value: str) -> list[ConfigRow]:
        """Until the gateway ends, for workers that are started later too."""
        try:
            self._settings = with_live_setting(self._settings, name, value)
        except BadSetting as error:
            raise Refused(str(error)) from None
        _log.info("%s is %s from now on", name, value)
        self._workers.tell_all(LimitsChanged(limits_of(self._settings)))
        return self._config()

    # The admin listener

    def _why_not_ready(self) -> str:
        """Why no clients are taken; empty if they are."""
        if self._stop.is_set():
            return "the gateway is stopping"
        if self._broker is None:
            return "there is no broker"
        if self._drain.on:
            return "clients are being sent away, until `roost drain --off`"
        if not any(worker.ready.is_set() for worker in self._workers.children.values()):
            return "no worker serves yet"
        return ""

    # Workers

    def _pace(self) -> Pace:
        """How all workers together send clients away."""
        settings = self._settings
        return Pace(settings.drain_batch_size, settings.drain_batch_interval, settings.drain_limit)

    async def _stop_workers(self) -> None:
        """Within the time that the node has to stop: a drain that would take longer is hurried."""
        settings = self._settings
        times = stop_times(settings.drain_limit, settings.stop_limit)
        pace = replace(self._pace(), spread=times.spread)
        children = self._workers.children.values()
        clients = (await count_clients(children)).clients
        if pace.hurries(clients):
            _log.warning(
                "hurrying: %d clients are sent away within %g s rather than %g s, for %s is %g s",
                clients,
                pace.spread,
                pace.seconds(clients),
                *(
                    ("ROOST_DRAIN_LIMIT", settings.drain_limit)
                    if times.spread == settings.drain_limit
                    else ("ROOST_STOP_LIMIT", settings.stop_limit)
                ),
            )
        # Without a broker there are no shards through which anything could get.
        limit = times.limit if self._broker is not None else times.spread + times.closing
        await self._workers.stop(times.kill, how=Stop(pace.shared_by(len(children)), times.closing, limit))

    async def _next_worker(self) -> StartWorker:
        place = await self._take_place()
        return StartWorker(
            place.worker,
            str(self._run_dir.path),
            self._app,
            self._addresses,
            self._secrets,
            public_host=self._settings.public_host,
            trusted_proxies=self._settings.trusted_proxies,
            limits=limits_of(self._settings),
            tls=self._tls,
            logs=self._settings.logs,
            drained=self._drain.on,
            node=place.node,
            clustered=place.clustered,
        )

    async def _take_place(self) -> NodePlace:
        why = ""
        while True:
            await self._joined.wait()
            try:
                assert self._broker is not None
                return await self._broker.ask(TakeWorkerNumber(), NodePlace, ANSWER_LIMIT)
            except (LinkClosed, TimeoutError):
                await asyncio.sleep(BROKER_PERIOD)
            except Refused as refused:
                if why != (why := str(refused)):
                    _log.error("no worker can be started, trying again until one can: %s", why)
                await asyncio.sleep(BROKER_PERIOD)

    def _worker_told(self, worker: Child, message: Message) -> None:
        if isinstance(message, Publishing | Interest) and self._broker is not None:
            self._broker.tell(message)
        if isinstance(message, Ready):
            # They may have changed while it was being started.
            worker.link.tell(LimitsChanged(limits_of(self._settings)))
            worker.link.tell(self._drain.order())
            if self._listening is not None:
                worker.link.tell(self._listening)
            waited = bool(self._waiting)
            self._waiting.discard(worker.name)
            if waited and not self._waiting:
                urls = [*map(url, self._addresses), *(url(address, "https") for address in self._https_addresses)]
                _log.info("serving %s at %s", self._app, ", ".join(urls))

    async def _worker_asked(self, worker: Child, message: Message) -> Any:
        raise Refused(f"the gateway answers no {type(message).__name__} to {worker.name}")

    def _worker_exited(self, worker: Child) -> None:
        assert isinstance(worker.start, StartWorker)
        exited = WorkerExited(worker.start.number)
        if self._broker is not None:
            self._broker.tell(exited)
        for other in self._workers.children.values():
            if other is not worker:
                other.link.tell(exited)

    async def _status(self) -> GatewayStatus:
        answers, silent = await self._workers.ask_all(AskStatus(), WorkerStatus, ANSWER_LIMIT)
        addresses = self._https_addresses, self._admin_addresses
        return GatewayStatus(os.getpid(), self._app, self._addresses, tuple(answers), tuple(silent), *addresses)


def run_gateway(app: str, settings: Settings, *, source: Path | None = None) -> None:
    """Be the gateway of the node in the settings' run directory; with `source`, reload when a file below it changes.

    Raises CannotStart, RunDirectoryError.
    """
    run_dir = RunDirectory.open(settings.run_dir)
    try:
        lock = run_dir.take("gateway")
    except LockTaken as taken:
        raise CannotStart(
            f"a gateway already runs in {run_dir.path} (pid {taken.pid}): "
            "one is enough, set ROOST_WORKERS for more worker processes"
        ) from None

    async def run(addresses: tuple[Address, ...], tls: Tls | None, admin: tuple[Address, ...]) -> None:
        await Gateway(app, settings, run_dir, addresses, tls, admin, source=source).run()

    try:
        with ExitStack() as held:
            addresses = held.enter_context(Reservation(settings.host, settings.port)).addresses
            asyncio.run(run(addresses, _reserve_https(settings, held), _reserve_admin(settings, held)))
    finally:
        lock.release()


def _reserve_admin(settings: Settings, held: ExitStack) -> tuple[Address, ...]:
    """Where the admin listener is to be, if there is to be one. Raises CannotStart."""
    if settings.admin_port is None:
        return ()
    try:
        addresses = held.enter_context(Reservation(HOST, settings.admin_port)).addresses
    except CannotStart as error:
        raise CannotStart(f"ROOST_ADMIN_PORT: {error}") from None
    _log.info("metrics, health and the dashboard at %s", ", ".join(map(url, addresses)))
    return addresses


def _reserve_https(settings: Settings, held: ExitStack) -> Tls | None:
    """What workers need for https, if there is a certificate. Raises CannotStart if it is none."""
    if settings.certfile is None:
        if settings.keyfile is not None:
            raise CannotStart("ROOST_KEYFILE without ROOST_CERTFILE: https needs the certificate too")
        return None
    server_context(settings.certfile, settings.keyfile)
    reservation = held.enter_context(Reservation(settings.host, settings.https_port))
    return Tls(settings.certfile, settings.keyfile, reservation.addresses)
