"""Checks of limits and sizes: what gives way, what is refused, what is counted."""

from __future__ import annotations

import attrs

from lattice_store.errors import MessageTooLargeError, StreamFullError
from lattice_store.limits import SECOND_NS
from lattice_store.model import DiscardPolicy, PubAck, StreamState
from lattice_store.storage import Storage
from lattice_store.testing._harness import Stream, Streams, equal, raises

_NEW = DiscardPolicy.NEW
_TOO_MANY = (503, 10077, "maximum messages exceeded")
_TOO_MANY_BYTES = (503, 10077, "maximum bytes exceeded")
_TOO_MANY_ON_SUBJECT = (503, 10077, "maximum messages per subject exceeded")


def _size(stream: Stream, *, in_memory: int, in_file: int) -> int:
    return in_memory if stream.memory else in_file


async def check_state_of_a_growing_stream(storage: Storage, streams: Streams) -> None:
    """Counts, sequences and bytes after each of three publishes. A subject here is 10 bytes, a payload 1."""
    stream = await streams.new()
    size = _size(stream, in_memory=10 + 1 + 16, in_file=10 + 1 + 30)
    for count, rest, subjects in ((1, "a", 1), (2, "b", 2), (3, "a", 2)):
        await stream.fill(rest)
        expected = StreamState(
            messages=count, bytes=count * size, first_sequence=1, last_sequence=count, num_subjects=subjects
        )
        equal(await stream.state(), expected, f"state after publish {count}")


async def check_bytes_of_a_message_with_headers(storage: Storage, streams: Streams) -> None:
    """The whole header block counts: ``K: v`` is 18 bytes, and in a file 4 more tell its length."""
    stream = await streams.new()
    await storage.publish(stream.subject("a"), b"12345", headers={"K": "v"})
    expected = _size(stream, in_memory=10 + 18 + 5 + 16, in_file=10 + 18 + 5 + 34)
    equal((await stream.state()).bytes, expected, "bytes")


async def check_bytes_of_removed_messages_are_given_back(storage: Storage, streams: Streams) -> None:
    """Bytes are those of the stored messages."""
    stream = await streams.new()
    await storage.publish(stream.subject("a"), b"x" * 100)
    await storage.publish(stream.subject("a"), b"x" * 10)
    await storage.delete_message(stream.name, 1)
    equal((await stream.state()).bytes, _size(stream, in_memory=36, in_file=50), "bytes after a delete")
    await storage.purge(stream.name)
    equal((await stream.state()).bytes, 0, "bytes after a purge")


async def check_max_msgs_evicts_the_oldest(storage: Storage, streams: Streams) -> None:
    """Discard policy OLD: the newest *max_msgs* stay."""
    stream = await streams.new(max_msgs=3)
    await stream.fill("a", "b", "c", "d", "e")
    equal(await stream.stored(), {3: "c", 4: "d", 5: "e"}, "stored messages")
    state = await stream.state()
    equal((state.first_sequence, state.last_sequence, state.num_deleted), (3, 5, 0), "first, last, deleted")


async def check_max_bytes_evicts_the_oldest(storage: Storage, streams: Streams) -> None:
    """Discard policy OLD: as many of the oldest go as the new message needs."""
    stream = await streams.new(max_bytes=300)
    await stream.fill("a", "b", "c", "d")
    await storage.publish(stream.subject("e"), b"x" * 180)
    # 206 bytes in memory leave room for three messages of 27; 220 bytes in a file for one of 41
    expected = {2: "b", 3: "c", 4: "d", 5: "e"} if stream.memory else {4: "d", 5: "e"}
    equal(await stream.stored(), expected, "stored messages")


async def check_message_larger_than_the_stream_empties_it(storage: Storage, streams: Streams) -> None:
    """Discard policy OLD: a message over ``max_bytes`` is acknowledged and evicted with everything else."""
    stream = await streams.new(max_bytes=100)
    await stream.fill("a")
    ack = await storage.publish(stream.subject("b"), b"x" * 200)
    equal(ack, PubAck(stream.name, 2), "ack")
    equal(await stream.state(), StreamState(first_sequence=3, last_sequence=2), "state")


