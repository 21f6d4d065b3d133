"""Streams: create, update, info, purge, delete; every error with its code."""

import datetime as dt

import nats.js.errors
import pytest
from nats.js.api import (
    DiscardPolicy,
    PersistMode,
    RePublish,
    RetentionPolicy,
    StorageType,
    StoreCompression,
    StreamConfig,
    StreamConsumerLimits,
    SubjectTransform,
)
from nats.js.errors import APIError, BadRequestError, NotFoundError, ServerError

from tests.clients.running import until


async def test_the_defaults_of_a_stream(js):
    info = await js.add_stream(name="S", subjects=["s"])
    config = info.config
    assert (config.name, config.subjects, config.description) == ("S", ["s"], None)
    assert (config.retention, config.storage, config.discard) == ("limits", "file", "old")
    assert (config.max_consumers, config.max_msgs, config.max_bytes, config.max_msg_size) == (-1, -1, -1, -1)
    assert (config.max_msgs_per_subject, config.max_age, config.duplicate_window) == (-1, 0, 120)
    assert (config.num_replicas, config.no_ack, config.sealed, config.deny_delete, config.deny_purge) == (
        1, False, False, False, False,
    )  # fmt: skip
    assert (config.allow_direct, config.mirror_direct, config.allow_rollup_hdrs) == (False, False, False)
    assert (config.compression, config.first_seq, config.template_owner) == ("none", None, None)
    assert config.metadata == {"_nats.level": "5", "_nats.req.level": "0", "_nats.ver": "2.15.1"}
    state = info.state
    assert (state.messages, state.bytes, state.first_seq, state.last_seq, state.consumer_count) == (0, 0, 0, 0, 0)
    assert (state.deleted, state.num_deleted, state.lost, state.subjects) == (None, None, None, None)
    assert info.did_create is True
    assert info.created.tzinfo is dt.UTC


async def test_every_setting_is_kept(js):
    asked = StreamConfig(
        name="S",
        description="what it is for",
        subjects=["s.*", "t"],
        retention=RetentionPolicy.INTEREST,
        max_consumers=5,
        max_msgs=100,
        max_bytes=10_000,
        discard=DiscardPolicy.NEW,
        discard_new_per_subject=True,
        max_age=3600,
        max_msgs_per_subject=3,
        max_msg_size=500,
        storage=StorageType.MEMORY,
        num_replicas=1,
        no_ack=True,
        duplicate_window=60,
        deny_delete=True,
        deny_purge=False,
        allow_rollup_hdrs=True,
        first_seq=10,
        republish=RePublish(src="s.>", dest="re.s.>", headers_only=True),
        subject_transform=SubjectTransform(src="t", dest="u"),
        allow_direct=True,
        allow_msg_ttl=True,
        compression=StoreCompression.NONE,
        consumer_limits=StreamConsumerLimits(inactive_threshold=10, max_ack_pending=20),
        metadata={"owner": "us"},
        placement=None,
    )
    config = (await js.add_stream(asked)).config
    for name, value in asked.as_dict().items():
        if name not in {"metadata", "max_age", "duplicate_window", "republish", "subject_transform", "consumer_limits"}:
            assert getattr(config, name) == value, name
    assert (config.max_age, config.duplicate_window) == (3600, 60)
    assert config.metadata["owner"] == "us"
    assert config.republish == RePublish(src="s.>", dest="re.s.>", headers_only=True)
    assert config.subject_transform == SubjectTransform(src="t", dest="u")
    assert config.consumer_limits == StreamConsumerLimits(inactive_threshold=10, max_ack_pending=20)
    state = (await js.stream_info("S")).state
    assert (state.first_seq, state.last_seq) == (10, 9)


@pytest.mark.parametrize("compression", [StoreCompression.NONE, StoreCompression.S2])
async def test_compression(js, compression):
    config = (await js.add_stream(name="S", subjects=["s"], compression=compression)).config
    assert config.compression == compression


@pytest.mark.parametrize(("mode", "kept"), [(PersistMode.ASYNC, "async"), (PersistMode.DEFAULT, None)])
async def test_persist_mode(js, mode, kept):
    assert (await js.add_stream(name="S", subjects=["s"], persist_mode=mode)).config.persist_mode == kept


async def test_a_stream_without_subjects_listens_to_its_name(js):
    assert (await js.add_stream(name="events")).config.subjects == ["events"]
    assert (await js.publish("events")).stream == "events"


