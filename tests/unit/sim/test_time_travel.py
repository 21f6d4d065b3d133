"""A server's state can be kept, gone back to and branched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from lattice_store import Claims, Lattice
from lattice_store.errors import MessageNotFoundError, ReplayInterruptedError, ResetReason, StreamNotFoundError
from lattice_store.model import StorageType, StreamConfig
from lattice_store_sim import SimServer, SimStorage, VirtualClock
from lattice_store_sim._core._invariants import check
from tests.unit.sim.helpers import SECOND

Server = SimServer[VirtualClock]
CONFIG = StreamConfig(name="S", subjects=("s.>",), storage=StorageType.MEMORY, max_msgs_per_subject=2)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """One stream with s.a, s.b, s.a, the middle one removed."""
    server = SimServer(clock=VirtualClock())
    storage = SimStorage(server)
    await storage.create_stream(CONFIG)
    for number, subject in enumerate(("s.a", "s.b", "s.a")):
        await storage.publish(subject, b"%d" % number, message_id=f"id-{number}")
        server.clock.advance(1)
    await storage.delete_message("S", 2)
    yield server
    check(server._core)


async def story(server: Server) -> list[object]:
    """Things to be told of a server that an index, a table or a counter must be right for; it is changed by them."""
    storage = SimStorage(server)
    told: list[object] = [await storage.stream_info("S")]
    told += [await storage.publish("s.a", b"more"), await storage.publish("s.c", b"", message_id="id-0")]
    told += [await storage.publish("s.b", b"", message_id="new"), await storage.get_last_message("S", "s.*")]
    told += [await storage.purge("S", subject="s.a", keep=1), await storage.stream_info("S")]
    check(server._core)
    return told


async def test_a_fork_goes_its_own_way_from_the_same_state(server: Server) -> None:
    fork = server.fork()
    await SimStorage(fork).publish("s.x", b"only in the fork")
    await SimStorage(server).delete_message("S", 1)
    assert (await SimStorage(fork).get_message("S", 1)).payload == b"0"
    assert (await SimStorage(fork).stream_info("S")).state.last_sequence == 4
    state = (await SimStorage(server).stream_info("S")).state
    assert (state.messages, state.last_sequence) == (1, 3)
    check(fork._core)


async def test_the_same_happens_on_every_fork(server: Server) -> None:
    forks = [server.fork(), server.fork(), server.fork().fork()]
    stories = [await story(fork) for fork in forks]
    assert stories[0] == stories[1] == stories[2] == await story(server)


async def test_a_fork_has_a_clock_of_its_own_at_the_same_time(server: Server) -> None:
    await SimStorage(server).update_stream(StreamConfig(**{**_settings(), "max_age_ns": 10 * SECOND}))
    fork = server.fork()
    assert fork.clock.now_ns() == server.clock.now_ns()
    fork.clock.advance(60)
    assert fork.clock.now_ns() - server.clock.now_ns() == 60 * SECOND
    assert (await SimStorage(fork).stream_info("S")).state.messages == 0
    assert (await SimStorage(server).stream_info("S")).state.messages == 2


def _settings() -> dict[str, object]:
    return {"name": "S", "subjects": ("s.>",), "storage": StorageType.MEMORY, "max_msgs_per_subject": 2}


def test_a_clock_that_is_not_virtual_is_shared() -> None:
    server = SimServer()
    assert server.fork().clock is server.clock


async def test_a_fork_is_the_same_version_with_as_many_replicas() -> None:
    fork = SimServer(clock=VirtualClock(), profile="2.10", max_replicas=5).fork()
    assert fork._core.context.profile.version == "2.10.26"
    info = await SimStorage(fork).create_stream(StreamConfig(name="S", num_replicas=3))
    assert info.config.num_replicas == 3


async def test_a_snapshot_is_gone_back_to_again_and_again(server: Server) -> None:
    snapshot, before = server.snapshot(), server.clock.now_ns()
    first = await story(server)
    server.clock.advance(3600)
    for _ in range(2):
        server.restore(snapshot)
        assert server.clock.now_ns() == before
        assert await story(server) == first


async def test_a_storage_goes_on_over_a_restored_server(server: Server) -> None:
    storage, snapshot = SimStorage(server), server.snapshot()
    await storage.create_stream(StreamConfig(name="LATER"))
    server.restore(snapshot)
    with pytest.raises(StreamNotFoundError):
        await storage.stream_info("LATER")
    assert (await storage.publish("s.a", b"")).sequence == 4


async def test_a_snapshot_may_be_restored_on_another_server(server: Server) -> None:
    snapshot = server.snapshot()
    other = SimServer(clock=VirtualClock(now_ns=0))
    other.restore(snapshot)
    assert other.clock.now_ns() == server.clock.now_ns()
    assert await story(other) == await story(server)
    assert repr(snapshot) == "Snapshot(S)"


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        ("nothing", ResetReason.STREAM_WENT_BACK),
        ("re-created", ResetReason.STREAM_RECREATED),
        ("created", ResetReason.STREAM_DELETED),
    ],
)
async def test_open_replays_are_interrupted_and_told_why(server: Server, meanwhile: str, reason: ResetReason) -> None:
    storage, empty = SimStorage(server), SimServer().snapshot()
    snapshot = server.snapshot()
    if meanwhile == "re-created":
        await storage.delete_stream("S")
        await storage.create_stream(CONFIG)
        await storage.publish("s.a", b"")
    async with storage.replay("S") as replay:
        server.restore(empty if meanwhile == "created" else snapshot)
        batches = replay.batches()
        handed_over = await anext(batches)
        with pytest.raises(ReplayInterruptedError) as caught:
            await anext(batches)
    assert (caught.value.reason, caught.value.last_sequence) == (reason, handed_over.messages[-1].sequence)
    assert server._replays == {}


async def test_replays_stay_with_the_server_that_was_forked(server: Server) -> None:
    async with SimStorage(server).replay("S") as replay:
        batches = replay.batches()
        await anext(batches)
        fork = server.fork()
        assert fork._core.streams["S"].cursors == []
        await SimStorage(fork).publish("s.x", b"not here")
        await SimStorage(server).publish("s.y", b"here")
        assert [message.subject for message in (await anext(batches)).messages] == ["s.y"]


async def test_a_lattice_notices_that_its_stream_went_back() -> None:
    server = SimServer(clock=VirtualClock())
    lattice = Lattice(SimStorage(server))
    await lattice.ensure()
    await lattice.put(Claims(public_key="MFIRST", issuer="A1"))
    async with lattice.attach() as live, asyncio.timeout(10):
        snapshot = server.snapshot()
        await lattice.put(Claims(public_key="MSECOND", issuer="A1"))
        assert len(live.view) == 2
        server.restore(snapshot)
        while live.resets == 0 or not live.is_current:
            await asyncio.sleep(0)
        assert [held.record.public_key for held in live.view.claims.values()] == ["MFIRST"]


async def test_a_sleeper_sleeps_on_when_the_clock_goes_back() -> None:
    server = SimServer(clock=VirtualClock())
    snapshot = server.snapshot()
    sleeper = asyncio.create_task(server.clock.sleep(5 * SECOND))
    await asyncio.sleep(0)
    server.clock.advance(3)
    server.restore(snapshot)
    assert server.clock.monotonic_ns() == 3 * SECOND
    server.clock.advance(2)
    await sleeper


async def test_a_removed_message_stays_removed_in_both(server: Server) -> None:
    for each in (server, server.fork()):
        with pytest.raises(MessageNotFoundError):
            await SimStorage(each).get_message("S", 2)
