"""Key-value buckets: every verb, history, markers, limits, errors."""

import asyncio

import nats.js.errors
import pytest
from nats.js.api import KeyValueConfig, RePublish, StorageType
from nats.js.errors import (
    APIError,
    BadBucketError,
    BadRequestError,
    BucketNotFoundError,
    InvalidBucketNameError,
    InvalidKeyError,
    KeyDeletedError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    NoKeysError,
    NotFoundError,
)

from tests.clients.running import until


@pytest.fixture(params=[False, True], ids=["plain", "direct"])
async def kv(js, request):
    return await js.create_key_value(bucket="B", history=5, direct=request.param)


async def keys(kv, **options):
    """Return the keys; nats-py takes a bucket for empty if the messages come behind the consumer's info."""

    async def found():
        try:
            return sorted(await kv.keys(**options))
        except NoKeysError:
            return None

    return await until(found)


async def history(kv, key):
    """Return what a key was, which nats-py takes for nothing in the same case."""

    async def found():
        try:
            return await kv.history(key)
        except NoKeysError:
            return None

    return await until(found)


async def test_put_and_get(kv):
    assert await kv.put("name", b"ada") == 1
    assert await kv.put("name", b"bob") == 2
    entry = await kv.get("name")
    assert (entry.bucket, entry.key, entry.value, entry.revision, entry.operation) == ("B", "name", b"bob", 2, None)
    assert (await kv.get("name", revision=1)).value == b"ada"


async def test_what_is_not_there(kv):
    await kv.put("a", b"1")
    with pytest.raises(KeyNotFoundError) as caught:
        await kv.get("b")
    assert isinstance(caught.value, NotFoundError)
    for revision in (2, 7):
        with pytest.raises(KeyNotFoundError):
            await kv.get("a", revision=revision)
    await kv.put("b", b"2")
    with pytest.raises(KeyNotFoundError, match="expected"):
        await kv.get("a", revision=2)


async def test_create(kv):
    assert await kv.create("a", b"1") == 1
    with pytest.raises(KeyWrongLastSequenceError) as caught:
        await kv.create("a", b"2")
    assert str(caught.value) == "nats: wrong last sequence: 1"
    assert isinstance(caught.value, BadRequestError)
    await kv.delete("a")
    assert await kv.create("a", b"3") == 3
    await kv.purge("a")
    assert await kv.create("a", b"4") == 5
    assert (await kv.get("a")).value == b"4"


async def test_update(kv):
    assert await kv.update("a", b"1") == 1
    assert await kv.update("a", b"2", last=1) == 2
    with pytest.raises(KeyWrongLastSequenceError):
        await kv.update("a", b"3", last=1)
    await kv.put("b", b"x")
    assert await kv.update("a", b"3", last=2) == 4


async def test_delete(kv):
    await kv.put("a", b"1")
    assert await kv.delete("a") is True
    with pytest.raises(KeyNotFoundError) as caught:
        await kv.get("a")
    assert (caught.value.op, caught.value.entry.revision) == ("DEL", 2)
    with pytest.raises(KeyDeletedError):
        await kv._get("a")
    assert [(entry.operation, entry.value) for entry in await history(kv, "a")] == [(None, b"1"), ("DEL", b"")]
    await kv.put("a", b"2")
    with pytest.raises(BadRequestError) as caught:
        await kv.delete("a", last=1)
    assert caught.value.err_code == 10071
    assert await kv.delete("a", last=3)


async def test_purge(kv):
    for value in (b"1", b"2", b"3"):
        await kv.put("a", value)
    await kv.put("b", b"x")
    assert await kv.purge("a") is True
    entries = await history(kv, "a")
    assert [(entry.operation, entry.revision) for entry in entries] == [("PURGE", 5)]
    with pytest.raises(KeyNotFoundError):
        await kv.get("a")
    assert (await kv.status()).values == 2


