"""What a supervised process does first: hear only its supervisor, and die with it."""

import ctypes
import signal
import socket
import sys
from typing import Final

from roost.shared.control import Message
from roost.shared.envelopes import Envelopes, Tell

_PR_SET_PDEATHSIG: Final = 1


def become_child(arguments: list[str]) -> socket.socket:
    """Ignore the signals that are meant for the supervisor, die when it dies; returns our end of its link.

    The arguments are those that `Supervisor` gave: a name for people to read, the link's descriptor.

    honcho signals the whole process group, so a child that heard SIGTERM could not be stopped in order.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if len(arguments) != 3:
        raise SystemExit("this process is started by its supervisor: use `roost broker` or `roost gateway`")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    link = socket.socket(fileno=int(arguments[2]))
    # A supervisor that died before prctl sent no signal, but its end of the link is closed: reading shows it.
    link.set_inheritable(False)
    return link


def first_message(link: socket.socket) -> Message:
    """What the supervisor tells first: what this process is to be. What follows stays unread."""
    envelopes = Envelopes()
    while data := link.recv(envelopes.missing()):
        match envelopes.feed(data):
            case [Tell(message)]:
                return message
    raise SystemExit("the supervisor is gone")
