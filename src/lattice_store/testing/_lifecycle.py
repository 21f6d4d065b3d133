"""Checks of closing a storage and of cancelling its calls."""

from __future__ import annotations

import asyncio
from functools import partial

from lattice_store.errors import StorageClosedError
from lattice_store.model import PubAck, Publication
from lattice_store.storage import Storage
from lattice_store.testing._harness import Streams, equal, holds, raises


async def check_aclose_may_be_repeated(storage: Storage, streams: Streams) -> None:
    """Closing a closed storage does nothing, also from two tasks at once."""
    await storage.publish((await streams.new()).subject("a"), b"")
    await asyncio.gather(storage.aclose(), storage.aclose())
    await storage.aclose()


async def check_everything_is_refused_after_aclose(storage: Storage, streams: Streams) -> None:
    """No method of a closed storage does anything."""
    stream = await streams.new()
    subject = stream.subject("a")
    await storage.aclose()
    for call in (
        partial(storage.create_stream, stream.config),
        partial(storage.update_stream, stream.config),
        partial(storage.delete_stream, stream.name),
        partial(storage.stream_info, stream.name),
        storage.list_streams,
        partial(storage.publish, subject, b""),
        partial(storage.get_message, stream.name, 1),
        partial(storage.get_last_message, stream.name, subject),
        partial(storage.count_subjects, stream.name),
        partial(storage.delete_message, stream.name, 1),
        partial(storage.purge, stream.name),
    ):
        with raises(StorageClosedError):
            await call()
    with raises(StorageClosedError):
        async with storage.replay(stream.name):
            raise AssertionError("entered a replay of a closed storage")
    with raises(StorageClosedError):
        async for result in storage.publish_many([Publication(subject=subject, payload=b"")]):
            raise AssertionError(f"a closed storage yielded {result!r}")


async def check_calls_may_be_cancelled(storage: Storage, streams: Streams) -> None:
    """A publish cancelled in flight is stored or not, and nothing else is out of place afterwards."""
    stream = await streams.new()
    tasks = [asyncio.create_task(storage.publish(stream.subject("a"), b"%d" % n)) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    acks = [result for result in results if isinstance(result, PubAck)]
    holds(len(acks) >= 10, f"acks of the ten publishes not cancelled, not {results}")
    for task, number in zip(tasks[1::2], range(1, 20, 2), strict=True):
        message = await storage.get_message(stream.name, task.result().sequence)
        equal(message.payload, b"%d" % number, f"payload of publish {number}")
    ack = await storage.publish(stream.subject("a"), b"after")
    equal((await storage.get_message(stream.name, ack.sequence)).payload, b"after", "payload of a later publish")