async def check_last_value_per_subject(storage: Storage, streams: Streams) -> None:
    """One message per subject: a publish replaces. This is how wasmCloud hosts keep a lattice."""
    stream = await streams.new(max_msgs_per_subject=1)
    await stream.fill("a", "b", "a", "c", "a")
    equal(await stream.stored(), {2: "b", 4: "c", 5: "a"}, "stored messages")
    state = await stream.state()
    equal((state.messages, state.num_subjects, state.num_deleted), (3, 3, 1), "messages, subjects, deleted")


async def check_max_msgs_per_subject_evicts_that_subjects_oldest(storage: Storage, streams: Streams) -> None:
    """Each subject has its own limit; other subjects keep theirs."""
    stream = await streams.new(max_msgs_per_subject=2)
    await stream.fill("a", "b", "a", "a", "b", "a")
    equal(await stream.stored(), {2: "b", 4: "a", 5: "b", 6: "a"}, "stored messages")


async def check_both_limits_together(storage: Storage, streams: Streams) -> None:
    """The subject's own oldest goes first, then the stream's oldest."""
    stream = await streams.new(max_msgs_per_subject=2, max_msgs=3)
    await stream.fill("a", "b", "a", "a", "c", "d")
    equal(await stream.stored(), {4: "a", 5: "c", 6: "d"}, "stored messages")


async def check_discard_new_refuses_at_max_msgs(storage: Storage, streams: Streams) -> None:
    """Discard policy NEW: a full stream keeps what it has until something is removed."""
    stream = await streams.new(max_msgs=2, discard=_NEW)
    await stream.fill("a", "b")
    with raises(StreamFullError, *_TOO_MANY):
        await stream.fill("c")
    equal(await stream.stored(), {1: "a", 2: "b"}, "stored messages")
    await storage.delete_message(stream.name, 1)
    equal(await storage.publish(stream.subject("c"), b""), PubAck(stream.name, 3), "ack once there is room")


async def check_discard_new_refuses_at_max_bytes(storage: Storage, streams: Streams) -> None:
    """Discard policy NEW: what would not fit is refused, what fits is taken."""
    stream = await streams.new(max_bytes=300, discard=_NEW)
    await storage.publish(stream.subject("a"), b"x" * 150)
    with raises(StreamFullError, *_TOO_MANY_BYTES):
        await storage.publish(stream.subject("b"), b"x" * 200)
    equal(await storage.publish(stream.subject("b"), b"x"), PubAck(stream.name, 2), "ack of a small message")


async def check_discard_new_still_replaces_on_a_subject(storage: Storage, streams: Streams) -> None:
    """Discard policy NEW: a subject at its own limit may be replaced though the stream is full."""
    stream = await streams.new(max_msgs=2, max_msgs_per_subject=1, discard=_NEW)
    await stream.fill("a", "b", "a")
    with raises(StreamFullError, *_TOO_MANY):
        await stream.fill("c")
    equal(await stream.stored(), {2: "b", 3: "a"}, "stored messages")


async def check_discard_new_per_subject_refuses(storage: Storage, streams: Streams) -> None:
    """Discard policy NEW, per subject too: nothing is ever replaced."""
    stream = await streams.new(max_msgs_per_subject=1, discard=_NEW, discard_new_per_subject=True)
    await stream.fill("a", "b")
    with raises(StreamFullError, *_TOO_MANY_ON_SUBJECT):
        await stream.fill("a")
    equal(await stream.stored(), {1: "a", 2: "b"}, "stored messages")


async def check_a_full_stream_remembers_no_refused_message_id(storage: Storage, streams: Streams) -> None:
    """A message ID refused by a limit stays free; one that is known is a duplicate even when full."""
    stream = await streams.new(max_msgs=1, discard=_NEW)
    await storage.publish(stream.subject("a"), b"", message_id="one")
    with raises(StreamFullError, *_TOO_MANY):
        await storage.publish(stream.subject("a"), b"", message_id="two")
    again = await storage.publish(stream.subject("a"), b"", message_id="one")
    equal(again, PubAck(stream.name, 1, duplicate=True), "ack of the known ID")
    await storage.purge(stream.name)
    fresh = await storage.publish(stream.subject("a"), b"", message_id="two")
    equal(fresh, PubAck(stream.name, 2), "ack of the refused ID")


