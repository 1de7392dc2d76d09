"""A process that hears the signals to stop as our supervisors do, and takes its time to end."""

import asyncio
import sys

from roost.shared.stop_signals import finish_undisturbed, hear_stop_signals


async def _run() -> None:
    stop = asyncio.Event()
    hear_stop_signals(stop.set)
    print("hears", flush=True)
    await stop.wait()
    finish_undisturbed()


asyncio.run(_run())
print("ends", flush=True)
sys.stdin.read()
