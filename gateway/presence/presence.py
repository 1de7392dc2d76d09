"""What an application derives from to show who is present: Phoenix's Presence."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from roost.gateway.channel import Channel
from roost.gateway.events import check_callback
from roost.gateway.presence.limits import PresenceLimits
from roost.gateway.presence.metas import Presences, decode_presences, encode_presences
from roost.gateway.presence.owners import Owner
from roost.gateway.presence.replica import Replica
from roost.gateway.replies import Error, Ok
from roost.gateway.routes import Route, find_route
from roost.shared.serializer import Raw, check_event
from roost.shared.topics import application_topic

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime

Meta = Mapping[str, Any]
STATE = "presence_state"


class Presence:
    """Who is where, on all workers. Make one, and give it to the endpoint: `Endpoint(presences=[presence])`.

    Presences are tracked for a channel or a task, in a topic, under a key; several may share a key. Each has a meta, a
    dict. Subscribers of the topic are sent `presence_diff`, which phoenix.js understands together with the
    `presence_state` of `push_state`.
    """

    limits: ClassVar[PresenceLimits] = PresenceLimits()
    """How much may be tracked, and how often subscribers are told."""
    topics: ClassVar[tuple[str, ...]] = ("*",)
    """Where it may be tracked: patterns as in routes. Channels on other topics pay nothing for it."""
    name: ClassVar[str]
    """By which the workers know the presence: module and class, unless a class says otherwise."""
    fetches: ClassVar[bool] = False
    """Whether `fetch` does anything."""
    watches_metas: ClassVar[bool] = False
    """Whether `handle_metas` does anything."""

    _routes: ClassVar[tuple[Route[None], ...]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _set_up(cls)

    def __init__(self) -> None:
        self._replica: Replica | None = None

    # What an application may write

    async def fetch(self, topic: str, presences: Presences) -> Presences:
        """Adds what clients are to see beside the metas: called once for each diff, and for each `list`.

        `presences` is `{key: {"metas": [...]}}`; answer the same with further entries beside `metas`, best with one
        query for all keys. Metas keep their `phx_ref`; keys that are left out are not shown.
        """
        del topic
        return presences

    async def handle_metas(self, topic: str, diff: dict[str, Presences], presences: Presences) -> None:
        """A topic's presences have changed, as this worker sees it: `diff` has `joins` and `leaves`, fetched.

        `presences` are the metas after the diff. Called in each worker, one diff of a topic after another.
        """

    # What an application calls

    async def track(self, owner: Owner, key: str | int, meta: Meta, *, topic: str | None = None) -> Ok | Error:
        """The owner is present under a key, until it ends or is untracked. By default in the channel's own topic.

        Answers `Ok(phx_ref)`, or `Error` with `already_tracked`, `too_many_presences`, `topic_full`, `meta_too_large`
        or `key_too_long`. Raises TypeError for a meta that is no dict of what JSON can express.
        """
        replica = self._served()
        place = _topic(owner, topic)
        if find_route(self._routes, place) is None:
            raise ValueError(f"{self.name} is not tracked in {place!r}: its `topics` are {', '.join(self.topics)}")
        number = replica.owners.watch(owner)
        answer = replica.tracker.track(number, place, str(key), meta)
        replica.changed()
        return answer

    async def untrack(self, owner: Owner, key: str | int | None = None, *, topic: str | None = None) -> None:
        """The owner is not present under that key any more; without a key, nowhere at all. Else nothing happens."""
        replica = self._served()
        number = replica.owners.number(owner)
        if key is None:
            replica.tracker.owner_ended(number)
        else:
            replica.tracker.untrack(number, _topic(owner, topic), str(key))
        replica.changed()

    async def update(
        self,
        owner: Owner,
        key: str | int,
        meta: Meta | Callable[[dict[str, Any]], Meta],
        *,
        topic: str | None = None,
    ) -> Ok | Error:
        """Put another meta in the place of the present one; a function is given the present one and answers another.

        Answers `Ok(phx_ref)`, or `Error` with `nopresence` or `meta_too_large`. Updates of one presence that come
        faster than `limits.update_period` are merged: the last one counts.
        """
        replica = self._served()
        number = replica.owners.number(owner)
        answer = replica.tracker.update(number, _topic(owner, topic), str(key), meta, replica.now())
        replica.changed()
        return answer

    async def list(self, topic: str | Channel[Any]) -> Presences:
        """Who is in a topic, or in that of a channel: `{key: {"metas": [...]}}`, as this worker knows it now."""
        presences = self.tracked(_read(topic))
        return await self.fetch(_read(topic), presences) if self.fetches else presences

    def tracked(self, topic: str) -> Presences:
        """Who is in a topic, without what `fetch` adds."""
        return decode_presences(self._served().tracker.presences.text(topic))

    async def get_by_key(self, topic: str | Channel[Any], key: str | int) -> dict[str, Any] | None:
        """The presence under one key: `{"metas": [...]}`; None if nobody is."""
        entries = self._served().tracker.presences.keys(_read(topic)).get(str(key))
        if not entries:
            return None
        presences = decode_presences(encode_presences({str(key): entries}))
        fetched = await self.fetch(_read(topic), presences) if self.fetches else presences
        return fetched.get(str(key))

    async def push_state(self, channel: Channel[Any], event: str = STATE) -> None:
        """Push the channel's client who is in its topic: once after each join, in `joined`.

        The diffs that follow fit: they tell what has changed since, all of it and nothing twice.
        """
        check_event(event)
        replica = self._served()
        number = replica.diffs.number
        text = replica.tracker.presences.text(channel.topic)
        payload: Any = await self.fetch(channel.topic, decode_presences(text)) if self.fetches else Raw(text)
        await channel.push(event, payload)
        replica.showed(channel, number)

    # What the endpoint calls

    @property
    def is_plain(self) -> bool:
        """Whether diffs go out without the application's code."""
        return not self.fetches and not self.watches_metas

    def serve(self, runtime: "Runtime") -> Replica:
        """Be served by a worker."""
        self._replica = Replica(self, runtime)
        return self._replica

    def _served(self) -> Replica:
        if self._replica is None:
            raise RuntimeError(f"{self.name} is not served: give it to the endpoint, Endpoint(presences=[...])")
        return self._replica


