"""What a visitor must receive between the reply to its join and its leave: every message, once, in order. Pure."""


class Membership:
    """One stay in a room."""

    __slots__ = ("_accepted", "_last", "_newest_allowed", "duplicated", "lost")

    def __init__(self) -> None:
        self.lost = 0
        self.duplicated = 0
        self._accepted = False
        self._last: int | None = None
        self._newest_allowed = 0

    def accept(self, sent: int) -> None:
        """The join was answered when not more than so many messages had been sent: all after these are due to us."""
        self._accepted = True
        self._newest_allowed = sent + 1

    def receive(self, number: int) -> None:
        """A message has come; it may come before the reply, and from then on none may be missing."""
        if self._last is not None:
            self._follow(self._last + 1, number)
        elif self._accepted and number > self._newest_allowed:
            self.lost += number - self._newest_allowed
        self._last = number if self._last is None else max(number, self._last)

    def _follow(self, next_number: int, number: int) -> None:
        if number >= next_number:
            self.lost += number - next_number
        else:
            self.duplicated += 1
