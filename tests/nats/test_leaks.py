"""Nothing stays behind: tasks, subscriptions, consumers."""

import asyncio

import pytest

from lattice_store.errors import LatticeStoreError
from lattice_store.model import DELIVER_ALL, DeliverFromTime
from lattice_store.nats import connect
from lattice_store.nats._api import JetStreamApi
from lattice_store.nats._replay import NatsReplay

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


@pytest.mark.parametrize(("deliver", "subjects"), [(DELIVER_ALL, ()), (DeliverFromTime(0), ("a.>", "b.>"))])
@pytest.mark.parametrize("step", range(0, 40, 3))
async def test_a_replay_cancelled_at_any_step_leaves_no_consumer(storage, fresh, step, deliver, subjects):
    config = fresh()
    await storage.create_stream(config)
    before = asyncio.all_tasks()

    async def read():
        async with storage.replay(config.name, deliver=deliver, subjects=subjects) as replay:
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


@pytest.mark.parametrize(("deliver", "subjects"), [(DELIVER_ALL, ()), (DeliverFromTime(0), ("a.>", "b.>"))])
async def test_a_consumer_still_being_created_when_its_replay_is_cancelled(
    storage, fresh, monkeypatch, deliver, subjects
):
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
        async with storage.replay(config.name, deliver=deliver, subjects=subjects):
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


async def test_who_closes_a_replay_and_is_cancelled_is_cancelled(storage, fresh, monkeypatch):
    config = fresh()
    await storage.create_stream(config)
    wait_for_attention, ending, may_end = NatsReplay._wait_for_attention, asyncio.Event(), asyncio.Event()

    async def slow_to_end(replay, timeout_ns):
        try:
            await wait_for_attention(replay, timeout_ns)
        finally:
            if replay._error is not None:
                ending.set()
                await may_end.wait()

    monkeypatch.setattr(NatsReplay, "_wait_for_attention", slow_to_end)
    async with storage.replay(config.name) as replay:
        await asyncio.sleep(0)  # the watcher begins
        closing = asyncio.create_task(replay.aclose())
        await ending.wait()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        may_end.set()
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
