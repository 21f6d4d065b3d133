"""Each method on a real server, over our own connection and over a borrowed one."""

import asyncio
import json

import nats
import pytest

from lattice_store.errors import (
    ConnectionLostError,
    InvalidArgumentError,
    InvalidHeaderError,
    JetStreamDisabledError,
    MessageNotFoundError,
    MessageTooLargeError,
    NoRespondersError,
    NotSupportedError,
    Outcome,
    StorageClosedError,
    StorageTimeoutError,
    StreamNameInUseError,
    StreamNotFoundError,
    SubjectsOverlapError,
    UnexpectedAnswerError,
    WrongLastSequenceError,
)
from lattice_store.headers import Headers
from lattice_store.limits import Limits
from lattice_store.model import Expect, StorageType, StreamConfig
from lattice_store.nats import LocalServer, NatsStorage, connect

pytestmark = pytest.mark.nats


async def test_a_stream_comes_back_as_it_was_asked_for(either, fresh):
    config = fresh(
        description="all of it",
        max_msgs=10,
        max_bytes=10_000,
        max_age_ns=3_600_000_000_000,
        max_msgs_per_subject=2,
        max_msg_size=500,
        max_consumers=7,
        duplicate_window_ns=60_000_000_000,
        allow_direct=True,
        allow_rollup=True,
        metadata={"owner": "me"},
        other={"allow_msg_ttl": True},
    )
    created = await either.create_stream(config)
    assert created.config == config
    assert (created.state.messages, created.state.last_sequence, created.state.first_time_ns) == (0, 0, None)
    assert await either.stream_info(config.name) == created
    assert await either.create_stream(config) == created


async def test_a_stream_that_this_library_would_not_make_can_be_read(storage, server, fresh):
    config = fresh()
    client = await nats.connect(server.url)
    subjects = ["übung.>", f"{config.name}.>"]
    await client.jetstream().add_stream(name=config.name, subjects=subjects)
    assert (await storage.stream_info(config.name)).config.subjects == tuple(subjects)
    await storage.publish(f"{config.name}.a", b"x")
    async with storage.replay(config.name) as replay:
        assert replay.stream.config.subjects == tuple(subjects)
        assert (await anext(aiter(replay))).payload == b"x"
    await storage.delete_stream(config.name)
    await client.close()


async def test_another_configuration_under_the_same_name_is_refused(either, fresh):
    config = fresh()
    await either.create_stream(config)
    with pytest.raises(StreamNameInUseError):
        await either.create_stream(StreamConfig(name=config.name, subjects=config.subjects, max_msgs=3))
    with pytest.raises(SubjectsOverlapError):
        await either.create_stream(fresh(subjects=config.subjects))


async def test_update_and_delete(either, fresh):
    config = fresh()
    before = await either.create_stream(config)
    changed = StreamConfig(name=config.name, subjects=config.subjects, storage=config.storage, max_msgs=3)
    after = await either.update_stream(changed)
    assert (after.config.max_msgs, after.created_ns) == (3, before.created_ns)
    await either.delete_stream(config.name)
    for call in (either.delete_stream, either.stream_info):
        with pytest.raises(StreamNotFoundError):
            await call(config.name)
    with pytest.raises(StreamNotFoundError):
        await either.update_stream(changed)


async def test_streams_are_listed_by_subject_and_over_several_pages(own_server, fast):
    async with await connect(own_server.url, limits=fast) as storage:
        assert await storage.list_streams() == ()
        configs = [StreamConfig(name=f"L{number:04}", storage=StorageType.MEMORY) for number in range(1030)]
        await asyncio.gather(*(storage.create_stream(config) for config in configs))
        assert await storage.list_streams() == tuple(config.name for config in configs)
        assert await storage.list_streams(subject="L0007") == ("L0007",)
        assert await storage.list_streams(subject="none.such") == ()


async def test_publish_and_read_back(either, fresh):
    name = fresh().name
    await either.create_stream(StreamConfig(name=name, subjects=(f"{name}.>",), storage=StorageType.MEMORY))
    first = await either.publish(f"{name}.a", b"one")
    second = await either.publish(f"{name}.b", b"", headers={"k": "v"}, message_id="id-1")
    again = await either.publish(f"{name}.b", b"", headers={"k": "v"}, message_id="id-1")
    assert [(ack.stream, ack.sequence, ack.duplicate) for ack in (first, second, again)] == [
        (name, 1, False),
        (name, 2, False),
        (name, 2, True),
    ]
    message = await either.get_message(name, 1)
    assert (message.subject, message.payload, message.headers.block) == (f"{name}.a", b"one", b"")
    message = await either.get_last_message(name, f"{name}.*")
    assert message.headers.block == b"NATS/1.0\r\nk: v\r\nNats-Msg-Id: id-1\r\n\r\n"
    assert message.time_ns == (await either.stream_info(name)).state.last_time_ns