async def check_max_msg_size_counts_headers(storage: Storage, streams: Streams) -> None:
    """The limit is on header block plus payload; exactly at it is allowed."""
    stream = await streams.new(max_msg_size=20)
    await storage.publish(stream.subject("a"), b"x" * 20)
    await storage.publish(stream.subject("a"), b"xx", headers={"K": "v"})
    for payload, headers in ((b"x" * 21, {}), (b"xxx", {"K": "v"})):
        with raises(MessageTooLargeError, 400, 10054, "message size exceeds maximum allowed"):
            await storage.publish(stream.subject("a"), payload, headers=headers)
    equal((await stream.state()).messages, 2, "messages")


async def check_lowered_limits_evict_at_once(storage: Storage, streams: Streams) -> None:
    """Discard policy OLD: the answer to the update already shows the smaller stream."""
    stream = await streams.new()
    await stream.fill("a", "b", "a", "b", "c", "d")
    state = (await storage.update_stream(attrs.evolve(stream.config, max_msgs=4))).state
    equal((state.messages, state.first_sequence), (4, 3), "messages and first sequence after max_msgs=4")
    size = _size(stream, in_memory=27, in_file=41)
    state = (await storage.update_stream(attrs.evolve(stream.config, max_bytes=2 * size + 1))).state
    equal((state.messages, state.bytes, state.first_sequence), (2, 2 * size, 5), "state after max_bytes")


async def check_lowered_limits_with_discard_new_evict_nothing(storage: Storage, streams: Streams) -> None:
    """Discard policy NEW: the stream stays above the limit and refuses until it is below."""
    stream = await streams.new(discard=_NEW)
    await stream.fill("a", "b", "c")
    info = await storage.update_stream(attrs.evolve(stream.config, max_msgs=2))
    equal(info.state.messages, 3, "messages")
    with raises(StreamFullError, *_TOO_MANY):
        await stream.fill("d")


async def check_lowered_max_msgs_per_subject_evicts_always(storage: Storage, streams: Streams) -> None:
    """Lowering the limit per subject evicts under both discard policies."""
    for discard in DiscardPolicy:
        stream = await streams.new(max_msgs_per_subject=3, discard=discard)
        await stream.fill("a", "a", "b", "a")
        await storage.update_stream(attrs.evolve(stream.config, max_msgs_per_subject=1))
        equal(await stream.stored(), {3: "b", 4: "a"}, f"stored messages with discard policy {discard.name}")


async def check_max_age_removes(storage: Storage, streams: Streams) -> None:
    """Messages over the maximum age go by themselves; the last sequence stays."""
    stream = await streams.new(max_age_ns=SECOND_NS // 5)
    await stream.fill("a", "b")

    async def empty() -> bool:
        return (await stream.state()).messages == 0

    await streams.eventually(empty, "messages over their maximum age to be removed")
    equal(await stream.state(), StreamState(first_sequence=3, last_sequence=2), "state")


async def check_duplicate_window_ends(storage: Storage, streams: Streams) -> None:
    """A message ID is a duplicate within the window and new some time after it."""
    stream = await streams.new(duplicate_window_ns=SECOND_NS)
    first = await storage.publish(stream.subject("a"), b"", message_id="id")
    again = await storage.publish(stream.subject("a"), b"", message_id="id")
    equal((first.sequence, again.sequence, again.duplicate), (1, 1, True), "acks within the window")

    async def forgotten() -> bool:
        return not (await storage.publish(stream.subject("a"), b"", message_id="id")).duplicate

    await streams.eventually(forgotten, "the message ID to be forgotten")
    equal((await stream.state()).last_sequence, 2, "last sequence")
