"""Fixtures for your tests: an empty storage and a lattice, on the simulator, on a real nats-server, or on both.

pytest loads this file in every run of an environment that has the package, so it imports nothing before a
fixture is used. The fixtures are plain functions: they work under pytest-asyncio and anyio alike, in
coroutine tests and in others.
"""

from __future__ import annotations

import argparse
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

if TYPE_CHECKING:
    from lattice_store import Lattice, Storage
    from lattice_store.nats import LocalServer
    from lattice_store_sim import SimServer, ThreadedServer, VirtualClock

T = TypeVar("T")

_BACKENDS = ("sim", "nats")
_SIMULATOR_ONLY = pytest.mark.skip(reason="uses lattice_sim, and a real server is not the simulator")


def _backends(text: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(text.split(",")))
    for name in chosen:
        if name not in _BACKENDS:
            raise argparse.ArgumentTypeError(f"{name!r} is no backend; choose sim, nats or sim,nats")
    return chosen


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("lattice-store").addoption(
        "--lattice-backend",
        type=_backends,
        default="sim",
        metavar="sim,nats",
        help="run the tests that use lattice fixtures on the simulator (sim, the default), "
        "on a real nats-server (nats), or on both (sim,nats)",
    )


def _chosen(config: pytest.Config) -> tuple[str, ...]:
    return cast("tuple[str, ...]", config.getoption("lattice_backend"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "lattice_backend" not in metafunc.fixturenames:
        return
    # Not so if only `lattice_storage` needs it: that asks for the simulator when it runs.
    asks_for_simulator = "lattice_sim" in metafunc.fixturenames
    metafunc.parametrize(
        "lattice_backend",
        [
            pytest.param(backend, marks=_SIMULATOR_ONLY) if asks_for_simulator and backend != "sim" else backend
            for backend in _chosen(metafunc.config)
        ],
        indirect=True,
    )


@pytest.fixture
def lattice_backend(request: pytest.FixtureRequest) -> str:
    """The backend under test, "sim" or "nats", as --lattice-backend says."""
    if hasattr(request, "param"):
        return str(request.param)
    backend, *others = _chosen(request.config)
    if others:
        pytest.fail(
            "this test cannot be run once for each backend, because it does not name its lattice fixtures "
            "as arguments: choose one with --lattice-backend=sim or --lattice-backend=nats",
            pytrace=False,
        )
    return str(backend)


@pytest.fixture
def lattice_sim() -> SimServer[VirtualClock]:
    """The simulated server of this test; its time moves by lattice_sim.clock.advance(seconds) only."""
    from lattice_store_sim import SimServer, VirtualClock

    return SimServer(clock=VirtualClock())


@pytest.fixture
def lattice_sim_server() -> Iterator[ThreadedServer]:
    """An empty simulated server on TCP, for any client of NATS; in a thread of its own, and in real time."""
    from lattice_store_sim import serve_in_thread

    with serve_in_thread() as server:
        yield server


@pytest.fixture
def lattice_sim_url(lattice_sim_server: ThreadedServer) -> str:
    """Where lattice_sim_server listens: nats://127.0.0.1:port."""
    return lattice_sim_server.url


@pytest.fixture
def _lattice_server() -> Iterator[LocalServer]:
    # One for each test, some 30 ms: emptied between tests, a shared one would not stay empty, for a file stream that
    # is created again right after it was deleted often shows its old messages (148 of 300 times, nats-server 2.15.1).
    from lattice_store.errors import StorageUnavailableError
    from lattice_store.nats import LocalServer

    with ExitStack() as stack:
        try:
            server = stack.enter_context(LocalServer())
        except StorageUnavailableError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None  # one line, without the error's traceback
        yield server


@pytest.fixture
def lattice_storage(request: pytest.FixtureRequest, lattice_backend: str) -> Iterator[Storage]:
    """An empty lattice_store.Storage on the backend under test; on "nats" a server of this test's own."""
    if lattice_backend == "sim":
        from lattice_store_sim import SimStorage

        yield SimStorage(request.getfixturevalue("lattice_sim"))
        return
    from lattice_store.nats import connect
    from lattice_store_sim._per_loop import PerLoopStorage

    server = request.getfixturevalue("_lattice_server")
    storage = PerLoopStorage(lambda: connect(server.url))
    yield storage
    storage.close()


@pytest.fixture
def lattice(lattice_storage: Storage) -> Lattice:
    """The lattice_store.Lattice "default" on lattice_storage; its stream is there already."""
    from lattice_store import Lattice

    lattice = Lattice(lattice_storage)
    ensured = _run_aside(lattice.ensure())
    if ensured.error is not None:
        raise ensured.error
    return lattice


def _run_aside(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run *coroutine* to its end in a thread of its own, where it disturbs no event loop of the test."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result()
