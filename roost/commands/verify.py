"""`roost verify`: canary clients on a running node, whatever it serves, and what they find.

They connect as all clients do, and the kernel spreads them over the workers. What they may expect is decided in
`roost/commands/witness.py`.
"""

import asyncio
import gc
import secrets
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from roost.commands.canary_client import CanaryClient, CannotConnect, connect
from roost.commands.canary_wire import Vocabulary
from roost.commands.final_books import wrong_books
from roost.commands.node import ask_node
from roost.commands.witness import MAX_FAULTS, Fault, Kind, Witness
from roost.shared.canary import canary_path
from roost.shared.control import AskStatus, NodeStatus
from roost.shared.failures import CannotStart
from roost.shared.run_directory import RunDirectory

JOIN_LIMIT: Final = 60.0
"""Seconds in which all clients must have joined before anything is published."""
AT_ONCE: Final = 50
"""Clients that connect at the same time."""
RETRY_PERIOD: Final = 0.2
"""Seconds after which a client that was not let in tries again."""
WANDERERS: Final = 10
"""One client in so many, publishers aside, leaves a topic now and then and joins it again."""
WANDER_PERIOD: Final = 1.0
"""Seconds between two such leaves of one client."""
SETTLE_LIMIT: Final = 20.0
"""Seconds without any progress after which what has not come is lost: twice what a stalled process may take."""
SETTLE_PERIOD: Final = 0.1
PROGRESS_PERIOD: Final = 0.25
PULSE: Final = 0.02
"""Seconds between two looks at whether this process itself is late."""

_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to reach a listener on all addresses


BOOKS: Final = "wrong books"
"""The fault that is found in a status and not by clients."""


@dataclass(frozen=True)
class Plan:
    """What to put on the node."""

    seconds: float
    clients: int
    publishers: int
    """So many of the clients publish too."""
    rate: float
    """Messages a second of each publisher."""
    topics: int
    """Every client joins all of them; each message goes to one."""


class Findings(msgspec.Struct, frozen=True):
    """What was found, or what is known so far."""

    seconds: float
    """Since publishing began."""
    clients: int
    connected: int
    sent: int
    heard: int
    """Deliveries, over all clients."""
    faults: dict[str, int]
    """How many of each kind; empty if every promise was kept."""
    examples: tuple[str, ...]
    """The first faults in words."""
    longest_pause: float
    """Seconds between two messages that one client heard, at most."""
    own_pause: float
    """Seconds that this process itself stood still, at most: a part of any pause that is as long."""
    disconnected: dict[str, int]
    """How often a client lost its connection, by close code; `broken` if there was none, as when a worker dies."""
    returned: int
    """How often one was back on all topics."""
    gone: str = ""
    """Why the books could not be read at the end; empty if they were."""


