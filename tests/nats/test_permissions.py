"""The minimal permissions that the documentation gives, and what a forbidden act looks like."""

import asyncio

import nats
import pytest

from lattice_store.errors import PermissionDeniedError, ReplayInterruptedError, StreamNotFoundError
from lattice_store.model import Publication, StorageType, StreamConfig
from lattice_store.nats import LocalServer, NatsStorage, connect
from lattice_store.nats._connection import Ticket

pytestmark = pytest.mark.nats

STREAM = "LATTICECACHE_default"
CONFIG = """
authorization { users: [
  { user: admin, password: p }
  { user: reader, password: p, permissions: {
      publish: ["$JS.API.STREAM.INFO.%(s)s", "$JS.API.CONSUMER.CREATE.%(s)s.>", "$JS.API.CONSUMER.DELETE.%(s)s.*",
                "$JS.FC.%(s)s.>"]
      subscribe: ["_INBOX.reader.>"] } }
  { user: writer, password: p, permissions: { publish: ["lc.default.>"], subscribe: ["_INBOX.writer.>"] } }
  { user: stalling, password: p, permissions: {
      publish: ["$JS.API.STREAM.INFO.%(s)s", "$JS.API.CONSUMER.CREATE.%(s)s.>", "$JS.API.CONSUMER.DELETE.%(s)s.*"]
      subscribe: ["_INBOX.stalling.>"] } }
  { user: deaf, password: p, permissions: { publish: [">"], subscribe: ["elsewhere.>"] } }
] }
""" % {"s": STREAM}  # noqa: UP031  # the configuration is full of braces


@pytest.fixture(scope="module")
def guarded():
    with LocalServer(CONFIG) as running:
        yield running


@pytest.fixture
def as_user(guarded, fast):
    async def open_storage(user):
        return await connect(guarded.url, user=user, password="p", inbox_prefix=f"_INBOX.{user}", limits=fast)

    return open_storage


@pytest.fixture
async def admin(as_user):
    async with await as_user("admin") as storage:
        await storage.create_stream(StreamConfig(name=STREAM, subjects=("lc.default.>",), storage=StorageType.MEMORY))
        yield storage
        await storage.delete_stream(STREAM)


async def test_a_reader_needs_no_more_to_read(admin, as_user):
    acks = [
        ack
        async for ack in admin.publish_many(
            Publication(subject=f"lc.default.{number}", payload=bytes(1000)) for number in range(10_000)
        )
    ]
    async with await as_user("reader") as reader:
        received = 0
        async with reader.replay(STREAM, subjects=["lc.default.*"]) as replay:
            async for batch in replay.batches():
                received += len(batch.messages)
                if batch.caught_up:
                    break
    assert received == len(acks) == 10_000  # ten megabytes: flow control was answered
    assert (await admin.stream_info(STREAM)).state.consumer_count == 0


async def test_what_a_reader_may_not_do_fails_at_once(admin, as_user):
    async with await as_user("reader") as reader:
        began = asyncio.get_running_loop().time()
        for forbidden in (
            lambda: reader.publish("lc.default.a", b""),
            lambda: reader.delete_stream(STREAM),
            lambda: reader.purge(STREAM),
            reader.list_streams,
            lambda: reader.get_message(STREAM, 1),
        ):
            with pytest.raises(PermissionDeniedError, match="this user may not publish on"):
                await forbidden()
        assert asyncio.get_running_loop().time() - began < 1
    assert (await admin.stream_info(STREAM)).state.last_sequence == 0


async def test_a_writer_needs_no_more_to_write(admin, as_user):
    async with await as_user("writer") as writer:
        assert (await writer.publish("lc.default.a", b"", message_id="1")).sequence == 1
        with pytest.raises(PermissionDeniedError, match=r"may not publish on lc\.Other\.a"):
            await writer.publish("lc.Other.a", b"")
        with pytest.raises(PermissionDeniedError):
            async with writer.replay(STREAM):
                raise AssertionError("entered")


async def test_in_a_window_only_the_forbidden_publications_fail(admin, as_user):
    async with await as_user("writer") as writer:
        publications = [
            Publication(subject=f"lc.{'default' if number % 3 else 'other'}.{number % 7}", payload=b"")
            for number in range(3000)
        ]
        results = [result async for result in writer.publish_many(publications)]
    assert [isinstance(result, PermissionDeniedError) for result in results] == [
        number % 3 == 0 for number in range(3000)
    ]
    assert (await admin.stream_info(STREAM)).state.messages == 2000


async def test_subjects_that_differ_by_case_alone_are_never_confused(as_user):
    async with await as_user("writer") as writer:
        connection = writer._connection
        for subject in ("lc.default.a", "LC.default.a", "lc.default.b"):
            connection._in_flight[subject] = Ticket(subject, subject, sent_ns=0, timeout_ns=0)
        refusal = 'nats: permissions violation for publish to "lc.default.{}"'
        connection._heard_error(nats.errors.Error(refusal.format("a")))
        assert len(connection._in_flight) == 3  # whose refusal it is cannot be told
        connection._heard_error(nats.errors.Error(refusal.format("b")))
        assert list(connection._in_flight) == ["lc.default.a", "LC.default.a"]


async def test_an_inbox_that_may_not_be_subscribed_to_is_found_before_anything_is_sent(admin, as_user):
    with pytest.raises(PermissionDeniedError, match="give its inbox_prefix"):
        await as_user("deaf")
    assert (await admin.stream_info(STREAM)).state.last_sequence == 0


async def test_each_refusal_of_the_inbox_leaves_a_borrowed_client_as_it_was(guarded, fast):
    client = await nats.connect(guarded.url, user="deaf", password="p", inbox_prefix="_INBOX.deaf")
    async with NatsStorage(client, limits=fast) as storage:
        for _ in range(3):
            with pytest.raises(PermissionDeniedError, match="give its inbox_prefix"):
                await storage.list_streams()
            assert client._subs == {}
    await client.close()


async def test_a_replay_that_may_not_answer_flow_control_says_so(admin, as_user):
    async for _ in admin.publish_many(
        Publication(subject=f"lc.default.{number}", payload=bytes(100_000)) for number in range(300)
    ):
        pass
    async with await as_user("stalling") as storage:
        # The refusal may arrive while the replay is being opened: the first window is sent at once.
        with pytest.raises(PermissionDeniedError, match="which flow control needs"):
            async with asyncio.timeout(10), storage.replay(STREAM) as replay:
                async for _ in replay.batches():
                    pass


async def test_a_borrowed_clients_refusals_are_noticed_too(admin, guarded, fast):
    heard = []

    async def error_cb(error):
        heard.append(error)

    client = await nats.connect(
        guarded.url, user="writer", password="p", inbox_prefix="_INBOX.writer", error_cb=error_cb
    )
    async with NatsStorage(client, limits=fast) as storage:
        with pytest.raises(PermissionDeniedError):
            await storage.publish("lc.other.a", b"")
    assert len(heard) == 1
    await client.close()


async def test_a_reader_is_told_what_became_of_its_stream(guarded, as_user):
    async with await as_user("admin") as admin, await as_user("reader") as reader:
        await admin.create_stream(StreamConfig(name=STREAM, subjects=("lc.default.>",)))
        async with reader.replay(STREAM) as replay:
            await admin.delete_stream(STREAM)
            with pytest.raises(ReplayInterruptedError):
                async with asyncio.timeout(5):
                    await anext(replay.batches())
        with pytest.raises(StreamNotFoundError):
            await reader.stream_info(STREAM)
