"""Retention by interest and as a work queue: messages go when all who want them are done with them.

Sources: nats-server stream.go ``ackMsg``, ``checkForInterest``; consumer.go ``needAck``, ``cleanupNoInterestMessages``.
A replay counts as a consumer without acks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from lattice_store.model import Message
from lattice_store.subjects import matches

if TYPE_CHECKING:
    from lattice_store_sim._core._stream import Stream


class Reader(Protocol):
    """A consumer or a replay."""

    def wants(self, subject: str, /) -> bool:
        """Return whether messages of a subject are for it."""
        ...

    def needs(self, message: Message) -> bool:
        """Return whether it is not done with a message."""
        ...

    def looked_through(self, *, beyond_floor: bool) -> int:
        """Return up to where it may be done with messages, as a server knows that keeps only its stored state."""
        ...


def _readers(stream: Stream) -> Iterator[Reader]:
    yield from stream.consumers.values()
    yield from stream.cursors
    yield from stream.followers


def is_wanted(stream: Stream, subject: str) -> bool:
    """Return whether any reader is interested in a subject."""
    if not any(reader.wants(subject) for reader in _readers(stream)):
        return False
    return not (stream.context.profile.longer_filters_hide_stars and _is_hidden(stream, subject))


def _is_hidden(stream: Stream, subject: str) -> bool:
    """Return whether a server overlooks those who want a subject (gsl.go, ``matchLevelForAny``).

    Where a longer filter goes on with the subject's last token, it does not look at a ``*`` in that place any more.
    """
    if any(cursor.wants(subject) for cursor in stream.cursors):
        return False
    filters = {each for one in stream.consumers.values() for each in one.config.filters or (">",)}
    last = subject.rpartition(".")[2]
    return all(
        wanting.endswith("*") and any(each.startswith(f"{wanting[:-1]}{last}.") for each in filters)
        for wanting in filters
        if matches(wanting, subject)
    )


def _is_needed(stream: Stream, message: Message) -> bool:
    return any(reader.needs(message) for reader in _readers(stream))


def settled(stream: Stream, sequences: Iterable[int]) -> None:
    """Remove what a reader is done with, unless another one needs it."""
    retention, profile = stream.config.retention, stream.context.profile
    if retention == "limits":
        return
    others_asked = retention == "interest" or profile.work_queues_ask_others
    for sequence in sequences:
        message = stream.log.messages.get(sequence)
        if message is not None and not (others_asked and _is_needed(stream, message)):
            stream.log.remove(sequence)


def reader_gone(stream: Stream, done_to: int) -> None:
    """Remove what only a reader needed that is gone; without any left nothing is kept.

    Args:
        stream: what it read.
        done_to: it was done with everything up to this sequence.
    """
    if stream.config.retention != "interest":
        return
    if any(True for _ in _readers(stream)) or not stream.context.profile.last_end_purges:
        _remove_unneeded(stream, done_to)
    else:
        stream.log.purge("")


def interest_changed(stream: Stream, done_to: int) -> None:
    """Remove what nobody needs, from a sequence on: a reader's filters have changed."""
    if stream.config.retention == "interest" and stream.context.profile.changed_filters_lose_interest:
        _remove_unneeded(stream, done_to)


def _remove_unneeded(stream: Stream, done_to: int) -> None:
    later = [message for message in stream.log.messages.values() if message.sequence >= done_to]
    stream.log.remove_all(message.sequence for message in later if not _is_needed(stream, message))


def began(stream: Stream) -> None:
    """Remove what those who want it are done with already: from now on interest decides."""
    profile = stream.context.profile
    if profile.unread_streams_emptied and not any(True for _ in _readers(stream)):
        stream.log.remove_all(list(stream.log.messages))
        return
    for reader in _readers(stream):
        done_to = reader.looked_through(beyond_floor=profile.interest_beyond_floor)
        done = [one for one in stream.log.messages.values() if one.sequence <= done_to and reader.wants(one.subject)]
        stream.log.remove_all(one.sequence for one in done if not _is_needed(stream, one))
