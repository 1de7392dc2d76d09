"""Replicas on several nodes, played by a seed: crashes, partitions, heals, stalls, lost words; and a judge.

Nodes that are not heard are told to be down, as the bridges of a cluster tell it, and up when they are heard again.

The trackers are the real ones. Time, network and the kernel's knowledge of who lives are the simulation's. Within a
node messages come in order and all; between nodes they are lost while a partition lasts.
"""

from collections import Counter, deque
from itertools import count, permutations
from random import Random
from typing import Final

from roost.gateway.presence.entries import Joined
from roost.gateway.presence.gossip import Outgoing, decode_gossip, encode_gossip
from roost.gateway.presence.limits import PresenceLimits
from roost.gateway.presence.metas import decode_presences, encode_presences
from roost.gateway.presence.replicas import Replicas
from roost.gateway.presence.tracker import BEAT, SAMPLE_BEATS, SILENT_BEATS, Tracker

DOWN_BEATS: Final = 20
GONE_BEATS: Final = 60
STEP: Final = BEAT / 3
"""Seconds of one step; a replica beats at each third."""
BUSY_STEPS: Final = 400
CALM_STEPS: Final = 3 * (DOWN_BEATS + SILENT_BEATS + 4 * SAMPLE_BEATS + 6)
"""In which everything must have come to rest after the last disturbance."""
NODES: Final = "mno"
MEMBERSHIP_STEPS: Final = 7
"""In which a node is not heard before it is told to be down: 3.5 s."""
TOPICS: Final = ("t", "u")
LIMITS: Final = PresenceLimits(update_period=STEP)


class Failed(AssertionError):
    """A promise was broken."""


class SimReplica:
    """One worker's tracker, its inbox, and what a client of it has been told."""

    def __init__(self, name: str, stagger: int) -> None:
        self.name = name
        self.node = name.partition(":")[0]
        self.tracker = Tracker(name, LIMITS, Replicas(DOWN_BEATS, GONE_BEATS))
        self.inbox: deque[bytes | tuple[str, bool]] = deque()
        """Words of replicas; and which nodes are there now, or are not."""
        self.out_of_sight: set[str] = set()
        """Replicas of nodes that are down, until they are heard."""
        self.stalled = 0
        self.stagger = stagger
        self.beats = 0
        self.owners: dict[int, set[tuple[str, str]]] = {}
        self.picture: set[tuple[str, int]] = set()

    def take_changes(self) -> None:
        for change in self.tracker.take_changes():
            dot = change.entry.dot
            if isinstance(change, Joined) == (dot in self.picture):
                raise Failed(f"{self.name} was told of {dot} twice")
            self.picture ^= {dot}

    def shown(self) -> dict[tuple[str, str], list[tuple[str, int, bytes]]]:
        """Everything that `list` answers."""
        return {
            (topic, key): [(entry.replica, entry.number, entry.meta) for entry in entries]
            for topic in TOPICS
            for key, entries in self.tracker.presences.keys(topic).items()
        }


