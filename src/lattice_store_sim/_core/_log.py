"""The messages of one stream: appended, limited, removed, looked up.

First and last sequence are state of their own, never derived from the messages: a stream that never held
a message has 0 and 0, an emptied one ``last + 1`` and ``last``, and a purge can move both forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Protocol

from lattice_store.model import Message, StreamState
from lattice_store.subjects import is_literal
from lattice_store_sim._core import _purge, _time_search
from lattice_store_sim._core._filters import compile_filters
from lattice_store_sim._core._profile import NEWEST, ServerProfile
from lattice_store_sim._core._stream_config import StreamConfig
from lattice_store_sim._core._subject_index import SubjectIndex

# Bytes the server counts for a message besides subject, headers and payload; see memstore.go ``memStoreMsgSize``,
# filestore.go ``fileStoreMsgSize``.
_OVERHEAD = {"memory": (16, 0), "file": (30, 4)}
_NEARBY = 256


class Observer(Protocol):
    """What must know of every message that comes and goes."""

    def added(self, message: Message) -> None: ...
    def removed(self, message: Message) -> None: ...


class Log:
    """Messages by sequence, ascending; the oldest is found without a search.

    ``first_sequence`` names a stored message whenever there is one. It only moves forward and looks at each
    sequence once, so that removing the oldest costs O(1) amortised.
    """

    def __init__(self, config: StreamConfig, profile: ServerProfile = NEWEST) -> None:
        self.profile = profile
        self._storage = config.storage
        self.on_file = config.storage == "file"
        self.messages: dict[int, Message] = {}
        self.subjects = SubjectIndex()
        self.observers: list[Observer] = []
        self.bytes = 0
        self.first_sequence = config.first_seq
        self.last_sequence = max(config.first_seq - 1, 0)
        self.last_time_ns: int | None = None
        self.left_time_ns: int | None = None  # of the first message, where a purge left it behind (see `_purge`)
        self._skipped = 0, 0
        self._overhead, self._header_overhead = _OVERHEAD[config.storage]
        self._surplus_stays = self.on_file and profile.file_surplus_stays
        self._set_limits(config)

    def _set_limits(self, config: StreamConfig) -> None:
        evicts = config.discard == "old" or self.profile.discard_new_evicts
        self._max_messages = config.max_msgs if evicts else -1
        self._max_bytes = config.max_bytes if evicts else -1
        self._evicts_by_total = self._max_messages > 0 or self._max_bytes > 0
        self._max_per_subject = config.max_msgs_per_subject

    def size_of(self, message: Message) -> int:
        """Return the bytes the server counts for a message."""
        block = message.headers.block
        size = len(message.subject) + len(message.payload) + self._overhead
        return size + len(block) + self._header_overhead if block else size

    def copy(self) -> Log:
        """Return a log of its own with the same messages; nobody observes it yet."""
        copied = copy(self)
        copied.messages, copied.subjects, copied.observers = self.messages.copy(), self.subjects.copy(), []
        return copied

    # -- growing --------------------------------------------------------------------------------

    def append(self, message: Message) -> None:
        """Store the message at ``last_sequence + 1`` and let the limits remove what is too much, itself included."""
        subject, sequence, messages = message.subject, message.sequence, self.messages
        if self._max_per_subject == 1 and (former := self.subjects.replace(subject, sequence)) is not None:
            if former:  # the common limit: one look at the subject, whose entry stays short
                self._gone(messages.pop(former))
        else:
            self._make_room(subject)
            self.subjects.add(subject, sequence)
        if not messages:
            self.first_sequence = sequence
        messages[sequence] = message
        self.bytes += self.size_of(message)
        self.last_sequence = sequence
        self.last_time_ns = message.time_ns
        for observer in self.observers:
            observer.added(message)
        if self._evicts_by_total:
            self._enforce_totals()

    def refill(self, messages: Mapping[int, Message]) -> None:
        """Hold these messages, by ascending sequence, in place of none; where the sequences stand is set apart."""
        self.messages = dict(messages)
        for sequence, message in messages.items():
            self.subjects.add(message.subject, sequence)
            self.bytes += self.size_of(message)
            for observer in self.observers:
                observer.added(message)

    def _make_room(self, subject: str) -> None:
        """Remove what a subject will have too many. The server stores first; the outcome is the same."""
        if self._max_per_subject > 0:
            surplus = self.subjects.count(subject) + 1 - self._max_per_subject
            while surplus > 0:
                self._drop(self.subjects.first(subject))
                surplus = 0 if self._surplus_stays else surplus - 1

    def skip(self, time_ns: int) -> int:
        """Let a message that is not stored take a sequence, which is returned."""
        self.skip_to(self.last_sequence + 1, time_ns)
        return self.last_sequence

    def skip_to(self, sequence: int, time_ns: int | None = None) -> None:
        """Let all sequences up to one pass by without a message; with a time, as if it were that of the last."""
        self.last_sequence = sequence
        if time_ns is not None:
            self.last_time_ns = time_ns
        if not self.messages:
            self.first_sequence = sequence + 1
            if time_ns is not None:
                self._skipped = sequence, time_ns

    def _enforce_totals(self) -> None:
        if self._max_messages > 0:
            while len(self.messages) > self._max_messages:
                self._drop(self.first_sequence)
        if self._max_bytes > 0:
            while self.bytes > self._max_bytes:
                self._drop(self.first_sequence)

    def change_limits(self, config: StreamConfig) -> None:
        """Take over changed limits and enforce them: the totals first, then each subject, as the server does."""
        before = self._max_per_subject
        self._set_limits(config)
        self._enforce_totals()
        if self.profile.new_subject_limit_evicts or self._max_per_subject < before:
            self._enforce_per_subject()

    def _enforce_per_subject(self) -> None:
        if self._max_per_subject > 0:
            for subject in list(self.subjects):
                while self.subjects.count(subject) > self._max_per_subject:
                    self._drop(self.subjects.first(subject))

    # -- shrinking ------------------------------------------------------------------------------

    def _drop(self, sequence: int) -> None:
        message = self.messages.pop(sequence)
        self.subjects.remove(message.subject, sequence)
        self._gone(message)

    def _gone(self, message: Message) -> None:
        """Take note of a message that is no longer among the others."""
        messages, sequence = self.messages, message.sequence
        self.bytes -= self.size_of(message)
        if sequence == self.first_sequence:
            if messages:
                sequence += 1
                while sequence not in messages:
                    sequence += 1
                self.first_sequence = sequence
            else:
                self.first_sequence = self.last_sequence + 1
        for observer in self.observers:
            observer.removed(message)

    def remove(self, sequence: int) -> bool:
        """Remove one message; return whether there was one."""
        if sequence not in self.messages:
            return False
        self._drop(sequence)
        return True

    def purge(self, filter_: str, *, before: int = 0, keep: int = 0) -> int:
        """Remove many messages, return how many; see `_purge`."""
        if filter_ in ("", ">") and not before and not keep:
            self._skipped = 0, 0
        return _purge.purge(self, filter_, before, keep)

    def remove_all(self, sequences: Iterable[int]) -> int:
        """Remove messages that are stored, one by one; return how many."""
        removed = 0
        for sequence in sequences:
            self._drop(sequence)
            removed += 1
        return removed

    # -- looking up -----------------------------------------------------------------------------

    def last_of(self, filter_: str) -> int:
        """Return the newest sequence whose subject matches, 0 if none does.

        ``>`` looks at the very last sequence only, and finds nothing if that message was removed.
        """
        if filter_ == ">":
            return self.last_sequence if self.last_sequence in self.messages else 0
        if is_literal(filter_):
            return self.subjects.last(filter_)
        wants = compile_filters((filter_,))
        lowest = max(self.first_sequence, self.last_sequence - _NEARBY)
        for sequence in range(self.last_sequence, lowest - 1, -1):
            message = self.messages.get(sequence)
            if message is not None and wants(message.subject):
                return sequence
        return max((self.subjects.last(subject) for subject in self.subjects if wants(subject)), default=0)

    def first_since(self, time_ns: int) -> int:
        """Return the first stored sequence with that time or a later one, ``last_sequence + 1`` if there is none."""
        return _time_search.first_since(self, time_ns)

    @property
    def first_time_ns(self) -> int | None:
        """When the first message was stored; there may be none, and no time then."""
        if self.messages:
            return self.messages[self.first_sequence].time_ns
        sequence, skipped_ns = self._skipped
        if sequence == self.last_sequence > 0 and self._storage in self.profile.skips_shown_as_first:
            return skipped_ns
        return self.left_time_ns if self.first_sequence <= self.last_sequence else None

    def deleted(self) -> list[int]:
        """Return the sequences from the first on that hold no message, ascending; a listing, it looks at each."""
        if not self.messages:
            unused = self.on_file and not self.first_sequence
            return [0] if unused and self.profile.unused_file_lists_0 else []
        last = self.last_sequence
        if not self.on_file and not self.profile.deleted_tail_listed:
            last -= 1
        return [sequence for sequence in range(self.first_sequence, last + 1) if sequence not in self.messages]

    def state(self, consumer_count: int) -> StreamState:
        gaps = self.last_sequence - self.first_sequence + 1 - len(self.messages)
        return StreamState(
            messages=len(self.messages),
            bytes=self.bytes,
            first_sequence=self.first_sequence,
            first_time_ns=self.first_time_ns,
            last_sequence=self.last_sequence,
            last_time_ns=self.last_time_ns,
            num_subjects=len(self.subjects),
            num_deleted=gaps if self.last_sequence > self.first_sequence else 0,
            consumer_count=consumer_count,
        )
