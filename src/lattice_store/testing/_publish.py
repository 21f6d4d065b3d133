"""Checks of publishing one message: what is stored, message IDs, bad input."""

from __future__ import annotations

import asyncio
from typing import Any

from lattice_store.errors import (
    ApiError,
    InvalidArgumentError,
    InvalidHeaderError,
    InvalidSubjectError,
    NoRespondersError,
    WrongLastSequenceError,
)
from lattice_store.model import Expect, PubAck, StreamState
from lattice_store.storage import Storage
from lattice_store.testing._harness import Streams, equal, holds, raises


async def check_publish_numbers_messages_from_one(storage: Storage, streams: Streams) -> None:
    """Acks name the stream and count up, over all its subjects."""
    stream = await streams.new()
    for sequence, rest in enumerate(("a", "b", "a", "a.b.c"), start=1):
        ack = await storage.publish(stream.subject(rest), b"x")
        equal(ack, PubAck(stream.name, sequence), f"ack of publish {sequence}")
    equal(await stream.stored(), {1: "a", 2: "b", 3: "a", 4: "a.b.c"}, "stored messages")


async def check_publish_stores_what_was_given(storage: Storage, streams: Streams) -> None:
    """Subject, payload and headers come back as they went, byte for byte."""
    stream = await streams.new()
    payload = bytes(range(256))
    await storage.publish(stream.subject("a"), payload, headers={"Zebra": "z: y", "apple": "1", "Empty": ""})
    message = await storage.get_message(stream.name, 1)
    equal((message.subject, message.sequence), (stream.subject("a"), 1), "subject and sequence")
    equal(message.payload, payload, "payload")
    equal(dict(message.headers), {"Zebra": "z: y", "apple": "1", "Empty": ""}, "headers")
    equal(message.headers.block, b"NATS/1.0\r\nZebra: z: y\r\napple: 1\r\nEmpty: \r\n\r\n", "header block")


async def check_publish_stores_empty_payloads(storage: Storage, streams: Streams) -> None:
    """An empty payload is a payload, with headers and without."""
    stream = await streams.new()
    await storage.publish(stream.subject("a"), b"")
    await storage.publish(stream.subject("a"), b"", headers={"K": "v"})
    plain, headed = [await storage.get_message(stream.name, sequence) for sequence in (1, 2)]
    equal((plain.payload, plain.headers.block), (b"", b""), "payload and header block")
    equal((headed.payload, headed.headers.block), (b"", b"NATS/1.0\r\nK: v\r\n\r\n"), "payload and header block")


async def check_publish_stores_large_payloads(storage: Storage, streams: Streams) -> None:
    """Half a mebibyte is stored whole."""
    stream = await streams.new()
    payload = bytes(range(256)) * 2048
    await storage.publish(stream.subject("a"), payload)
    holds((await storage.get_message(stream.name, 1)).payload == payload, "the same 524288 bytes")


async def check_publish_stamps_rising_times(storage: Storage, streams: Streams) -> None:
    """Every message has the time it was stored; the state shows the first and the last."""
    stream = await streams.new()
    await stream.fill("a", "b", "c")
    times = [(await storage.get_message(stream.name, sequence)).time_ns for sequence in (1, 2, 3)]
    equal(times, sorted(times), "times, in order")
    holds(times[0] > 0, "times after 1970")
    state = (await stream.info()).state
    equal((state.first_time_ns, state.last_time_ns), (times[0], times[2]), "first and last time")


async def check_publish_stores_control_headers(storage: Storage, streams: Streams) -> None:
    """Message ID and expectations are stored as headers, after the caller's own."""
    stream = await streams.new()
    expect = Expect(stream=stream.name, last_sequence=0, last_subject_sequence=0)
    await storage.publish(stream.subject("a"), b"", headers={"K": "v"}, message_id="id", expect=expect)
    block = (
        f"NATS/1.0\r\nK: v\r\nNats-Msg-Id: id\r\nNats-Expected-Stream: {stream.name}\r\n"
        "Nats-Expected-Last-Sequence: 0\r\nNats-Expected-Last-Subject-Sequence: 0\r\n\r\n"
    )
    equal((await storage.get_message(stream.name, 1)).headers.block, block.encode(), "header block")


