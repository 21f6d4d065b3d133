"""What breaks in the field: servers that die, streams that come back as others, links that are cut or fall silent."""

import asyncio
import itertools
import os
import random
import shutil
import signal

import attrs
import nats
import pytest

from lattice_store.errors import (
    ConnectionLostError,
    Outcome,
    ReplayInterruptedError,
    ResetReason,
    StorageTimeoutError,
    StorageUnavailableError,
)
from lattice_store.limits import Limits
from lattice_store.model import (
    DELIVER_ALL,
    DELIVER_LAST_PER_SUBJECT,
    DeliverNew,
    Publication,
    StorageType,
    StreamConfig,
)
from lattice_store.nats import NatsStorage, connect

pytestmark = pytest.mark.nats

FILE = StreamConfig(name="S", subjects=("s.>",), storage=StorageType.FILE)
MEMORY = StreamConfig(name="S", subjects=("s.>",), storage=StorageType.MEMORY)


@pytest.fixture
async def local(own_server, fast):
    """A storage on a server that may be killed."""
    async with await connect(own_server.url, limits=fast) as storage:
        yield storage


async def publish_when_possible(storage, subject):
    for _ in range(1000):
        try:
            return await storage.publish(subject, b"")
        except (StorageUnavailableError, StorageTimeoutError, ConnectionLostError):
            await asyncio.sleep(0.01)
    raise AssertionError("no connection within 10 s")


async def take(messages, count):
    async with asyncio.timeout(10):
        return [(await anext(messages)).sequence for _ in range(count)]


async def interruption(replay):
    with pytest.raises(ReplayInterruptedError) as caught:
        async with asyncio.timeout(10):
            async for _ in replay.batches():
                pass
    assert caught.value.outcome is Outcome.REJECTED
    return caught.value.reason, caught.value.last_sequence


@pytest.mark.parametrize("deliver", [DELIVER_ALL, DELIVER_LAST_PER_SUBJECT, DeliverNew()])
async def test_a_killed_server_costs_a_file_stream_nothing(own_server, local, deliver):
    await local.create_stream(FILE)
    async with local.replay("S", deliver=deliver) as replay:
        messages = aiter(replay)
        expected = itertools.count(1)
        for _ in range(3):
            for number in range(5):
                await publish_when_possible(local, f"s.{number}")
            assert await take(messages, 5) == [next(expected) for _ in range(5)]
            own_server.kill()
            own_server.restart()
        await publish_when_possible(local, "s.last")
        assert await take(messages, 1) == [16]


async def test_a_killed_server_takes_a_memory_stream_with_it(own_server, local):
    await local.create_stream(MEMORY)
    async with local.replay("S") as replay:
        await local.publish("s.a", b"")
        assert await take(aiter(replay), 1) == [1]
        own_server.kill()
        own_server.restart()
        assert await interruption(replay) == (ResetReason.STREAM_DELETED, 1)


async def test_a_memory_stream_that_a_host_makes_again_is_another_stream(own_server, local, fast):
    await local.create_stream(MEMORY)
    async with local.replay("S") as replay:
        await local.publish("s.a", b"")
        assert await take(aiter(replay), 1) == [1]
        own_server.kill()
        own_server.restart()
        async with await connect(own_server.url, limits=fast) as host:
            await host.create_stream(MEMORY)
            await host.publish("s.a", b"")
        reason, last_sequence = await interruption(replay)
        assert reason in {ResetReason.STREAM_DELETED, ResetReason.STREAM_RECREATED}
        assert last_sequence == 1


async def test_a_stream_made_again_over_a_good_link(either, fresh):
    storage = either
    config = fresh()
    await storage.create_stream(config)
    async with storage.replay(config.name) as replay:
        await storage.delete_stream(config.name)
        await storage.create_stream(config)
        for _ in range(3):
            await storage.publish(f"{config.name}.a", b"")
        assert await interruption(replay) == (ResetReason.STREAM_RECREATED, 0)
        assert await interruption(replay) == (ResetReason.STREAM_RECREATED, 0)


