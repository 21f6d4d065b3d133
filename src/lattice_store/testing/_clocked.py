"""Checks of the exact moment: they need a storage whose clock the check moves."""

from __future__ import annotations

import attrs

from lattice_store.errors import MessageNotFoundError
from lattice_store.limits import SECOND_NS
from lattice_store.model import DeliverFromTime, PubAck, StreamState
from lattice_store.storage import Storage
from lattice_store.testing._harness import Stream, Streams, equal, raises, reading


async def _publish(stream: Stream, message_id: str) -> PubAck:
    return await stream.storage.publish(stream.subject("a"), b"", message_id=message_id)


async def check_messages_carry_the_time_of_the_clock(storage: Storage, streams: Streams) -> None:
    """Creation and storing are stamped with the clock's time, to the nanosecond."""
    created = streams.clock.now_ns()
    stream = await streams.new()
    streams.clock.advance(1.5)
    await stream.fill("a")
    equal((await stream.info()).created_ns, created, "creation time")
    stored = (await storage.get_message(stream.name, 1)).time_ns
    equal(stored, created + 3 * SECOND_NS // 2, "time of the message")


async def check_max_age_is_exact(storage: Storage, streams: Streams) -> None:
    """A message is there until it is exactly as old as the stream allows."""
    stream = await streams.new(max_age_ns=10 * SECOND_NS)
    await stream.fill("a")
    streams.clock.advance(4)
    await stream.fill("b")
    streams.clock.advance(5.999)
    equal(await stream.stored(), {1: "a", 2: "b"}, "stored messages at 9.999 s")
    streams.clock.advance(0.001)
    equal(await stream.stored(), {2: "b"}, "stored messages at 10 s")
    streams.clock.advance(4)
    equal(await stream.state(), StreamState(first_sequence=3, last_sequence=2), "state at 14 s")


async def check_max_age_frees_room(storage: Storage, streams: Streams) -> None:
    """Expired messages no longer count for anything: reads, limits or replays."""
    stream = await streams.new(max_age_ns=10 * SECOND_NS, max_msgs_per_subject=2)
    await stream.fill("a", "a", "b")
    streams.clock.advance(10)
    with raises(MessageNotFoundError, 404, 10037, "no message found"):
        await storage.get_last_message(stream.name, stream.subject("a"))
    async with reading(stream) as reader:
        equal((reader.replay.pending, reader.replay.caught_up), (0, True), "pending and caught up")
        await stream.fill("a")
        equal([message.sequence for message in await reader.take(1)], [4], "the next sequence")


async def check_lowered_max_age_removes_at_once(storage: Storage, streams: Streams) -> None:
    """What is too old by the new limit is gone when the update answers."""
    stream = await streams.new(max_age_ns=60 * SECOND_NS)
    await stream.fill("a")
    streams.clock.advance(30)
    await stream.fill("b")
    changed = attrs.evolve(stream.config, max_age_ns=20 * SECOND_NS, duplicate_window_ns=20 * SECOND_NS)
    state = (await storage.update_stream(changed)).state
    equal((state.messages, state.first_sequence), (1, 2), "messages and first sequence")


async def check_duplicate_window_is_exact(storage: Storage, streams: Streams) -> None:
    """A message ID is known until the window is over, to the nanosecond before it."""
    stream = await streams.new(duplicate_window_ns=10 * SECOND_NS)
    await _publish(stream, "id")
    streams.clock.advance(9.999)
    equal(await _publish(stream, "id"), PubAck(stream.name, 1, duplicate=True), "ack at 9.999 s")
    streams.clock.advance(0.001)
    equal(await _publish(stream, "id"), PubAck(stream.name, 2), "ack at 10 s")


async def check_duplicate_does_not_extend_the_window(storage: Storage, streams: Streams) -> None:
    """The window is counted from the publish that stored."""
    stream = await streams.new(duplicate_window_ns=10 * SECOND_NS)
    await _publish(stream, "id")
    streams.clock.advance(8)
    equal((await _publish(stream, "id")).duplicate, True, "duplicate at 8 s")
    streams.clock.advance(2)
    equal(await _publish(stream, "id"), PubAck(stream.name, 2), "ack at 10 s")


async def check_default_window_is_two_minutes(storage: Storage, streams: Streams) -> None:
    """Each message ID has its own two minutes."""
    stream = await streams.new()
    await _publish(stream, "one")
    streams.clock.advance(60)
    await _publish(stream, "two")
    streams.clock.advance(60)
    equal(await _publish(stream, "one"), PubAck(stream.name, 3), "ack of one at 120 s")
    equal(await _publish(stream, "two"), PubAck(stream.name, 2, duplicate=True), "ack of two at 120 s")


async def check_narrowed_window_forgets(storage: Storage, streams: Streams) -> None:
    """An update judges remembered message IDs by the new window; widening brings none back."""
    stream = await streams.new(duplicate_window_ns=60 * SECOND_NS)
    await _publish(stream, "old")
    streams.clock.advance(30)
    await _publish(stream, "young")
    await storage.update_stream(attrs.evolve(stream.config, duplicate_window_ns=20 * SECOND_NS))
    streams.clock.advance(0.1)
    await storage.update_stream(attrs.evolve(stream.config, duplicate_window_ns=600 * SECOND_NS))
    equal(await _publish(stream, "young"), PubAck(stream.name, 2, duplicate=True), "ack of the young ID")
    equal(await _publish(stream, "old"), PubAck(stream.name, 3), "ack of the old ID")


async def check_replay_from_an_exact_time(storage: Storage, streams: Streams) -> None:
    """A message stored at the very time is delivered, one stored a nanosecond earlier is not."""
    stream = await streams.new()
    begin = streams.clock.now_ns()
    for rest in ("a", "b", "c"):
        await stream.fill(rest)
        streams.clock.advance(1)
    for time_ns, sequences in (
        (begin, [1, 2, 3]),
        (begin + 1, [2, 3]),
        (begin + SECOND_NS, [2, 3]),
        (begin + 2 * SECOND_NS, [3]),
        (begin + 2 * SECOND_NS + 1, []),
    ):
        async with reading(stream, deliver=DeliverFromTime(time_ns)) as reader:
            equal(await reader.sequences(), sequences, f"sequences from {time_ns - begin} ns after the beginning")
