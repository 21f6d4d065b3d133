"""Which sequences each subject holds.

Most subjects of a lattice hold one message: such an entry is the bare sequence. A few are a tuple, which the garbage
collector soon forgets and a fork shares; many are a `_Sequences`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import Literal

from lattice_store_sim._core._filters import Wants, compile_filters

_SHORT = 32
"""Up to so many sequences a tuple is as good: a copy of it costs next to nothing."""
_SLACK = 16


class _Sequences:
    """Many ascending sequences; both ends are present, one removed in between is negated until an end reaches it."""

    __slots__ = ("_count", "_head", "_items")

    def __init__(self, items: list[int]) -> None:
        self._items = items
        self._head = 0
        self._count = len(items)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, end: Literal[0, -1]) -> int:
        return self._items[end or self._head]

    def __iter__(self) -> Iterator[int]:
        return (each for each in islice(self._items, self._head, None) if each > 0)

    def append(self, sequence: int) -> None:
        self._items.append(sequence)
        self._count += 1

    def remove(self, sequence: int) -> None:
        """Remove one of at least two."""
        items, head = self._items, self._head
        self._count -= 1
        if sequence == items[head]:
            head += 1
            while items[head] < 0:
                head += 1
            self._head = head
        elif sequence == items[-1]:
            items.pop()
            while items[-1] < 0:
                items.pop()
        else:
            items[bisect_left(items, sequence, lo=head, key=abs)] = -sequence
        if len(items) > 2 * self._count + _SLACK:
            self._items = list(self)
            self._head = 0

    def next(self, sequence: int) -> int:
        """Return the first at or after *sequence*, 0 if there is none."""
        items = self._items
        at = bisect_left(items, sequence, lo=self._head, key=abs)
        while at < len(items) and items[at] < 0:
            at += 1
        return items[at] if at < len(items) else 0

    def last_up_to(self, sequence: int) -> int:
        """Return the last at or before *sequence*, 0 if there is none."""
        items = self._items
        at = bisect_right(items, sequence, lo=self._head, key=abs) - 1
        while at >= self._head and items[at] < 0:
            at -= 1
        return items[at] if at >= self._head else 0

    def count_from(self, sequence: int) -> int:
        """Return how many are at or after *sequence*; only among removed ones it has to count."""
        items = self._items
        at = bisect_left(items, sequence, lo=self._head, key=abs)
        complete = len(items) - self._head == self._count
        return len(items) - at if complete else sum(1 for each in islice(items, at, None) if each > 0)

    def copy(self) -> _Sequences:
        return _Sequences(list(self))


class SubjectIndex:
    """Subject to sequences. Every question about one subject is O(1); about a filter, O(subjects)."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[str, int | tuple[int, ...] | _Sequences] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def copy(self) -> SubjectIndex:
        copied = SubjectIndex()
        copied._entries = self._entries.copy()
        for subject, entry in self._entries.items():
            if isinstance(entry, _Sequences):
                copied._entries[subject] = entry.copy()
        return copied

    def add(self, subject: str, sequence: int) -> None:
        """Note a message; *sequence* is above all earlier ones."""
        entry = self._entries.get(subject)
        if entry is None:
            self._entries[subject] = sequence
        elif isinstance(entry, int):
            self._entries[subject] = entry, sequence
        elif isinstance(entry, tuple):
            longer = *entry, sequence
            self._entries[subject] = longer if len(longer) <= _SHORT else _Sequences(list(longer))
        else:
            entry.append(sequence)

    def replace(self, subject: str, sequence: int) -> int | None:
        """Note a message in place of the only one; return that, or 0 if there was none.

        Nothing is done, and ``None`` returned, if there are several.
        """
        entry = self._entries.get(subject, 0)
        if not isinstance(entry, int):
            return None
        self._entries[subject] = sequence
        return entry

    def remove(self, subject: str, sequence: int) -> None:
        """Forget a message that was added."""
        entry = self._entries[subject]
        if isinstance(entry, int):
            del self._entries[subject]
        elif isinstance(entry, tuple):
            at = entry.index(sequence)
            rest = entry[:at] + entry[at + 1 :]
            self._entries[subject] = rest[0] if len(rest) == 1 else rest
        elif len(entry) == 1:
            del self._entries[subject]
        else:
            entry.remove(sequence)

    def count(self, subject: str) -> int:
        entry = self._entries.get(subject)
        if entry is None:
            return 0
        return 1 if isinstance(entry, int) else len(entry)

    def first(self, subject: str) -> int:
        """Return the oldest sequence of a subject that holds messages."""
        entry = self._entries[subject]
        return entry if isinstance(entry, int) else entry[0]

    def last(self, subject: str) -> int:
        """Return the newest sequence on *subject*, 0 if there is none."""
        entry = self._entries.get(subject, 0)
        return entry if isinstance(entry, int) else entry[-1]

    def next(self, subject: str, sequence: int) -> int:
        """Return the first at or after *sequence* on *subject*, 0 if there is none."""
        entry = self._entries.get(subject, 0)
        if isinstance(entry, int):
            return entry if entry >= sequence else 0
        if isinstance(entry, tuple):
            return next((each for each in entry if each >= sequence), 0)
        return entry.next(sequence)

    def last_up_to(self, subject: str, sequence: int) -> int:
        """Return the newest at or before *sequence* on *subject*, 0 if there is none."""
        entry = self._entries.get(subject, 0)
        if isinstance(entry, int):
            return entry if entry <= sequence else 0
        if isinstance(entry, tuple):
            return next((each for each in reversed(entry) if each <= sequence), 0)
        return entry.last_up_to(sequence)

    def count_from(self, subject: str, sequence: int) -> int:
        """Return how many messages on *subject* are at or after *sequence*."""
        entry = self._entries.get(subject, 0)
        if isinstance(entry, int):
            return int(0 < entry >= sequence)
        if isinstance(entry, tuple):
            return sum(1 for each in entry if each >= sequence)
        return entry.count_from(sequence)

    def of(self, subject: str) -> list[int]:
        """Return all sequences on *subject*, ascending."""
        entry = self._entries.get(subject, 0)
        if isinstance(entry, int):
            return [entry] if entry else []
        return list(entry)

    def sequences(self, wants: Wants) -> list[int]:
        """Return all sequences on wanted subjects, ascending."""
        found: list[int] = []
        for subject, entry in self._entries.items():
            if wants(subject):
                if isinstance(entry, int):
                    found.append(entry)
                else:
                    found.extend(entry)
        found.sort()
        return found

    def counts(self, filter_: str) -> dict[str, int]:
        """Return how many messages each subject holds that *filter_* matches."""
        wants = compile_filters((filter_,))
        return {subject: self.count(subject) for subject in self._entries if wants(subject)}

    def last_per_subject(self, wants: Wants) -> list[int]:
        """Return the newest sequence of each wanted subject, ascending."""
        return sorted(self.last(subject) for subject in self._entries if wants(subject))
