"""Replays on a real server: every policy, the snapshot, what follows it, and a slow reader."""

import asyncio
from contextlib import AsyncExitStack

import attrs
import nats
import pytest

from lattice_store.errors import (
    NotSupportedError,
    StorageClosedError,
    StreamNotFoundError,
    UnexpectedAnswerError,
)
from lattice_store.limits import SECOND_NS, Limits
from lattice_store.model import (
    DELIVER_ALL,
    DELIVER_LAST_PER_SUBJECT,
    DeliverAll,
    DeliverFromSequence,
    DeliverFromTime,
    DeliverLast,
    DeliverNew,
    Publication,
)
from lattice_store.nats import connect
from lattice_store.nats._api import JetStreamApi
from lattice_store.nats._connection import Connection
from lattice_store.nats._replay import NatsReplay

pytestmark = pytest.mark.nats


async def fill(storage, name, count, *, subjects=3, size=1):
    publications = (Publication(subject=f"{name}.{n % subjects}", payload=bytes(size)) for n in range(count))
    acks = [ack async for ack in storage.publish_many(publications)]
    assert acks[-1].sequence == count


async def until_caught_up(replay):
    sequences = []
    if not replay.caught_up:
        async for batch in replay.batches():
            sequences += [message.sequence for message in batch.messages]
            if batch.caught_up:
                break
    return sequences


async def take(replay, count):
    messages = aiter(replay)
    async with asyncio.timeout(10):
        return [(await anext(messages)).sequence for _ in range(count)]


@pytest.mark.parametrize(
    ("deliver", "expected"),
    [
        (DeliverAll(), list(range(1, 11))),
        (DeliverLast(), [10]),
        (DELIVER_LAST_PER_SUBJECT, [8, 9, 10]),
        (DeliverFromSequence(8), [8, 9, 10]),
        (DeliverFromSequence(10), [10]),
        (DeliverNew(), []),
        (DeliverFromTime(0), list(range(1, 11))),
    ],
)
async def test_every_policy_then_what_follows(either, fresh, deliver, expected):
    config = fresh()
    await either.create_stream(config)
    await fill(either, config.name, 10)
    async with either.replay(config.name, deliver=deliver) as replay:
        assert (replay.pending, replay.caught_up) == (len(expected), not expected)
        assert replay.stream.state.last_sequence == 10
        assert await until_caught_up(replay) == expected
        assert (replay.pending, replay.caught_up) == (0, True)
        await either.publish(f"{config.name}.live", b"")
        assert await take(replay, 1) == [11]


