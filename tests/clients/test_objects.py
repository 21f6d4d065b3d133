"""Object stores."""

import asyncio
import base64
import hashlib
import io
import json

import nats.errors
import pytest
from nats.js.api import ObjectLink, ObjectMeta, ObjectMetaOptions, ObjectStoreConfig
from nats.js.errors import (
    APIError,
    BadObjectMetaError,
    BucketNotFoundError,
    DigestMismatchError,
    InvalidBucketNameError,
    LinkIsABucketError,
    NotFoundError,
    ObjectAlreadyExists,
    ObjectDeletedError,
    ObjectNotFoundError,
)


@pytest.fixture
async def store(js):
    return await js.create_object_store("B")


def digest(data):
    return "SHA-256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()


@pytest.mark.parametrize("data", [b"", b"x", b"hello world", bytes(range(256)) * 100])
async def test_put_and_get(store, data):
    info = await store.put("thing", data)
    assert (info.name, info.bucket, info.size, info.chunks, info.digest) == (
        "thing",
        "B",
        len(data),
        bool(data),
        digest(data),
    )
    got = await store.get("thing")
    assert got.data == data
    assert (got.info.name, got.info.size, got.info.digest, got.info.nuid) == (
        "thing",
        len(data),
        info.digest,
        info.nuid,
    )


async def test_a_large_object(store):
    data = bytes(range(256)) * 4096
    info = await store.put("large", data)
    assert (info.size, info.chunks) == (1 << 20, 8)
    assert (await store.get("large")).data == data
    status = await store.status()
    assert status.size > len(data)


async def test_chunks_of_ones_own(store):
    meta = ObjectMeta(description="small ones", options=ObjectMetaOptions(max_chunk_size=10), headers={"a": "b"})
    info = await store.put("chunks", b"x" * 95, meta=meta)
    assert (info.chunks, info.description, info.headers) == (10, "small ones", {"a": "b"})
    got = await store.get("chunks")
    assert (got.data, got.info.description, got.info.headers, got.info.options.max_chunk_size) == (
        b"x" * 95, "small ones", {"a": "b"}, 10,
    )  # fmt: skip


async def test_sources_and_targets_of_every_kind(store, tmp_path):
    (tmp_path / "in").write_bytes(b"from a file")
    await store.put("text", "täxt")
    await store.put("bytes", io.BytesIO(b"from memory"))
    with (tmp_path / "in").open("rb") as file:
        await store.put("file", file)
    assert (await store.get("text")).data == "täxt".encode()
    assert (await store.get("bytes")).data == b"from memory"
    target = io.BytesIO()
    await store.get("file", writeinto=target)
    assert target.getvalue() == b"from a file"
    with pytest.raises(TypeError):
        await store.put("nothing", 7)


async def test_an_object_is_replaced(store, js):
    await store.put("thing", b"first", meta=ObjectMeta(options=ObjectMetaOptions(max_chunk_size=1)))
    await store.put("thing", b"second")
    assert (await store.get("thing")).data == b"second"
    assert (await js.stream_info("OBJ_B")).state.messages == 2


async def test_names_of_every_kind(store):
    for name in ("a.b", "with space", "ü/ö", "*", ">"):
        await store.put(name, name.encode())
        assert (await store.get(name)).data == name.encode()
    assert {info.name for info in await store.list()} == {"a.b", "with space", "ü/ö", "*", ">"}


async def test_what_is_not_there(store):
    for attempt in (store.get("none"), store.get_info("none"), store.delete("none")):
        with pytest.raises(ObjectNotFoundError):
            await attempt
    with pytest.raises(NotFoundError):
        await store.list()


async def test_delete(store, js):
    await store.put("thing", b"data")
    await store.delete("thing")
    with pytest.raises(ObjectNotFoundError):
        await store.get("thing")
    with pytest.raises(ObjectNotFoundError):
        await store.get_info("thing")
    info = await store.get_info("thing", show_deleted=True)
    assert (info.deleted, info.size, info.chunks, info.digest) == (True, 0, 0, "")
    assert (await js.stream_info("OBJ_B")).state.messages == 1
    await store.put("thing", b"again")
    assert (await store.get("thing")).data == b"again"


async def test_list(store):
    for name in ("a", "b", "c"):
        await store.put(name, name.encode())
    await store.delete("b")
    assert [(info.name, info.deleted) for info in await store.list()] == [("a", False), ("c", False), ("b", True)]
    assert [info.name for info in await store.list(ignore_deletes=True)] == ["a", "c"]


async def test_new_metadata(store):
    await store.put("thing", b"data")
    await store.update_meta("thing", ObjectMeta(name="thing", description="new", headers={"x": "y"}))
    info = await store.get_info("thing")
    assert (info.description, info.headers) == ("new", {"x": "y"})
    assert (await store.get("thing")).data == b"data"
    with pytest.raises(ObjectAlreadyExists):
        await store.update_meta("thing", ObjectMeta(name="other"))
    with pytest.raises(ObjectDeletedError):
        await store.update_meta("none", ObjectMeta(name="none"))