async def test_a_deleted_stream(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    await storage.publish(f"{config.name}.a", b"")
    async with storage.replay(config.name) as replay:
        assert await take(aiter(replay), 1) == [1]
        await storage.delete_stream(config.name)
        assert await interruption(replay) == (ResetReason.STREAM_DELETED, 1)


async def test_older_data_put_back_under_a_replay(own_server, local, tmp_path):
    await local.create_stream(FILE)
    await local.publish("s.a", b"")
    async with local.replay("S") as replay:
        messages = aiter(replay)
        assert await take(messages, 1) == [1]
        own_server.stop()
        shutil.copytree(own_server.store_dir, tmp_path / "older")
        own_server.restart()
        for _ in range(3):
            await publish_when_possible(local, "s.a")
        assert await take(messages, 3) == [2, 3, 4]
        own_server.kill()
        shutil.rmtree(own_server.store_dir)
        shutil.copytree(tmp_path / "older", own_server.store_dir)
        own_server.restart()
        assert await interruption(replay) == (ResetReason.STREAM_WENT_BACK, 4)


async def test_a_deleted_consumer_is_replaced_within_three_heartbeats(either, server, fresh):
    storage = either
    config = fresh()
    await storage.create_stream(config)
    async with storage.replay(config.name) as replay:
        messages = aiter(replay)
        await storage.publish(f"{config.name}.a", b"")
        assert await take(messages, 1) == [1]
        client = await nats.connect(server.url)
        (consumer,) = await client.jetstream().consumers_info(config.name)
        await client.jetstream().delete_consumer(config.name, consumer.name)
        await client.close()
        for _ in range(3):
            await storage.publish(f"{config.name}.a", b"")
        began = asyncio.get_running_loop().time()
        assert await take(messages, 3) == [2, 3, 4]
        assert asyncio.get_running_loop().time() - began < 1
    assert (await storage.stream_info(config.name)).state.consumer_count == 0


async def test_a_client_that_nats_py_closed_for_good_is_replaced_under_a_replay(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    async with storage.replay(config.name) as replay:
        await storage._connection._client.close()
        await storage.publish(f"{config.name}.a", b"")
        assert await take(aiter(replay), 1) == [1]


async def test_a_program_too_busy_to_listen_keeps_its_consumer(storage, server, fresh):
    config = fresh()
    await storage.create_stream(config)
    client = await nats.connect(server.url)
    async with storage.replay(config.name) as replay:
        (before,) = await client.jetstream().consumers_info(config.name)
        subject = replay._subscription.subject
        check = replay._check_identity

        async def check_while_a_heartbeat_arrives():
            await check()
            block = b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 0\r\nNats-Last-Stream: 0\r\n\r\n"
            replay._take_frames(replay._generation, [(subject.encode(), b"", b"", block)])

        replay._check_identity = check_while_a_heartbeat_arrives
        await replay._recover()
        assert [each.name for each in await client.jetstream().consumers_info(config.name)] == [before.name]
    await client.close()


async def test_a_half_open_link(own_server, fast):
    limits = Limits(heartbeat_ns=fast.heartbeat_ns, request_timeout_ns=300_000_000, retry_min_ns=fast.retry_min_ns)
    async with await connect(own_server.url, limits=limits) as storage:
        await storage.create_stream(FILE)
        async with storage.replay("S") as replay:
            await storage.publish("s.a", b"")
            messages = aiter(replay)
            assert await take(messages, 1) == [1]
            os.kill(own_server.pid, signal.SIGSTOP)
            await asyncio.to_thread(os.waitpid, own_server.pid, os.WUNTRACED)
            try:
                with pytest.raises(StorageTimeoutError) as caught:
                    await storage.publish("s.a", b"")
                assert caught.value.outcome is Outcome.UNKNOWN
                with pytest.raises(TimeoutError):  # and the replay tries, and tries again
                    async with asyncio.timeout(1):
                        await anext(replay.batches())
            finally:
                os.kill(own_server.pid, signal.SIGCONT)
            last = (await publish_when_possible(storage, "s.b")).sequence
            assert await take(messages, last - 1) == list(range(2, last + 1))
        assert (await storage.stream_info("S")).state.consumer_count == 0


async def test_a_storage_is_closed_although_its_server_reads_no_more(own_server, fast):
    limits = attrs.evolve(fast, close_timeout_ns=200_000_000)
    storage = await connect(own_server.url, limits=limits)
    client = storage._connection._client
    os.kill(own_server.pid, signal.SIGSTOP)
    try:
        await asyncio.to_thread(os.waitpid, own_server.pid, os.WUNTRACED)
        stuck = [asyncio.create_task(storage.publish("s.a", bytes(900_000))) for _ in range(20)]
        while client._transport._io_writer.transport.get_write_buffer_size() < 1 << 20:  # the sockets are full
            await asyncio.sleep(0.01)
        stuck.append(asyncio.create_task(storage.publish("s.a", b"")))
        while not client._pending_data_size:
            await asyncio.sleep(0.01)
        await storage.aclose()
        for outcome in await asyncio.gather(*stuck, return_exceptions=True):
            assert isinstance(outcome, ConnectionLostError)
        assert client._transport._io_writer.transport.get_write_buffer_size() == 0
        assert client._transport._io_writer.transport.is_closing()
    finally:
        os.kill(own_server.pid, signal.SIGCONT)


async def test_while_the_server_is_away_nothing_is_sent_and_nothing_appears_later(own_server, local):
    await local.create_stream(FILE)
    own_server.kill()
    outcomes = set()
    for _ in range(200):
        try:
            await local.publish("s.a", b"ghost")
        except (StorageUnavailableError, ConnectionLostError) as error:
            outcomes.add((type(error), error.outcome))
        await asyncio.sleep(0)
    assert (StorageUnavailableError, Outcome.REJECTED) in outcomes
    own_server.restart()
    assert (await publish_when_possible(local, "s.a")).sequence == 1


async def test_what_was_not_yet_written_when_the_link_broke_is_forgotten(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    client = storage._connection._client
    ghost = f"PUB {config.name}.a 5\r\nghost\r\n".encode()
    await client.force_reconnect()
    await client._send_command(ghost)  # nats-py would write this first thing on the new connection
    await until_reachable(storage)
    assert (await storage.publish(f"{config.name}.a", b"")).sequence == 1


async def test_a_borrowed_client_that_buffers_makes_the_same_unknown(own_server, fast):
    client = await nats.connect(own_server.url, reconnect_time_wait=0.1, error_cb=ignore)
    limits = Limits(request_timeout_ns=100_000_000)
    async with NatsStorage(client, limits=limits) as storage:
        await storage.create_stream(FILE)
        own_server.kill()
        while client.is_connected:
            await asyncio.sleep(0.005)
        with pytest.raises(StorageTimeoutError) as caught:
            await storage.publish("s.a", b"ghost")
        assert caught.value.outcome is Outcome.UNKNOWN
        own_server.restart()
        ack = await publish_when_possible_or_late(storage)
        assert ack.sequence == 2  # the ghost was first
    await client.close()


async def publish_when_possible_or_late(storage):
    for _ in range(100):
        try:
            return await storage.publish("s.a", b"real", message_id="real")
        except StorageTimeoutError:
            await asyncio.sleep(0.05)
    raise AssertionError("no connection within 15 s")


async def ignore(error):
    """nats-py logs what no callback takes."""


@pytest.mark.parametrize("deliver", [DELIVER_ALL, DELIVER_LAST_PER_SUBJECT])
async def test_a_link_cut_at_any_byte_of_a_rebuild(proxy, storage, fresh, fast, deliver):
    config = fresh()
    await storage.create_stream(config)
    async for _ in storage.publish_many(
        Publication(subject=f"{config.name}.{number % 3000}", payload=b"%d" % number) for number in range(4000)
    ):
        pass
    expected = list(range(1001, 4001) if deliver is DELIVER_LAST_PER_SUBJECT else range(1, 4001))
    places = random.Random(7)
    async with await connect(proxy.url, limits=fast) as behind:
        for _ in range(15):
            received = []
            async with behind.replay(config.name, deliver=deliver) as replay:
                proxy.cut_after = places.randrange(300_000)
                async with asyncio.timeout(10):
                    async for batch in replay.batches():
                        received += [message.sequence for message in batch.messages]
                        if batch.caught_up:
                            break
            assert received == expected
            proxy.cut_after = None
            await until_reachable(behind)
    assert (await storage.stream_info(config.name)).state.consumer_count <= 2


async def until_reachable(storage):
    for _ in range(500):
        try:
            return await storage.list_streams()
        except (StorageUnavailableError, ConnectionLostError):
            await asyncio.sleep(0.01)
    raise AssertionError("no connection within 5 s")
