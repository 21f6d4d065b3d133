"""The same with nats-py alone: what a user would write without this library."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import DeliverPolicy
from nats.js.client import JetStreamContext
from nats.js.kv import KeyValue

from lattice_store.cli._bench._data import Records
from lattice_store.cli._bench._reach import nats_options, server_of
from lattice_store.cli._bench._task import Task
from lattice_store.cli._bench._worker import Stopwatch


async def connected(task: Task) -> Client:
    where = server_of(task)
    return await nats.connect(where.url.split(","), **nats_options(where))


def jetstream(client: Client, task: Task) -> JetStreamContext:
    return client.jetstream(domain=server_of(task).domain)


async def watchall(task: Task, watch: Stopwatch) -> int:
    """``KeyValue.watchall`` with every value read by json: the baseline.

    The stream is no bucket; a `KeyValue` made by hand reads it all the same, for a bucket is a stream and a prefix.
    """
    found: dict[str, tuple[int | None, Any]] = {}
    with watch:
        client = await connected(task)
        bucket = KeyValue(task.prefix, task.stream, f"lc.{task.prefix}.", jetstream(client, task), direct=False)
        watcher = await bucket.watchall()
        async for entry in watcher:
            if entry is None:
                break
            found[entry.key] = (entry.revision, json.loads(entry.value or b"null"))
    await watcher.stop()  # type: ignore[no-untyped-call]
    await client.close()
    return len(found)


async def ordered(task: Task, watch: Stopwatch) -> int:
    """An ordered consumer with a callback, and json."""
    found: dict[str, tuple[int, Any]] = {}
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    last = 0

    async def take(message: Msg) -> None:
        metadata = message.metadata
        found[message.subject] = (metadata.sequence.stream, json.loads(message.data))
        if (metadata.num_pending == 0 or metadata.sequence.stream >= last) and not done.done():
            done.set_result(None)

    with watch:
        client = await connected(task)
        js = jetstream(client, task)
        last = (await js.stream_info(task.stream)).state.last_seq
        subscription = await js.subscribe(
            f"lc.{task.prefix}.>",
            stream=task.stream,
            cb=take,
            ordered_consumer=True,
            deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
        )
        await done
    await subscription.unsubscribe()
    await client.close()
    return len(found)


async def js_publish(task: Task, watch: Stopwatch) -> int:
    """``js.publish``, one after the other."""
    publications = list(Records(task.prefix, task.keys, task.payload))
    client = await connected(task)
    js = jetstream(client, task)
    with watch:
        for each in publications:
            await js.publish(each.subject, each.payload)
    await client.close()
    return len(publications)


async def js_publish_async(task: Task, watch: Stopwatch) -> int:
    """``js.publish_async``, as many outstanding as nats-py allows: 4000."""
    publications = list(Records(task.prefix, task.keys, task.payload))
    client = await connected(task)
    js = jetstream(client, task)
    with watch:
        acks = [await js.publish_async(each.subject, each.payload) for each in publications]
        sequences = {ack.seq for ack in await asyncio.gather(*acks)}
    await client.close()
    return len(sequences)
