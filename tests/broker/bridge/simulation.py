"""Several bridges on one engine that keeps order and loses: connections are cut, it goes away, it drops silently."""

import random
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

from roost.broker.bridge.bridge import Bridge
from roost.broker.bridge.linkage import Linkage
from roost.broker.bridge.outgoing import ToSend
from roost.broker.bridge.subjects import Subjects
from roost.broker.bridge.wire import Origin
from roost.shared.bus import Form
from roost.shared.cluster import Interest, MessagesLost
from roost.shared.crossing import bucket_of, encode_crossing, pack_buckets

SUBJECTS = Subjects("test")
TOPICS = [f"room:{number}" for number in range(4)]
MAX_MESSAGE = 2048
FAULTS = ("cut", "outage", "drop")


class Broken(AssertionError):
    """A promise was not kept."""


@dataclass(eq=False)
class Connection:
    """One node's connection: what it has handed over and the engine has not taken, and what the engine has for it."""

    subjects: set[str] = field(default_factory=set)
    handed: deque[ToSend] = field(default_factory=deque)
    inbox: deque[bytes] = field(default_factory=deque)
    publishing: bool = False


class Node:
    """A bridge with what it published and what came."""

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.bridge = Bridge(Origin(name, f"id-{name}", 1), SUBJECTS, limit, "0", 0.0, again=False)
        self.bridge.accepted()
        self.bridge.interest(Interest(1, 1, pack_buckets({bucket_of(topic) for topic in TOPICS})))
        self.connection: Connection | None = None
        self.was_deaf = False
        """Whether it connected again by itself, for want of its own beats."""
        self.published: Counter[str] = Counter()
        self.received: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.lost: Counter[str] = Counter()

    def publish(self, topic: str, padding: int) -> None:
        self.published[topic] += 1
        event = f"{self.name} {self.published[topic]}"
        self.bridge.tapped(encode_crossing(topic, Form.JSON, event, b'"%b"' % (b"x" * padding)))

    def collect(self) -> None:
        deliveries, self.bridge.deliveries = self.bridge.deliveries, []
        for crossing, _ in deliveries:
            sender, _, number = crossing.event.partition(" ")
            came = self.received[sender, crossing.topic]
            if came and int(number) <= came[-1]:
                raise Broken(f"{self.name} had {came[-1]} of {sender} on {crossing.topic} before {number}")
            came.append(int(number))
        for news in self.bridge.take_news():
            if isinstance(news, MessagesLost):
                if news.lost is None:
                    raise Broken(f"{self.name} cannot count what it lost of {news.node}")
                self.lost[news.node] += news.lost


