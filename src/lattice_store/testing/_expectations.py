"""Checks of a publish with expectations."""

from __future__ import annotations

import asyncio
from typing import Any

from lattice_store.errors import (
    ExpectedStreamMismatchError,
    WrongLastMessageIdError,
    WrongLastSequenceError,
)
from lattice_store.model import Expect, PubAck, StreamState
from lattice_store.storage import Storage
from lattice_store.testing._harness import Stream, Streams, equal, holds, raises


async def _publish(stream: Stream, rest: str, expect: Expect) -> PubAck:
    return await stream.storage.publish(stream.subject(rest), b"x", expect=expect)


async def check_expected_last_sequence(storage: Storage, streams: Streams) -> None:
    """The stream's last sequence must be as expected; the error says what it is."""
    stream = await streams.new()
    equal(await _publish(stream, "a", Expect(last_sequence=0)), PubAck(stream.name, 1), "ack on an empty stream")
    equal(await _publish(stream, "b", Expect(last_sequence=1)), PubAck(stream.name, 2), "ack")
    for wrong in (0, 1, 3):
        with raises(WrongLastSequenceError, 400, 10071, "wrong last sequence: 2") as refused:
            await _publish(stream, "a", Expect(last_sequence=wrong))
        equal(refused.error.actual, 2, "the sequence in the error")
    equal(await stream.stored(), {1: "a", 2: "b"}, "stored messages")


async def check_expected_last_sequence_counts_removed_messages(storage: Storage, streams: Streams) -> None:
    """Removing messages does not take the last sequence back."""
    stream = await streams.new()
    await stream.fill("a", "b")
    await storage.delete_message(stream.name, 2)
    equal(await _publish(stream, "a", Expect(last_sequence=2)), PubAck(stream.name, 3), "ack after a delete")
    await storage.purge(stream.name)
    with raises(WrongLastSequenceError, 400, 10071, "wrong last sequence: 3"):
        await _publish(stream, "a", Expect(last_sequence=0))
    equal(await _publish(stream, "a", Expect(last_sequence=3)), PubAck(stream.name, 4), "ack after a purge")


async def check_expected_last_subject_sequence(storage: Storage, streams: Streams) -> None:
    """The compare-and-set of one subject: 0 creates, the last sequence replaces."""
    stream = await streams.new()
    equal(await _publish(stream, "a", Expect(last_subject_sequence=0)), PubAck(stream.name, 1), "ack of the first")
    await stream.fill("b")
    for wrong in (0, 2):
        with raises(WrongLastSequenceError, 400, 10071, "wrong last sequence: 1"):
            await _publish(stream, "a", Expect(last_subject_sequence=wrong))
    equal(await _publish(stream, "a", Expect(last_subject_sequence=1)), PubAck(stream.name, 3), "ack of the second")
    with raises(WrongLastSequenceError, 400, 10071, "wrong last sequence: 0"):
        await _publish(stream, "c", Expect(last_subject_sequence=1))


async def check_expected_last_subject_sequence_looks_at_what_is_stored(storage: Storage, streams: Streams) -> None:
    """A removed message no longer counts for its subject."""
    stream = await streams.new()
    await stream.fill("a", "a", "b")
    await storage.delete_message(stream.name, 2)
    with raises(WrongLastSequenceError, 400, 10071, "wrong last sequence: 1"):
        await _publish(stream, "a", Expect(last_subject_sequence=2))
    await storage.purge(stream.name, subject=stream.subject("a"))
    equal(await _publish(stream, "a", Expect(last_subject_sequence=0)), PubAck(stream.name, 4), "ack")


