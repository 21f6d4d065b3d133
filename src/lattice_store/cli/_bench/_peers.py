"""Other libraries, where they are installed: for reading natsrpy; beside the simulator, what else lives in memory.

They are imported by name, so that neither their absence nor their types are the business of a type checker.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any, Final

from lattice_store.cli._bench._data import Records
from lattice_store.cli._bench._reach import server_of
from lattice_store.cli._bench._task import Task
from lattice_store.cli._bench._worker import Stopwatch

_FETCH: Final = 10_000  # messages in one request: of those tried, the fastest


async def natsrpy(task: Task, watch: Stopwatch) -> int:
    """Pull fetch, natsrpy's fastest way, and json."""
    js = import_module("natsrpy.js")
    where = server_of(task)
    found: dict[str, tuple[int, Any]] = {}
    with watch:
        client = import_module("natsrpy").Nats(where.url.split(","))
        await client.startup()
        stream = await (await client.jetstream()).streams.get(task.stream)
        consumer = await stream.consumers.create(
            js.PullConsumerConfig(
                ack_policy=js.AckPolicy.NONE,
                deliver_policy=js.DeliverPolicy.LAST_PER_SUBJECT,
                filter_subject=f"lc.{task.prefix}.>",
                max_ack_pending=-1,
                memory_storage=True,
            )
        )
        while len(found) < task.keys:
            for message in await consumer.fetch(_FETCH, timeout=5):
                found[message.subject] = (message.stream_sequence, json.loads(message.payload))
    await client.shutdown()
    return len(found)


async def fakeredis(task: Task, watch: Stopwatch) -> int:
    """``SET`` of keys that are there, on the asynchronous client."""
    publications = list(Records(task.prefix, task.keys, task.payload))
    redis = import_module("fakeredis").FakeAsyncRedis()
    for each in publications:
        await redis.set(each.subject, each.payload)
    with watch:
        for each in publications:
            await redis.set(each.subject, each.payload)
    await redis.aclose()
    return len(publications)


async def py_key_value(task: Task, watch: Stopwatch) -> int:
    """``put`` of keys that are there, into the MemoryStore."""
    values = [(each.subject, json.loads(each.payload)) for each in Records(task.prefix, task.keys, task.payload)]
    store = import_module("key_value.aio.stores.memory").MemoryStore()
    for key, value in values:
        await store.put(key, value)
    with watch:
        for key, value in values:
            await store.put(key, value)
    return len(values)
