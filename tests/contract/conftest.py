"""The backends that the contract is checked on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import attrs
import pytest

from lattice_store.limits import SECOND_NS, Limits
from lattice_store.model import StorageType, StreamConfig
from lattice_store.nats import LocalServer, connect
from lattice_store.storage import Storage
from lattice_store.testing import AdvancingClock, FaultyStorage, RecordingStorage
from lattice_store_sim import SimServer, SimStorage, VirtualClock, serve


@attrs.frozen
class Backend:
    """How one backend is opened."""

    make_storage: Callable[[], Awaitable[Storage]]
    storage_type: StorageType
    clock: AdvancingClock | None = None


def _simulated(storage_type: StorageType, wrap: Callable[[Storage], Storage] | None = None) -> Backend:
    clock = VirtualClock()
    server = SimServer(clock=clock)

    async def make_storage() -> Storage:
        storage = SimStorage(server)
        return storage if wrap is None else wrap(storage)

    return Backend(make_storage, storage_type, clock)


SIMULATED: dict[str, Callable[[], Backend]] = {
    "sim-memory": lambda: _simulated(StorageType.MEMORY),
    "sim-file": lambda: _simulated(StorageType.FILE),
    "recording-sim": lambda: _simulated(StorageType.MEMORY, RecordingStorage),
    "faulty-sim": lambda: _simulated(StorageType.MEMORY, FaultyStorage),
}
SERVED: dict[str, tuple[StorageType, Callable[[Storage], Storage]]] = {
    "sim-tcp-memory": (StorageType.MEMORY, lambda storage: storage),
    "sim-tcp-file": (StorageType.FILE, lambda storage: storage),
    "recording-sim-tcp": (StorageType.MEMORY, RecordingStorage),
    "faulty-sim-tcp": (StorageType.MEMORY, FaultyStorage),
}
REAL = {"nats-memory": StorageType.MEMORY, "nats-file": StorageType.FILE}


_QUICK = Limits(heartbeat_ns=SECOND_NS // 5)  # a deleted stream is noticed after two heartbeats


@pytest.fixture(scope="session")
def nats_server() -> Iterator[LocalServer]:
    """One real server for the whole run; without a nats-server this fails, for a skipped proof is none."""
    with LocalServer() as server:
        yield server


@pytest.fixture
async def backend(request: pytest.FixtureRequest, backend_name: str) -> AsyncIterator[Backend]:
    if backend_name in SIMULATED:
        yield SIMULATED[backend_name]()
        return
    if backend_name in SERVED:
        storage_type, wrap = SERVED[backend_name]
        async with serve() as served:

            async def connected() -> Storage:
                return wrap(await connect(served.url, limits=_QUICK))

            yield Backend(connected, storage_type)
        return
    url = request.getfixturevalue("nats_server").url

    async def make_storage() -> Storage:
        return await connect(url, limits=_QUICK)

    keeper = await make_storage()  # a server can fail to create a file stream just after its last one was deleted
    await keeper.create_stream(StreamConfig(name="KEEPER"))
    await keeper.aclose()
    yield Backend(make_storage, REAL[backend_name])