async def check_expected_last_subject_sequence_of_a_filter(storage: Storage, streams: Streams) -> None:
    """The sequence may be looked up on another subject, or on many at once."""
    stream = await streams.new()
    await stream.fill("a.x", "a.y", "b")
    wide, other = stream.subject("a.*"), stream.subject("b")
    with raises(WrongLastSequenceError, 400, 10071, "wrong last sequence: 2"):
        await _publish(stream, "a.x", Expect(last_subject_sequence=1, last_subject_filter=wide))
    ack = await _publish(stream, "a.x", Expect(last_subject_sequence=2, last_subject_filter=wide))
    equal(ack, PubAck(stream.name, 4), "ack over a.*")
    ack = await _publish(stream, "a.x", Expect(last_subject_sequence=3, last_subject_filter=other))
    equal(ack, PubAck(stream.name, 5), "ack over b")
    unused = stream.subject("unused.>")
    ack = await _publish(stream, "a.x", Expect(last_subject_sequence=0, last_subject_filter=unused))
    equal(ack, PubAck(stream.name, 6), "ack over what was never used")


async def check_expected_last_message_id(storage: Storage, streams: Streams) -> None:
    """It is the message ID of the very last message, on whatever subject; a message without one has none."""
    stream = await streams.new()
    with raises(WrongLastMessageIdError, 400, 10070, "wrong last msg ID: "):
        await _publish(stream, "a", Expect(last_message_id="one"))
    await storage.publish(stream.subject("a"), b"", message_id="one")
    with raises(WrongLastMessageIdError, 400, 10070, "wrong last msg ID: one"):
        await _publish(stream, "b", Expect(last_message_id="two"))
    equal(await _publish(stream, "b", Expect(last_message_id="one")), PubAck(stream.name, 2), "ack")
    with raises(WrongLastMessageIdError, 400, 10070, "wrong last msg ID: "):
        await _publish(stream, "b", Expect(last_message_id="one"))


async def check_expected_last_message_id_survives_a_purge(storage: Storage, streams: Streams) -> None:
    """The last message ID stays the last one when its message is removed."""
    stream = await streams.new()
    await storage.publish(stream.subject("a"), b"", message_id="one")
    await storage.purge(stream.name)
    equal(await _publish(stream, "a", Expect(last_message_id="one")), PubAck(stream.name, 2), "ack")


async def check_expected_stream(storage: Storage, streams: Streams) -> None:
    """A subject bound to another stream than expected takes nothing."""
    stream = await streams.new()
    with raises(ExpectedStreamMismatchError, 400, 10060, "expected stream does not match"):
        await _publish(stream, "a", Expect(stream="OTHER"))
    equal(await stream.state(), StreamState(), "state")
    equal(await _publish(stream, "a", Expect(stream=stream.name)), PubAck(stream.name, 1), "ack")


async def check_expectations_must_all_hold(storage: Storage, streams: Streams) -> None:
    """Several expectations are one condition."""
    stream = await streams.new()
    await storage.publish(stream.subject("a"), b"", message_id="one")
    await storage.publish(stream.subject("b"), b"", message_id="two")
    right: dict[str, Any] = {
        "stream": stream.name,
        "last_sequence": 2,
        "last_subject_sequence": 1,
        "last_message_id": "two",
    }
    for name, wrong, error in (
        ("stream", "OTHER", ExpectedStreamMismatchError),
        ("last_sequence", 1, WrongLastSequenceError),
        ("last_subject_sequence", 2, WrongLastSequenceError),
        ("last_message_id", "one", WrongLastMessageIdError),
    ):
        with raises(error):
            await _publish(stream, "a", Expect(**{**right, name: wrong}))
    equal((await stream.state()).messages, 2, "messages after the refusals")
    equal(await _publish(stream, "a", Expect(**right)), PubAck(stream.name, 3), "ack")


async def check_only_one_of_two_writers_wins(storage: Storage, streams: Streams) -> None:
    """Of two writers with the same expectation one is refused, every time."""
    stream = await streams.new()
    for sequence in range(10):
        expect = Expect(last_subject_sequence=sequence)
        answers = await asyncio.gather(*(_publish(stream, "a", expect) for _ in range(2)), return_exceptions=True)
        equal([answer for answer in answers if isinstance(answer, PubAck)], [PubAck(stream.name, sequence + 1)], "acks")
        holds(any(isinstance(answer, WrongLastSequenceError) for answer in answers), f"one refusal in {answers}")
