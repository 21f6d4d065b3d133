"""What a get finds: one message, a batch of them, or the last of each subject.

Sources: nats-server jetstream_api.go, ``jsMsgGetRequest``; stream.go, ``getDirectRequest`` and ``getDirectMulti``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import msgspec

from lattice_store.model import Message
from lattice_store.subjects import is_literal
from lattice_store_sim._core._consumer_config import TimeNs
from lattice_store_sim._core._filters import compile_filters, everything

if TYPE_CHECKING:
    from lattice_store_sim._core._log import Log

_MOST_RESULTS: Final = 1024
_DEFAULT_MAX_BYTES: Final = 64 << 20
"""What a batch holds at most if it does not say: the server's ``max_pending``."""
_NEARBY: Final = 256
"""Up to so many sequences are looked at one by one before the subjects are asked."""
_DEARER: Final = 8
"""How many sequences can be looked at in the time that one subject takes."""

_Unsigned = Annotated[int, msgspec.Meta(ge=0)]


class Get(msgspec.Struct, frozen=True, kw_only=True):
    """What a get asks for, in the server's terms (jetstream_api.go, ``JSApiMsgGetRequest``); 0 and "" are "not set"."""

    seq: _Unsigned = 0
    last_by_subj: str = ""
    next_by_subj: str = ""
    batch: int = 0
    max_bytes: int = 0
    start_time: TimeNs | None = None
    multi_last: tuple[str, ...] = ()
    up_to_seq: _Unsigned = 0
    up_to_time: TimeNs | None = None
    no_hdr: bool = False


class Found(NamedTuple):
    """One message of a batch."""

    message: Message
    pending: int
    """How many are still to come, in this batch and after it."""
    previous: int
    """The sequence of the message before it in the batch, 0 for the first."""


class Batch(msgspec.Struct, frozen=True):
    """What a batch consists of, and what is said at its end."""

    found: list[Found]
    pending: int
    up_to: int | None = None
    """The sequence up to which the last of each subject was looked for, where it was."""

    @property
    def last(self) -> int:
        return self.found[-1].message.sequence if self.found else 0


class NothingFoundError(Exception):
    """There is no answer to a get but this status.

    Args:
        code: as in HTTP.
        description: in the server's words.
    """

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code, self.description = code, description


# -- one message ------------------------------------------------------------------------------------


def find(log: Log, get: Get) -> Message | None:
    """Return the message that is asked for, if it is stored."""
    sequence = _start(log, get)
    if get.next_by_subj:
        sequence = next_of(log, get.next_by_subj, sequence)
    elif not sequence:
        sequence = log.last_of(get.last_by_subj or ">")
    return log.messages.get(sequence)


def _start(log: Log, get: Get) -> int:
    return get.seq if get.start_time is None else log.first_since(get.start_time)


def next_of(log: Log, filter_: str, sequence: int) -> int:
    """Return the first stored sequence at or after *sequence* whose subject matches, 0 if there is none."""
    wants = compile_filters((filter_,))
    start, last = max(sequence, log.first_sequence), log.last_sequence
    if wants is not everything and is_literal(filter_):
        return log.subjects.next(filter_, start)
    end = last if wants is everything else min(last, start + _NEARBY)
    for nearby in range(start, end + 1):
        message = log.messages.get(nearby)
        if message is not None and wants(message.subject):
            return nearby
    if end == last:
        return 0
    following = (log.subjects.next(subject, end) for subject in log.subjects if wants(subject))
    return min(filter(None, following), default=0)


def count_from(log: Log, filter_: str, sequence: int) -> int:
    """Return how many stored messages at or after *sequence* have a subject that matches."""
    if sequence > log.last_sequence:
        return 0
    if filter_ in ("", ">"):
        return _count_all_from(log, sequence)
    if is_literal(filter_):
        return log.subjects.count_from(filter_, sequence)
    wants = compile_filters((filter_,))
    return sum(log.subjects.count_from(subject, sequence) for subject in log.subjects if wants(subject))


