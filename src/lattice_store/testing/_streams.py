"""Checks of creating, updating, listing and deleting streams."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from lattice_store.errors import (
    InvalidConfigError,
    InvalidStreamConfigError,
    InvalidSubjectError,
    NoRespondersError,
    StreamNameInUseError,
    StreamNotFoundError,
    SubjectsOverlapError,
)
from lattice_store.limits import SECOND_NS
from lattice_store.model import Compression, DiscardPolicy, PubAck, StorageType, StreamState
from lattice_store.storage import Storage
from lattice_store.testing._harness import Streams, equal, holds, raises

_NO_STREAM = (404, 10059, "stream not found")
_NAME_IN_USE = (400, 10058, "stream name already in use with a different configuration")
_OVERLAP = (400, 10065, "subjects overlap with an existing stream")


async def check_create_answers_with_configuration_and_empty_state(storage: Storage, streams: Streams) -> None:
    """A new stream holds nothing, and its configuration comes back with the server's default window."""
    config = streams.config()
    info = await storage.create_stream(config)
    equal(info.config, attrs.evolve(config, duplicate_window_ns=120 * SECOND_NS), "configuration")
    equal(info.state, StreamState(), "state")
    holds(info.created_ns > 0, "a creation time")
    equal(await storage.stream_info(config.name), info, "info after create")


async def check_create_takes_the_name_as_the_only_subject(storage: Storage, streams: Streams) -> None:
    """Without subjects a stream captures its own name."""
    stream = await streams.new(subjects=())
    equal((await stream.info()).config.subjects, (stream.name,), "subjects")
    equal(await storage.publish(stream.name, b""), PubAck(stream.name, 1), "ack on the name")


async def check_create_echoes_every_setting(storage: Storage, streams: Streams) -> None:
    """What was asked for is what the stream has, in the order it was given."""
    space = streams.config().name
    config = streams.config(
        subjects=(f"{space}.z.>", f"{space}.a.*", f"{space}.m"),
        description="every setting",
        discard=DiscardPolicy.NEW,
        discard_new_per_subject=True,
        max_msgs=1000,
        max_bytes=1_000_000,
        max_age_ns=3600 * SECOND_NS,
        max_msgs_per_subject=3,
        max_msg_size=5000,
        max_consumers=7,
        duplicate_window_ns=30 * SECOND_NS,
        allow_direct=True,
        allow_rollup=True,
        deny_delete=True,
        compression=Compression.S2,
        metadata={"owner": "check", "a": "b"},
    )
    equal((await storage.create_stream(config)).config, config, "configuration")


async def check_create_reads_zero_as_no_limit(storage: Storage, streams: Streams) -> None:
    """A limit of 0 is no limit, as on a server."""
    limits = ("max_msgs", "max_bytes", "max_age_ns", "max_msgs_per_subject", "max_msg_size", "max_consumers")
    config = (await (await streams.new(**dict.fromkeys(limits, 0))).info()).config
    equal({name: getattr(config, name) for name in limits}, dict.fromkeys(limits), "limits")


async def check_create_shortens_the_window_to_the_maximum_age(storage: Storage, streams: Streams) -> None:
    """A maximum age below two minutes is also the default duplicate window."""
    stream = await streams.new(max_age_ns=60 * SECOND_NS)
    equal((await stream.info()).config.duplicate_window_ns, 60 * SECOND_NS, "duplicate window")


async def check_create_again_confirms_an_equal_stream(storage: Storage, streams: Streams) -> None:
    """Creating twice is one stream, with its messages and its creation time."""
    stream = await streams.new()
    await stream.fill("a")
    before = await stream.info()
    equal(await storage.create_stream(stream.config), before, "info")


async def check_create_compares_after_defaults(storage: Storage, streams: Streams) -> None:
    """Equal means equal once the server filled in what was left open."""
    stream = await streams.new()
    spelled_out = attrs.evolve(
        stream.config, duplicate_window_ns=120 * SECOND_NS, max_msgs=0, subjects=stream.config.subjects
    )
    equal(await storage.create_stream(spelled_out), await stream.info(), "info")


