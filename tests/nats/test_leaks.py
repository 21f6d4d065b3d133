"""Nothing stays behind: tasks, subscriptions, consumers."""

import asyncio

import pytest

from lattice_store.errors import LatticeStoreError
from lattice_store.nats import connect
from lattice_store.nats._api import JetStreamApi

pytestmark = pytest.mark.nats


async def test_two_hundred_replays_leave_nothing(either, fresh):
    config = fresh()
    await either.create_stream(config)
    await either.publish(f"{config.name}.a", b"")
    client = either._connection._client
    tasks, subscriptions = len(asyncio.all_tasks()), len(client._subs)
    for number in range(200):
        async with either.replay(config.name) as replay:
            if number % 2:
                await anext(replay.batches())
    assert (await either.stream_info(config.name)).state.consumer_count == 0
    await asyncio.sleep(0)  # nats-py's own cancelled callback tasks end
    assert (len(asyncio.all_tasks()), len(client._subs)) == (tasks, subscriptions)
    assert either._connection.listeners == set()
    assert either._connection._in_flight == {}
    assert either._replays == set()


async def test_a_hundred_connections_leave_no_task(server, fast):
    before = asyncio.all_tasks()
    for _ in range(100):
        async with await connect(server.url, limits=fast) as storage:
            await storage.list_streams()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("step", range(0, 40, 3))
async def test_a_replay_cancelled_at_any_step_leaves_no_consumer(storage, fresh, step):
    config = fresh()
    await storage.create_stream(config)
    before = asyncio.all_tasks()

    async def read():
        async with storage.replay(config.name) as replay:
            async for _ in replay.batches():
                pass

    reading = asyncio.create_task(read())
    for _ in range(step):
        await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (await storage.stream_info(config.name)).state.consumer_count == 0
    assert asyncio.all_tasks() - before == set()
    assert storage._connection.listeners == set()


async def test_a_consumer_still_being_created_when_its_replay_is_cancelled(storage, fresh, monkeypatch):
    config = fresh()
    await storage.create_stream(config)
    call, creating, finished = JetStreamApi.call, asyncio.Event(), asyncio.Event()

    async def slow_call(api, verb, *arguments, **options):
        if not verb.startswith("CONSUMER.CREATE"):
            return await call(api, verb, *arguments, **options)
        creating.set()
        await asyncio.sleep(0.05)  # the server may be as slow as that
        answer = await call(api, verb, *arguments, **options)
        finished.set()
        return answer

    async def read():
        async with storage.replay(config.name):
            raise AssertionError("entered")

    monkeypatch.setattr(JetStreamApi, "call", slow_call)
    reading = asyncio.create_task(read())
    await creating.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    async with asyncio.timeout(2):
        await finished.wait()
    assert (await storage.stream_info(config.name)).state.consumer_count == 0


@pytest.mark.parametrize("step", range(0, 12, 2))
async def test_a_connection_cancelled_at_any_step_leaves_no_task(server, fast, step):
    before = asyncio.all_tasks()
    connecting = asyncio.create_task(connect(server.url, limits=fast))
    for _ in range(step):
        await asyncio.sleep(0)
    connecting.cancel()
    with pytest.raises((asyncio.CancelledError, LatticeStoreError)):
        await (await connecting).aclose()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()
