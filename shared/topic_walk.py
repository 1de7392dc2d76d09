"""A walk through the topics of all shards, page by page, and what it has counted. Pure.

A shard counts a few topics at a time, so that no publish waits for whoever asks. What stands in the tables all the
while is counted exactly; a topic that comes or goes meanwhile may be counted or not.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from roost.shared.inspection import AskTopics, Cursor, TopicCount, TopicPages

if TYPE_CHECKING:
    from roost.shared.shard_map import Slot

MAX_RESTARTS: Final = 10
"""So often a shard's part is begun anew because the shard was started again; then it is given up and named."""
AGAIN: Final = 1 << 62
"""Above every place: a walk that begins at the end, as a new one does."""


ORDERS: Final[Mapping[str, Callable[[TopicCount], Any]]] = {
    "topic": lambda row: row.topic,
    "subscribers": lambda row: (-row.subscribers, row.topic),
}
"""By what people sort topics, each in the order in which they want it."""


class TopicWalk:
    """Ask the broker `question` and give its answer to `take`, until there is no question left."""

    def __init__(self, prefix: str = "") -> None:
        self.silent: tuple[str, ...] = ()
        """Who did not answer: their subscribers are not counted."""
        self._prefix = prefix
        self._begun = False
        self._cursors: dict[Slot, int] = {}
        self._incarnations: dict[Slot, int] = {}
        self._restarts = 0
        self._counts: dict[Slot, dict[str, int]] = {}

    @property
    def question(self) -> AskTopics | None:
        """What to ask next; None when all is counted."""
        if not self._begun:
            return AskTopics(self._prefix)
        if not self._cursors:
            return None
        return AskTopics(self._prefix, tuple(Cursor(slot, before) for slot, before in self._cursors.items()))

    def take(self, answer: TopicPages) -> None:
        """Count what was answered."""
        self._begun = True
        self.silent = tuple(dict.fromkeys((*self.silent, *answer.silent)))
        cursors: dict[Slot, int] = {}
        for page in answer.pages:
            counts = self._counts.setdefault(page.slot, {})
            known = self._incarnations.setdefault(page.slot, page.incarnation)
            if known != page.incarnation:
                counts.clear()
                self._incarnations[page.slot] = page.incarnation
                self._restarts += 1
                if self._restarts <= MAX_RESTARTS:
                    cursors[page.slot] = AGAIN
                else:
                    self.silent += (f"shard {page.slot}",)
                continue
            counts.update((row.topic, row.subscribers) for row in page.topics)
            if page.before:
                cursors[page.slot] = page.before
        self._cursors = cursors

    @property
    def counted(self) -> int:
        """Topics counted so far; those that stand in several shards several times."""
        return sum(map(len, self._counts.values()))

    def subscribers(self) -> Mapping[str, int]:
        """How many subscribe to each topic, in all shards together."""
        total: dict[str, int] = {}
        for counts in self._counts.values():
            for topic, subscribers in counts.items():
                total[topic] = total.get(topic, 0) + subscribers
        return total
