"""Windowed publishing: order, errors as values, bounded memory, and a clean end whenever the caller stops."""

import asyncio
import itertools

import pytest

from lattice_store.errors import (
    ConnectionLostError,
    InvalidSubjectError,
    MessageTooLargeError,
    NoRespondersError,
    StorageClosedError,
    StorageTimeoutError,
    StorageUnavailableError,
    WrongLastSequenceError,
)
from lattice_store.limits import Limits
from lattice_store.model import Expect, PubAck, Publication, StorageType, StreamConfig
from lattice_store.nats import connect

pytestmark = pytest.mark.nats


def numbered(name, count):
    return (Publication(subject=f"{name}.{number}", payload=b"%d" % number) for number in range(count))


@pytest.mark.parametrize("window", [1, 7, 4000])
async def test_results_come_in_input_order_whatever_the_window(either, fresh, window):
    config = fresh()
    await either.create_stream(config)
    results = [result async for result in either.publish_many(numbered(config.name, 500), window=window)]
    assert [result.sequence for result in results] == list(range(1, 501))
    assert (await either.get_message(config.name, 500)).payload == b"499"


async def test_each_result_is_what_publish_would_have_given(either, fresh):
    config = fresh(max_msg_size=1000)
    await either.create_stream(config)
    subject = f"{config.name}.a"
    results = [
        result
        async for result in either.publish_many(
            [
                Publication(subject=subject, payload=b"1", message_id="x"),
                Publication(subject="a b", payload=b""),
                Publication(subject="no.stream.here", payload=b""),
                Publication(subject=subject, payload=b"2", message_id="x"),
                Publication(subject=subject, payload=b"3", expect=Expect(last_sequence=7)),
                Publication(subject=subject, payload=bytes(2000)),
                Publication(subject=subject, payload=bytes(2 << 20)),
                Publication(subject=subject, payload=b"4", headers={"k": "v"}),
            ]
        )
    ]
    assert results[0] == PubAck(config.name, 1)
    assert results[3] == PubAck(config.name, 1, duplicate=True)
    assert results[7] == PubAck(config.name, 2)
    assert [type(results[index]) for index in (1, 2, 4, 5, 6)] == [
        InvalidSubjectError,
        NoRespondersError,
        WrongLastSequenceError,
        MessageTooLargeError,
        MessageTooLargeError,
    ]


async def test_the_input_is_read_no_further_than_the_window(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    taken = itertools.count()

    def endless():
        while True:
            yield Publication(subject=f"{config.name}.a", payload=b"%d" % next(taken))

    results = storage.publish_many(endless(), window=5)
    for _ in range(20):
        assert isinstance(await anext(results), PubAck)
        assert len(storage._connection._in_flight) <= 5
    await results.aclose()
    assert next(taken) == 25  # 20 results, and a window on its way
    assert storage._connection._in_flight == {}


async def test_closing_early_sends_nothing_more_and_the_storage_goes_on(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    results = storage.publish_many(numbered(config.name, 100), window=10)
    await anext(results)
    await results.aclose()
    assert (await storage.publish(f"{config.name}.last", b"")).sequence == 11


async def test_cancelling_leaves_nothing_in_flight(storage, fresh):
    config = fresh(no_ack=True)  # so that the first result never comes
    await storage.create_stream(config)

    async def publish():
        async for _ in storage.publish_many(numbered(config.name, 100), window=10):
            raise AssertionError("a result without an ack")

    publishing = asyncio.create_task(publish())
    while len(storage._connection._in_flight) < 10:
        await asyncio.sleep(0)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert storage._connection._in_flight == {}


async def test_every_publication_has_its_own_deadline(storage, fresh):
    config = fresh(no_ack=True)
    await storage.create_stream(config)
    storage._connection._limits = Limits(request_timeout_ns=80_000_000)
    began = asyncio.get_running_loop().time()
    results = [result async for result in storage.publish_many(numbered(config.name, 20))]
    assert [type(result) for result in results] == [StorageTimeoutError] * 20
    assert asyncio.get_running_loop().time() - began < 1  # 20 deadlines one after the other would be 1.6 s


async def test_large_messages_do_not_pile_up_unsent(storage, fresh):
    config = fresh(max_msgs=3)
    await storage.create_stream(config)
    client, highest = storage._connection._client, 0

    def watched():
        nonlocal highest
        for _ in range(60):
            highest = max(highest, client.pending_data_size)
            yield Publication(subject=f"{config.name}.a", payload=bytes(500_000))

    results = [result async for result in storage.publish_many(watched())]
    assert all(isinstance(result, PubAck) for result in results)
    assert highest < 1 << 20


async def test_a_lost_connection_makes_values_of_both_kinds_and_no_ghost_writes(own_server, fast):
    config = StreamConfig(name="S", subjects=("s.>",), storage=StorageType.FILE)
    async with await connect(own_server.url, limits=fast) as storage:
        await storage.create_stream(config)
        results = []

        def publications():
            yield from numbered("s", 50)
            own_server.kill()
            for number in range(50, 20_000):
                yield Publication(subject=f"s.{number}", payload=b"later")

        async for result in storage.publish_many(publications(), window=100):
            results.append(result)
            if len(results) % 100 == 0:
                await asyncio.sleep(0)  # let the client notice
        kinds = {type(result) for result in results}
        assert len(results) == 20_000
        assert kinds <= {PubAck, ConnectionLostError, StorageUnavailableError}
        assert {ConnectionLostError, StorageUnavailableError} <= kinds

        own_server.restart()
        acked = {result.sequence for result in results if isinstance(result, PubAck)}
        unknown = sum(isinstance(result, ConnectionLostError) for result in results)
        state = (await until_connected(storage)).state
        assert max(acked, default=0) <= state.last_sequence <= len(acked) + unknown


async def until_connected(storage):
    for _ in range(500):
        try:
            return await storage.stream_info("S")
        except StorageUnavailableError:
            await asyncio.sleep(0.01)
    raise AssertionError("not connected again within 5 s")


async def test_a_storage_closed_in_the_middle(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    results = storage.publish_many(numbered(config.name, 100), window=10)
    await anext(results)
    await storage.aclose()
    with pytest.raises(StorageClosedError):
        async for _ in results:
            pass