async def test_creating_the_same_stream_again(js):
    first = await js.add_stream(name="S", subjects=["s"])
    again = await js.add_stream(name="S", subjects=["s"])
    assert (again.created, again.did_create) == (first.created, True)


async def error_of(awaitable):
    with pytest.raises(APIError) as caught:
        await awaitable
    return caught.value


async def test_the_same_name_with_another_configuration(js):
    await js.add_stream(name="S", subjects=["s"])
    error = await error_of(js.add_stream(name="S", subjects=["t"]))
    assert (error.code, error.err_code) == (400, 10058)
    assert error.description == "stream name already in use with a different configuration"
    assert isinstance(error, BadRequestError)


@pytest.mark.parametrize("subjects", [["a.b"], ["a.*"], [">"], ["*.b"]])
async def test_overlapping_subjects(js, subjects):
    await js.add_stream(name="S", subjects=["a.b"])
    error = await error_of(js.add_stream(name="T", subjects=subjects))
    assert error.code in (400, 500)
    assert error.err_code in (10065, 10052)


async def test_names_that_no_stream_may_have(js):
    for name in ("a.b", "a b", "a*", "a>", "a/b", "", None):
        with pytest.raises(ValueError, match="stream name"):
            await js.add_stream(name=name, subjects=["a"])
    error = await error_of(js.add_stream(name="x" * 256, subjects=["a"]))
    assert error.err_code in (10049, 10052)


@pytest.mark.parametrize("verb", ["stream_info", "delete_stream", "purge_stream", "consumers_info"])
async def test_a_stream_that_is_not_there(js, verb):
    with pytest.raises(NotFoundError) as caught:
        await getattr(js, verb)("NONE")
    error = caught.value
    assert (error.code, error.err_code, error.description) == (404, 10059, "stream not found")
    assert str(error) == "nats: NotFoundError: code=404 err_code=10059 description='stream not found'"


async def test_an_update(js):
    await js.add_stream(name="S", subjects=["s"], max_msgs=10)
    await js.publish("s", b"1")
    info = await js.update_stream(name="S", subjects=["s", "t"], max_msgs=5, description="new")
    assert (info.config.subjects, info.config.max_msgs, info.config.description) == (["s", "t"], 5, "new")
    assert info.state.messages == 1
    assert (await js.publish("t")).seq == 2
    assert (await js.stream_info("S")).config.description == "new"


async def test_an_update_that_tightens_limits_removes_messages(js):
    config = (await js.add_stream(name="S", subjects=["s.*"])).config
    for number in range(10):
        await js.publish(f"s.{number % 2}")
    info = await js.update_stream(config, max_msgs=6)
    assert (info.state.messages, info.state.first_seq) == (6, 5)
    info = await js.update_stream(config, max_msgs=6, max_msgs_per_subject=1)
    assert (info.state.messages, info.state.first_seq) == (2, 9)


async def test_a_purge(js):
    await js.add_stream(name="S", subjects=["s.*"])
    for number in range(10):
        await js.publish(f"s.{number % 2}")
    assert await js.purge_stream("S", subject="s.0", keep=2) is True
    assert (await js.stream_info("S", subjects_filter=">")).state.subjects == {"s.0": 2, "s.1": 5}
    assert await js.purge_stream("S", seq=8)
    state = (await js.stream_info("S")).state
    assert (state.messages, state.first_seq, state.last_seq, state.num_deleted) == (3, 8, 10, None)
    assert await js.purge_stream("S", subject="s.1")
    assert await js.purge_stream("S", keep=1)
    assert await js.purge_stream("S")
    state = (await js.stream_info("S")).state
    assert (state.messages, state.bytes, state.first_seq, state.last_seq) == (0, 0, 11, 10)
    assert (await js.publish("s.0")).seq == 11


async def test_purge_with_a_sequence_and_a_number(js):
    await js.add_stream(name="S", subjects=["s.*"])
    error = await error_of(js.purge_stream("S", seq=3, keep=2))
    assert (error.code, error.err_code) == (400, 10003)


async def test_purge_and_delete_may_be_denied(js):
    await js.add_stream(name="S", subjects=["s"], deny_purge=True, deny_delete=True)
    await js.publish("s")
    error = await error_of(js.purge_stream("S"))
    assert (error.code, error.err_code) == (500, 10110)
    error = await error_of(js.delete_msg("S", 1))
    assert (error.code, error.err_code) == (500, 10057)
    assert isinstance(error, ServerError)


