"""Checks of deleting single messages and of purging many."""

from __future__ import annotations

from lattice_store.errors import (
    ApiError,
    InvalidArgumentError,
    InvalidSubjectError,
    MessageNotFoundError,
    StreamNotFoundError,
)
from lattice_store.model import Expect, PubAck, StreamState
from lattice_store.storage import Storage
from lattice_store.testing._harness import Stream, Streams, equal, raises

_NO_STREAM = (404, 10059, "stream not found")


async def _ends(stream: Stream) -> tuple[int, int, int]:
    state = await stream.state()
    return state.first_sequence, state.last_sequence, state.num_deleted


async def check_delete_message_leaves_a_gap(storage: Storage, streams: Streams) -> None:
    """A removed message in the middle is a gap; its sequence is not used again."""
    stream = await streams.new()
    await stream.fill("a", "b", "c")
    await storage.delete_message(stream.name, 2)
    equal(await stream.stored(), {1: "a", 3: "c"}, "stored messages")
    equal(await _ends(stream), (1, 3, 1), "first, last, deleted")
    equal((await stream.state()).num_subjects, 2, "subjects")


async def check_delete_message_at_the_beginning(storage: Storage, streams: Streams) -> None:
    """The first sequence moves to the next message that is there."""
    stream = await streams.new()
    await stream.fill("a", "b", "c", "d")
    await storage.delete_message(stream.name, 2)
    await storage.delete_message(stream.name, 1)
    equal(await _ends(stream), (3, 4, 0), "first, last, deleted")


async def check_delete_message_at_the_end(storage: Storage, streams: Streams) -> None:
    """The last sequence stays; the next publish comes after it."""
    stream = await streams.new()
    await stream.fill("a", "b")
    await storage.delete_message(stream.name, 2)
    equal(await _ends(stream), (1, 2, 1), "first, last, deleted")
    equal(await storage.publish(stream.subject("c"), b""), PubAck(stream.name, 3), "ack")


async def check_delete_of_the_only_message(storage: Storage, streams: Streams) -> None:
    """An emptied stream begins after its last sequence."""
    stream = await streams.new()
    await stream.fill("a")
    await storage.delete_message(stream.name, 1)
    equal(await stream.state(), StreamState(first_sequence=2, last_sequence=1), "state")
    await stream.fill("a")
    equal(await _ends(stream), (2, 2, 0), "first, last, deleted after the next publish")


async def check_delete_of_a_missing_message(storage: Storage, streams: Streams) -> None:
    """Never stored, removed, evicted: not found, whatever code the server has for it."""
    stream = await streams.new(max_msgs=3)
    with raises(MessageNotFoundError):
        await storage.delete_message(stream.name, 1)
    await stream.fill("a", "b", "c", "d")
    await storage.delete_message(stream.name, 3)
    with raises(MessageNotFoundError, 400, 10043, "sequence 3 not found"):
        await storage.delete_message(stream.name, 3)
    for sequence in (1, 5):
        with raises(MessageNotFoundError):
            await storage.delete_message(stream.name, sequence)
    equal(await stream.stored(), {2: "b", 4: "d"}, "stored messages")


async def check_delete_message_denied(storage: Storage, streams: Streams) -> None:
    """A stream may deny deletes."""
    stream = await streams.new(deny_delete=True)
    await stream.fill("a")
    with raises(ApiError, 500, 10057, "message delete not permitted"):
        await storage.delete_message(stream.name, 1)
    equal(await stream.stored(), {1: "a"}, "stored messages")


async def check_purge_of_everything(storage: Storage, streams: Streams) -> None:
    """The stream is empty and goes on counting."""
    stream = await streams.new()
    await stream.fill("a", "b", "a")
    equal(await storage.purge(stream.name), 3, "messages purged")
    equal(await stream.state(), StreamState(first_sequence=4, last_sequence=3), "state")
    equal(await storage.purge(stream.name), 0, "messages purged the second time")
    await stream.fill("c")
    equal(await stream.stored(), {4: "c"}, "stored messages")


async def check_purge_of_a_stream_never_used(storage: Storage, streams: Streams) -> None:
    """It counts as used from then on: its first sequence becomes 1."""
    stream = await streams.new()
    equal(await storage.purge(stream.name), 0, "messages purged")
    equal(await stream.state(), StreamState(first_sequence=1), "state")


async def check_purge_of_a_subject(storage: Storage, streams: Streams) -> None:
    """Only the messages on it go; in the middle they leave gaps."""
    stream = await streams.new()
    await stream.fill("a", "b", "a", "b", "a")
    equal(await storage.purge(stream.name, subject=stream.subject("b")), 2, "messages purged")
    equal(await _ends(stream), (1, 5, 2), "first, last, deleted")
    equal(await storage.purge(stream.name, subject=stream.subject("a")), 3, "messages purged")
    equal(await _ends(stream), (6, 5, 0), "first, last, deleted")