class Verification:
    """One run."""

    def __init__(self, plan: Plan, run_dir: RunDirectory, addresses: Sequence[tuple[str, int]]) -> None:
        self._plan = plan
        self._run_dir = run_dir
        self._addresses = [(_ANYWHERE.get(host, host), port) for host, port in addresses]
        self._path = f"{canary_path(run_dir.canary_token())}/websocket?vsn=2.0.0"
        self._vocabulary = Vocabulary(secrets.token_hex(4))
        self._witness = Witness(plan.topics)
        self._places: list[CanaryClient | None] = [None] * plan.clients
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._changed = asyncio.Event()
        self._began: float | None = None
        self._wandering = True
        self._refusal = ""
        self._own_pause = 0.0
        self._disconnected: Counter[str] = Counter()
        self._returned = 0

    async def run(self, watch: Callable[[Findings], None]) -> Findings:
        """Connect, publish, wait for what is owed; `watch` is told now and then. Raises CannotStart."""
        lives = [asyncio.ensure_future(self._live(place)) for place in range(self._plan.clients)]
        watching = asyncio.ensure_future(self._watch(watch))
        try:
            await self._joined(lives)
            gc.collect()
            gc.freeze()  # else collections are long and would count as pauses of the node
            pulse = asyncio.ensure_future(self._pulse())
            self._began = asyncio.get_running_loop().time()
            await self._publishing()
            pulse.cancel()
            self._wandering = False
            await self._settle()
            return self._findings(final=True)
        finally:
            watching.cancel()
            for life in lives:
                life.cancel()
            for client in self._places:
                if client is not None:
                    client.close()

    # Clients

    async def _joined(self, lives: Sequence["asyncio.Future[None]"]) -> None:
        """Wait until every client is on every topic."""
        try:
            async with asyncio.timeout(JOIN_LIMIT):
                while None in self._places:
                    self._changed.clear()
                    await self._changed.wait()
                    for life in lives:
                        if life.done():
                            life.result()
        except TimeoutError:
            there = sum(client is not None for client in self._places)
            hint = f": {self._refusal}" if self._refusal else ""
            raise CannotStart(
                f"only {there} of {self._plan.clients} clients could join within {JOIN_LIMIT:g} s{hint}"
            ) from None

    async def _live(self, place: int) -> None:
        """Be one client, on one connection after the other."""
        host, port = self._addresses[place % len(self._addresses)]
        url = f"ws://{f'[{host}]' if ':' in host else host}:{port}{self._path}"
        first = True
        while True:
            try:
                async with self._gate:
                    client = await connect(host, port, url, f"client {place}", self._vocabulary, self._witness)
                    for topic in range(self._plan.topics):
                        await client.join(topic)
            except CannotConnect as refusal:
                self._refusal = str(refusal)
                await asyncio.sleep(RETRY_PERIOD)
                continue
            if not client.closed.done():
                self._places[place] = client
                self._changed.set()
                self._returned += not first
                first = False
                await self._stay(place, client)
                self._places[place] = None
            self._disconnected[str(client.close_code or "broken")] += 1

    async def _stay(self, place: int, client: CanaryClient) -> None:
        """Until the connection is gone."""
        wanders = place >= self._plan.publishers and place % WANDERERS == 0
        topics = cycle(range(self._plan.topics))
        while wanders and self._wandering and not client.closed.done():
            await asyncio.wait([client.closed], timeout=WANDER_PERIOD)
            if self._began is not None and self._wandering:
                topic = next(topics)
                await client.leave(topic)
                await client.join(topic)
        await client.closed

    async def _publishing(self) -> None:
        """Until the time is over, or somebody presses Ctrl-C: what is known by then is judged all the same."""
        loop = asyncio.get_running_loop()
        interrupted = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupted.set)
        waiting = asyncio.ensure_future(interrupted.wait())
        publishing = asyncio.ensure_future(self._publish_all())
        await asyncio.wait((waiting, publishing), return_when=asyncio.FIRST_COMPLETED)
        if publishing.done():
            publishing.result()
        publishing.cancel()
        waiting.cancel()

    async def _publish_all(self) -> None:
        async with asyncio.TaskGroup() as publishers:
            for place in range(self._plan.publishers):
                publishers.create_task(self._publish(place))

    async def _publish(self, place: int) -> None:
        """Publish at an even pace, through whatever connection the client has."""
        now = asyncio.get_running_loop().time
        period = 1 / self._plan.rate
        began = now()
        due = began + period * place / self._plan.publishers
        while due < began + self._plan.seconds:
            await asyncio.sleep(due - now())
            client = self._places[place]
            if client is not None:
                client.publish()
            due += period

    async def _pulse(self) -> None:
        """Notice when this process is late itself."""
        now = asyncio.get_running_loop().time
        while True:
            due = now() + PULSE
            await asyncio.sleep(PULSE)
            self._own_pause = max(self._own_pause, now() - due)

    # The end

    async def _settle(self) -> None:
        """Wait for what is owed, as long as anything still comes."""
        now = asyncio.get_running_loop().time
        known: object = None
        deadline = now() + SETTLE_LIMIT
        while now() < deadline:
            left = self._outstanding()
            if not left:
                return
            if (progress := (self._witness.heard, len(left))) != known:
                known = progress
                deadline = now() + SETTLE_LIMIT
            await asyncio.sleep(SETTLE_PERIOD)

    def _outstanding(self) -> list[Fault]:
        """What is owed still, and who is not back although there is a gateway that could let it in."""
        owed = self._witness.outstanding(self._run_dir.live_workers())
        if self._run_dir.holder("gateway") is None:
            return owed
        why = f": {self._refusal}" if self._refusal else ""
        away = [place for place, client in enumerate(self._places) if client is None]
        return [*owed, *(Fault(Kind.AWAY, f"client {place} could not come back{why}") for place in away)]

    async def _watch(self, watch: Callable[[Findings], None]) -> None:
        while True:
            watch(self._findings(final=False))
            await asyncio.sleep(PROGRESS_PERIOD)

    def _findings(self, *, final: bool) -> Findings:
        witness = self._witness
        outstanding = self._outstanding() if final else []
        faults = witness.counts + Counter(fault.kind for fault in outstanding)
        if final and not witness.heard:
            faults[Kind.LOST] += 1
        now = asyncio.get_running_loop().time()
        return Findings(
            seconds=0.0 if self._began is None else now - self._began,
            clients=self._plan.clients,
            connected=sum(client is not None for client in self._places),
            sent=witness.sent,
            heard=witness.heard,
            faults={str(kind): number for kind, number in faults.items()},
            examples=tuple(fault.text for fault in (*witness.faults, *outstanding)[:MAX_FAULTS]),
            longest_pause=witness.longest_pause,
            own_pause=self._own_pause,
            disconnected=dict(self._disconnected),
            returned=self._returned,
        )


def verify_node(run_dir: str, plan: Plan, watch: Callable[[Findings], None]) -> Findings:
    """Verify the node in a run directory. Raises CannotStart if there is none that clients can connect to.

    One that is gone at the end is told by `Findings.gone`: what was found until then is kept.
    """
    status = ask_node(run_dir, AskStatus(), NodeStatus)
    if status.gateway is None or not status.gateway.workers:
        raise CannotStart(f"the node in {run_dir} has no workers that serve (start some with `roost gateway APP`)")
    addresses = status.gateway.addresses

    async def run() -> Findings:
        return await Verification(plan, RunDirectory(Path(run_dir)), addresses).run(watch)

    findings: Findings = uvloop.run(run())
    try:
        wrong = wrong_books(run_dir)
    except CannotStart as gone:
        return msgspec.structs.replace(findings, gone=str(gone))
    faults = {**findings.faults, BOOKS: len(wrong)} if wrong else findings.faults
    return msgspec.structs.replace(findings, faults=faults, examples=(*findings.examples, *wrong))
