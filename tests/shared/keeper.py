"""A process that supervises one child and prints the child's pid, until it is killed."""

import asyncio
import sys

from roost.shared.control import Message, Ready, StartWorker
from roost.shared.supervisor import Child, Supervisor


async def keep(app: str) -> None:
    def told(child: Child, message: Message) -> None:
        if isinstance(message, Ready):
            sys.stdout.write(f"{child.pid}\n")
            sys.stdout.flush()

    async def asked(child: Child, message: Message) -> None:
        del child, message

    async def prepare() -> StartWorker:
        return StartWorker(1, "", app, (), ())

    supervisor = Supervisor("tests.shared.kept_child", told, asked, lambda _: None)
    supervisor.keep("child", prepare)
    await supervisor.gave_up


if __name__ == "__main__":
    asyncio.run(keep(sys.argv[1]))
