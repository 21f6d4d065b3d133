"""One nats-server for the whole run; tests keep apart by fresh stream names and subjects."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import nats
import pytest

from lattice_store.limits import Limits
from lattice_store.model import StorageType, StreamConfig
from lattice_store.nats import LocalServer, NatsStorage, connect

MS = 1_000_000
FAST = Limits(
    connect_timeout_ns=3000 * MS,
    request_timeout_ns=2000 * MS,
    heartbeat_ns=100 * MS,
    retry_min_ns=20 * MS,
    retry_max_ns=200 * MS,
)
_numbers = itertools.count(1)


@pytest.fixture
def fast() -> Limits:
    """Limits with which faults are noticed within a few tenths of a second."""
    return FAST


@pytest.fixture(scope="session")
def server() -> Iterator[LocalServer]:
    """A server shared by all tests; none of them may stop it."""
    with LocalServer() as running:
        yield running


@pytest.fixture
def own_server() -> Iterator[LocalServer]:
    """A server this test may kill."""
    with LocalServer() as running:
        yield running


@pytest.fixture
def fresh() -> Callable[..., StreamConfig]:
    """Make configurations with a name and subjects no other test has: ``fresh()`` captures ``{name}.>``."""

    def make(**settings: object) -> StreamConfig:
        name = f"T{next(_numbers)}"
        return StreamConfig(**{"name": name, "subjects": (f"{name}.>",), "storage": StorageType.MEMORY, **settings})

    return make


@pytest.fixture
async def storage(server: LocalServer) -> AsyncIterator[NatsStorage]:
    """A storage on a connection of its own."""
    async with await connect(server.url, limits=FAST) as opened:
        yield opened


@pytest.fixture
async def borrowed(server: LocalServer) -> AsyncIterator[NatsStorage]:
    """A storage on a plain nats-py client, which is reached through its public names only."""
    client = await nats.connect(server.url)
    async with NatsStorage(client, limits=FAST) as opened:
        yield opened
    await client.close()


@pytest.fixture(params=["own", "borrowed"])
def either(request: pytest.FixtureRequest) -> NatsStorage:
    """Both kinds of connection, one after the other."""
    return request.getfixturevalue({"own": "storage", "borrowed": "borrowed"}[request.param])


class Proxy:
    """Passes bytes on, until the next cut."""

    def __init__(self, port):
        self._port = port
        self.cut_after = None
        self.sent = bytearray()
        """What clients sent."""

    @asynccontextmanager
    async def running(self):
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield self

    async def _serve(self, reader, writer):
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        pumps = [
            asyncio.create_task(self._pump(reader, up_writer, counted=False)),
            asyncio.create_task(self._pump(up_reader, writer, counted=True)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for each in (writer, up_writer):
                each.transport.abort()

    async def _pump(self, reader, writer, *, counted):
        while data := await reader.read(8192):
            if not counted:
                self.sent += data
            elif self.cut_after is not None:
                if len(data) > self.cut_after:
                    writer.write(data[: self.cut_after])
                    self.cut_after = None
                    return
                self.cut_after -= len(data)
            writer.write(data)
            await writer.drain()


@pytest.fixture
async def proxy(server: LocalServer) -> AsyncIterator[Proxy]:
    """A way to the shared server that can be cut, and that knows what clients sent."""
    async with Proxy(server.port).running() as running:
        yield running