class World:
    """What one seed plays."""

    def __init__(self, seed: int, *, cutting_one: bool = False) -> None:
        """`cutting_one`: the only fault is that the first node's connection is cut."""
        self.cutting_one = cutting_one
        self.random = random.Random(seed)
        self.now = 0.0
        self.up = True
        self.met: Counter[str] = Counter()
        limit = 1_000_000 if cutting_one else self.random.choice([2_000, 20_000, 1_000_000])
        self.nodes = [Node(name, limit) for name in ("a", "b", "c")[: self.random.choice([2, 3])]]

    def play(self, steps: int) -> None:
        self.settle()
        for _ in range(steps):
            self.step()
        self.settle()
        self.judge()

    def step(self) -> None:
        node = self.random.choice(self.nodes)
        chance = self.random.random()
        if chance < 0.15:
            node.publish(self.random.choice(TOPICS), self.random.choice([1, 10, 400]))
        elif chance < 0.9:
            self.run(node)
        elif chance < (0.902 if self.cutting_one else 0.92):
            self.tick()
        elif chance < 0.94:
            self.fault(*((self.nodes[0], "cut") if self.cutting_one else (node, self.random.choice(FAULTS))))
        else:
            self.up = True

    def fault(self, node: Node, kind: str) -> None:
        self.met[kind] += 1
        connection = node.connection
        if kind == "outage":
            self.up = False
            for one in self.nodes:
                self.cut(one)
        elif kind == "cut":
            self.cut(node)
        elif connection is not None and connection.inbox:
            # What is behind it comes; nobody is told.
            connection.inbox.popleft()

    def cut(self, node: Node) -> None:
        if node.connection is not None:
            node.connection = None
            node.bridge.lost(self.now)

    def tick(self) -> None:
        self.now += 1
        for node in self.nodes:
            if node.bridge.tick(self.now):
                self.met["deaf"] += 1
                node.was_deaf = True
                self.cut(node)

    def run(self, node: Node) -> bool:
        """One small thing that a node or the engine has to do for it. False if there is none."""
        connection = node.connection
        bridge = node.bridge
        if connection is None:
            if not self.up:
                return False
            node.connection = Connection()
            bridge.connected(MAX_MESSAGE, self.now)
            return True
        if bridge.linkage is Linkage.SUBSCRIBING:
            changes = bridge.changes()
            wanted = [SUBJECTS.everybody, SUBJECTS.node(node.name), *map(SUBJECTS.bucket, changes.subscribe)]
            connection.subjects.update(wanted)
            bridge.subscribed(changes.subscribe)
            bridge.resubscribed(self.now)
            return True
        choices = []
        if connection.inbox:
            choices.append(self.deliver)
        if connection.handed or connection.publishing:
            choices.append(self.forward)
        elif bridge.has_more():
            choices.append(self.hand_over)
        if not choices:
            return False
        self.random.choice(choices)(node, connection)
        return True

    def deliver(self, node: Node, connection: Connection) -> None:
        node.bridge.received(connection.inbox.popleft(), self.now)
        node.collect()

    def hand_over(self, node: Node, connection: Connection) -> None:
        connection.handed.extend(node.bridge.batch(self.now))
        connection.publishing = True

    def forward(self, node: Node, connection: Connection) -> None:
        """The engine takes the next message, or confirms that there was none left."""
        if not connection.handed:
            connection.publishing = False
            node.bridge.confirmed()
            return
        subject, data = connection.handed.popleft()
        if len(data) > MAX_MESSAGE:
            raise Broken(f"a message of {len(data)} bytes")
        for other in self.nodes:
            if other.connection is not None and subject in other.connection.subjects:
                other.connection.inbox.append(data)

    def settle(self) -> None:
        """Without faults, until nothing happens but beats."""
        self.up = True
        for _ in range(8):
            self.rest()
            self.tick()
        self.rest()

    def rest(self) -> None:
        while sum(self.run(node) for node in self.nodes):
            pass

    def judge(self) -> None:
        for node in self.nodes:
            bridge = node.bridge
            if bridge.linkage is not Linkage.OPEN or bridge.outgoing.count or bridge.outgoing.bytes:
                raise Broken(f"{node.name} is not at rest: {bridge.linkage}, {bridge.outgoing.count}")
            if len(bridge.members.up()) != len(self.nodes) - 1:
                raise Broken(f"{node.name} misses a node")
            for member in bridge.members.all():
                sender = next(one for one in self.nodes if one.name == member.origin.node)
                came = sum(len(node.received[sender.name, topic]) for topic in TOPICS)
                missing = sender.published.total() - came
                if member.received != came or member.lost != missing or node.lost[sender.name] != missing:
                    raise Broken(f"{node.name} lacks {missing} of {sender.name} and counts {member.lost}")


def play(seed: int, steps: int = 1500) -> World:
    """Play one world and hold it to its promises. Raises Broken."""
    world = World(seed)
    world.play(steps)
    return world


def cut_one(seed: int, steps: int = 1500) -> World:
    """The same; those who were not cut off must have all that the first node published. Raises Broken."""
    world = World(seed, cutting_one=True)
    world.play(steps)
    for node in world.nodes[1:]:
        if not node.was_deaf and node.lost[world.nodes[0].name]:
            raise Broken(f"{node.name} lost something of a node that only had to connect again")
    return world
