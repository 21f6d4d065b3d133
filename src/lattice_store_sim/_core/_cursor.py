"""Cursors: where a replay stands in a log, what is still ahead of it, and whether it has caught up.

A cursor reads the log when asked; it holds no messages. ``pending`` is kept exact the way the server keeps
``num_pending``: one more for each wanted message stored, one less for each taken or removed before its turn
(nats-server consumer.go, ``calculateNumPending``, ``decStreamPending``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from lattice_store.model import (
    DeliverAll,
    DeliverFromSequence,
    DeliverFromTime,
    DeliverLast,
    DeliverLastPerSubject,
    DeliverPolicy,
    Message,
)
from lattice_store_sim._core._filters import Wants, compile_filters, everything
from lattice_store_sim._core._log import Log


class Cursor:
    """A replay's position: first through the snapshot, if the deliver policy takes one, then along the log.

    Args:
        log: what it reads.
        filters: of the subjects it wants, none for all.
        deliver: where it begins.
        settle: is told what was taken.
    """

    def __init__(
        self,
        log: Log,
        filters: Sequence[str],
        deliver: DeliverPolicy,
        settle: Callable[[list[int]], None] | None = None,
    ) -> None:
        self._log = log
        self._settle = settle
        self.wants = compile_filters(filters)
        self._target = log.last_sequence
        self._snapshot: list[int] = []
        self._snapshot_at = 0
        if isinstance(deliver, DeliverLastPerSubject):
            self._snapshot = log.subjects.last_per_subject(self.wants)
            self._next = log.last_sequence + 1
            self.pending = len(self._snapshot)
        else:
            self._next = max(_start(log, filters, deliver), log.first_sequence, 1)
            self.pending = _count(log, self.wants, self._next)
        self.caught_up = self.pending == 0

    @property
    def sequence(self) -> int:
        """The stream sequence up to which everything was taken that ever will be."""
        if self._snapshot_at < len(self._snapshot):
            return self._snapshot[self._snapshot_at] - 1
        return min(self._next - 1, self._log.last_sequence)

    def take(self, limit: int) -> list[Message]:
        """Move on and return up to *limit* messages, ascending."""
        taken: list[Message] = []
        messages, wants = self._log.messages, self.wants
        while self._snapshot_at < len(self._snapshot) and len(taken) < limit:
            message = messages.get(self._snapshot[self._snapshot_at])
            self._snapshot_at += 1
            if message is not None:
                taken.append(message)
        sequence, last = max(self._next, self._log.first_sequence), self._log.last_sequence
        while sequence <= last and len(taken) < limit:
            message = messages.get(sequence)
            sequence += 1
            if message is not None and wants(message.subject):
                taken.append(message)
        self._next = max(self._next, sequence)
        self.pending -= len(taken)
        if self.pending == 0 or self.sequence >= self._target:
            self.caught_up = True
        if self._settle is not None:
            self._settle([message.sequence for message in taken])
        return taken

    def needs(self, message: Message) -> bool:
        """Return whether a message is still ahead, as it is to a consumer without acks."""
        return message.sequence > self.sequence and self.wants(message.subject)

    def looked_through(self, *, beyond_floor: bool) -> int:
        """Return up to where it is done with messages."""
        return self.sequence

    def added(self, message: Message) -> None:
        """Note that the log grew."""
        if message.sequence >= self._next and self.wants(message.subject):
            self.pending += 1

    def removed(self, message: Message) -> None:
        """Note that the log lost a message, before or after its turn."""
        sequence = message.sequence
        if sequence >= self._next:
            if self.wants(message.subject):
                self.pending -= 1
        elif self._snapshot_at < len(self._snapshot):
            at = bisect_left(self._snapshot, sequence, lo=self._snapshot_at)
            if at < len(self._snapshot) and self._snapshot[at] == sequence:
                self.pending -= 1


def _start(log: Log, filters: Sequence[str], deliver: DeliverPolicy) -> int:
    if isinstance(deliver, DeliverAll):
        return log.first_sequence
    if isinstance(deliver, DeliverLast):
        if not filters:
            return log.last_sequence
        return max(log.last_of(one) for one in filters) or log.last_sequence + 1
    if isinstance(deliver, DeliverFromSequence):
        return deliver.sequence
    if isinstance(deliver, DeliverFromTime):
        return log.first_since(deliver.time_ns)
    return log.last_sequence + 1


def _count(log: Log, wants: Wants, start: int) -> int:
    if start <= log.first_sequence:
        if wants is everything:
            return len(log.messages)
        return sum(log.subjects.count(subject) for subject in log.subjects if wants(subject))
    if start > log.last_sequence:
        return 0
    return sum(1 for message in log.messages.values() if message.sequence >= start and wants(message.subject))
