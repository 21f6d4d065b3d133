"""Watchers of key-value buckets."""

import asyncio

import nats.errors
import pytest

from tests.clients.running import until


@pytest.fixture
async def kv(js):
    return await js.create_key_value(bucket="B", history=5, storage="memory")


async def read(watcher, count):
    """Return what comes: key, value and operation, None for the end of what was there."""
    found = [await watcher.updates() for _ in range(count)]
    return [entry and (entry.key, entry.value, entry.operation) for entry in found]


async def watch_filled(kv, *keys, **options):
    """Watch what has something; nats-py tells of the end at once if the messages come behind the consumer's info."""
    while True:
        watcher = await kv.watch(*keys, **options)
        await until(watcher._updates.qsize)
        if watcher._updates._queue[0] is not None:
            return watcher
        await watcher.stop()


async def fill(kv):
    await kv.put("a", b"1")
    await kv.put("b", b"1")
    await kv.put("a", b"2")
    await kv.delete("b")


async def test_an_empty_bucket(kv):
    watcher = await kv.watchall()
    assert await read(watcher, 1) == [None]
    with pytest.raises(nats.errors.TimeoutError):
        await watcher.updates(timeout=0.02)
    await kv.put("a", b"1")
    assert await read(watcher, 1) == [("a", b"1", None)]
    await watcher.stop()


@pytest.mark.parametrize(
    ("keys", "options", "found"),
    [
        (">", {}, [("a", b"2", None), ("b", b"", "DEL"), None]),
        (
            ">",
            {"include_history": True},
            [("a", b"1", None), ("b", b"1", None), ("a", b"2", None), ("b", b"", "DEL"), None],
        ),
        (">", {"ignore_deletes": True}, [("a", b"2", None), None]),
        (">", {"meta_only": True}, [("a", b"", None), ("b", b"", "DEL"), None]),
        ("a", {}, [("a", b"2", None), None]),
        ("b", {"ignore_deletes": True}, [None]),
        ("*", {"inactive_threshold": 10}, [("a", b"2", None), ("b", b"", "DEL"), None]),
        ("none", {}, [None]),
    ],
)
async def test_what_there_is(kv, keys, options, found):
    await fill(kv)
    watcher = await (watch_filled(kv, keys, **options) if found[0] else kv.watch(keys, **options))
    assert await read(watcher, len(found)) == found
    await kv.put("a", b"new")
    if keys in {">", "a", "*"}:
        assert (await watcher.updates()).key == "a"
    await watcher.stop()


async def test_numbers_of_an_update(kv):
    await fill(kv)
    watcher = await watch_filled(kv, ">")
    first, second, _ = [await watcher.updates() for _ in range(3)]
    assert (first.bucket, first.revision, first.delta, second.revision, second.delta) == ("B", 3, 1, 4, 0)
    assert first.created.timestamp() <= second.created.timestamp()
    await watcher.stop()


async def test_purges_are_seen(kv):
    watcher = await kv.watchall()
    await kv.put("a", b"1")
    assert await read(watcher, 2) == [None, ("a", b"1", None)]  # a purge at once could come before it was sent
    await kv.purge("a")
    assert await read(watcher, 1) == [("a", b"", "PURGE")]
    await watcher.stop()


async def test_wildcards(kv):
    watcher = await kv.watch("t.*.x")
    for key in ("t.1.x", "t.1.y", "t.2.x", "u.1.x"):
        await kv.put(key, b"")
    assert [entry and entry[0] for entry in await read(watcher, 3)] == [None, "t.1.x", "t.2.x"]
    await watcher.stop()


async def test_iterating(kv):
    await fill(kv)
    watcher = await watch_filled(kv, ">")
    found = []
    async for entry in watcher:
        if entry is None:
            await watcher.stop()
        else:
            found.append(entry.key)
    assert found == ["a", "b"]


async def test_many_keys(kv):
    await asyncio.gather(*(kv.put(f"k{number}", b"%d" % number) for number in range(200)))
    watcher = await watch_filled(kv, ">")
    found = await read(watcher, 201)
    assert found[200] is None
    assert {entry[0] for entry in found[:200]} == {f"k{number}" for number in range(200)}
    await watcher.stop()


async def test_a_stopped_watcher_leaves_no_consumer(kv, js):
    watcher = await kv.watch(">", inactive_threshold=0.1)
    assert await watcher.updates() is None
    assert len(await js.consumers_info("KV_B")) == 1
    await watcher.stop()

    async def gone():
        return not await js.consumers_info("KV_B")

    await until(gone)


async def test_watchers_of_other_clients(server, connect, kv):
    watchers = []
    for _ in range(3):
        client = await connect(server.url)
        other = await client.jetstream().key_value("B")
        watchers.append(await other.watchall())
    await kv.put("a", b"1")
    for watcher in watchers:
        assert await read(watcher, 2) == [None, ("a", b"1", None)]
        await watcher.stop()
