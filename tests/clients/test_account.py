"""What the account has, and lists of streams and consumers, on a server of the test's own."""

import nats.js.errors
import pytest


@pytest.fixture
async def js(own, connect):
    return (await connect(own.url)).jetstream()


async def test_an_empty_account(js):
    info = await js.account_info()
    assert (info.memory, info.storage, info.streams, info.consumers, info.domain, info.tiers) == (
        0,
        0,
        0,
        0,
        None,
        None,
    )
    limits = info.limits
    assert (limits.max_memory, limits.max_storage, limits.max_streams, limits.max_consumers) == (-1, -1, -1, -1)
    assert (limits.max_ack_pending, limits.memory_max_stream_bytes, limits.storage_max_stream_bytes) == (-1, -1, -1)
    assert limits.max_bytes_required is False
    assert (info.api.total, info.api.errors, info.api.level) == (0, 0, 5)


async def test_what_is_used_is_counted(js):
    await js.add_stream(name="M", subjects=["m"], storage="memory")
    await js.add_stream(name="F", subjects=["f"], storage="file")
    await js.publish("m", b"12345")
    await js.publish("f", b"12345", headers={"a": "b"})
    await js.add_consumer("M", durable_name="d")
    info = await js.account_info()
    memory, file = [(await js.stream_info(name)).state.bytes for name in "MF"]
    assert (info.memory, info.storage, info.streams, info.consumers) == (memory, file, 2, 1)
    assert (memory, file) == (22, 58)
    assert info.api.total == 3
    await js.delete_stream("M")
    info = await js.account_info()
    assert (info.memory, info.streams, info.consumers) == (0, 1, 0)


async def test_errors_are_counted(js):
    for _ in range(3):
        with pytest.raises(nats.js.errors.NotFoundError):
            await js.stream_info("NONE")
    info = await js.account_info()
    assert (info.api.total, info.api.errors) == (3, 3)


async def test_a_message_that_is_not_there_to_delete_is_no_error(js):
    await js.add_stream(name="S", subjects=["s"], storage="memory")
    with pytest.raises(nats.js.errors.BadRequestError, match="sequence 7 not found"):
        await js.delete_msg("S", 7)
    info = await js.account_info()
    assert (info.api.total, info.api.errors) == (2, 0)


async def test_a_restart_counts_anew(own, connect):
    js = (await connect(own.url, allow_reconnect=False)).jetstream()
    with pytest.raises(nats.js.errors.NotFoundError):
        await js.stream_info("NONE")
    await own.stop()
    await own.start()
    info = await (await connect(own.url)).jetstream().account_info()
    assert (info.api.total, info.api.errors) == (0, 0)


async def test_no_streams(js):
    assert await js.streams_info() == []
    assert list(await js.streams_info_iterator()) == []
    with pytest.raises(nats.js.errors.NotFoundError):
        await js.find_stream_name_by_subject("a")


async def test_streams_are_listed_by_name(js):
    for name in ("C", "A", "B"):
        await js.add_stream(name=name, subjects=[f"{name}.>"], storage="memory")
    assert [info.config.name for info in await js.streams_info()] == ["A", "B", "C"]
    assert [info.config.name for info in await js.streams_info(offset=1)] == ["B", "C"]
    assert await js.streams_info(offset=9) == []
    listed = await js.streams_info_iterator(offset=1)
    assert (listed.offset, listed.total) == (1, 3)
    assert [info.config.name for info in listed] == ["B", "C"]


async def test_more_streams_than_a_page_has(js):
    for number in range(260):
        await js.add_stream(name=f"S{number:03}", subjects=[f"s.{number}"], storage="memory")
    assert len(await js.streams_info()) == 256
    assert [info.config.name for info in await js.streams_info(offset=256)] == [f"S{n}" for n in range(256, 260)]


@pytest.mark.parametrize(
    ("subject", "name"), [("a.1", "A"), ("a.>", "A"), ("*.1", "A"), ("b", "B"), (">", "A"), ("c.x.y", "C")]
)
async def test_a_stream_is_found_by_subject(js, subject, name):
    await js.add_stream(name="A", subjects=["a.*", "aa"])
    await js.add_stream(name="B", subjects=["b"])
    await js.add_stream(name="C", subjects=["c.>"])
    assert await js.find_stream_name_by_subject(subject) == name


async def test_a_stream_is_not_found_by_another_subject(js):
    await js.add_stream(name="A", subjects=["a.*"])
    for subject in ("b", "a", "a.b.c"):
        with pytest.raises(nats.js.errors.NotFoundError):
            await js.find_stream_name_by_subject(subject)


async def test_more_consumers_than_a_page_has(js):
    await js.add_stream(name="A", subjects=["a"], storage="memory")
    for number in range(260):
        await js.add_consumer("A", durable_name=f"c{number:03}", mem_storage=True)
    assert len(await js.consumers_info("A")) == 256
    assert [info.name for info in await js.consumers_info("A", offset=256)] == [f"c{n}" for n in range(256, 260)]
    assert (await js.stream_info("A")).state.consumer_count == 260


async def test_another_prefix_is_answered_by_nobody(own, connect):
    client = await connect(own.url)
    for options in ({"domain": "hub"}, {"prefix": "OTHER.API"}):
        with pytest.raises(nats.js.errors.ServiceUnavailableError):
            await client.jetstream(**options).account_info()


async def test_the_types_of_answers(own, connect):
    client = await connect(own.url)
    got = await client.request("$JS.API.INFO", timeout=2)
    assert b'"type":"io.nats.jetstream.api.v1.account_info_response"' in got.data
    got = await client.request("$JS.API.STREAM.NAMES", timeout=2)
    assert b'"type":"io.nats.jetstream.api.v1.stream_names_response","total":0,"offset":0,"limit":1024' in got.data