async def check_purge_of_a_filter(storage: Storage, streams: Streams) -> None:
    """Wildcards select as everywhere; ``>`` is everything."""
    stream = await streams.new()
    await stream.fill("a.x", "a.y", "b", "a.x.z")
    equal(await storage.purge(stream.name, subject=stream.subject("unused")), 0, "messages purged on no subject")
    equal(await storage.purge(stream.name, subject=stream.subject("a.*")), 2, "messages purged on a.*")
    equal(await stream.stored(), {3: "b", 4: "a.x.z"}, "stored messages")
    equal(await storage.purge(stream.name, subject=">"), 2, "messages purged on >")
    equal(await stream.state(), StreamState(first_sequence=5, last_sequence=4), "state")


async def check_purge_before_a_sequence(storage: Storage, streams: Streams) -> None:
    """Everything below goes, gaps or not; the sequence itself stays."""
    stream = await streams.new()
    await stream.fill("a", "b", "c", "d", "e")
    await storage.delete_message(stream.name, 3)
    equal(await storage.purge(stream.name, before_sequence=3), 2, "messages purged")
    equal(await stream.stored(), {4: "d", 5: "e"}, "stored messages")
    equal(await _ends(stream), (4, 5, 0), "first, last, deleted")
    equal(await storage.purge(stream.name, before_sequence=2), 0, "messages purged below the beginning")


async def check_purge_before_a_sequence_of_a_subject(storage: Storage, streams: Streams) -> None:
    """Only matching messages below the sequence go, and the last sequence never moves."""
    stream = await streams.new()
    await stream.fill("a", "b", "a", "b", "a")
    purged = await storage.purge(stream.name, subject=stream.subject("a"), before_sequence=5)
    equal(purged, 2, "messages purged")
    equal(await stream.stored(), {2: "b", 4: "b", 5: "a"}, "stored messages")
    equal(await storage.purge(stream.name, subject=stream.subject("b"), before_sequence=100), 2, "messages purged")
    equal(await _ends(stream), (5, 5, 0), "first, last, deleted")


async def check_purge_beyond_the_end(storage: Storage, streams: Streams) -> None:
    """Without a subject the last sequence moves forward, so the next publish has the sequence asked for."""
    stream = await streams.new()
    await stream.fill("a", "b")
    equal(await storage.purge(stream.name, before_sequence=10), 2, "messages purged")
    equal(await stream.state(), StreamState(first_sequence=10, last_sequence=9), "state")
    equal(await storage.publish(stream.subject("a"), b""), PubAck(stream.name, 10), "ack")


async def check_purge_keeping_some(storage: Storage, streams: Streams) -> None:
    """The newest stay; keeping more than there is removes nothing."""
    stream = await streams.new()
    await stream.fill("a", "b", "c", "d")
    equal(await storage.purge(stream.name, keep=4), 0, "messages purged with keep=4")
    equal(await storage.purge(stream.name, keep=1), 3, "messages purged with keep=1")
    equal(await stream.stored(), {4: "d"}, "stored messages")


async def check_purge_keeping_some_of_a_filter(storage: Storage, streams: Streams) -> None:
    """*keep* counts over the whole filter, not for each subject."""
    stream = await streams.new()
    await stream.fill("a.x", "a.y", "b", "a.x", "a.y")
    equal(await storage.purge(stream.name, subject=stream.subject("a.*"), keep=1), 3, "messages purged")
    equal(await stream.stored(), {3: "b", 5: "a.y"}, "stored messages")


async def check_purge_denied(storage: Storage, streams: Streams) -> None:
    """A stream may deny purges."""
    stream = await streams.new(deny_purge=True)
    await stream.fill("a")
    with raises(ApiError, 500, 10110, "stream purge not permitted"):
        await storage.purge(stream.name)
    equal(await stream.stored(), {1: "a"}, "stored messages")


async def check_purge_does_not_reset_expectations(storage: Storage, streams: Streams) -> None:
    """After a purge the stream's last sequence still counts, a subject's does not."""
    stream = await streams.new()
    await stream.fill("a", "b")
    await storage.purge(stream.name)
    expect = Expect(last_sequence=2, last_subject_sequence=0)
    equal(await storage.publish(stream.subject("a"), b"", expect=expect), PubAck(stream.name, 3), "ack")


async def check_removal_from_a_missing_stream(storage: Storage, streams: Streams) -> None:
    """There is nothing to remove from."""
    name = streams.config().name
    with raises(StreamNotFoundError, *_NO_STREAM):
        await storage.delete_message(name, 1)
    with raises(StreamNotFoundError, *_NO_STREAM):
        await storage.purge(name)


async def check_bad_removals_are_refused_before_sending(storage: Storage, streams: Streams) -> None:
    """Arguments are judged first: the stream asked for is not there."""
    name = streams.config().name
    for sequence in (0, -1):
        with raises(InvalidArgumentError):
            await storage.delete_message(name, sequence)
        with raises(InvalidArgumentError):
            await storage.purge(name, before_sequence=sequence)
        with raises(InvalidArgumentError):
            await storage.purge(name, keep=sequence)
    with raises(InvalidArgumentError):
        await storage.purge(name, before_sequence=2, keep=1)
    for bad in ("", "a..b", "a b"):
        with raises(InvalidSubjectError):
            await storage.purge(name, subject=bad)