async def test_expectations(either, fresh):
    config = fresh()
    await either.create_stream(config)
    subject = f"{config.name}.a"
    await either.publish(subject, b"1", expect=Expect(stream=config.name, last_subject_sequence=0))
    with pytest.raises(WrongLastSequenceError) as caught:
        await either.publish(subject, b"2", expect=Expect(last_subject_sequence=0))
    assert (caught.value.actual, caught.value.outcome) == (1, Outcome.REJECTED)
    filtered = Expect(last_subject_sequence=1, last_subject_filter=f"{config.name}.>")
    assert (await either.publish(f"{config.name}.b", b"3", expect=filtered)).sequence == 2


async def test_a_filtered_expectation_is_refused_where_the_server_would_ignore_it(storage, fresh, monkeypatch):
    monkeypatch.setattr(type(storage._connection), "server_version", property(lambda self: (2, 10)))
    config = fresh()
    await storage.create_stream(config)
    expect = Expect(last_subject_sequence=0, last_subject_filter=f"{config.name}.>")
    with pytest.raises(NotSupportedError, match=r"needs a server of version 2\.11; this is 2\.10"):
        await storage.publish(f"{config.name}.a", b"", expect=expect)
    with pytest.raises(NotSupportedError, match="purge"):
        await storage.purge(config.name, before_sequence=1)
    assert (await storage.stream_info(config.name)).state.last_sequence == 0


async def test_a_subject_without_a_stream(either):
    with pytest.raises(NoRespondersError, match=r"no stream is bound to nowhere\.at\.all") as caught:
        await either.publish("nowhere.at.all", b"")
    assert caught.value.outcome is Outcome.REJECTED


async def test_removal(either, fresh):
    config = fresh()
    await either.create_stream(config)
    for number in range(6):
        await either.publish(f"{config.name}.{number % 2}", b"")
    await either.delete_message(config.name, 3)
    for call in (either.delete_message, either.get_message):
        with pytest.raises(MessageNotFoundError):
            await call(config.name, 3)
    assert await either.purge(config.name, before_sequence=1) == 0
    assert await either.purge(config.name, before_sequence=3) == 2
    assert await either.purge(config.name, subject=f"{config.name}.1", keep=1) == 1
    assert await either.purge(config.name) == 2
    state = (await either.stream_info(config.name)).state
    assert (state.messages, state.first_sequence, state.last_sequence) == (0, 7, 6)


async def test_a_message_over_the_servers_limit_is_refused_and_the_connection_stands(either, fresh):
    config = fresh()
    await either.create_stream(config)
    with pytest.raises(MessageTooLargeError):
        await either.publish(f"{config.name}.a", bytes(1 << 20), headers={"k": "v"})
    with pytest.raises(MessageTooLargeError):
        await either.publish(f"{config.name}.a", bytes((1 << 20) + 1))
    assert (await either.publish(f"{config.name}.a", bytes(1 << 20))).sequence == 1


async def test_our_own_connection_keeps_a_header_block_byte_for_byte(storage, fresh):
    config = fresh()
    await storage.create_stream(config)
    block = b"NATS/1.0\r\nb: 2\r\nA:1\r\nb:  3\r\n\r\n"
    await storage.publish(f"{config.name}.a", b"p", headers=Headers.from_block(block))
    assert (await storage.get_message(config.name, 1)).headers.block == block
    async with storage.replay(config.name) as replay:
        assert (await anext(aiter(replay))).headers.block == block


async def test_a_borrowed_connection_refuses_headers_it_would_change(borrowed, fresh):
    config = fresh()
    await borrowed.create_stream(config)
    with pytest.raises(InvalidHeaderError, match="repeated names"):
        await borrowed.publish(f"{config.name}.a", b"", headers=Headers.from_block(b"NATS/1.0\r\nb: 2\r\nb: 3\r\n\r\n"))
    with pytest.raises(InvalidHeaderError, match=r"a\(b"):
        await borrowed.publish(f"{config.name}.a", b"", headers={"a(b": "1"})
    assert (await borrowed.stream_info(config.name)).state.last_sequence == 0


@pytest.mark.parametrize("name", ["Status", "Description"])
async def test_a_header_named_like_nats_pys_own_is_only_a_header(either, fresh, name):
    config = fresh()
    await either.create_stream(config)
    await either.publish(f"{config.name}.a", b"", headers={name: "100", "k": "v"})
    async with either.replay(config.name) as replay:
        message = await anext(aiter(replay))
    assert message.headers.block == f"NATS/1.0\r\n{name}: 100\r\nk: v\r\n\r\n".encode()


