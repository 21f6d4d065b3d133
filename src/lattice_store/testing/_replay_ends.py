"""Checks of how a replay ends: left, cancelled, interrupted, refused."""

from __future__ import annotations

import asyncio

from lattice_store.errors import (
    InvalidArgumentError,
    InvalidSubjectError,
    ReplayInterruptedError,
    ResetReason,
    StorageClosedError,
    StreamNotFoundError,
)
from lattice_store.model import DELIVER_LAST_PER_SUBJECT, DeliverFromSequence, PubAck
from lattice_store.storage import Storage
from lattice_store.testing._harness import READ_DEADLINE_S, Reader, Stream, Streams, equal, holds, raises, reading


async def _read_to_the_end(reader: Reader) -> None:
    while True:
        await reader.batch()


async def _waiting(reader: Reader) -> asyncio.Task[None]:
    """Return a task that waits for the next batch and is known to have begun."""
    await reader.snapshot()
    task = asyncio.create_task(_read_to_the_end(reader))
    await asyncio.sleep(0)
    return task


async def _consumers(stream: Stream) -> int:
    return (await stream.info()).state.consumer_count


async def check_replay_left_early_frees_the_server(storage: Storage, streams: Streams) -> None:
    """An open replay is a consumer of the stream; left before its end, it is none any more."""
    stream = await streams.new()
    await stream.fill(*("a",) * 100)
    for _ in range(5):
        async with reading(stream) as reader:
            equal(await _consumers(stream), 1, "consumers while the replay is open")
            await reader.batch()

    async def freed() -> bool:
        return await _consumers(stream) == 0

    await streams.eventually(freed, "consumers of closed replays to be gone")


async def check_replay_left_by_an_error(storage: Storage, streams: Streams) -> None:
    """An error in the block goes through unchanged, and the storage goes on working."""
    stream = await streams.new()
    await stream.fill("a")
    error = ZeroDivisionError("the caller's own")
    try:
        async with reading(stream) as reader:
            await reader.batch()
            raise error
    except ZeroDivisionError as caught:
        holds(caught is error, "the very same error")
    equal(await storage.publish(stream.subject("a"), b""), PubAck(stream.name, 2), "ack afterwards")


async def check_replay_may_be_cancelled_while_it_waits(storage: Storage, streams: Streams) -> None:
    """A task that waits for a message ends at once when cancelled; the same replay may be read on."""
    stream = await streams.new()
    await stream.fill("a")
    async with reading(stream) as reader:
        task = await _waiting(reader)
        task.cancel()
        await asyncio.wait([task], timeout=READ_DEADLINE_S)
        holds(task.cancelled(), "a cancelled task")
        await stream.fill("b")
        equal([message.sequence for message in await Reader(reader.replay).take(1)], [2], "the next sequence")


async def check_replay_may_be_cancelled_as_a_whole(storage: Storage, streams: Streams) -> None:
    """A task cancelled inside the replay leaves nothing behind on the server."""
    stream = await streams.new()
    opened = asyncio.Event()

    async def watch() -> None:
        async with reading(stream) as reader:
            opened.set()
            await _read_to_the_end(reader)

    task = asyncio.create_task(watch())
    async with asyncio.timeout(READ_DEADLINE_S):
        await opened.wait()
    task.cancel()
    await asyncio.wait([task], timeout=READ_DEADLINE_S)
    holds(task.cancelled(), "a cancelled task")

    async def freed() -> bool:
        return await _consumers(stream) == 0

    await streams.eventually(freed, "the consumer of the cancelled replay to be gone")


async def check_replay_ends_when_the_stream_is_deleted(storage: Storage, streams: Streams) -> None:
    """A reader that waits is told that the stream is gone, and how far it came."""
    stream = await streams.new()
    await stream.fill("a", "b")
    async with reading(stream) as reader:
        await reader.snapshot()
        await storage.delete_stream(stream.name)
        with raises(ReplayInterruptedError) as interrupted:
            await _read_to_the_end(reader)
    error = interrupted.error
    found = (error.stream, error.reason, error.last_sequence)
    equal(found, (stream.name, ResetReason.STREAM_DELETED, 2), "stream, reason and last sequence")


async def check_replay_ends_when_the_stream_is_recreated(storage: Storage, streams: Streams) -> None:
    """Another stream under the same name is never taken for the old one."""
    stream = await streams.new()
    await stream.fill("a", "b", "c")
    async with reading(stream) as reader:
        await reader.snapshot()
        await storage.delete_stream(stream.name)
        await storage.create_stream(stream.config)
        with raises(ReplayInterruptedError) as interrupted:
            await _read_to_the_end(reader)
    error = interrupted.error
    equal((error.stream, error.last_sequence), (stream.name, 3), "stream and last sequence")
    reasons = (ResetReason.STREAM_DELETED, ResetReason.STREAM_RECREATED)
    holds(error.reason in reasons, f"deleted or re-created as the reason, not {error.reason}")


async def check_replay_ends_when_the_storage_is_closed(storage: Storage, streams: Streams) -> None:
    """Closing the storage wakes a reader that waits."""
    stream = await streams.new()
    await stream.fill("a")
    async with reading(stream) as reader:
        task = await _waiting(reader)
        await storage.aclose()
        await asyncio.wait([task], timeout=READ_DEADLINE_S)
        holds(task.done(), "the waiting reader to end")
        holds(isinstance(task.exception(), StorageClosedError), f"StorageClosedError, not {task.exception()!r}")


async def check_replay_of_a_missing_stream(storage: Storage, streams: Streams) -> None:
    """Known on entering, not only when reading."""
    with raises(StreamNotFoundError, 404, 10059, "stream not found"):
        async with storage.replay(streams.config().name):
            raise AssertionError("entered a replay of a stream that is not there")


async def check_bad_replays_are_refused_before_sending(storage: Storage, streams: Streams) -> None:
    """Filters that overlap or are none, and sequences below 1; asked of a stream that is not there."""
    name = streams.config().name
    for subjects in (("a.*", "a.b"), ("a", "a"), ("a.>", "a.b.c"), ("*", ">")):
        with raises(InvalidArgumentError):
            async with storage.replay(name, subjects=subjects):
                pass
    for bad in ("", "a..b", "a b", "a.>.b"):
        with raises(InvalidSubjectError):
            async with storage.replay(name, subjects=(bad,)):
                pass
    for sequence in (0, -1):
        with raises(InvalidArgumentError):
            DeliverFromSequence(sequence)


async def check_replay_skips_what_was_removed_before_it_began(storage: Storage, streams: Streams) -> None:
    """Removed messages are neither delivered nor pending; the one before takes over as its subject's last."""
    stream = await streams.new()
    await stream.fill("a", "b", "a", "b", "c")
    await storage.delete_message(stream.name, 3)
    await storage.purge(stream.name, subject=stream.subject("c"))
    async with reading(stream, deliver=DELIVER_LAST_PER_SUBJECT) as reader:
        equal(reader.replay.pending, 2, "pending")
        equal(await reader.sequences(), [1, 4], "sequences")


async def check_replay_goes_on_after_removals(storage: Storage, streams: Streams) -> None:
    """A purge or delete behind the reader is not announced; the replay goes on with the next publish."""
    stream = await streams.new()
    await stream.fill("a", "b", "c")
    async with reading(stream) as reader:
        equal(await reader.sequences(), [1, 2, 3], "sequences")
        await storage.delete_message(stream.name, 3)
        await storage.purge(stream.name)
        await stream.fill("d")
        equal([message.sequence for message in await reader.take(1)], [4], "the next sequence")
