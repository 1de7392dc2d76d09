"""The bridge of a node: what goes to the other nodes, what came from them, who is there, what is listened to. Pure.

The shell tells it what happened, hands the engine what `batch` answers, and carries out what it finds in `deliveries`,
`news`, `answers` and `questions`. Subscriptions, publishes and beats are of one connection to the engine at a time;
when it is gone, all is said again in the next one.
"""

from typing import Final

import msgspec

from roost.broker.bridge.acceptance import refusal
from roost.broker.bridge.buckets import Buckets, Changes
from roost.broker.bridge.canary import Canary
from roost.broker.bridge.incoming import DIRECT
from roost.broker.bridge.linkage import Linkage
from roost.broker.bridge.members import Member, Members
from roost.broker.bridge.outgoing import Outgoing, ToSend
from roost.broker.bridge.spreading import Spreading
from roost.broker.bridge.subjects import Subjects
from roost.broker.bridge.wire import (
    MAX_HEAD_BYTES,
    NEWEST,
    OLDEST,
    Answer,
    Beat,
    Directs,
    Goodbye,
    Message,
    Origin,
    Probe,
    Probed,
    Publishes,
    Question,
    Unreadable,
    common_version,
    decode,
    encode,
    is_echo,
)
from roost.shared.cluster import ClusterNews, ClusterStatus, EngineState, Interest, Listening
from roost.shared.crossing import (
    NAMES_BYTES,
    Crossing,
    bucket_of,
    decode_crossing,
    decode_direct,
    encode_letter_of,
    pack_buckets,
)
from roost.shared.topics import crosses

REJOIN_BEATS: Final = 5
"""After a reconnect, what waits is sent when all nodes are heard again that were there before, or after these beats."""
PAYLOAD_UNTIL_CONNECTED: Final = 1024 * 1024
"""What the engine's greatest message is taken to be before it was ever reached."""


