"""Checks of reading single messages."""

from __future__ import annotations

from lattice_store.errors import InvalidArgumentError, InvalidSubjectError, MessageNotFoundError, StreamNotFoundError
from lattice_store.storage import Storage
from lattice_store.testing._harness import Stream, Streams, equal, raises

_NO_STREAM = (404, 10059, "stream not found")
_NO_MESSAGE = (404, 10037, "no message found")


async def _last(stream: Stream, filter_: str) -> int:
    return (await stream.storage.get_last_message(stream.name, stream.subject(filter_))).sequence


async def check_get_message_of_every_sequence(storage: Storage, streams: Streams) -> None:
    """Each sequence gives its own message."""
    stream = await streams.new()
    for number in range(1, 6):
        await storage.publish(stream.subject(f"s{number}"), b"%d" % number)
    for number in (3, 1, 5, 2, 4):
        message = await storage.get_message(stream.name, number)
        found = (message.sequence, message.subject, message.payload)
        equal(found, (number, stream.subject(f"s{number}"), b"%d" % number), f"message at {number}")


async def check_get_message_where_there_is_none(storage: Storage, streams: Streams) -> None:
    """Beyond the end, removed or evicted: one answer for all."""
    stream = await streams.new(max_msgs=3)
    with raises(MessageNotFoundError, *_NO_MESSAGE):
        await storage.get_message(stream.name, 1)
    await stream.fill("a", "b", "c", "d")
    await storage.delete_message(stream.name, 3)
    for sequence in (1, 3, 5, 10**12):
        with raises(MessageNotFoundError, *_NO_MESSAGE):
            await storage.get_message(stream.name, sequence)


async def check_get_from_a_missing_stream(storage: Storage, streams: Streams) -> None:
    """No stream is not the same as no message."""
    name = streams.config().name
    with raises(StreamNotFoundError, *_NO_STREAM):
        await storage.get_message(name, 1)
    with raises(StreamNotFoundError, *_NO_STREAM):
        await storage.get_last_message(name, "a")
    with raises(StreamNotFoundError, *_NO_STREAM):
        await storage.count_subjects(name)


async def check_get_last_message_of_a_subject(storage: Storage, streams: Streams) -> None:
    """The newest on the subject; others do not matter."""
    stream = await streams.new()
    await stream.fill("a", "b", "a", "c")
    equal([await _last(stream, rest) for rest in "abc"], [3, 2, 4], "last sequences of a, b, c")
    with raises(MessageNotFoundError, *_NO_MESSAGE):
        await _last(stream, "d")


async def check_get_last_message_of_a_filter(storage: Storage, streams: Streams) -> None:
    """``*`` stands for one token, ``>`` for one or more."""
    stream = await streams.new()
    await stream.fill("a.x", "a.y.z", "b.x", "a.y", "c")
    for filter_, sequence in (("a.*", 4), ("a.*.z", 2), ("a.>", 4), ("*.x", 3), ("*", 5), ("*.*", 4), (">", 5)):
        equal(await _last(stream, filter_), sequence, f"last sequence of {filter_}")
    for filter_ in ("a", "a.x.*", "c.>", "*.*.*.*"):
        with raises(MessageNotFoundError, *_NO_MESSAGE):
            await _last(stream, filter_)


async def check_get_last_message_steps_back_after_a_delete(storage: Storage, streams: Streams) -> None:
    """When the newest is removed the one before it is the last."""
    stream = await streams.new()
    await stream.fill("a", "b", "a")
    await storage.delete_message(stream.name, 3)
    equal((await _last(stream, "a"), await _last(stream, "*")), (1, 2), "last sequences of a and *")


async def check_get_last_message_of_everything_looks_at_the_end_only(storage: Storage, streams: Streams) -> None:
    """``>`` means the message at the last sequence; if that was removed, none (memstore.go, filestore.go)."""
    stream = await streams.new()
    await stream.fill("a", "b")
    equal((await storage.get_last_message(stream.name, ">")).sequence, 2, "last sequence of >")
    await storage.delete_message(stream.name, 2)
    with raises(MessageNotFoundError, *_NO_MESSAGE):
        await storage.get_last_message(stream.name, ">")
    equal(await _last(stream, ">"), 1, "last sequence of a filter with one more token")


async def check_get_last_message_outside_the_stream(storage: Storage, streams: Streams) -> None:
    """A filter that the stream does not capture finds nothing."""
    stream = await streams.new()
    await stream.fill("a")
    for filter_ in (f"{stream.name}.a", stream.space, f"{stream.space}.a.b"):
        with raises(MessageNotFoundError, *_NO_MESSAGE):
            await storage.get_last_message(stream.name, filter_)


async def check_count_subjects(storage: Storage, streams: Streams) -> None:
    """Each subject that holds a message counts once, whatever it held before."""
    stream = await streams.new()
    equal(await storage.count_subjects(stream.name), 0, "subjects of an unused stream")
    await stream.fill("a", "b.x", "a", "b.y", "c")
    filters: dict[str, tuple[str, ...]] = {rest: (stream.subject(rest),) for rest in ("a", "b.*", "*", ">", "none")}
    filters["a and b.y"] = (stream.subject("a"), stream.subject("b.y"))
    counts = {rest: await storage.count_subjects(stream.name, subjects=subjects) for rest, subjects in filters.items()}
    equal(counts, {"a": 1, "b.*": 2, "*": 2, ">": 4, "none": 0, "a and b.y": 2}, "subjects by filter")
    await storage.delete_message(stream.name, 3)
    equal(await storage.count_subjects(stream.name), 4, "subjects after a delete that left a message")
    await storage.delete_message(stream.name, 1)
    await storage.purge(stream.name, subject=stream.subject("b.x"))
    equal(await storage.count_subjects(stream.name), 2, "subjects after the last messages of two went")
    equal((await stream.state()).consumer_count, 0, "consumers left behind")


async def check_bad_reads_are_refused_before_sending(storage: Storage, streams: Streams) -> None:
    """Sequences start at 1, and a filter must be one; asked of a stream that is not there, to see the order."""
    name = streams.config().name
    for sequence in (0, -1):
        with raises(InvalidArgumentError):
            await storage.get_message(name, sequence)
    for filter_ in ("", "a..b", "a b", ">.a", "x" * 1025):
        with raises(InvalidSubjectError):
            await storage.get_last_message(name, filter_)
        with raises(InvalidSubjectError):
            await storage.count_subjects(name, subjects=(filter_,))
    with raises(InvalidArgumentError):
        await storage.count_subjects(name, subjects=("a.*", "a.b"))