async def test_bad_arguments_are_refused_before_anything_is_sent(storage):
    sent = storage._connection._client.stats["out_msgs"]
    for call in (
        lambda: storage.publish("a b", b""),
        lambda: storage.publish("a.>", b""),
        lambda: storage.publish("a", "text"),
        lambda: storage.publish("a", b"", headers={"a b": "c"}),
        lambda: storage.get_message("a.b", 1),
        lambda: storage.get_message("a", 0),
        lambda: storage.get_last_message("a", ""),
        lambda: storage.delete_message("a", 0),
        lambda: storage.purge("a", keep=0),
        lambda: storage.purge("a", before_sequence=0),
        lambda: storage.purge("a", before_sequence=2, keep=2),
        lambda: storage.purge("a", subject="a..b"),
        lambda: storage.stream_info(""),
        lambda: storage.delete_stream("*"),
        lambda: storage.list_streams(subject=" "),
        lambda: storage.replay("a", subjects="a.b").__aenter__(),
        lambda: storage.replay("a", subjects=["a.*", "a.b"]).__aenter__(),
        lambda: storage.replay("a", subjects=["a.>.b"]).__aenter__(),
    ):
        with pytest.raises(InvalidArgumentError):
            await call()
    with pytest.raises(InvalidArgumentError, match="window=0"):
        storage.publish_many([], window=0)
    assert storage._connection._client.stats["out_msgs"] == sent


def test_limits_no_server_would_take():
    with pytest.raises(InvalidArgumentError, match="heartbeat_ns=99999999"):
        NatsStorage(nats.NATS(), limits=Limits(heartbeat_ns=99_999_999))


async def test_an_account_without_jetstream():
    config = "accounts { plain { users: [ { user: u, password: p } ] } }"
    with LocalServer(config) as server:
        async with await connect(server.url, user="u", password="p") as storage:
            with pytest.raises(JetStreamDisabledError):
                await storage.stream_info("S")


async def test_no_ack_means_no_answer(storage, fresh):
    config = fresh(no_ack=True)
    await storage.create_stream(config)
    storage._connection._limits = Limits(request_timeout_ns=50_000_000)
    with pytest.raises(StorageTimeoutError, match=r"no answer within 0\.05 s") as caught:
        await storage.publish(f"{config.name}.a", b"")
    assert caught.value.outcome is Outcome.UNKNOWN


async def test_an_answer_that_is_none_is_unknown(storage, server, fast):
    client = await nats.connect(server.url)
    answers = [b"pong"]

    async def respond(message):
        await message.respond(answers[-1])

    await client.subscribe("not.jetstream", cb=respond)
    await client.flush()
    await client.subscribe("$JS.impostor.API.>", cb=respond)
    await client.flush()
    with pytest.raises(UnexpectedAnswerError, match="something else than JetStream") as caught:
        await storage.publish("not.jetstream", b"")
    assert caught.value.outcome is Outcome.UNKNOWN
    for answer in (b"pong", b"[]", b"{}", b'{"error": "no"}'):
        answers.append(answer)
        async with await connect(server.url, domain="impostor", limits=fast) as deceived:
            with pytest.raises(UnexpectedAnswerError, match="something else than JetStream"):
                await deceived.stream_info("S")
    await client.close()


async def test_after_aclose_nothing_works_and_a_second_aclose_is_nothing(either):
    await either.aclose()
    await either.aclose()
    for call in (
        lambda: either.publish("a", b""),
        lambda: either.stream_info("S"),
        either.list_streams,
        lambda: either.replay("S").__aenter__(),
        lambda: anext(either.publish_many([])),
    ):
        with pytest.raises(StorageClosedError):
            await call()


async def test_what_is_in_flight_at_aclose_is_unknown(storage, fresh):
    config = fresh(no_ack=True)
    await storage.create_stream(config)
    publishing = asyncio.create_task(storage.publish(f"{config.name}.a", b""))
    await asyncio.sleep(0)
    await storage.aclose()
    with pytest.raises(ConnectionLostError):
        await publishing


async def test_a_cancelled_request_leaves_nothing_behind(storage, fresh):
    config = fresh(no_ack=True)
    await storage.create_stream(config)
    publishing = asyncio.create_task(storage.publish(f"{config.name}.a", b""))
    await asyncio.sleep(0)
    assert len(storage._connection._in_flight) == 1
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert storage._connection._in_flight == {}


async def test_nats_py_reads_what_we_wrote(storage, server, fresh):
    config = fresh()
    await storage.create_stream(config)
    await storage.publish(f"{config.name}.a", json.dumps({"a": 1}).encode(), headers={"k": "v"})
    client = await nats.connect(server.url)
    message = await client.jetstream().get_msg(config.name, 1)
    assert (message.data, message.headers) == (b'{"a": 1}', {"k": "v"})
    await client.close()
