"""Checks of changing a stream's configuration."""

from __future__ import annotations

from functools import partial

import attrs

from lattice_store.errors import (
    ApiError,
    InvalidStreamConfigError,
    NoRespondersError,
    StreamNotFoundError,
    SubjectsOverlapError,
)
from lattice_store.limits import SECOND_NS
from lattice_store.model import PubAck, StorageType, StreamConfig
from lattice_store.storage import Storage
from lattice_store.testing._harness import Streams, equal, raises


async def check_update_replaces_the_whole_configuration(storage: Storage, streams: Streams) -> None:
    """An update is not a patch: what it leaves open goes back to the default. Creation time and messages stay."""
    stream = await streams.new(description="first", max_msgs=10, metadata={"a": "b"})
    await stream.fill("a", "b")
    before = await stream.info()
    config = StreamConfig(
        name=stream.name, subjects=stream.config.subjects, storage=stream.config.storage, max_bytes=5000
    )
    after = await storage.update_stream(config)
    equal(after.config, attrs.evolve(config, duplicate_window_ns=120 * SECOND_NS), "configuration")
    equal((after.created_ns, after.state), (before.created_ns, before.state), "creation time and state")
    equal(await stream.info(), after, "info after update")


async def check_update_of_a_missing_stream(storage: Storage, streams: Streams) -> None:
    """There is nothing to update."""
    with raises(StreamNotFoundError, 404, 10059, "stream not found"):
        await storage.update_stream(streams.config())


async def check_update_refuses_what_cannot_change(storage: Storage, streams: Streams) -> None:
    """Storage type, and permissions once denied, stay; the stream is as before."""
    stream = await streams.new(deny_delete=True, deny_purge=True)
    before = await stream.info()
    other = StorageType.FILE if stream.memory else StorageType.MEMORY
    for changes in ({"storage": other}, {"deny_delete": False}, {"deny_purge": False}, {"max_age_ns": 1}):
        with raises(InvalidStreamConfigError, 500, 10052):
            await storage.update_stream(attrs.evolve(stream.config, **changes))
    equal(await stream.info(), before, "info")


async def check_update_refuses_subjects_of_another_stream(storage: Storage, streams: Streams) -> None:
    """An update may not take over what another stream captures."""
    first, second = await streams.new(), await streams.new()
    before = await second.info()
    with raises(SubjectsOverlapError, 400, 10065, "subjects overlap with an existing stream"):
        await storage.update_stream(attrs.evolve(second.config, subjects=(first.subject("a"),)))
    equal(await second.info(), before, "info")


async def check_update_of_subjects_moves_what_is_captured(storage: Storage, streams: Streams) -> None:
    """New subjects count at once; what is stored under the old ones stays."""
    stream = await streams.new()
    await stream.fill("a")
    moved = f"{stream.name}.moved"
    await storage.update_stream(attrs.evolve(stream.config, subjects=(moved,)))
    with raises(NoRespondersError):
        await stream.fill("a")
    equal(await storage.publish(moved, b"x"), PubAck(stream.name, 2), "ack on the new subject")
    equal(await stream.stored(), {1: "a", 2: moved}, "stored messages")


async def check_sealed_stream_takes_nothing_and_loses_nothing(storage: Storage, streams: Streams) -> None:
    """Sealing is for good: reads go on, everything that would change the messages is refused."""
    stream = await streams.new()
    await stream.fill("a", "b")
    config = (await storage.update_stream(attrs.evolve(stream.config, sealed=True))).config
    equal((config.sealed, config.deny_delete, config.deny_purge), (True, True, True), "sealed and what follows")
    for change in (
        partial(storage.publish, stream.subject("a"), b""),
        partial(storage.delete_message, stream.name, 1),
        partial(storage.purge, stream.name),
    ):
        with raises(ApiError, 400, 10109, "invalid operation on sealed stream"):
            await change()
    with raises(InvalidStreamConfigError, 500, 10052):
        await storage.update_stream(attrs.evolve(config, sealed=False))
    equal(await stream.stored(), {1: "a", 2: "b"}, "stored messages")
    await storage.delete_stream(stream.name)