class Simulation:
    """One seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.met: Counter[str] = Counter()
        self.now = 0
        self.replicas: dict[str, SimReplica] = {}
        self.died: dict[str, dict[str, int]] = {}
        """For each of the dead, how often each of the living had beaten then."""
        self.cut: set[frozenset[str]] = set()
        """Pairs of nodes that hear nothing of each other."""
        self.cut_until = 0
        self.losses = 0.0
        self.unheard: Counter[tuple[str, str]] = Counter()
        """For how many steps one node has not heard another."""
        self._workers = count(1)
        self._owners = count(1)
        for node in ("m", "m", "n", "n"):
            self.start(node)

    # What happens

    def start(self, node: str) -> None:
        name = f"{node}:{next(self._workers)}"
        replica = self.replicas[name] = SimReplica(name, self.random.randrange(3))
        replica.tracker.greet()
        self.met["started"] += 1

    def kill(self, name: str) -> None:
        """Nothing it had not sent leaves any more; the kernel knows at once, and the others of its node with it."""
        dead = self.replicas.pop(name)
        self.died[name] = {other.name: other.beats for other in self.replicas.values()}
        self.met["killed"] += 1
        for other in self.replicas.values():
            if other.node == dead.node:
                other.tracker.died(name)
                other.tracker.report_death(name)

    def send(self, sender: SimReplica, outgoing: Outgoing) -> None:
        data = encode_gossip(outgoing.message)
        for name, other in self.replicas.items():
            if name == sender.name or outgoing.to not in (None, name):
                continue
            if other.node != sender.node and self.is_lost(sender.node, other.node):
                self.met["lost"] += 1
            else:
                other.inbox.append(data)

    def is_lost(self, sender: str, receiver: str) -> bool:
        """Whether a message from node to node does not get there."""
        return frozenset((sender, receiver)) in self.cut or self.random.random() < self.losses

    def act(self) -> None:
        """Something random."""
        replica = self.random.choice(list(self.replicas.values()))
        match self.random.choices(
            ["track", "untrack", "update", "end", "kill", "start", "cut", "heal", "stall", "losses", "leave"],
            [30, 10, 15, 8, 1.5, 1.5, 1, 2, 2, 1, 0.5],
        )[0]:
            case "kill" if len(self.replicas) > 2:
                self.kill(replica.name)
            case "leave" if len(self.replicas) > 2:
                replica.tracker.leave()
                self.flush(replica)
                self.kill(replica.name)
                self.met["left"] += 1
            case "start" if len(self.replicas) < 7:
                self.start(self.random.choice(NODES))
            case "cut":
                self.cut.add(frozenset(self.random.sample(NODES, 2)))
                self.cut_until = self.now + self.random.choice([0, 0, 4 * GONE_BEATS])
                self.met["cut"] += 1
            case "heal" if self.now > self.cut_until:
                self.cut.clear()
                self.met["healed"] += 1
            case "stall":
                replica.stalled = self.random.randrange(1, 60)
                self.met["stalled"] += 1
            case "losses":
                self.losses = self.random.choice([0.0, 0.2])
            case "track" | "untrack" | "update" | "end" as what if not replica.stalled:
                self.use(replica, what)

    def use(self, replica: SimReplica, what: str) -> None:
        """An owner does something."""
        owners, tracker = replica.owners, replica.tracker
        if what == "track" or not owners:
            owner = self.random.choice([next(self._owners), *owners])
            place = self.random.choice(TOPICS), self.random.choice("xyz")
            answer = tracker.track(owner, *place, {"at": self.now})
            if (answer.status == "ok") == (place in owners.get(owner, ())):
                raise Failed("tracked twice, or refused what was not tracked")
            owners.setdefault(owner, set()).add(place)
            return
        owner = self.random.choice(list(owners))
        if what == "end":
            tracker.owner_ended(owner)
            del owners[owner]
        elif places := sorted(owners[owner]):
            place = self.random.choice(places)
            if what == "untrack":
                tracker.untrack(owner, *place)
                owners[owner].discard(place)
            elif what == "update":
                assert tracker.update(owner, *place, {"at": -self.now}, self.now * STEP).status == "ok"
        self.met[what] += 1

    # Time

    def step(self, *, calm: bool = False) -> None:
        self.now += 1
        if not calm:
            self.act()
        for observer, other in permutations(NODES, 2):
            self.observe(observer, other)
        for replica in list(self.replicas.values()):
            if replica.stalled:
                replica.stalled -= 1
                continue
            self.read(replica)
            replica.tracker.apply_updates(self.now * STEP)
            replica.tracker.tell()
            if replica.tracker.has_news:
                replica.tracker.ask()
            if (self.now + replica.stagger) % 3 == 0:
                replica.tracker.beat()
                replica.beats += 1
            self.flush(replica)
            self.judge(replica)

    def observe(self, observer: str, other: str) -> None:
        """What the bridge of a node finds out of another, and tells its own workers."""
        is_there = any(replica.node == other for replica in self.replicas.values())
        heard = is_there and frozenset((observer, other)) not in self.cut
        was_down = self.unheard[observer, other] >= MEMBERSHIP_STEPS
        self.unheard[observer, other] = 0 if heard else self.unheard[observer, other] + 1
        is_down = self.unheard[observer, other] >= MEMBERSHIP_STEPS
        if was_down != is_down:
            self.met["node down" if is_down else "node up"] += 1
            for replica in self.replicas.values():
                if replica.node == observer:
                    replica.inbox.append((other, not is_down))

    def hear_of_node(self, replica: SimReplica, node: str, is_up: bool) -> None:
        for name in replica.tracker.replicas.names():
            if name.partition(":")[0] == node:
                if is_up:
                    replica.tracker.look_for(name)
                else:
                    replica.tracker.lost(name)
                    replica.out_of_sight.add(name)
        replica.take_changes()

    def read(self, replica: SimReplica) -> None:
        while replica.inbox:
            word = replica.inbox.popleft()
            if isinstance(word, tuple):
                self.hear_of_node(replica, *word)
                continue
            message = decode_gossip(word)
            here = message.sender.partition(":")[0] == replica.node
            if here and not self.lives(message.sender):
                self.met["word of a dead one"] += 1
                continue
            replica.out_of_sight.discard(message.sender)
            replica.tracker.received(message, watched=here)
            replica.take_changes()

    def flush(self, replica: SimReplica) -> None:
        for outgoing in replica.tracker.take_outgoing():
            self.met[type(outgoing.message).__name__] += 1
            self.send(replica, outgoing)
        replica.take_changes()

    def lives(self, name: str) -> bool:
        """What the kernel answers."""
        return name in self.replicas

    # The judge

    def judge(self, replica: SimReplica) -> None:
        """At any time: what is shown was told, no ghost is older than its bound, silence on a node means nothing."""
        dots = {(one, number) for entries in replica.shown().values() for one, number, _ in entries}
        for topic in TOPICS:
            keys = replica.tracker.presences.keys(topic)
            if decode_presences(replica.tracker.presences.text(topic)) != decode_presences(encode_presences(keys)):
                raise Failed(f"{replica.name} has not kept the text of {topic}")
        if dots != replica.picture:
            raise Failed(f"{replica.name} shows what it has not told")
        if unseen := {name for name, _ in dots} & replica.out_of_sight:
            raise Failed(f"{replica.name} shows {sorted(unseen)}, whose nodes are down")
        for name in {name for name, _ in dots} - self.replicas.keys():
            if name.partition(":")[0] == replica.node:
                raise Failed(f"{replica.name} shows {name}, which is dead on its node")
            if replica.beats - self.died[name].get(replica.name, 0) > DOWN_BEATS + 1:
                raise Failed(f"{replica.name} shows {name}, which has been dead for too long")
        for name in replica.tracker.replicas.names():
            if name.partition(":")[0] == replica.node and not replica.tracker.replicas.is_up(name):
                raise Failed(f"{replica.name} takes {name} of its own node for down")

    def calm_down(self) -> None:
        self.cut.clear()
        self.losses = 0.0
        for replica in self.replicas.values():
            replica.stalled = 0
        for _ in range(CALM_STEPS):
            self.step(calm=True)

    def judge_rest(self) -> None:
        """In the end all show the same, and it is the truth."""
        truth = {
            (name, owner, *place)
            for name, replica in self.replicas.items()
            for owner, places in replica.owners.items()
            for place in places
        }
        shown = {name: replica.shown() for name, replica in self.replicas.items()}
        if any(one != next(iter(shown.values())) for one in shown.values()):
            raise Failed("replicas show different presences")
        for replica in self.replicas.values():
            seen = {
                (entry.replica, entry.owner, topic, key)
                for topic in TOPICS
                for key, entries in replica.tracker.presences.keys(topic).items()
                for entry in entries
            }
            if ghosts := seen - truth:
                raise Failed(f"{replica.name} shows ghosts: {sorted(ghosts)}")
            if missing := truth - seen:
                raise Failed(f"{replica.name} misses {sorted(missing)}")
            if replica.tracker.presences.context.clouds.keys() & self.replicas.keys():
                raise Failed(f"{replica.name} still waits for something")


def play(seed: int) -> Counter[str]:
    """Play one seed. Raises Failed."""
    simulation = Simulation(seed)
    try:
        for _ in range(BUSY_STEPS):
            simulation.step()
        simulation.calm_down()
        simulation.judge_rest()
    except Failed as failure:
        raise Failed(f"seed {seed}, step {simulation.now}: {failure}") from None
    return simulation.met