def _count_all_from(log: Log, sequence: int) -> int:
    """Count what is least: sequences above or below, or by subject; nothing if no message was removed in between."""
    first, last, stored = log.first_sequence, log.last_sequence, log.messages
    above, below = last - sequence + 1, sequence - first
    if below <= 0 or last - first + 1 == len(stored):
        return min(len(stored), above)
    if _DEARER * len(log.subjects) < min(above, below):
        return sum(log.subjects.count_from(subject, sequence) for subject in log.subjects)
    if above < below:
        return sum(map(stored.__contains__, range(sequence, last + 1)))
    return len(stored) - sum(map(stored.__contains__, range(first, sequence)))


# -- batches ----------------------------------------------------------------------------------------


def find_batch(log: Log, get: Get) -> Batch:
    """Return up to ``batch`` messages from where the get says on.

    Raises:
        NothingFoundError: there is none.
    """
    pending = count_from(log, get.next_by_subj, _start(log, get))
    counts_down = not get.no_hdr  # without headers the server does not count (stream.go, getDirectRequest)
    shown = pending if log.profile.batch_pending_before else pending - 1
    found: list[Found] = []
    left = get.max_bytes or _DEFAULT_MAX_BYTES
    for message in _following(log, get):
        previous = found[-1].message.sequence if found else 0
        found.append(Found(message, shown - len(found), previous))
        left -= _size(message)
        if left <= 0:
            break
    if not found and get.batch > 0:
        raise NothingFoundError(404, "Message Not Found")
    return Batch(found, pending - len(found) if counts_down else pending)


def _following(log: Log, get: Get) -> Iterator[Message]:
    sequence = _start(log, get)
    for _ in range(get.batch):
        if sequence or get.next_by_subj:
            sequence = next_of(log, get.next_by_subj or ">", sequence)
            message = log.messages.get(sequence)
        else:
            message = log.messages.get(log.last_sequence)
        if message is None:
            return
        yield message
        sequence += 1


def _size(message: Message) -> int:
    return len(message.subject) + len(message.headers.block) + len(message.payload)


# -- the last of each subject -----------------------------------------------------------------------


def find_last_of_each(log: Log, get: Get) -> Batch:
    """Return the last message of each subject that one of ``multi_last`` matches.

    Raises:
        NothingFoundError: there is none, or there are too many.
    """
    up_to = _ceiling(log, get)
    sequences = _last_of_each(log, get.multi_last, up_to)
    if len(sequences) > _MOST_RESULTS:
        raise NothingFoundError(413, "Too Many Results")
    if not sequences:
        raise NothingFoundError(404, "No Results")
    found: list[Found] = []
    pending, left = len(sequences), get.max_bytes or _DEFAULT_MAX_BYTES
    for sequence in sequences:
        pending -= 1
        if sequence < get.seq:
            continue
        message = log.messages[sequence]
        found.append(Found(message, pending, found[-1].message.sequence if found else 0))
        left -= _size(message)
        if left <= 0 or len(found) == get.batch:
            break
    if log.profile.batch_pending_before:
        pending = max(0, pending - 1)
    return Batch(found, pending, up_to)


def _ceiling(log: Log, get: Get) -> int:
    if get.up_to_time is None:
        return get.up_to_seq or log.last_sequence
    beyond = log.first_since(get.up_to_time)
    if beyond <= log.first_sequence:
        raise NothingFoundError(404, "No Results")
    return beyond - 1


def _last_of_each(log: Log, filters: tuple[str, ...], up_to: int) -> list[int]:
    if log.on_file and up_to > log.last_sequence:
        return []
    wants = compile_filters(filters)
    wanted = filters if all(map(is_literal, filters)) else [subject for subject in log.subjects if wants(subject)]
    return sorted(filter(None, {log.subjects.last_up_to(subject, up_to) for subject in wanted}))