async def test_from_a_time_between_two_messages(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    await fill(storage, config.name, 4)
    third = await storage.get_message(config.name, 3)
    async with storage.replay(config.name, deliver=DeliverFromTime(third.time_ns)) as replay:
        assert await until_caught_up(replay) == [3, 4]
    async with storage.replay(config.name, deliver=DeliverFromTime(third.time_ns + 10**15)) as replay:
        assert (replay.caught_up, replay.pending) == (True, 0)
        await storage.publish(f"{config.name}.a", b"")
        assert await take(replay, 1) == [5]


async def test_a_sequence_beyond_the_end_is_waited_for(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    await fill(storage, config.name, 3)
    async with storage.replay(config.name, deliver=DeliverFromSequence(6)) as replay:
        assert replay.caught_up
        for _ in range(4):
            await storage.publish(f"{config.name}.a", b"")
        assert await take(replay, 2) == [6, 7]


@pytest.mark.parametrize("deliver", [DeliverAll(), DELIVER_LAST_PER_SUBJECT, DeliverLast(), DeliverNew()])
async def test_an_empty_stream_is_caught_up_at_once(either, fresh, deliver):
    config = fresh()
    await either.create_stream(config)
    async with either.replay(config.name, deliver=deliver) as replay:
        assert (replay.pending, replay.caught_up, replay.stream.state.last_sequence) == (0, True, 0)
        await either.publish(f"{config.name}.a", b"live")
        (message,) = [await anext(aiter(replay))]
        assert (message.sequence, message.payload) == (1, b"live")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [(["{}.1"], [2, 5, 8]), (["{}.0", "{}.2"], [1, 3, 4, 6, 7, 9, 10]), (["{}.*"], list(range(1, 11))), (["x.>"], [])],
)
async def test_filters(storage, fresh, filters, expected):
    config = fresh()
    await storage.create_stream(config)
    await fill(storage, config.name, 10)
    subjects = [each.format(config.name) for each in filters]
    async with storage.replay(config.name, subjects=subjects) as replay:
        assert replay.pending == len(expected)
        assert await until_caught_up(replay) == expected


async def test_the_position_moves_past_what_the_filter_leaves_out(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    await fill(storage, config.name, 10)
    async with storage.replay(config.name, subjects=[f"{config.name}.1"]) as replay:
        async with asyncio.timeout(5):
            async for batch in replay.batches():
                if batch.sequence >= 10:
                    break
        assert (batch.caught_up, batch.pending) == (True, 0)


async def test_pending_counts_down_within_the_snapshot(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    await fill(storage, config.name, 500)
    total, before = 0, 500
    async with storage.replay(config.name) as replay:
        async for batch in replay.batches():
            total += len(batch.messages)
            assert batch.pending == 500 - total < before
            assert batch.sequence == total
            assert (replay.pending, replay.caught_up) == (batch.pending, batch.caught_up)
            before = batch.pending
            if batch.caught_up:
                break
    assert total == 500


async def test_caught_up_comes_by_heartbeat_when_the_rest_is_removed_meanwhile(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    await fill(storage, config.name, 3000, size=2000)  # more than the server sends ahead
    async with storage.replay(config.name) as replay:
        await storage.purge(config.name)
        async with asyncio.timeout(10):
            await until_caught_up(replay)
        assert (replay.pending, replay.caught_up) == (0, True)


async def test_a_slow_reader_holds_the_server_back_and_loses_nothing(either, fresh):
    config = fresh()
    await either.create_stream(config)
    await fill(either, config.name, 20_000, size=500)
    either._limits = Limits(heartbeat_ns=30_000_000_000, replay_buffer=100)  # no help from heartbeats
    received, most = 0, 0
    async with asyncio.timeout(15), either.replay(config.name) as replay:
        arrived = -1
        while arrived < replay._ordered.buffered:  # until the server waits for word
            arrived = replay._ordered.buffered
            await asyncio.sleep(0.05)
        assert replay._ordered.flow_subject is not None
        async for batch in replay.batches():
            most = max(most, len(batch.messages))
            received += len(batch.messages)
            if batch.caught_up:
                break
    assert received == 20_000
    assert most < 10_000  # the server's own window of 2 MiB at the start


@pytest.mark.parametrize("before", [0, 3])
async def test_a_message_that_arrives_while_the_replay_opens_is_not_lost(storage, fresh, monkeypatch, before):
    config = fresh()
    await storage.create_stream(config)
    for _ in range(before):
        await storage.publish(f"{config.name}.a", b"")
    check_identity = NatsReplay._check_identity

    async def check_after_a_message(replay):
        await storage.publish(f"{config.name}.a", b"")
        while replay._ordered.delivered <= before:
            await asyncio.sleep(0)
        await check_identity(replay)

    monkeypatch.setattr(NatsReplay, "_check_identity", check_after_a_message)
    async with storage.replay(config.name) as replay:
        assert (replay.pending, replay.caught_up) == (before, not before)
        assert await take(replay, before + 1) == list(range(1, before + 2))


async def test_two_replays_do_not_disturb_each_other(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    await fill(storage, config.name, 100)
    async with storage.replay(config.name) as one, storage.replay(config.name, deliver=DeliverLast()) as two:
        assert await asyncio.gather(until_caught_up(one), until_caught_up(two)) == [list(range(1, 101)), [100]]


async def test_no_such_stream(either):
    with pytest.raises(StreamNotFoundError):
        async with either.replay("NO-SUCH-STREAM"):
            raise AssertionError("entered")


async def test_a_waiting_reader_may_be_cancelled_and_the_replay_goes_on(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    async with storage.replay(config.name) as replay:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(aiter(replay))
        await storage.publish(f"{config.name}.a", b"")
        assert await take(replay, 1) == [1]


async def test_closing_the_storage_ends_its_replays(server, fresh, fast):
    storage = await connect(server.url, limits=fast)
    config = fresh()
    await storage.create_stream(config)
    async with storage.replay(config.name) as replay:
        waiting = asyncio.create_task(anext(replay.batches()))
        await asyncio.sleep(0)
        await storage.aclose()
        with pytest.raises(StorageClosedError):
            await waiting


async def test_closing_the_storage_refuses_new_calls_and_ends_all_replays_together(server, fresh, fast, monkeypatch):
    storage = await connect(server.url, limits=fast)
    config, call = fresh(), JetStreamApi.call
    await storage.create_stream(config)
    ending, all_are_ending, may_end = set(), asyncio.Event(), asyncio.Event()

    async def slow_call(api, verb, *arguments, **options):
        if verb.startswith("CONSUMER.DELETE"):
            ending.add(verb)
            if len(ending) == 3:
                all_are_ending.set()
            await may_end.wait()
        return await call(api, verb, *arguments, **options)

    monkeypatch.setattr(JetStreamApi, "call", slow_call)
    async with AsyncExitStack() as replays:
        for _ in range(3):
            await replays.enter_async_context(storage.replay(config.name))
        closing = asyncio.create_task(storage.aclose())
        async with asyncio.timeout(0.4):  # a replay takes 0.5 s at most to end
            await all_are_ending.wait()
        with pytest.raises(StorageClosedError):
            await storage.list_streams()
        with pytest.raises(StorageClosedError):
            await storage.publish(f"{config.name}.a", b"")
        with pytest.raises(StorageClosedError):
            await replays.enter_async_context(storage.replay(config.name))
        may_end.set()
        await closing
    async with await connect(server.url, limits=fast) as another:
        state = (await another.stream_info(config.name)).state
    assert (state.consumer_count, state.messages) == (0, 0)


@pytest.mark.parametrize("step", ["before the consumer is created", "after it"])
async def test_a_storage_closed_while_a_replay_opens(server, fresh, fast, monkeypatch, step):
    storage = await connect(server.url, limits=fast)
    config, stream_info, answers = fresh(), NatsReplay._stream_info, []
    await storage.create_stream(config)

    async def close_then_answer(replay):
        answers.append(await stream_info(replay))
        if len(answers) == 1 + (step == "after it"):
            await storage.aclose()
        return answers[-1]

    monkeypatch.setattr(NatsReplay, "_stream_info", close_then_answer)
    with pytest.raises(StorageClosedError, match="the replay of"):
        async with storage.replay(config.name):
            raise AssertionError("entered")
    async with await connect(server.url, limits=fast) as another:
        assert (await another.stream_info(config.name)).state.consumer_count == 0


@pytest.mark.parametrize(("deliver", "subjects"), [(DELIVER_ALL, ()), (DeliverFromTime(0), ("{}.0", "{}.1"))])
async def test_a_stream_that_limits_its_consumers_is_read(storage, fresh, deliver, subjects):
    limits = {"inactive_threshold": 10 * SECOND_NS, "max_ack_pending": 5}
    config = fresh(other={"consumer_limits": limits})
    await storage.create_stream(config)
    await fill(storage, config.name, 12)
    filters = [subject.format(config.name) for subject in subjects]
    async with storage.replay(config.name, deliver=deliver, subjects=filters) as replay:
        assert len(await until_caught_up(replay)) == (8 if subjects else 12)
        await storage._api.call(f"CONSUMER.DELETE.{config.name}.{replay._consumer}")
        stricter = {"inactive_threshold": 5 * SECOND_NS}  # the new consumer must keep to this
        await storage.update_stream(attrs.evolve(config, other={"consumer_limits": stricter}))
        await storage.publish(f"{config.name}.0", b"")
        assert await take(replay, 1) == [13]


async def test_a_consumer_that_cannot_be_made_leaves_nothing(storage, fresh):
    config = fresh(max_consumers=1)
    await storage.create_stream(config)
    async with storage.replay(config.name):
        with pytest.raises(Exception, match="maximum consumers limit reached"):
            async with storage.replay(config.name):
                raise AssertionError("entered")
    assert (await storage.stream_info(config.name)).state.consumer_count == 0
    assert storage._connection.listeners == set()


async def test_a_frame_that_cannot_be_read_reaches_the_reader_and_not_the_connection(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    async with storage.replay(config.name) as replay:
        replay._take_frames(replay._generation, [(b"s", b"$JS.ACK.S.c", b"", b"")])
        with pytest.raises(NotSupportedError, match="has 4 tokens"):
            await anext(replay.batches())
    assert (await storage.stream_info(config.name)).state.consumer_count == 0


async def test_a_subject_of_any_bytes_is_read(storage, server, fresh):
    config = fresh()
    await storage.create_stream(config)
    client = await nats.connect(server.url)
    subject = f"{config.name}.".encode() + b"\xff"
    await client._send_command(b"PUB " + subject + b" 1\r\nx\r\n")
    await client.flush()
    async with storage.replay(config.name) as replay:
        message = await anext(aiter(replay))
    assert message.subject.encode("utf-8", "surrogateescape") == subject
    await client.close()


async def test_a_replay_ends_when_something_else_than_jetstream_answers(storage, fresh, monkeypatch):
    config = fresh()
    await storage.create_stream(config)

    async def request(connection, subject, payload, **options):
        return b"pong"

    async with storage.replay(config.name) as replay:
        with monkeypatch.context() as patched:
            patched.setattr(Connection, "request", request)
            replay.link_restored()
            with pytest.raises(UnexpectedAnswerError, match="something else than JetStream"):
                async with asyncio.timeout(5):
                    await anext(replay.batches())
