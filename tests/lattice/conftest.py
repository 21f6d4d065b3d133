"""The lattice on both backends: every test here runs on the simulator and on a real nats-server."""

import itertools

import pytest

from lattice_store import Lattice, nats
from lattice_store.limits import Limits
from lattice_store_sim import SimServer, SimStorage

LIMITS = Limits(heartbeat_ns=200_000_000, retry_min_ns=10_000_000, retry_max_ns=100_000_000)
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def nats_server():
    with nats.LocalServer() as server:
        yield server


@pytest.fixture(params=["sim", pytest.param("nats", marks=pytest.mark.nats)])
async def storage(request):
    if request.param == "sim":
        async with SimStorage(SimServer()) as storage:
            yield storage
    else:
        server = request.getfixturevalue("nats_server")
        async with await nats.connect(server.url, limits=LIMITS) as storage:
            yield storage


@pytest.fixture
def prefix():
    """A lattice nobody else uses: the real server is shared."""
    return f"test-{next(_numbers)}"


@pytest.fixture
async def lattice(storage, prefix):
    lattice = Lattice(storage, prefix, limits=LIMITS)
    await lattice.ensure()
    return lattice
