"""A process that supervises one child, with a stall limit in seconds, and prints the child's pid."""

import asyncio
import sys

from roost.shared.control import Message, Ready, StartWorker
from roost.shared.supervisor import Child, Supervisor


async def keep(app: str, stall_limit: float) -> None:
    def told(child: Child, message: Message) -> None:
        if isinstance(message, Ready):
            sys.stdout.write(f"{child.pid}\n")
            sys.stdout.flush()

    async def asked(child: Child, message: Message) -> None:
        del child, message

    async def prepare() -> StartWorker:
        return StartWorker(1, "", app, (), ())

    supervisor = Supervisor("tests.shared.kept_child", told, asked, lambda _: None, stall_limit=stall_limit)
    supervisor.keep("child", prepare)
    await supervisor.gave_up


if __name__ == "__main__":
    asyncio.run(keep(sys.argv[1], float(sys.argv[2])))
