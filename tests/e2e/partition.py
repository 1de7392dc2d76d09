"""A way to a server that can be cut without a word: connections stay open, and nothing comes through."""

import asyncio
import threading
from contextlib import suppress
from typing import Self


class Partition:
    """Forwards TCP to a port of this machine, until it is told not to."""

    def __init__(self, port: int, delay: float = 0.0) -> None:
        """`delay`: seconds that everything takes, either way."""
        self._delay = delay
        self.port = 0
        """Where it listens."""
        self._to = port
        self._open = threading.Event()
        self._open.set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: asyncio.Server

    def cut(self) -> None:
        """From now on nothing comes through."""
        self._open.clear()

    def heal(self) -> None:
        """What waited comes through, and what follows."""
        self._open.set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result()
        self.port = server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            self._server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._server.wait_closed()
            await asyncio.get_running_loop().shutdown_default_executor()

        self._open.set()
        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            try:
                await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
            finally:
                back.close()
        finally:
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await asyncio.to_thread(self._open.wait)
                await asyncio.sleep(self._delay)
                writer.write(data)
                await writer.drain()
            writer.close()