async def link(js, store, name, target):
    """Store a link, which nats-py follows and cannot make."""
    meta = {"name": name, "bucket": "B", "nuid": "n", "size": 0, "chunks": 0, "options": {"link": target.as_dict()}}
    subject = f"$O.B.M.{base64.urlsafe_b64encode(name.encode()).decode()}"
    await js.publish(subject, json.dumps(meta).encode(), headers={"Nats-Rollup": "sub"})


async def test_links(js, store):
    other = await js.create_object_store("OTHER")
    await other.put("thing", b"far away")
    await link(js, store, "there", ObjectLink(bucket="OTHER", name="thing"))
    assert (await store.get("there")).data == b"far away"
    assert (await store.get_info("there")).is_link()
    await link(js, store, "all", ObjectLink(bucket="OTHER"))
    with pytest.raises(LinkIsABucketError):
        await store.get("all")


async def test_what_is_damaged(js, store):
    info = await store.put("thing", b"data")
    await js.purge_stream("OBJ_B", subject=f"$O.B.C.{info.nuid}")
    await js.publish(f"$O.B.C.{info.nuid}", b"DATA")
    with pytest.raises(DigestMismatchError):
        await store.get("thing")
    await js.publish(f"$O.B.M.{base64.urlsafe_b64encode(b'bad').decode()}", b"{}")
    with pytest.raises(BadObjectMetaError):
        await store.get_info("bad")


async def updates(watcher, count):
    found = [await watcher.updates() for _ in range(count)]
    return [info and (info.name, bool(info.deleted)) for info in found]


async def test_watch(store):
    watcher = await store.watch()
    assert await updates(watcher, 1) == [None]
    await store.put("a", b"1")
    await store.delete("a")
    assert await updates(watcher, 2) == [("a", False), ("a", True)]
    with pytest.raises(nats.errors.TimeoutError):
        await watcher.updates(timeout=0.02)
    await watcher.stop()


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, [("b", False), ("a", True), None, ("c", False)]),
        ({"ignore_deletes": True}, [("b", False), None, ("c", False)]),
        ({"include_history": True}, [("b", False), ("a", True), None, ("c", False)]),
        ({"updates_only": True}, [("c", False)]),
    ],
)
async def test_watch_what_there_is(store, options, found):
    await store.put("a", b"1")
    await store.put("b", b"1")
    await store.delete("a")
    watcher = await store.watch(**options)
    seen = await updates(watcher, len(found) - 1)
    await store.put("c", b"1")
    assert seen + await updates(watcher, 1) == found
    await watcher.stop()


async def test_a_sealed_store(store):
    await store.put("a", b"1")
    await store.seal()
    assert (await store.status()).sealed is True
    assert (await store.get("a")).data == b"1"
    with pytest.raises(APIError):
        await store.put("b", b"2")


async def test_stores_come_and_go(js):
    with pytest.raises(BucketNotFoundError):
        await js.object_store("B")
    await js.create_object_store("B")
    bound = await js.object_store("B")
    await bound.put("a", b"1")
    assert await js.delete_object_store("B") is True
    with pytest.raises(NotFoundError):
        await js.delete_object_store("B")
    for name in ("", "a.b", "a b"):
        with pytest.raises(InvalidBucketNameError):
            await js.create_object_store(name)
        with pytest.raises(InvalidBucketNameError):
            await js.object_store(name)


async def test_the_stream_behind_a_store(js):
    store = await js.create_object_store("B", config=ObjectStoreConfig(description="d", ttl=60, storage="memory"))
    status = await store.status()
    assert (status.bucket, status.description, status.ttl, status.storage_type, status.replicas, status.sealed) == (
        "B", "d", 60, "memory", 1, False,
    )  # fmt: skip
    config = status.stream_info.config
    assert (config.subjects, config.discard, config.allow_direct, config.allow_rollup_hdrs) == (
        ["$O.B.C.>", "$O.B.M.>"], "new", True, True,
    )  # fmt: skip


async def test_a_full_store(js):
    store = await js.create_object_store("B", max_bytes=1000)
    with pytest.raises(APIError) as caught:
        await store.put("large", b"x" * 2000)
    assert caught.value.err_code == 10077
    assert (await store.status()).size == 0


async def test_objects_at_the_same_time(store):
    data = {f"o{number}": bytes([number]) * 200_000 for number in range(6)}
    await asyncio.gather(*(store.put(name, content) for name, content in data.items()))
    found = await asyncio.gather(*(store.get(name) for name in data))
    assert [one.data for one in found] == list(data.values())
