"""The child of the supervisor's tests: the application that it is started with names what it does."""

import asyncio
import signal
import socket
import sys
from typing import Any

from roost.shared.child import become_child, first_message
from roost.shared.control import AskStatus, Failed, Message, Ping, Ready, StartWorker, Stop
from roost.shared.envelopes import Tell, encode_envelope
from roost.shared.inspection import AskTopics
from roost.shared.link import Link, Refused


async def serve(end: socket.socket, start: StartWorker) -> None:
    """Answer questions until told to stop, or until the supervisor is gone."""
    link = await Link.over(end)
    stopping = asyncio.Event()

    def told(message: Message) -> None:
        if isinstance(message, Stop):
            stopping.set()

    async def asked(message: Message) -> Any:
        match message:
            case Ping():
                return True
            case AskStatus():
                return start.number
            case AskTopics():
                return await link.ask(message, str, 5.0)
        raise Refused("not known here")

    serving = asyncio.ensure_future(link.serve(told, asked))
    link.tell(Ready())
    await asyncio.wait([serving, asyncio.ensure_future(stopping.wait())], return_when=asyncio.FIRST_COMPLETED)


def main() -> None:
    """Do what the first message says."""
    end = become_child(sys.argv)
    start = first_message(end)
    assert isinstance(start, StartWorker)
    match start.app:
        case "serve":
            asyncio.run(serve(end, start))
        case "deaf":
            end.sendall(encode_envelope(Tell(Ready())))
            while True:
                signal.pause()
        case "never ready":
            while True:
                signal.pause()
        case "fail":
            end.sendall(encode_envelope(Tell(Failed("it cannot work like this"))))
            raise SystemExit(1)
        case "exit":
            raise SystemExit(3)


if __name__ == "__main__":
    main()