async def check_create_never_alters_an_existing_stream(storage: Storage, streams: Streams) -> None:
    """A different configuration under a used name is refused and changes nothing."""
    stream = await streams.new(description="first")
    before = await stream.info()
    for changes in ({"description": "second"}, {"max_msgs": 5}, {"metadata": {"a": "b"}}, {"subjects": ()}):
        with raises(StreamNameInUseError, *_NAME_IN_USE):
            await storage.create_stream(attrs.evolve(stream.config, **changes))
    equal(await stream.info(), before, "info")


async def check_create_refuses_subjects_of_another_stream(storage: Storage, streams: Streams) -> None:
    """Two streams never capture the same subject, not even by wildcards that merely meet."""
    first = await streams.new()
    held = await streams.new(subjects=(f"{first.name}.a.*",))
    for subject in (f"{first.name}.a.b", f"{first.name}.*.b", f"{first.name}.>"):
        refused = streams.config(subjects=(subject,))
        with raises(SubjectsOverlapError, *_OVERLAP):
            await storage.create_stream(refused)
        with raises(StreamNotFoundError, *_NO_STREAM):
            await storage.stream_info(refused.name)
    equal((await held.info()).config.subjects, (f"{first.name}.a.*",), "subjects of the first")


async def check_create_refuses_what_contradicts_itself(storage: Storage, streams: Streams) -> None:
    """The server's rules for configurations, by its own words; nothing is created."""
    per_subject: dict[str, Any] = {"discard_new_per_subject": True, "discard": DiscardPolicy.NEW}
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"max_age_ns": SECOND_NS // 100}, "max age needs to be >= 100ms"),
        ({"duplicate_window_ns": SECOND_NS // 100}, "duplicates window needs to be >= 100ms"),
        (
            {"max_age_ns": SECOND_NS, "duplicate_window_ns": 2 * SECOND_NS},
            "duplicates window can not be larger then max age",
        ),
        ({"deny_purge": True, "allow_rollup": True}, "roll-ups require the purge permission"),
        ({"num_replicas": 6}, "maximum replicas is 5"),
        ({"sealed": True}, "stream configuration for create can not be sealed"),
        (
            {"discard_new_per_subject": True},
            "discard new per subject requires discard new policy to be set",
        ),
        (per_subject, "discard new per subject requires max msgs per subject > 0"),
    ]
    for changes, text in refusals:
        config = streams.config(**changes)
        with raises(InvalidStreamConfigError, 500, 10052, text):
            await storage.create_stream(config)
        with raises(StreamNotFoundError, *_NO_STREAM):
            await storage.stream_info(config.name)


async def check_create_validates_before_it_looks_for_the_name(storage: Storage, streams: Streams) -> None:
    """A configuration that contradicts itself is named as such, even under a used name."""
    stream = await streams.new()
    with raises(InvalidStreamConfigError, 500, 10052, "max age needs to be >= 100ms"):
        await storage.create_stream(attrs.evolve(stream.config, max_age_ns=1))


async def check_delete_stream_takes_everything_with_it(storage: Storage, streams: Streams) -> None:
    """After a delete the name, the messages and the subjects are free."""
    stream = await streams.new()
    await stream.fill("a")
    await storage.delete_stream(stream.name)
    for gone in (
        partial(storage.delete_stream, stream.name),
        partial(storage.stream_info, stream.name),
        partial(storage.get_message, stream.name, 1),
        partial(storage.get_last_message, stream.name, stream.subject("a")),
        partial(storage.delete_message, stream.name, 1),
        partial(storage.purge, stream.name),
    ):
        with raises(StreamNotFoundError, *_NO_STREAM):
            await gone()
    with raises(NoRespondersError):
        await stream.fill("a")
    heir = await streams.new(subjects=stream.config.subjects)
    equal(await storage.publish(stream.subject("a"), b""), PubAck(heir.name, 1), "ack of the heir")


async def check_recreated_stream_starts_afresh(storage: Storage, streams: Streams) -> None:
    """A stream of the same name made again is another stream: sequence 1, no messages, no message IDs."""
    # In memory only: nats-server may bring back messages of a file stream made again at once (filestore.go).
    stream = await streams.new(storage=StorageType.MEMORY)
    await storage.publish(stream.subject("a"), b"x", message_id="one")
    before = await stream.info()
    await storage.delete_stream(stream.name)
    after = await storage.create_stream(stream.config)
    equal((after.config, after.state), (before.config, StreamState()), "configuration and state")
    holds(after.created_ns > before.created_ns, "a later creation time")
    ack = await storage.publish(stream.subject("a"), b"y", message_id="one")
    equal(ack, PubAck(stream.name, 1), "ack of a message ID from before")


async def check_list_streams_is_sorted(storage: Storage, streams: Streams) -> None:
    """Every stream is listed once, by name."""
    names = {(await streams.new()).name for _ in range(5)}
    listed = await storage.list_streams()
    equal(list(listed), sorted(set(listed)), "the list, sorted and without repetition")
    equal(names & set(listed), names, "our streams in the list")


async def check_list_streams_by_subject(storage: Storage, streams: Streams) -> None:
    """The filter and a stream's subject need only meet; neither has to contain the other."""
    space = streams.config().name
    exact = await streams.new(subjects=(f"{space}.a.b",))
    wild = await streams.new(subjects=(f"{space}.*.c", f"{space}.d"))
    both = tuple(sorted((exact.name, wild.name)))
    for subject, expected in (
        (f"{space}.a.b", (exact.name,)),
        (f"{space}.a.*", both),
        (f"{space}.>", both),
        (f"{space}.d", (wild.name,)),
        (f"{space}.x", ()),
        (f"{space}", ()),
    ):
        equal(await storage.list_streams(subject=subject), expected, f"streams on {subject}")


async def check_two_streams_never_touch_each_other(storage: Storage, streams: Streams) -> None:
    """Sequences, messages and message IDs belong to one stream."""
    left, right = await streams.new(), await streams.new()
    await left.fill("a", "a")
    for stream in (left, right):
        ack = await storage.publish(stream.subject("b"), b"", message_id="same")
        equal(ack, PubAck(stream.name, 3 if stream is left else 1), "ack")
    await storage.purge(left.name)
    equal(await right.stored(), {1: "b"}, "messages of the other")


async def check_bad_stream_names_are_refused_before_sending(storage: Storage, streams: Streams) -> None:
    """A name that no server takes is named, whatever is asked of it."""
    for name in ("", "a.b", "a b", "a*", "a>", "a/b", "a\\b", "ä", "x" * 256):
        for call in (
            partial(storage.delete_stream, name),
            partial(storage.stream_info, name),
            partial(storage.get_message, name, 1),
            partial(storage.get_last_message, name, "a"),
            partial(storage.delete_message, name, 1),
            partial(storage.purge, name),
        ):
            with raises(InvalidSubjectError):
                await call()
        with raises(InvalidSubjectError):
            async with storage.replay(name):
                pass


async def check_bad_configurations_are_refused_before_sending(storage: Storage, streams: Streams) -> None:
    """What can be seen to be wrong without a server is not sent; an update is asked of a stream that is not there."""
    for write in (storage.create_stream, storage.update_stream):
        for bad in ("", "a..b", ".a", "a.", "a b", "a.>.b", "a\r\n", "übung.>"):
            with raises(InvalidSubjectError):
                await write(streams.config(subjects=(bad,)))
            with raises(InvalidSubjectError):
                await storage.list_streams(subject=bad)
        for bad_name in ("", "a.b", "a b", "übung"):
            with raises(InvalidSubjectError):
                await write(attrs.evolve(streams.config(), name=bad_name))
        with raises(InvalidConfigError):
            await write(streams.config(subjects=("a.*", "a.b")))
    for changes in ({"subjects": "lc.>"}, {"max_msgs": -1}, {"max_age_ns": -1}):
        with raises(InvalidConfigError):
            streams.config(**changes)
