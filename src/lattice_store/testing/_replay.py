"""Checks of what a replay delivers: deliver policies, filters, pending, caught up, live."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from lattice_store.model import (
    DELIVER_ALL,
    DELIVER_LAST_PER_SUBJECT,
    DeliverFromSequence,
    DeliverFromTime,
    DeliverLast,
    DeliverNew,
    DeliverPolicy,
    Message,
)
from lattice_store.storage import Storage
from lattice_store.testing._harness import READ_DEADLINE_S, Reader, Stream, Streams, equal, holds, reading


async def _delivered(stream: Stream, deliver: DeliverPolicy, *subjects: str) -> list[int]:
    async with reading(stream, *subjects, deliver=deliver) as reader:
        return await reader.sequences()


async def _expect_next(stream: Stream, reader: Reader, rest: str, sequence: int) -> None:
    """Publish and read: what comes next is that message and nothing before it."""
    await stream.fill(rest)
    equal([message.sequence for message in await reader.take(1)], [sequence], "sequence of the next message")


async def check_replay_of_all(storage: Storage, streams: Streams) -> None:
    """Every stored message in sequence order, past gaps, then live ones."""
    stream = await streams.new()
    await stream.fill("a", "b", "a", "c", "a")
    await storage.delete_message(stream.name, 1)
    await storage.delete_message(stream.name, 4)
    async with reading(stream) as reader:
        equal(await reader.sequences(), [2, 3, 5], "sequences up to caught up")
        await _expect_next(stream, reader, "d", 6)


async def check_replay_delivers_messages_whole(storage: Storage, streams: Streams) -> None:
    """A replayed message equals the one read by its sequence: subject, time, headers and payload."""
    stream = await streams.new()
    await storage.publish(stream.subject("a"), bytes(range(256)), headers={"K": "v"}, message_id="id")
    await storage.publish(stream.subject("b"), b"")
    async with reading(stream) as reader:
        replayed = await reader.snapshot()
    equal(replayed, [await storage.get_message(stream.name, sequence) for sequence in (1, 2)], "messages")


async def check_replay_of_new(storage: Storage, streams: Streams) -> None:
    """Nothing of what is stored, everything from then on."""
    stream = await streams.new()
    await stream.fill("a", "b")
    async with reading(stream, deliver=DeliverNew()) as reader:
        equal((reader.replay.pending, reader.replay.caught_up), (0, True), "pending and caught up")
        await _expect_next(stream, reader, "a", 3)


async def check_replay_of_the_last(storage: Storage, streams: Streams) -> None:
    """The newest message, or the newest that a filter matches, then what follows."""
    stream = await streams.new()
    await stream.fill("a", "b", "a", "b")
    equal(await _delivered(stream, DeliverLast()), [4], "sequences without a filter")
    equal(await _delivered(stream, DeliverLast(), "a"), [3], "sequences on a")
    async with reading(stream, "a", deliver=DeliverLast()) as reader:
        equal(await reader.sequences(), [3], "sequences on a")
        await stream.fill("b")
        await _expect_next(stream, reader, "a", 6)


async def check_replay_of_the_last_per_subject(storage: Storage, streams: Streams) -> None:
    """The newest message of every subject in sequence order, then every later one."""
    stream = await streams.new()
    await stream.fill("a", "b", "a", "c", "b", "a")
    equal(await _delivered(stream, DELIVER_LAST_PER_SUBJECT), [4, 5, 6], "sequences without a filter")
    async with reading(stream, deliver=DELIVER_LAST_PER_SUBJECT) as reader:
        equal(reader.replay.pending, 3, "pending before the first message")
        equal(await reader.sequences(), [4, 5, 6], "sequences up to caught up")
        await stream.fill("c", "c")
        equal([message.sequence for message in await reader.take(2)], [7, 8], "sequences afterwards")


async def check_replay_of_the_last_per_subject_with_filters(storage: Storage, streams: Streams) -> None:
    """Only subjects that a filter matches."""
    stream = await streams.new()
    await stream.fill("a.x", "b.x", "a.x", "a.y", "b.x", "c")
    for subjects, sequences in ((("a.*",), [3, 4]), (("*.x",), [3, 5]), (("c", "a.>"), [3, 4, 6]), (("d",), [])):
        found = await _delivered(stream, DELIVER_LAST_PER_SUBJECT, *subjects)
        equal(found, sequences, f"sequences on {' and '.join(subjects)}")


async def check_replay_of_last_values(storage: Storage, streams: Streams) -> None:
    """Where a stream keeps one message per subject, all and last per subject are the same."""
    stream = await streams.new(max_msgs_per_subject=1)
    await stream.fill("a", "b", "a", "c", "b")
    for deliver in (DELIVER_ALL, DELIVER_LAST_PER_SUBJECT):
        equal(await _delivered(stream, deliver), [3, 4, 5], f"sequences of {deliver}")


async def check_replay_from_a_sequence(storage: Storage, streams: Streams) -> None:
    """The sequence may be stored, in a gap, before the first or beyond the last."""
    stream = await streams.new(max_msgs=5)
    await stream.fill("a", "b", "a", "b", "a", "b")
    await storage.delete_message(stream.name, 4)
    for sequence, expected in ((1, [2, 3, 5, 6]), (3, [3, 5, 6]), (4, [5, 6]), (6, [6]), (7, [])):
        equal(await _delivered(stream, DeliverFromSequence(sequence)), expected, f"sequences from {sequence}")
    equal(await _delivered(stream, DeliverFromSequence(3), "b"), [6], "sequences from 3 on b")


async def check_replay_from_beyond_the_end_waits_for_that_sequence(storage: Storage, streams: Streams) -> None:
    """What is published before the sequence is reached is not delivered."""
    stream = await streams.new()
    await stream.fill("a")
    async with reading(stream, deliver=DeliverFromSequence(4)) as reader:
        await stream.fill("a", "a")
        await _expect_next(stream, reader, "a", 4)


async def check_replay_from_a_time(storage: Storage, streams: Streams) -> None:
    """From the first message stored at or after the time; a time past the end waits for what comes."""
    stream = await streams.new()
    await stream.fill("a", "b", "a")
    first, last = [(await storage.get_message(stream.name, sequence)).time_ns for sequence in (1, 3)]
    equal(await _delivered(stream, DeliverFromTime(first)), [1, 2, 3], "sequences from the first time")
    equal(await _delivered(stream, DeliverFromTime(0)), [1, 2, 3], "sequences from 1970")
    equal(await _delivered(stream, DeliverFromTime(last + 10**9)), [], "sequences from a second after the last")


async def check_replay_from_a_time_with_filters(storage: Storage, streams: Streams) -> None:
    """Several filters leave out no message of the time asked for."""
    # nats-server 2.15.1 does, if it is given both: it goes on to where another filter first matches.
    stream = await streams.new()
    for rest in ("a", "a", "b", "a"):
        streams.tick()
        await stream.fill(rest)
    second = (await storage.get_message(stream.name, 2)).time_ns
    equal(await _delivered(stream, DeliverFromTime(second), "b"), [3], "sequences on b")
    equal(await _delivered(stream, DeliverFromTime(second), "a", "b"), [2, 3, 4], "sequences on a and b")


async def check_replay_with_filters(storage: Storage, streams: Streams) -> None:
    """A message is delivered if one of the filters matches it; live ones too."""
    stream = await streams.new()
    await stream.fill("a", "b", "c.x", "c.y", "a", "d.e.f")
    for subjects, sequences in (
        (("a",), [1, 5]),
        (("c.*", "b"), [2, 3, 4]),
        ((">",), [1, 2, 3, 4, 5, 6]),
        (("x",), []),
    ):
        equal(await _delivered(stream, DELIVER_ALL, *subjects), sequences, f"sequences on {' and '.join(subjects)}")
    async with reading(stream, "a", "c.>") as reader:
        equal(await reader.sequences(), [1, 3, 4, 5], "sequences on a and c.>")
        await stream.fill("b", "d.e.f")
        await _expect_next(stream, reader, "c.z", 9)


async def check_replay_of_an_empty_stream(storage: Storage, streams: Streams) -> None:
    """Never used or emptied: caught up before the first message, whatever the deliver policy; live ones come."""
    used = await streams.new()
    await used.fill("a", "b")
    await storage.purge(used.name)
    for stream, sequence in ((await streams.new(), 1), (used, 3)):
        for deliver in (DELIVER_ALL, DELIVER_LAST_PER_SUBJECT, DeliverLast(), DeliverNew(), DeliverFromSequence(1)):
            async with reading(stream, deliver=deliver) as reader:
                equal((reader.replay.pending, reader.replay.caught_up), (0, True), f"pending, caught up of {deliver}")
        async with reading(stream) as reader:
            await _expect_next(stream, reader, "a", sequence)


async def check_replay_says_what_is_pending(storage: Storage, streams: Streams) -> None:
    """Pending is known before the first message and is what is left after each batch."""
    stream = await streams.new()
    await stream.fill(*("a", "b") * 50)
    async with reading(stream, "a") as reader:
        equal((reader.replay.pending, reader.replay.caught_up), (50, False), "pending and caught up at first")
        received = 0
        while not reader.replay.caught_up:
            batch = await reader.batch()
            received += len(batch.messages)
            equal(batch.pending, 50 - received, f"pending after {received} messages")
            equal(reader.replay.pending, batch.pending, "pending of the replay and of its batch")
            equal(reader.replay.caught_up, batch.caught_up, "caught up of the replay and of its batch")
        equal(received, 50, "messages up to caught up")


async def check_replay_stays_caught_up(storage: Storage, streams: Streams) -> None:
    """Once caught up, always caught up, though more keeps coming."""
    stream = await streams.new()
    await stream.fill("a", "b")
    async with reading(stream) as reader:
        await reader.snapshot()
        for sequence in range(3, 8):
            await _expect_next(stream, reader, "a", sequence)
            holds(reader.replay.caught_up, f"the replay to stay caught up at sequence {sequence}")


async def check_replay_describes_its_stream(storage: Storage, streams: Streams) -> None:
    """The replay carries the stream as it stood when it began."""
    stream = await streams.new(description="before")
    await stream.fill("a", "b")
    before = await stream.info()
    async with reading(stream) as reader:
        await stream.fill("c")
        seen = reader.replay.stream
        equal((seen.config, seen.created_ns), (before.config, before.created_ns), "configuration and creation time")
        equal((seen.state.messages, seen.state.last_sequence), (2, 2), "messages and last sequence")


async def check_replay_batches_say_how_far_they_reach(storage: Storage, streams: Streams) -> None:
    """Batches rise, and each reaches at least its own last message."""
    stream = await streams.new()
    await stream.fill(*("a", "b", "c") * 100)
    async with reading(stream) as reader:
        reached = 0
        received: list[Message] = []
        while not reader.replay.caught_up:
            batch = await reader.batch()
            holds(batch.sequence >= reached, f"a batch reaching at least {reached}, not {batch.sequence}")
            if batch.messages:
                holds(batch.sequence >= batch.messages[-1].sequence, "a batch reaching its last message")
            reached = batch.sequence
            received.extend(batch.messages)
        holds(all(a.sequence < b.sequence for a, b in pairwise(received)), "rising sequences")
        equal((len(received), reached), (300, 300), "messages, and the sequence reached")


async def check_replay_caught_up_reaches_the_end_of_its_stream(storage: Storage, streams: Streams) -> None:
    """Also where the stream's last messages were removed, or a filter passes them by: nothing more will come of them."""
    stream = await streams.new()
    await stream.fill("a", "b", "a", "c", "d")
    await storage.delete_message(stream.name, 5)
    for deliver in (DELIVER_ALL, DELIVER_LAST_PER_SUBJECT, DeliverFromSequence(2), DeliverLast()):
        for subjects in ((), ("a",), ("a", "b")):
            async with reading(stream, *subjects, deliver=deliver) as reader:
                reached = 5  # unless there is something to wait for
                while not reader.replay.caught_up:
                    reached = (await reader.batch()).sequence
                equal(reached, 5, f"sequence reached by {deliver} on {subjects or 'everything'}")


