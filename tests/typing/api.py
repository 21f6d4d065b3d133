"""Conformance of every backend and wrapper to the protocols. Read by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import assert_type

from lattice_store.clock import Clock, SystemClock
from lattice_store.errors import LatticeStoreError
from lattice_store.model import Batch, Message, PubAck, StorageType, StreamConfig, StreamInfo
from lattice_store.nats import LocalServer, NatsStorage, connect
from lattice_store.storage import Replay, Storage
from lattice_store.testing import (
    CHECKS,
    AdvancingClock,
    Delay,
    FaultyStorage,
    Interrupt,
    LoseAnswer,
    RecordingStorage,
    Refuse,
    run_check,
)
from lattice_store_sim import SimServer, SimStorage, VirtualClock


def simulator_is_a_storage(storage: SimStorage) -> Storage:
    return storage


def nats_is_a_storage(storage: NatsStorage) -> Storage:
    return storage


def recording_is_a_storage(storage: RecordingStorage) -> Storage:
    return storage


def faulty_is_a_storage(storage: FaultyStorage) -> Storage:
    return storage


def replays_of_the_simulator(storage: SimStorage) -> AbstractAsyncContextManager[Replay]:
    return storage.replay("S")


def replays_of_nats(storage: NatsStorage) -> AbstractAsyncContextManager[Replay]:
    return storage.replay("S")


def replays_of_wrappers(
    recording: RecordingStorage, faulty: FaultyStorage
) -> list[AbstractAsyncContextManager[Replay]]:
    return [recording.replay("S"), faulty.replay("S")]


def clocks(system: SystemClock, virtual: VirtualClock) -> list[Clock]:
    return [system, virtual]


def movable_clock(virtual: VirtualClock) -> AdvancingClock:
    return virtual


async def answers(storage: Storage, config: StreamConfig) -> None:
    assert_type(await storage.create_stream(config), StreamInfo)
    assert_type(await storage.list_streams(), tuple[str, ...])
    assert_type(await storage.publish("a", b""), PubAck)
    assert_type(storage.publish_many([]), AsyncGenerator[PubAck | LatticeStoreError, None])
    assert_type(await storage.get_message("S", 1), Message)
    assert_type(await storage.purge("S", keep=1), int)
    async with storage.replay("S") as replay:
        assert_type(replay, Replay)
        assert_type(replay.batches(), AsyncGenerator[Batch, None])
        async for message in replay:
            assert_type(message, Message)


async def every_storage_is_a_context() -> None:
    async with SimStorage(SimServer(clock=VirtualClock(), max_replicas=5)) as simulated:
        assert_type(simulated, SimStorage)
    with LocalServer() as server:
        async with await connect(server.url, domain="hub") as stored:
            assert_type(stored, NatsStorage)
    async with RecordingStorage(SimStorage()) as recording:
        assert_type(recording, RecordingStorage)
    faults = [Refuse("publish"), LoseAnswer("publish", call=2), Delay("purge", duration_ns=1), Interrupt(after=3)]
    async with FaultyStorage(SimStorage(), faults, clock=VirtualClock()) as faulty:
        assert_type(faulty, FaultyStorage)


async def a_backend_is_checked_like_this(make_storage: Callable[[], Awaitable[Storage]]) -> None:
    for check in CHECKS:
        await run_check(check, make_storage, storage_type=StorageType.MEMORY, clock=VirtualClock())


def a_server_knows_its_clock() -> None:
    SimServer(clock=VirtualClock()).clock.advance(1)
    assert_type(SimServer(), SimServer[SystemClock])