async def check_publish_to_an_unbound_subject(storage: Storage, streams: Streams) -> None:
    """Where no stream listens nothing is stored, and the error says so."""
    stream = await streams.new()
    for subject in (f"{stream.name}.a", stream.space):
        with raises(NoRespondersError):
            await storage.publish(subject, b"x")
    equal(await stream.state(), StreamState(), "state")


async def check_publish_takes_wildcard_letters_inside_tokens(storage: Storage, streams: Streams) -> None:
    """``*`` and ``>`` are wildcards only as whole tokens."""
    stream = await streams.new()
    await stream.fill("a*", ">b", "c>d")
    equal(await stream.stored(), {1: "a*", 2: ">b", 3: "c>d"}, "stored messages")
    equal((await storage.get_last_message(stream.name, stream.subject("a*"))).sequence, 1, "last on a*")


async def check_publish_at_the_same_time(storage: Storage, streams: Streams) -> None:
    """Fifty publishes at once get fifty sequences and lose nothing."""
    stream = await streams.new()
    acks = await asyncio.gather(*(storage.publish(stream.subject(f"s{n}"), b"%d" % n) for n in range(50)))
    equal(sorted(ack.sequence for ack in acks), list(range(1, 51)), "sequences")
    for n, ack in enumerate(acks):
        equal((await storage.get_message(stream.name, ack.sequence)).payload, b"%d" % n, f"payload of publish {n}")


async def check_message_id_stores_once(storage: Storage, streams: Streams) -> None:
    """A known message ID is acknowledged with the first sequence and stores nothing, whatever the payload."""
    stream = await streams.new()
    first = await storage.publish(stream.subject("a"), b"first", message_id="id")
    await stream.fill("b")
    again = await storage.publish(stream.subject("a"), b"second", message_id="id")
    equal(first, PubAck(stream.name, 1), "first ack")
    equal(again, PubAck(stream.name, 1, duplicate=True), "second ack")
    equal(await stream.stored(), {1: "a", 2: "b"}, "stored messages")
    equal((await storage.get_message(stream.name, 1)).payload, b"first", "payload")


async def check_message_id_belongs_to_the_stream(storage: Storage, streams: Streams) -> None:
    """The same message ID on another subject of the stream is a duplicate; IDs are case-sensitive."""
    stream = await streams.new()
    await storage.publish(stream.subject("a"), b"", message_id="id")
    elsewhere = await storage.publish(stream.subject("b"), b"", message_id="id")
    equal(elsewhere, PubAck(stream.name, 1, duplicate=True), "ack on another subject")
    equal(await storage.publish(stream.subject("b"), b"", message_id="ID"), PubAck(stream.name, 2), "ack of ID")


async def check_message_id_as_a_plain_header(storage: Storage, streams: Streams) -> None:
    """The server reads the header block: a message ID given there counts, a differently spelt header does not."""
    stream = await streams.new()
    await storage.publish(stream.subject("a"), b"", message_id="id")
    same = await storage.publish(stream.subject("a"), b"", headers={"Nats-Msg-Id": "id"})
    equal(same, PubAck(stream.name, 1, duplicate=True), "ack of the header")
    other = await storage.publish(stream.subject("a"), b"", headers={"nats-msg-id": "id"})
    equal(other, PubAck(stream.name, 2), "ack of the lower-case header")


async def check_message_id_outlives_its_message(storage: Storage, streams: Streams) -> None:
    """Neither delete nor purge nor eviction makes a stream forget a message ID."""
    stream = await streams.new(max_msgs_per_subject=1)
    for sequence, rest in enumerate(("deleted", "purged", "evicted"), start=1):
        await storage.publish(stream.subject(rest), b"", message_id=rest)
        equal((await stream.state()).last_sequence, sequence, "last sequence")
    await storage.delete_message(stream.name, 1)
    await storage.purge(stream.name, subject=stream.subject("purged"))
    await stream.fill("evicted")
    for sequence, rest in enumerate(("deleted", "purged", "evicted"), start=1):
        ack = await storage.publish(stream.subject(rest), b"", message_id=rest)
        equal(ack, PubAck(stream.name, sequence, duplicate=True), f"ack of the {rest} message's ID")