class Bridge:
    """The state machine of one bridge."""

    def __init__(
        self, origin: Origin, subjects: Subjects, limit: int, release: str, now: float, *, again: bool
    ) -> None:
        """`limit`: bytes of publishes that may wait. `again`: whether the node had a bridge before this one."""
        self.origin = origin
        self.members = Members()
        self.deliveries: list[tuple[Crossing, Member]] = []
        """What is to be published in this node, and whose it is."""
        self.noteworthy = False
        """Whether anything but publishes came; its owner sets it back."""
        self.questions: list[Question] = []
        """What other nodes ask."""
        self.answers: list[Answer] = []
        self.namesake: Origin | None = None
        """Another node of our name that was heard."""
        self.on_trial = True
        """Whether the node only asks who is there, until it is `accepted`."""
        self.unreadable = 0
        self.complaint = ""
        """Why the first unreadable message was."""
        self.reconnects = -1
        self.linkage = Linkage.AWAY
        self.outgoing = Outgoing(origin, subjects, limit)
        self._subjects = subjects
        self._release = release
        self._again = again
        self._own_bytes = msgspec.msgpack.encode(origin)
        self._buckets = Buckets()
        self._spreading, self._spreads = Spreading(), False
        self._max_message = PAYLOAD_UNTIL_CONNECTED
        self._told: Listening | None = None
        self._control: list[ToSend] = []
        self._canary = Canary()
        self._beat_due = self._asks = self._said_hello = False
        self._awaited: set[str] = set()
        self._rejoin_beats = 0
        self._since = now
        self._leaves = False

    # What the node tells

    def tapped(self, letter: bytes) -> None:
        """Something was published for the whole cluster. Raises BadParcel."""
        topic = decode_crossing(letter).topic
        if crosses(topic):
            self.outgoing.take(bucket_of(topic), letter)

    def direct(self, payload: bytes) -> None:
        """Something was published for one other node. Raises BadParcel."""
        direct = decode_direct(payload)
        if self.members.knows(direct.node):
            self.outgoing.take(direct.node, encode_letter_of(direct.crossing))
        else:
            self.outgoing.dropped += 1

    def interest(self, interest: Interest) -> None:
        """A worker says what it has subscribers for. Raises ValueError."""
        self.members.forget(self._buckets.tell(interest))

    def worker_exited(self, worker: int) -> None:
        """A worker is no more."""
        self.members.forget(self._buckets.worker_exited(worker))

    def listening(self) -> Listening | None:
        """What the workers are to be told, if it is another than last."""
        wanted = self._buckets.wanted
        heard = wanted
        if self.linkage is not Linkage.AWAY:
            heard &= self._buckets.heard - self._spreading.waiting(self.members.there())
        told = Listening(
            self._buckets.versions,
            pack_buckets(heard),
            self._max_message - MAX_HEAD_BYTES - NAMES_BYTES,
            tuple(sorted(self.members.up())),
        )
        if told == self._told:
            return None
        self._told = told
        return told

    def take_news(self) -> list[ClusterNews]:
        """What happened since this was last asked."""
        news, self.members.news = self.members.news, []
        return news

    # The engine

    def connected(self, max_message: int, now: float, *, spreads: bool = False) -> None:
        """There is a connection; nothing is subscribed in it yet. `spreads`: the engine is of several servers."""
        self._spreads = spreads
        self._max_message = max_message
        self.reconnects += 1
        self._canary.connected()
        self._enter(Linkage.SUBSCRIBING, now)

    def changes(self) -> Changes:
        """What to ask of the engine now; it is taken to have been asked."""
        return self._buckets.changes() if self.linkage is not Linkage.AWAY else Changes([], [])

    def subscribed(self, buckets: list[int]) -> None:
        """The engine has confirmed these."""
        # What was still under way from an earlier subscription says nothing about a new one.
        fresh = self._buckets.subscribed(buckets)
        self.members.forget(fresh)
        if self._spreads and fresh:
            self._spreading.began(fresh)
            self._probe()

    def resubscribed(self, now: float) -> None:
        """The engine has confirmed all that was asked first in this connection: beats and what is for this node too."""
        self._awaited = self.members.there() | self._awaited
        self._rejoin_beats = 0
        self._said_hello = False
        self._beat_due = self._asks = True
        self._enter(Linkage.REJOINING, now)

    def lost(self, now: float) -> None:
        """The connection is gone."""
        self.members.interrupted(self._buckets.heard)
        self._awaited |= self.members.there()
        self._buckets.lost()
        self._spreading.lost()
        self._control.clear()
        self.outgoing.lost()
        self._enter(Linkage.AWAY, now)

    def batch(self, now: float) -> list[ToSend]:
        """What the engine is to be handed next; `confirmed` or `lost` must come before this is asked again."""
        if self.linkage in (Linkage.AWAY, Linkage.SUBSCRIBING) or self._leaves:
            return []
        messages, self._control = self._control, []
        if self.linkage is Linkage.REJOINING and self._others_hear():
            self._awaited.clear()
            self._enter(Linkage.OPEN, now)
        if self.linkage is Linkage.OPEN:
            messages += self.outgoing.batch(self._max_message, self._version())
        if self._beat_due:
            # Behind what it speaks of.
            messages.append(self._beat(now))
        return messages

    def has_more(self) -> bool:
        """Whether `batch` would answer anything."""
        match self.linkage:
            case _ if self._leaves:
                return False
            case Linkage.OPEN:
                return bool(self._beat_due or self._control or self.outgoing.waits)
            case Linkage.REJOINING:
                opens = self._others_hear() and self.outgoing.waits
                return bool(self._beat_due or self._control or opens)
        return False

    def confirmed(self) -> None:
        """The engine has the last batch."""
        self.outgoing.confirmed()

    def tick(self, now: float) -> bool:
        """To be called once a second. Whether the connection is deaf and is to be dropped."""
        self.members.tick()
        if self.linkage is Linkage.AWAY:
            return False
        self._beat_due = True
        self._probe()
        if self.linkage is Linkage.REJOINING:
            self._rejoin_beats += 1
        if not self._canary.tick():
            return False
        self._since = now
        return True

    def received(self, data: bytes, now: float) -> None:
        """The engine brought a message, perhaps one of our own."""
        if is_echo(data, self._own_bytes):
            return
        try:
            self._hear_anybody(decode(data), now)
        except Unreadable as why:
            self._cannot_take(str(why))

    def accepted(self) -> None:
        """Nobody else has our name: be one of the nodes."""
        self.on_trial = self._said_hello = False
        self._beat_due = self._asks = True

    # Questions from node to node

    def ask(self, node: str, number: int, question: bytes) -> bool:
        """Ask another node; `answers` will tell. False if it cannot be reached now."""
        if node not in self.members.up() or self.linkage in (Linkage.AWAY, Linkage.SUBSCRIBING):
            return False
        self._tell(node, Question(self.origin, number, question))
        return True

    def answer(self, node: str, number: int, answer: bytes, refused: str = "") -> None:
        """Answer a question of another node."""
        if len(answer) > self._max_message - MAX_HEAD_BYTES:
            answer, refused = b"", f"the answer takes {len(answer)} bytes, more than the engine carries at a time"
        self._tell(node, Answer(self.origin, number, answer, refused))

    def goodbye(self) -> list[ToSend]:
        """The last that is to be handed to the engine, when nothing waits any more: nothing goes after it."""
        self._leaves = True
        return [ToSend(self._subjects.everybody, encode(Goodbye(self.origin), self._version()))]

    def status(self, engine: str, now: float) -> ClusterStatus:
        """What is known, for people."""
        return ClusterStatus(
            node=self.origin.node,
            engine=engine,
            state=self._state(),
            since=now - self._since,
            round_trip=self._canary.round_trip,
            buckets=len(self._buckets.heard),
            sent=self.outgoing.sent,
            buffered=self.outgoing.count,
            buffered_bytes=self.outgoing.bytes,
            dropped=self.outgoing.dropped,
            unreadable=self.unreadable,
            reconnects=max(0, self.reconnects),
            nodes=tuple(member.row(now) for member in self.members.all()),
        )

    # Within

    def _state(self) -> EngineState:
        if self._canary.deaf:
            return EngineState.DEAF
        return EngineState.CONNECTING if self.linkage is Linkage.AWAY else EngineState.CONNECTED

    def _enter(self, linkage: Linkage, now: float) -> None:
        if not self._canary.deaf and Linkage.AWAY in (self.linkage, linkage):
            self._since = now
        self.linkage = linkage

    def _version(self) -> int:
        return common_version(member.reads for member in self.members.up().values())

    def _beat(self, now: float) -> ToSend:
        numbers, directs = self.outgoing.settled()
        number, asks = self._canary.send(now), self._asks
        beat = Beat(self.origin, number, OLDEST, NEWEST, self._release, numbers, directs, asks, self.on_trial)
        self._beat_due = self._asks = False
        self._said_hello = True
        return ToSend(self._subjects.everybody, encode(beat))

    def _tell(self, node: str, message: Message) -> None:
        self._control.append(ToSend(self._subjects.node(node), encode(message, self._version())))

    def _probe(self) -> None:
        if (question := self._spreading.question()) is not None:
            probe = Probe(self.origin, *question)
            self._control.append(ToSend(self._subjects.everybody, encode(probe, self._version())))

    def _gives_way_to(self, namesake: Origin, *, on_trial: bool) -> bool:
        """Of two that ask at the same time, one does."""
        return namesake.node_id != self.origin.node_id and (
            not on_trial or (self.on_trial and namesake.node_id < self.origin.node_id)
        )

    def _hear_anybody(self, message: Message, now: float) -> None:
        origin = message.origin
        if (origin.node, origin.node_id) == (self.origin.node, self.origin.node_id):
            self._hear_ourselves(message, now)
            return
        on_trial = isinstance(message, Beat) and message.on_trial
        if origin.node == self.origin.node and self._gives_way_to(origin, on_trial=on_trial):
            self.namesake = origin
        if on_trial:
            self._beat_due = self.noteworthy = True
        elif (member := self.members.of(origin, now)) is not None:
            self._hear(member, message)

    def _cannot_take(self, why: str) -> None:
        self.unreadable += 1
        self.complaint = self.complaint or why
        self.noteworthy = True

    def _hear_ourselves(self, message: Message, now: float) -> None:
        """Of an earlier life of this bridge nothing is news."""
        if not isinstance(message, Beat) or message.origin != self.origin:
            return
        if self._canary.deaf:
            self._since = now
        self._canary.came_back(message.number, now)

    def _hear(self, member: Member, message: Message) -> None:
        self.noteworthy |= not isinstance(message, Publishes | Directs)
        match message:
            case Publishes(_, bucket, first, crossings):
                if bucket in self._buckets.asked:
                    self._take(member, bucket, first, crossings)
            case Directs(_, first, crossings):
                self._take(member, DIRECT, first, crossings)
            case Beat():
                self._hear_beat(member, message)
            case Goodbye():
                self.members.goodbye(member)
            case Question():
                self.questions.append(message)
            case Answer():
                self.answers.append(message)
            case Probe(_, number, buckets):
                numbers, _ = self.outgoing.settled()
                told = {bucket: numbers.get(bucket, 0) for bucket in buckets}
                self._tell(member.origin.node, Probed(self.origin, number, told))
            case Probed(_, number, numbers):
                for bucket in self._spreading.answered(member.origin.node_id, number):
                    member.incoming.begin(bucket, numbers.get(bucket, 0))

    def _take(self, member: Member, bucket: int, first: int, crossings: list[Crossing]) -> None:
        known, lost, uncertain = member.incoming.publishes(bucket, first, len(crossings))
        if lost or uncertain:
            self.noteworthy = True
            self.members.missed(member, lost, uncertain=uncertain)
        member.duplicates += known
        member.received += len(crossings) - known
        for crossing in crossings[known:]:
            if (why := refusal(crossing, direct=bucket == DIRECT)) is None:
                self.deliveries.append((crossing, member))
            else:
                self._cannot_take(why)

    def _hear_beat(self, member: Member, beat: Beat) -> None:
        verdicts = [member.incoming.beat(bucket, beat.numbers.get(bucket, 0)) for bucket in self._buckets.heard]
        verdicts.append(member.incoming.beat(DIRECT, beat.directs.get(self.origin.node, 0)))
        member.incoming.told(beat.numbers)
        lost, uncertain = sum(verdict.lost for verdict in verdicts), any(verdict.uncertain for verdict in verdicts)
        self.members.missed(member, lost, uncertain=uncertain)
        if self._again and not member.version and self._canary.sent <= REJOIN_BEATS:
            # What it published while this node had no bridge.
            self.members.lost(member, None)
        self.members.beat(member, beat)
        self._beat_due |= beat.asks
        self._awaited.discard(member.origin.node_id)

    def _others_hear(self) -> bool:
        """Whether publishes may go: behind a beat, from which those who are new here begin to count."""
        return self._said_hello and not self.on_trial and (not self._awaited or self._rejoin_beats >= REJOIN_BEATS)