async def test_history(kv):
    for number in range(8):
        await kv.put("a", b"%d" % number)
        await kv.put("b", b"x")
    entries = await history(kv, "a")
    assert [entry.value for entry in entries] == [b"3", b"4", b"5", b"6", b"7"]
    assert [entry.revision for entry in entries] == [7, 9, 11, 13, 15]
    assert [entry.delta for entry in entries] == [4, 3, 2, 1, 0]
    with pytest.raises(NoKeysError):
        await kv.history("c")


async def test_keys(kv):
    with pytest.raises(NoKeysError):
        await kv.keys()
    for key in ("a.1", "a.2", "b.1", "gone"):
        await kv.put(key, b"x")
    await kv.delete("gone")
    assert await keys(kv) == ["a.1", "a.2", "b.1"]
    assert await keys(kv, filters=["a."]) == ["a.1", "a.2"]
    assert await keys(kv, filters=["b.", "2"]) == ["a.2", "b.1"]
    with pytest.raises(NoKeysError):
        await kv.keys(filters=["z"])


async def test_old_markers_are_cleared(kv):
    for key in ("a", "b", "c"):
        await kv.put(key, b"1")
    await kv.delete("a")
    await kv.purge("b")
    assert await kv.purge_deletes(olderthan=3600)
    assert (await kv.status()).values == 3
    assert await kv.purge_deletes(olderthan=-1)
    assert (await kv.status()).values == 1
    assert await keys(kv) == ["c"]


async def test_the_status(kv):
    await kv.put("a", b"1")
    status = await kv.status()
    assert (status.bucket, status.values, status.history, status.ttl, status.marker_ttl) == ("B", 1, 5, 0, None)


@pytest.mark.parametrize("key", ["", ".a", "a.", "a b", "a*", ">", "ä", "a:b"])
async def test_keys_that_are_none(kv, key):
    for attempt in (kv.get(key), kv.put(key, b""), kv.create(key, b""), kv.update(key, b""), kv.delete(key)):
        with pytest.raises(InvalidKeyError):
            await attempt


@pytest.mark.parametrize("key", ["a", "a.b.c", "A/b_c=d-e", "1", "\\x" * 0 + "a" * 200])
async def test_keys_of_every_kind(kv, key):
    await kv.put(key, b"x")
    assert (await kv.get(key)).key == key
    assert await keys(kv) == [key]


async def test_values_of_every_kind(kv):
    for value in (b"", bytes(range(256)), b"x" * 500_000):
        await kv.put("a", value)
        assert (await kv.get("a")).value == (value or None)


async def test_the_stream_behind_a_bucket(js):
    await js.create_key_value(bucket="B")
    config = (await js.stream_info("KV_B")).config
    assert (config.subjects, config.max_msgs_per_subject, config.discard, config.storage) == (
        ["$KV.B.>"],
        1,
        "new",
        "file",
    )
    assert (config.allow_rollup_hdrs, config.deny_delete, config.deny_purge, config.allow_direct) == (
        True, True, False, False,
    )  # fmt: skip
    assert (config.allow_msg_ttl, config.duplicate_window, config.max_age) == (True, 120, 0)


async def test_every_setting_of_a_bucket(js):
    kv = await js.create_key_value(
        KeyValueConfig(
            bucket="B",
            description="what it is for",
            max_value_size=100,
            history=3,
            ttl=60,
            max_bytes=10_000,
            storage=StorageType.MEMORY,
            replicas=1,
            direct=True,
            limit_marker_ttl=5,
        )
    )
    status = await kv.status()
    config = status.stream_info.config
    assert (config.description, config.max_msg_size, config.max_msgs_per_subject) == ("what it is for", 100, 3)
    assert (config.max_age, config.max_bytes, config.storage, config.allow_direct) == (60, 10_000, "memory", True)
    assert (status.ttl, status.marker_ttl, config.duplicate_window) == (60, 5, 60)
    with pytest.raises(APIError) as caught:
        await kv.put("a", b"x" * 101)
    assert (caught.value.code, caught.value.err_code) == (400, 10054)