async def check_message_id_of_a_refused_publish_is_not_remembered(storage: Storage, streams: Streams) -> None:
    """A refusal leaves no trace."""
    stream = await streams.new()
    with raises(WrongLastSequenceError):
        await storage.publish(stream.subject("a"), b"", message_id="id", expect=Expect(last_sequence=7))
    ack = await storage.publish(stream.subject("a"), b"", message_id="id")
    equal(ack, PubAck(stream.name, 1), "ack")


async def check_rollup_of_a_subject(storage: Storage, streams: Streams) -> None:
    """``Nats-Rollup: sub`` leaves the new message alone on its subject."""
    stream = await streams.new(allow_rollup=True)
    await stream.fill("a", "b", "a")
    ack = await storage.publish(stream.subject("a"), b"sum", headers={"Nats-Rollup": "sub"})
    equal(ack, PubAck(stream.name, 4), "ack")
    equal(await stream.stored(), {2: "b", 4: "a"}, "stored messages")


async def check_rollup_of_the_stream(storage: Storage, streams: Streams) -> None:
    """``Nats-Rollup: all`` leaves the new message alone in the stream; the value's case does not count."""
    stream = await streams.new(allow_rollup=True)
    await stream.fill("a", "b", "a")
    await storage.publish(stream.subject("a"), b"sum", headers={"Nats-Rollup": "ALL"})
    equal(await stream.stored(), {4: "a"}, "stored messages")


async def check_rollup_refused(storage: Storage, streams: Streams) -> None:
    """A rollup needs the stream's permission and a known value; refused, it changes nothing."""
    plain, allowing = await streams.new(), await streams.new(allow_rollup=True)
    await plain.fill("a")
    await allowing.fill("a")
    with raises(ApiError, 500, 10111, "rollup not permitted"):
        await storage.publish(plain.subject("a"), b"", headers={"Nats-Rollup": "sub"})
    with raises(ApiError, 500, 10111, 'rollup value invalid: "xx"'):
        await storage.publish(allowing.subject("a"), b"", headers={"Nats-Rollup": "xx"})
    for stream in (plain, allowing):
        equal(await stream.stored(), {1: "a"}, "stored messages")


async def check_bad_publications_are_refused_before_sending(storage: Storage, streams: Streams) -> None:
    """Subjects, headers and message IDs that would not arrive as given are named and not sent."""
    stream = await streams.new()
    subject = stream.subject("a")
    for bad in ("", "a b", "a..b", ".a", "a.", "a.*", "a.>", "a\r\nPUB b 0", "ä", "x" * 1025):
        with raises(InvalidSubjectError):
            await storage.publish(bad, b"")
    for name, value in (
        ("", "v"),
        ("a b", "v"),
        ("a:b", "v"),
        ("a", "v\r\nb: c"),
        ("a", " v"),
        ("a", "v "),
        ("a", "ä"),
    ):
        with raises(InvalidHeaderError):
            await storage.publish(subject, b"", headers={name: value})
    with raises(InvalidArgumentError):
        await storage.publish(subject, b"", message_id="")
    with raises(InvalidHeaderError):
        await storage.publish(subject, b"", message_id="a\r\nb")
    with raises(InvalidArgumentError):
        await storage.publish(subject, b"", headers={"Nats-Msg-Id": "a"}, message_id="b")
    bad_expectations: list[dict[str, Any]] = [
        {"last_sequence": -1},
        {"last_subject_sequence": -1},
        {"last_subject_filter": "a"},
    ]
    for bad_expectation in bad_expectations:
        with raises(InvalidArgumentError):
            Expect(**bad_expectation)
    equal(await stream.state(), StreamState(), "state")
