"""The storage that synchronous fixtures hand out: the contract, and one storage for each event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from lattice_store.errors import StorageClosedError, StorageUnavailableError
from lattice_store.model import StorageType
from lattice_store.nats import LocalServer, connect
from lattice_store.testing import CHECKS, Check, run_check
from lattice_store_sim import SimServer, SimStorage, VirtualClock
from lattice_store_sim._per_loop import PerLoopStorage


@pytest.fixture
def server() -> SimServer:
    return SimServer()


@pytest.fixture
def storage(server: SimServer) -> PerLoopStorage:
    async def open_storage() -> SimStorage:
        return SimStorage(server)

    return PerLoopStorage(open_storage)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
async def test_contract(check: Check) -> None:
    server = SimServer(clock=VirtualClock())

    async def open_storage() -> SimStorage:
        return SimStorage(server)

    async def make_storage() -> PerLoopStorage:
        return PerLoopStorage(open_storage)

    await run_check(check, make_storage, storage_type=StorageType.MEMORY, clock=server.clock)


def test_prints_what_it_opened(storage: PerLoopStorage) -> None:
    assert repr(storage) == "PerLoopStorage()"
    asyncio.run(storage.list_streams())
    (opened,) = storage._by_loop.values()
    assert repr(storage) == f"PerLoopStorage({opened.storage!r})"


def test_a_loop_that_ends_closes_what_it_opened(storage: PerLoopStorage) -> None:
    asyncio.run(storage.list_streams())
    (opened,) = storage._by_loop.values()
    assert opened.storage is not None
    with pytest.raises(StorageClosedError):
        asyncio.run(opened.storage.list_streams())


@pytest.mark.nats
def test_a_connection_outlives_no_loop() -> None:
    with LocalServer() as server:
        storage = PerLoopStorage(lambda: connect(server.url))
        for _ in range(2):
            assert asyncio.run(storage.list_streams()) == ()
        first, second = (opened.storage for opened in storage._by_loop.values())
        assert first is not second
        for each in (first, second):
            with pytest.raises(StorageClosedError):
                asyncio.run(each.list_streams())
        storage.close()


def test_each_loop_opens_its_own(storage: PerLoopStorage) -> None:
    async def used_from_two_loops() -> None:
        await storage.list_streams()
        with ThreadPoolExecutor(1) as executor:
            await asyncio.wrap_future(executor.submit(asyncio.run, storage.list_streams()))
        await storage.list_streams()

    asyncio.run(used_from_two_loops())
    first, second = (opened.storage for opened in storage._by_loop.values())
    assert first is not second


def test_first_calls_at_once_open_once(server: SimServer) -> None:
    opened: list[SimStorage] = []

    async def open_storage() -> SimStorage:
        await asyncio.sleep(0)
        opened.append(SimStorage(server))
        return opened[-1]

    async def at_once() -> None:
        storage = PerLoopStorage(open_storage)
        assert await asyncio.gather(*[storage.list_streams() for _ in range(5)]) == [()] * 5

    asyncio.run(at_once())
    assert len(opened) == 1


def test_closing_reaches_a_loop_that_stands_idle(storage: PerLoopStorage) -> None:
    with asyncio.Runner() as runner:
        runner.run(storage.list_streams())
        (opened,) = storage._by_loop.values()
        assert opened.storage is not None
        storage.close()
        for closed in (opened.storage, storage):
            with pytest.raises(StorageClosedError):
                runner.run(closed.list_streams())


def test_a_failed_first_call_is_tried_again(server: SimServer) -> None:
    problems = [StorageUnavailableError("not yet")]

    async def open_storage() -> SimStorage:
        if problems:
            raise problems.pop()
        return SimStorage(server)

    async def twice() -> None:
        storage = PerLoopStorage(open_storage)
        with pytest.raises(StorageUnavailableError, match="not yet"):
            await storage.list_streams()
        assert await storage.list_streams() == ()

    asyncio.run(twice())
