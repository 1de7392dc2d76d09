"""The bridge of a simulated node, as its workers see it: it hears of interests, an engine confirms, it says so, late.

It may die and be started anew; the supervisors remember what the workers wanted. Other nodes are not simulated.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from roost.gateway.bus.interest import TICK, WorkerInterest
from roost.shared.cluster import Interest, Listening
from roost.shared.crossing import bucket_of, pack_buckets, unpack_buckets
from tests.simulation.clock import Process

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster
    from tests.simulation.worker import SimWorker

RESTART: Final = 0.5
"""Seconds, about, until a bridge that died has a successor; some take ten times as long."""


class SimBridge(Process):
    """One bridge process, from its start to its end."""

    def __init__(self, cluster: "Cluster") -> None:
        super().__init__(cluster.clock, "bridge")
        self.cluster = cluster
        self.wanted: set[int] = set()
        self.listening: set[int] = set()
        """Buckets that the engine has confirmed."""
        self.versions: dict[int, int] = {}
        self.last_told = pack_buckets(set())
        self.later(self.clock.delay(0.1), self._begin)

    def _begin(self) -> None:
        self.clock.meet("bridge begins")
        for interest in list(self.cluster.interests.values()):
            self.hear(interest)

    def hear(self, interest: Interest) -> None:
        if interest.version < self.versions.get(interest.worker, 0):
            return
        self.versions[interest.worker] = interest.version
        wanted = {bucket for one in self.cluster.interests.values() for bucket in unpack_buckets(one.buckets)}
        self.listening &= wanted
        for bucket in wanted - self.wanted:
            self.later(self.clock.delay(0.05), partial(self._confirmed, bucket))
        self.wanted = wanted
        self._tell()

    def _confirmed(self, bucket: int) -> None:
        if bucket in self.wanted:
            self.listening.add(bucket)
            self._tell()

    def _tell(self) -> None:
        self.last_told = pack_buckets(self.listening)
        told = Listening(dict(self.versions), self.last_told, 1000, ())
        for worker in self.cluster.workers.values():
            worker.bridge_says(self, told)


class BridgedWorker:
    """What a worker does more where there is a bridge."""

    def __init__(self, worker: "SimWorker") -> None:
        self.interest = WorkerInterest(worker.number)
        self.believes: SimBridge | None = None
        """The bridge that it heard last."""
        self._worker = worker
        self._due = 0.0
        worker.delivery.may_stand = self.may_stand
        worker.later(TICK, self._tick)

    def may_stand(self, subscription: Any) -> bool:
        return self.interest.stands(subscription.topic)

    def heard(self, bridge: SimBridge, listening: Listening) -> None:
        if bridge is self._worker.cluster.bridge:
            self.believes = bridge
            self.interest.heard(listening)
            self.look_again()

    def look_again(self) -> None:
        self._worker._carry_out([self._worker.delivery.look_again()])

    def end_turn(self) -> None:
        """Messages on a link keep their order."""
        news = self.interest.news()
        if news is not None:
            clock = self._worker.clock
            self._due = max(self._due, clock.now + clock.delay(0.01))
            clock.after(self._due - clock.now, partial(self._worker.cluster.interest_told, news))

    def is_right_about(self, topic: str) -> bool:
        """Whether a join may be answered: the bridge that was heard last listens, or is dead, or none answers."""
        if self.interest.alone:
            return True
        bridge = self.believes
        return bridge is not None and (bucket_of(topic) in bridge.listening or not bridge.running)

    def _tick(self) -> None:
        self._worker.later(TICK, self._tick)
        if self.interest.tick():
            self._worker.clock.meet("gave up waiting for the bridge", self._worker.name)
            self.look_again()
        self._worker.turn.wake()