async def test_buckets_come_and_go(js):
    with pytest.raises(BucketNotFoundError):
        await js.key_value("B")
    created = await js.create_key_value(bucket="B")
    await created.put("a", b"1")
    bound = await js.key_value("B")
    assert (await bound.get("a")).value == b"1"
    again = await js.create_key_value(bucket="B")
    assert (await again.get("a")).value == b"1"
    with pytest.raises(BadRequestError) as caught:
        await js.create_key_value(bucket="B", history=7)
    assert caught.value.err_code == 10058
    assert await js.delete_key_value("B") is True
    with pytest.raises(NotFoundError):
        await js.delete_key_value("B")
    with pytest.raises(nats.js.errors.NoStreamResponseError):
        await bound.put("a", b"2")


async def test_buckets_that_cannot_be(js):
    for name in ("", "a.b", "a b", "a*"):
        with pytest.raises(InvalidBucketNameError):
            await js.create_key_value(bucket=name)
        with pytest.raises(InvalidBucketNameError):
            await js.key_value(name)
        with pytest.raises(InvalidBucketNameError):
            await js.delete_key_value(name)
    with pytest.raises(nats.js.errors.KeyHistoryTooLargeError):
        await js.create_key_value(bucket="B", history=65)
    await js.add_stream(name="KV_BAD", subjects=["$KV.BAD.>"])
    with pytest.raises(BadBucketError):
        await js.key_value("BAD")


async def test_a_bucket_that_is_full(js):
    kv = await js.create_key_value(bucket="B", max_bytes=200)
    with pytest.raises(APIError) as caught:
        for number in range(20):
            await kv.put(f"k{number}", b"12345678901234567890")
    assert (caught.value.code, caught.value.err_code) == (503, 10077)


async def test_values_grow_too_old(js):
    kv = await js.create_key_value(bucket="B", ttl=0.1, storage="memory")
    await kv.put("a", b"1")

    async def gone():
        try:
            await kv.get("a")
        except KeyNotFoundError:
            return True

    await until(gone)


async def test_a_key_with_a_time_to_live(js):
    kv = await js.create_key_value(bucket="B", limit_marker_ttl=10)
    await kv.create("a", b"1", msg_ttl=1)
    await kv.create("b", b"2")
    watcher = await kv.watch("a")
    assert (await watcher.updates()).value == b"1"
    assert await watcher.updates() is None
    marker = await watcher.updates(timeout=5)
    assert (marker.key, marker.operation, marker.value) == ("a", "PURGE", b"")
    await watcher.stop()
    assert await keys(kv) == ["b"]


async def test_a_purge_marker_with_a_time_to_live(js):
    kv = await js.create_key_value(bucket="B")
    await kv.put("a", b"1")
    await kv.purge("a", msg_ttl=1)
    assert (await kv.status()).values == 1

    async def gone():
        return (await kv.status()).values == 0

    await until(gone)


async def test_a_bucket_that_is_republished(js, nc):
    kv = await js.create_key_value(bucket="B", republish=RePublish(src=">", dest="copies.>"))
    sub = await nc.subscribe("copies.>")
    await kv.put("a", b"1")
    msg = await sub.next_msg()
    assert (msg.subject, msg.data, msg.headers["Nats-Stream"], msg.headers["Nats-Sequence"]) == (
        "copies.$KV.B.a", b"1", "KV_B", "1",
    )  # fmt: skip


async def test_only_one_of_many_creates(kv):
    found = await asyncio.gather(*(kv.create("a", b"%d" % n) for n in range(10)), return_exceptions=True)
    assert sum(isinstance(one, int) for one in found) == 1
    assert sum(isinstance(one, KeyWrongLastSequenceError) for one in found) == 9
