"""Publishing with this library, into a new stream; the connection stands before the clock starts."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

import attrs

from lattice_store._formats import StreamFormat
from lattice_store._json import Deleted
from lattice_store._records import Record
from lattice_store.cli._bench._data import Records
from lattice_store.cli._bench._reach import lattice_on, our_storage
from lattice_store.cli._bench._task import Task
from lattice_store.cli._bench._worker import Stopwatch
from lattice_store.errors import LatticeStoreError
from lattice_store.model import Publication
from lattice_store.storage import Storage


async def publish(task: Task, watch: Stopwatch) -> int:
    publications = _publications(task)
    async with await our_storage(task) as storage:
        with watch:
            for each in publications:
                await storage.publish(each.subject, each.payload)
    return len(publications)


async def publish_many(task: Task, watch: Stopwatch) -> int:
    async with await our_storage(task) as storage:
        return await _publish_many(storage, _publications(task), watch)


async def publish_many_id(task: Task, watch: Stopwatch) -> int:
    publications = [
        attrs.evolve(each, message_id=f"{task.number}-{number}") for number, each in enumerate(_publications(task))
    ]
    async with await our_storage(task) as storage:
        return await _publish_many(storage, publications, watch)


async def put_many(task: Task, watch: Stopwatch) -> int:
    """Records instead of bytes: encoded, checked, and each looked for in what is there already."""
    format_ = StreamFormat(task.prefix)
    records = [_record(format_, each) for each in _publications(task)]
    async with await our_storage(task) as storage:
        with watch:
            return await _all_succeeded(lattice_on(storage, task).put_many(records))


async def write(task: Task, watch: Stopwatch) -> int:
    """Update one record in a hundred again and again, one ack at a time, until standard input ends."""
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.buffer.read)
    records, written, version = Records(task.prefix, task.keys, task.payload), 0, 1
    async with await our_storage(task) as storage:
        with watch:
            while not ended.done():
                for each in records.changed(version):
                    await storage.publish(each.subject, each.payload)
                    written += 1
                    if ended.done():
                        break
                version += 1
    return written


def _publications(task: Task) -> list[Publication]:
    return list(Records(task.prefix, task.keys, task.payload))


def _record(format_: StreamFormat, each: Publication) -> Record:
    record = format_.decode(each.subject, each.payload)
    assert not isinstance(record, Deleted)
    return record


async def _publish_many(storage: Storage, publications: Iterable[Publication], watch: Stopwatch) -> int:
    with watch:
        return await _all_succeeded(storage.publish_many(publications))


async def _all_succeeded(results: AsyncGenerator[Any | LatticeStoreError, None]) -> int:
    count = 0
    async with aclosing(results):
        async for result in results:
            if isinstance(result, LatticeStoreError):
                raise result
            count += 1
    return count
