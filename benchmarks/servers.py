"""What a benchmark of the server needs: processes, their CPU time and memory, and a relay that counts."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import attrs

from lattice_store._formats import StreamFormat
from lattice_store.cli._bench._data import Records
from lattice_store.errors import LatticeStoreError
from lattice_store.model import StorageType
from lattice_store.nats import LocalServer
from lattice_store.storage import Storage

PREFIX = "default"
_REQUEST = re.compile(rb"PUB \$JS\.(?:\w+\.)?API\.([A-Z.]+)\.")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of another process: its clock (see clock_getcpuclockid(3)), finer than /proc/<pid>/stat."""
    return time.clock_gettime((~pid << 3) | 2)


def memory_bytes(pid: int, *, peak: bool = False) -> int:
    """Return how much memory a process has in use, or the most it ever had."""
    wanted = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(wanted))


@attrs.define
class Spent:
    """CPU time of some processes while the block ran."""

    seconds: float = 0.0


@contextmanager
def spending(*pids: int) -> Iterator[Spent]:
    spent = Spent()
    before = sum(map(cpu_seconds, pids))
    try:
        yield spent
    finally:
        spent.seconds = sum(map(cpu_seconds, pids)) - before


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on just now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


async def make_stream(storage: Storage, *, kept: StorageType = StorageType.MEMORY, replicas: int = 1) -> None:
    await storage.create_stream(attrs.evolve(StreamFormat(PREFIX).config(), storage=kept, num_replicas=replicas))


async def write(storage: Storage, records: Records, *, changed: bool = False) -> int:
    """Store all records, or new values of one in a hundred; return how many were acknowledged.

    Raises:
        LatticeStoreError: one was not.
    """
    count = 0
    async for result in storage.publish_many(records.changed(1) if changed else iter(records)):
        if isinstance(result, LatticeStoreError):
            raise result
        count += 1
    return count


@contextmanager
def cluster(size: int) -> Iterator[list[LocalServer]]:
    """Start so many servers that know each other."""
    ports = free_ports(size)
    routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports)
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                LocalServer(
                    f"server_name: n{number}\ncluster {{ name: bench, listen: 127.0.0.1:{port}, routes: [{routes}] }}"
                )
            )
            for number, port in enumerate(ports)
        ]


@attrs.define
class Counted:
    """What went through a relay."""

    received: int = 0
    sent: bytearray = attrs.field(factory=bytearray)

    @property
    def requests(self) -> list[str]:
        """The requests to JetStream, by what they ask for."""
        return [found.decode().removesuffix(f".LATTICECACHE_{PREFIX}") for found in _REQUEST.findall(bytes(self.sent))]


@asynccontextmanager
async def relayed(server: LocalServer) -> AsyncIterator[tuple[str, Counted]]:
    """Stand between clients and a server, and count."""
    counted = Counted()
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_server: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 18):
                if from_server:
                    counted.received += len(data)
                else:
                    counted.sent += data
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        tasks.add(asyncio.ensure_future(pump(reader, back, from_server=False)))
        tasks.add(asyncio.ensure_future(pump(there, writer, from_server=True)))

    listening = await asyncio.start_server(accept, "127.0.0.1")
    try:
        yield f"nats://127.0.0.1:{listening.sockets[0].getsockname()[1]}", counted
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
