"""Checks of publishing many messages with a window of outstanding acks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator

from lattice_store.errors import (
    InvalidArgumentError,
    InvalidSubjectError,
    LatticeStoreError,
    NoRespondersError,
    WrongLastSequenceError,
)
from lattice_store.model import Expect, PubAck, Publication, StreamState
from lattice_store.storage import Storage
from lattice_store.testing._harness import READ_DEADLINE_S, Stream, Streams, equal, holds, raises

_Results = AsyncGenerator[PubAck | LatticeStoreError, None]


class _Counted:
    """Publications on one subject, counting how many were taken."""

    def __init__(self, stream: Stream, count: int) -> None:
        self.taken = 0
        self._stream = stream
        self._count = count

    def __iter__(self) -> Iterator[Publication]:
        for number in range(1, self._count + 1):
            self.taken = number
            yield Publication(subject=self._stream.subject("a"), payload=b"%d" % number)


async def _collect(storage: Storage, publications: Iterable[Publication]) -> list[PubAck | LatticeStoreError]:
    return [result async for result in storage.publish_many(publications)]


async def check_publish_many_keeps_the_order(storage: Storage, streams: Streams) -> None:
    """Two thousand publications: acks and stored messages in input order."""
    stream = await streams.new()
    results = await _collect(storage, _Counted(stream, 2000))
    equal(results, [PubAck(stream.name, sequence) for sequence in range(1, 2001)], "results")
    for sequence in (1, 2, 1000, 1999, 2000):
        message = await storage.get_message(stream.name, sequence)
        equal(message.payload, b"%d" % sequence, f"payload at {sequence}")


async def check_publish_many_of_nothing(storage: Storage, streams: Streams) -> None:
    """No publication, no result."""
    equal(await _collect(storage, ()), [], "results")


async def check_publish_many_gives_errors_as_values(storage: Storage, streams: Streams) -> None:
    """A refusal stands in its place and does not stop the others."""
    stream = await streams.new()
    subject = stream.subject("a")
    results = await _collect(
        storage,
        [
            Publication(subject=subject, payload=b"1"),
            Publication(subject=subject, payload=b"", expect=Expect(last_sequence=9)),
            Publication(subject="not a subject", payload=b""),
            Publication(subject=f"{stream.name}.unbound", payload=b""),
            Publication(subject=subject, payload=b"2", expect=Expect(last_subject_sequence=1)),
        ],
    )
    equal(results[::4], [PubAck(stream.name, 1), PubAck(stream.name, 2)], "the acks")
    expected = (WrongLastSequenceError, InvalidSubjectError, NoRespondersError)
    for result, kind in zip(results[1:4], expected, strict=True):
        holds(isinstance(result, kind), f"{kind.__name__} as a value, not {result!r}")
    equal(str(results[1]), "wrong last sequence: 1 (400/10071)", "the refusal in words")
    equal(await stream.stored(), {1: "a", 2: "a"}, "stored messages")


async def check_publish_many_takes_all_arguments_of_publish(storage: Storage, streams: Streams) -> None:
    """Headers, message ID and expectations reach the stream as with a single publish."""
    stream = await streams.new()
    publication = Publication(
        subject=stream.subject("a"),
        payload=b"x",
        headers={"K": "v"},
        message_id="id",
        expect=Expect(stream=stream.name),
    )
    results = await _collect(storage, [publication, publication])
    equal(results, [PubAck(stream.name, 1), PubAck(stream.name, 1, duplicate=True)], "results")
    block = f"NATS/1.0\r\nK: v\r\nNats-Msg-Id: id\r\nNats-Expected-Stream: {stream.name}\r\n\r\n"
    equal((await storage.get_message(stream.name, 1)).headers.block, block.encode(), "header block")


async def check_publish_many_takes_no_more_than_its_window(storage: Storage, streams: Streams) -> None:
    """What was taken and not yet yielded never exceeds the window."""
    stream = await streams.new()
    for window in (1, 3):
        publications = _Counted(stream, 20)
        yielded = 0
        async for _ in storage.publish_many(publications, window=window):
            yielded += 1
            ahead = publications.taken - yielded
            holds(ahead <= window, f"at most {window} publications ahead, not {ahead}")
        equal(yielded, 20, "results")
    equal((await stream.state()).messages, 40, "messages")


async def _close_after_first(results: _Results) -> None:
    await anext(results)
    await results.aclose()


async def check_publish_many_closed_early_sends_nothing_more(storage: Storage, streams: Streams) -> None:
    """After the iteration is closed no publication is taken, and what was sent is all that is ever stored."""
    stream = await streams.new()
    publications = _Counted(stream, 100)
    await _close_after_first(storage.publish_many(publications, window=5))
    taken = publications.taken
    holds(taken <= 6, f"at most 6 publications taken, not {taken}")
    ack = await storage.publish(stream.subject("b"), b"")  # behind everything sent before it
    holds(1 < ack.sequence <= taken + 1, f"a sequence after at most {taken} messages, not {ack.sequence}")
    await stream.fill("b")
    equal((await stream.state()).last_sequence, ack.sequence + 1, "last sequence")
    equal(publications.taken, taken, "publications taken in the end")


async def check_publish_many_may_be_cancelled(storage: Storage, streams: Streams) -> None:
    """A task cancelled in the middle ends, and the storage goes on working."""
    stream = await streams.new()
    first = asyncio.Event()

    async def publish() -> None:
        async for _ in storage.publish_many(_Counted(stream, 10_000), window=10):
            first.set()
            await asyncio.sleep(0)

    task = asyncio.create_task(publish())
    async with asyncio.timeout(READ_DEADLINE_S):
        await first.wait()
        task.cancel()
        await asyncio.wait([task])
    holds(task.cancelled(), "a cancelled task")
    before = (await storage.publish(stream.subject("b"), b"")).sequence
    holds(before < 10_000, f"publishing to have stopped, not to have reached {before}")
    equal(await storage.publish(stream.subject("b"), b""), PubAck(stream.name, before + 1), "ack afterwards")


async def check_publish_many_needs_a_window(storage: Storage, streams: Streams) -> None:
    """A window below 1 is refused, and nothing is sent."""
    stream = await streams.new()
    for window in (0, -1):
        with raises(InvalidArgumentError):
            async for _ in storage.publish_many(_Counted(stream, 1), window=window):
                pass
    equal(await stream.state(), StreamState(), "state")
