"""One nats-server for the whole run; tests keep apart by fresh stream names and subjects."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator

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
