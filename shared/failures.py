"""Why a process cannot do what it was started for. Pure."""


class CannotStart(Exception):
    """The text is one sentence for whoever started it; there is no traceback to show."""
