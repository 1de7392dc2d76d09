"""What one replica does: for owners who come and go, and for what other replicas say. Pure.

It tells nobody anything itself: what has changed and what is to be sent is collected until its owner takes it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from roost.gateway.presence.clock import Clock, dominates, only, undominated, upper_bound
from roost.gateway.presence.entries import Change, Entry, Joined, Left
from roost.gateway.presence.gossip import Farewell, Gossip, Heartbeat, Outgoing, Transfer, TransferRequest
from roost.gateway.presence.limits import MAX_KEY_BYTES, PresenceLimits
from roost.gateway.presence.metas import References, decode_meta, encode_meta
from roost.gateway.presence.presence_set import PresenceSet
from roost.gateway.presence.replicas import Replicas, Turn
from roost.gateway.presence.update_pace import UpdatePace
from roost.gateway.replies import Error, Ok

BEAT: Final = 1.5
"""Seconds between two beats (Phoenix's `broadcast_period`; deltas do not wait for them here)."""
SILENT_BEATS: Final = 10
"""Beats without anything to tell, after which a heartbeat is sent all the same (Phoenix's `max_silent_periods`)."""
SAMPLE_BEATS: Final = 2
"""Beats between two looks at who knows more (Phoenix's `clock_sample_periods`)."""

Meta = Mapping[str, Any]
Place = tuple[str, str]
"""Topic and key: an owner is there once."""


class Tracker:
    """One replica of one presence."""

    def __init__(self, replica: str, limits: PresenceLimits | None = None, replicas: Replicas | None = None) -> None:
        self.replica = replica
        self.limits = limits or PresenceLimits()
        self.presences = PresenceSet(replica)
        self.replicas = replicas or Replicas()
        self.has_news = False
        """Whether one that came up knows more than we do: `ask` soon, when others have answered too."""
        self._references = References(replica)
        self._pace = UpdatePace(self.limits.update_period)
        self._owned: dict[int, dict[Place, tuple[Entry, str]]] = {}
        """Of each owner: its entries and their references."""
        self._changes: list[Change] = []
        self._outgoing: list[Outgoing] = []
        self._silent = SILENT_BEATS
        self._beats = 0
        self._ahead: dict[str, Clock] = {}
        """Clocks of replicas that knew more than we did, heard since the last look."""
        self._wanted: dict[str, int] = {}
        """What those who were new to us knew: until we know it too, we lack something."""
        self._suspects: dict[str, Clock] = {}
        """Those heard before the last look: what they knew more should have come by now."""

    # What the owner takes

    def take_changes(self) -> list[Change]:
        """What is shown differently now, in order."""
        changes, self._changes = self._changes, []
        return changes

    def take_outgoing(self) -> list[Outgoing]:
        """What is to be sent now."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def wants_to_tell(self) -> bool:
        """Whether `tell` has something to say."""
        return self.presences.has_delta()

    def due(self) -> float | None:
        """When `apply_updates` has something to do."""
        return self._pace.due()

    # What owners do, which are channels and tasks

    def track(self, owner: int, topic: str, key: str, meta: Meta) -> Ok | Error:
        """An owner is in a topic from now on: answers the new reference."""
        places = self._owned.get(owner, {})
        if (topic, key) in places:
            return Error("already_tracked")
        if len(places) >= self.limits.max_channel_presences:
            return Error("too_many_presences")
        if self.presences.size(topic) >= self.limits.max_topic_presences:
            return Error("topic_full")
        if len(key.encode()) > MAX_KEY_BYTES:
            return Error("key_too_long")
        reference = self._references.next()
        encoded = encode_meta(meta, reference)
        if len(encoded) > self.limits.max_meta_bytes:
            return Error("meta_too_large")
        entry = self.presences.add(topic, key, owner, encoded)
        self._owned.setdefault(owner, {})[topic, key] = entry, reference
        self._changes.append(Joined(entry))
        return Ok(reference)

    def untrack(self, owner: int, topic: str, key: str) -> None:
        """An owner is not there any more; nothing happens if it was not."""
        places = self._owned.get(owner, {})
        owned = places.pop((topic, key), None)
        if owned is None:
            return
        if not places:
            del self._owned[owner]
        self._pace.forget((owner, topic, key))
        self.presences.remove(owned[0])
        self._changes.append(Left(owned[0]))

    def owner_ended(self, owner: int) -> None:
        """An owner is nowhere any more."""
        for topic, key in list(self._owned.get(owner, ())):
            self.untrack(owner, topic, key)

    def update(
        self, owner: int, topic: str, key: str, change: Meta | Callable[[dict[str, Any]], Meta], now: float
    ) -> Ok | Error:
        """Another meta in place of the one there is: given, or made from it. Answers the new reference."""
        owned = self._owned.get(owner, {}).get((topic, key))
        if owned is None:
            return Error("nopresence")
        entry, reference = owned
        place = (owner, topic, key)
        meta = change(decode_meta(self._pace.waiting(place) or entry.meta)) if callable(change) else change
        following = self._references.next()
        encoded = encode_meta(meta, following, reference)
        if len(encoded) > self.limits.max_meta_bytes:
            return Error("meta_too_large")
        if self._pace.admits(place, now):
            self._replace(place, encoded, following)
        else:
            self._pace.wait(place, encoded, following)
        return Ok(following)

    def apply_updates(self, now: float) -> None:
        """Make the updates that had come too soon."""
        for place, meta, reference in self._pace.take(now):
            self._replace(place, meta, reference)

    def _replace(self, place: tuple[int, str, str], meta: bytes, reference: str) -> None:
        owner, topic, key = place
        before, _ = self._owned[owner][topic, key]
        after = self.presences.replace(before, meta)
        self._owned[owner][topic, key] = after, reference
        self._changes += [Left(before), Joined(after)]

    # Gossip

    def greet(self) -> None:
        """The replica is new: everybody is to tell it what they know."""
        self._silent = 0
        self._send(None, Heartbeat(self.replica, self.presences.clock(), greets=True))

    def tell(self) -> None:
        """Tell the others what they do not know."""
        while self.presences.has_delta():
            self._silent = 0
            delta = self.presences.take_delta()
            self._send(None, Heartbeat(self.replica, self.presences.clock(), delta))

    def lacks(self) -> bool:
        """Whether there is something that those we greeted know, and we do not know yet."""
        return self._knows_more(self._wanted)

    def ask(self) -> None:
        """Ask those who are known to know more, at once."""
        self.has_news = False
        self._request(self._suspects | self._ahead)
        self._suspects, self._ahead = {}, {}

    def beat(self) -> None:
        """To be called every BEAT seconds."""
        self.tell()
        self._silent += 1
        if self._silent > SILENT_BEATS:
            self._silent = 0
            self._send(None, Heartbeat(self.replica, self.presences.clock()))
        for name, turn in self.replicas.beat():
            self._turned(name, turn)
        self._beats += 1
        if self._beats % SAMPLE_BEATS == 0:
            self._request(self._suspects)
            self._suspects, self._ahead = self._ahead, {}

    def received(self, message: Gossip, *, watched: bool) -> None:
        """Another replica said something. `watched`: `died` will tell of its death, so its silence means nothing."""
        sender = message.sender
        if sender == self.replica:
            return
        if isinstance(message, Farewell):
            self.died(sender)
            return
        came_up = self.replicas.heard(sender, watched=watched) is not None
        if came_up:
            self._turned(sender, Turn.UP)
        match message:
            case Heartbeat(_, clock, delta, greets):
                if delta is not None:
                    self._changes += self.presences.merge(delta, self.replicas)
                if greets:
                    self._send(sender, Heartbeat(self.replica, self.presences.clock()))
                self._compare(sender, clock, new=came_up)
            case TransferRequest(_, clock, clouds):
                for part in self.presences.extract(clock, clouds, sender):
                    self._send(sender, Transfer(self.replica, part))
            case Transfer(_, part):
                self._changes += self.presences.merge(part, self.replicas)

    def died(self, name: str) -> None:
        """Another replica is dead for certain: nothing is kept of it, and it is not awaited."""
        if self.replicas.forget(name):
            self._turned(name, Turn.GONE)

    def lost(self, name: str) -> None:
        """Another replica is out of sight, with its node: what it had is not shown until it is heard again."""
        if self.replicas.lost(name):
            self._turned(name, Turn.DOWN)

    def look_for(self, name: str) -> None:
        """Another replica may be in sight again: if it lives, it is to say so."""
        if name in self.replicas and not self.replicas.is_up(name):
            self._send(name, Heartbeat(self.replica, self.presences.clock(), greets=True))

    def report_death(self, name: str) -> None:
        """Tell replicas of other nodes, who cannot see it, that one of this node is dead."""
        self._send(None, Farewell(name))

    def leave(self) -> None:
        """The replica goes for good: the others need not wait for its silence."""
        for owner in list(self._owned):
            self.owner_ended(owner)
        self._send(None, Farewell(self.replica))

    def _turned(self, name: str, turn: Turn) -> None:
        match turn:
            case Turn.UP:
                self._changes += self.presences.show(name)
            case Turn.DOWN:
                self._changes += self.presences.hide(name)
            case Turn.GONE:
                self._changes += self.presences.forget(name)
                self._ahead.pop(name, None)
                self._suspects.pop(name, None)

    def _compare(self, sender: str, clock: Clock, *, new: bool) -> None:
        if self._knows_more(clock):
            self._ahead[sender] = clock
            if new:
                self.has_news = True
                self._wanted = upper_bound(self._wanted, clock)

    def _knows_more(self, clock: Clock) -> bool:
        """Whether a clock tells of something that we lack, of replicas that we count on."""
        theirs = only(clock, self.replicas)
        return not dominates(self.presences.context.clock, theirs)

    def _request(self, clocks: Mapping[str, Clock]) -> None:
        """Ask those who still know more, and of them only those whom no other one outdoes."""
        ahead = [(name, only(clock, self.replicas)) for name, clock in clocks.items() if self.replicas.is_up(name)]
        context = self.presences.context
        for name, _ in undominated([one for one in ahead if self._knows_more(one[1])]):
            clouds = {known: sorted(cloud) for known, cloud in context.clouds.items()}
            self._send(name, TransferRequest(self.replica, dict(context.clock), clouds))

    def _send(self, to: str | None, message: Gossip) -> None:
        self._outgoing.append(Outgoing(to, message))