async def check_replay_message_by_message(storage: Storage, streams: Streams) -> None:
    """Iterating messages gives what the batches hold."""
    stream = await streams.new()
    await stream.fill(*("a", "b") * 20)
    single: list[Message] = []
    async with asyncio.timeout(READ_DEADLINE_S), storage.replay(stream.name) as replay:
        async for message in replay:
            single.append(message)
            if len(single) == 40:
                break
    async with reading(stream) as reader:
        equal(single, await reader.snapshot(), "messages")


async def check_replay_continues_between_batches(storage: Storage, streams: Streams) -> None:
    """Leaving the loop over batches and entering it again loses nothing."""
    stream = await streams.new()
    await stream.fill("a", "b")
    async with reading(stream) as reader:
        equal(await reader.sequences(), [1, 2], "sequences of the first loop")
        await stream.fill("c")
        equal([message.sequence for message in await Reader(reader.replay).take(1)], [3], "sequence in the second")


async def check_replay_of_many_messages(storage: Storage, streams: Streams) -> None:
    """Five thousand messages arrive once each and in order, with a writer at work."""
    stream = await streams.new()
    payload = b"x" * 100

    async def write(count: int) -> None:
        await asyncio.gather(*(storage.publish(stream.subject(f"s{n % 97}"), payload) for n in range(count)))

    for _ in range(4):
        await write(1000)
    async with reading(stream) as reader:
        writer = asyncio.create_task(write(1000))
        received = await reader.take(5000)
        await writer
    equal([message.sequence for message in received], list(range(1, 5001)), "sequences")


async def check_replays_do_not_disturb_each_other(storage: Storage, streams: Streams) -> None:
    """Two replays of one stream each get everything that they asked for."""
    stream = await streams.new()
    await stream.fill("a", "b", "a")
    async with reading(stream) as everything, reading(stream, "a", deliver=DeliverLast()) as last:
        equal(await last.sequences(), [3], "sequences of the filtered replay")
        await stream.fill("a", "b")
        equal([message.sequence for message in await last.take(1)], [4], "the filtered replay's next")
        equal([message.sequence for message in await everything.take(5)], [1, 2, 3, 4, 5], "sequences of the other")


async def check_replay_hands_out_superseded_live_messages(storage: Storage, streams: Streams) -> None:
    """Live, every message is seen, though the next one on its subject replaces it in the stream."""
    stream = await streams.new(max_msgs_per_subject=1)
    async with reading(stream) as reader:
        for sequence in range(1, 6):
            await _expect_next(stream, reader, "a", sequence)
    equal((await stream.state()).messages, 1, "messages in the stream")