async def test_the_state_knows_subjects_and_gaps(js):
    await js.add_stream(name="S", subjects=["s.>"])
    for number in range(6):
        await js.publish(f"s.{number % 3}.x", b"12345")
    await js.delete_msg("S", 2)
    await js.delete_msg("S", 4)
    info = await js.stream_info("S")
    assert (info.state.messages, info.state.num_deleted, info.state.deleted, info.state.subjects) == (4, 2, None, None)
    info = await js.stream_info("S", subjects_filter="s.0.*")
    assert info.state.subjects == {"s.0.x": 1}
    info = await js.stream_info("S", subjects_filter=">")
    assert info.state.subjects == {"s.0.x": 1, "s.1.x": 1, "s.2.x": 2}
    info = await js.stream_info("S", subjects_filter="t")
    assert info.state.subjects is None


async def test_a_deleted_stream(js):
    await js.add_stream(name="S", subjects=["s"], storage="memory")
    await js.publish("s")
    assert await js.delete_stream("S") is True
    with pytest.raises(nats.js.errors.NoStreamResponseError):
        await js.publish("s")
    await js.add_stream(name="S", subjects=["s"], storage="memory")
    assert (await js.publish("s")).seq == 1


async def test_a_sealed_stream(js):
    config = (await js.add_stream(name="S", subjects=["s"])).config
    await js.publish("s")
    config.sealed = True
    sealed = (await js.update_stream(config)).config
    assert (sealed.sealed, sealed.deny_delete, sealed.deny_purge, sealed.discard) == (True, True, True, "new")
    error = await error_of(js.publish("s"))
    assert (error.code, error.err_code) == (400, 10109)
    for change in (js.delete_msg("S", 1), js.purge_stream("S"), js.update_stream(config, max_msgs=3)):
        assert (await error_of(change)).code in (400, 500)
    assert await js.delete_stream("S")


async def test_messages_grow_too_old(js):
    await js.add_stream(name="S", subjects=["s"], storage="memory", max_age=0.1, duplicate_window=0.1)
    await js.publish("s")

    async def gone():
        return (await js.stream_info("S")).state.messages == 0

    await until(gone)
    state = (await js.stream_info("S")).state
    assert (state.first_seq, state.last_seq) == (2, 1)


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({"max_msgs": 3}, [8, 9, 10]),
        ({"max_msgs_per_subject": 1}, [9, 10]),
        ({"max_bytes": 100}, [8, 9, 10]),
        ({"max_msgs": 4, "max_msgs_per_subject": 3}, [7, 8, 9, 10]),
    ],
)
async def test_limits_remove_the_oldest(js, limits, kept):
    await js.add_stream(name="S", subjects=["s.*"], storage="memory", **limits)
    for number in range(10):
        await js.publish(f"s.{number % 2}", b"123456789012")
    found = []
    for seq in range(1, 11):
        try:
            await js.get_msg("S", seq)
        except NotFoundError:
            continue
        found.append(seq)
    assert found == kept


@pytest.mark.parametrize(
    ("limits", "code", "err_code", "description"),
    [
        ({"max_msgs": 2}, 503, 10077, "maximum messages exceeded"),
        ({"max_bytes": 50}, 503, 10077, "maximum bytes exceeded"),
        (
            {"max_msgs_per_subject": 1, "discard_new_per_subject": True},
            503,
            10077,
            "maximum messages per subject exceeded",
        ),
        ({"max_msg_size": 3}, 400, 10054, "message size exceeds maximum allowed"),
    ],
)
async def test_limits_refuse_the_newest(js, limits, code, err_code, description):
    await js.add_stream(name="S", subjects=["s.*"], storage="memory", discard="new", **limits)
    with pytest.raises(APIError) as caught:
        for number in range(5):
            await js.publish(f"s.{number % 2}", b"1" * (number + 1))
    error = caught.value
    assert (error.code, error.err_code, error.description) == (code, err_code, description)
    assert error.stream is None


async def test_all_subjects(own, connect):
    js = (await connect(own.url)).jetstream()
    error = await error_of(js.add_stream(name="ALL", subjects=[">"]))
    assert (error.code, error.err_code) == (500, 10052)
    await js.add_stream(name="ALL", subjects=[">"], no_ack=True)
    await js.delete_stream("ALL")
    await js.add_stream(name="ONE", subjects=["*"])
    assert (await js.publish("a")).seq == 1
