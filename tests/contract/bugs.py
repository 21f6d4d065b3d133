"""Storages that are wrong in one way each: the bugs that take more than a line."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

import attrs

from lattice_store.errors import (
    ApiError,
    LatticeStoreError,
    MessageNotFoundError,
    ReplayInterruptedError,
    ResetReason,
    StorageClosedError,
    StreamNameInUseError,
    StreamNotFoundError,
)
from lattice_store.headers import NO_HEADERS
from lattice_store.model import (
    Message,
    PubAck,
    StorageType,
)
from lattice_store_sim import SimServer, SimStorage, VirtualClock
from tests.contract.planting import WrongReplay, overriding

_OTHER = {StorageType.MEMORY: StorageType.FILE, StorageType.FILE: StorageType.MEMORY}


def forgetful(server: SimServer) -> SimStorage:
    """Message IDs are forgotten together with their messages."""
    generation = 0

    async def removal(correct, *args, **named):
        nonlocal generation
        generation += 1
        return await correct(*args, **named)

    async def publish(correct, *args, message_id=None, **named):
        return await correct(*args, message_id=message_id and f"{message_id}{generation}", **named)

    return overriding(delete_message=removal, purge=removal, publish=publish)(server)


def remembering_refusals(server: SimServer) -> SimStorage:
    """The message ID of a refused publish is taken for stored."""
    refused: set[str | None] = set()

    async def publish(correct, *args, message_id=None, **named):
        if message_id in refused and message_id is not None:
            return PubAck("S", 1, duplicate=True)
        try:
            return await correct(*args, message_id=message_id, **named)
        except ApiError:
            refused.add(message_id)
            raise

    return overriding(publish=publish)(server)


async def patching(correct, config):
    """An update keeps what it should replace."""
    return await correct(attrs.evolve(config, description="first"))


def altering(server: SimServer) -> SimStorage:
    """Creating a stream that exists changes it."""
    storage = SimStorage(server)
    create = storage.create_stream

    async def create_stream(config):
        try:
            return await create(config)
        except StreamNameInUseError:
            return await storage.update_stream(config)

    storage.create_stream = create_stream
    return storage


async def many_without_order(correct, publications, **options):
    for result in reversed([result async for result in correct(publications, **options)]):
        yield result


async def many_and_one_more(correct, publications, **options):
    async for result in correct(publications, **options):
        yield result
    yield PubAck("S", 1)


async def many_at_once(correct, publications, **options):
    async for result in correct(list(publications), **options):
        yield result


async def many_until_an_error(correct, publications, **options):
    async for result in correct(publications, **options):
        if isinstance(result, LatticeStoreError):
            raise result
        yield result


async def many_without_arguments(correct, publications, **options):
    bare = (attrs.evolve(each, headers=NO_HEADERS, message_id=None, expect=None) for each in publications)
    async for result in correct(bare, **options):
        yield result


async def many_unstoppable(correct, publications, **options):
    results = correct(publications, **options)
    try:
        async for result in results:
            yield result
    finally:
        async for _ in results:
            pass


async def many_with_any_window(correct, publications, *, window=1):
    async for result in correct(publications, window=max(1, window)):
        yield result


async def answer_asked(correct, config):
    return attrs.evolve(await correct(config), config=config)


async def other_storage(correct, config):
    info = await correct(attrs.evolve(config, storage=_OTHER[config.storage]))
    return attrs.evolve(info, config=attrs.evolve(info.config, storage=config.storage))


async def made_up(correct, stream, sequence):
    try:
        return await correct(stream, sequence)
    except MessageNotFoundError:
        return Message("made.up", sequence, 1, NO_HEADERS, b"")


async def done(answer: Any = None) -> Any:
    return answer


def recreating(server: SimServer) -> SimStorage:
    """Creating an equal stream again empties it."""
    storage = SimStorage(server)
    create = storage.create_stream

    async def create_stream(config):
        if config.name in await storage.list_streams():
            await storage.delete_stream(config.name)
        return await create(config)

    storage.create_stream = create_stream
    return storage


def closing_once(server: SimServer) -> SimStorage:
    """A second close is an error."""
    storage = SimStorage(server)
    close = storage.aclose

    async def aclose():
        if storage._closed:
            raise StorageClosedError("closed already")
        await close()

    storage.aclose = aclose
    return storage


def stopped_clock(server: SimServer) -> SimStorage:
    """Time never passes for the storage."""
    server.clock = VirtualClock()
    return SimStorage(server)


def leaking(server: SimServer) -> SimStorage:
    """A replay that is left stays open on the server."""
    storage = SimStorage(server)
    storage._end = lambda stream, replay: replay.close()
    return storage


def refused(error: ApiError) -> ApiError:
    return ApiError(error.code, error.err_code, error.description)


def reworded(error: ApiError) -> ApiError:
    return type(error)(error.code, error.err_code, "no")


def opening_late(server: SimServer) -> SimStorage:
    """A replay asks for its stream only when it is read."""
    storage = SimStorage(server)
    replay = storage.replay

    @asynccontextmanager
    async def late(stream, **named):
        try:
            async with replay(stream, **named) as inner:
                yield inner
        except StreamNotFoundError:
            yield None

    storage.replay = late
    return storage


def interrupted_at_zero(server: SimServer) -> SimStorage:
    storage = SimStorage(server)
    replay = storage.replay

    class Forgetful(WrongReplay):
        async def batches(self):
            try:
                async for batch in self._inner.batches():
                    yield batch
            except ReplayInterruptedError as error:
                raise ReplayInterruptedError(error.stream, ResetReason.STREAM_WENT_BACK, 0) from None

    @asynccontextmanager
    async def forgetful(*args, **named):
        async with replay(*args, **named) as inner:
            yield Forgetful(inner, None, {})

    storage.replay = forgetful
    return storage