def _set_up(cls: type[Presence]) -> None:
    """What the class says about itself, looked at once."""
    if "name" not in cls.__dict__:
        cls.name = f"{cls.__module__}.{cls.__qualname__}"
    check_callback(cls, "fetch", "topic", "presences")
    check_callback(cls, "handle_metas", "topic", "diff", "presences")
    declared: Any = cls.topics
    if isinstance(declared, str):
        raise TypeError(f"{cls.__name__}.topics lists patterns: write ({declared!r},)")
    cls._routes = tuple(Route(pattern, None) for pattern in declared)
    if not isinstance(cls.limits, PresenceLimits):
        raise TypeError(f"{cls.__name__}.limits must be PresenceLimits(...), not {cls.limits!r}")
    cls.fetches = cls.fetch is not Presence.fetch
    cls.watches_metas = cls.handle_metas is not Presence.handle_metas


_set_up(Presence)


def check_presences(presences: Sequence[Presence]) -> tuple[Presence, ...]:
    """The presences of an endpoint. Raises TypeError or ValueError with one sentence."""
    names = set()
    if isinstance(presences, Presence):
        raise TypeError("presences lists objects of Presence or a subclass: write presences=[presence]")
    for presence in presences:
        if not isinstance(presence, Presence):
            raise TypeError(
                f"presences lists objects of Presence or a subclass: write [RoomPresence()], not {presence!r}"
            )
        if presence.name in names:
            raise ValueError(f"two presences are named {presence.name!r}: one class for each, or a name of its own")
        names.add(presence.name)
    return tuple(presences)


def _topic(owner: Owner, topic: str | None) -> str:
    if topic is not None:
        return application_topic(topic)
    if isinstance(owner, Channel):
        return owner.topic
    raise TypeError("a task has no topic of its own: say topic=...")


def _read(topic: str | Channel[Any]) -> str:
    return topic.topic if isinstance(topic, Channel) else topic
