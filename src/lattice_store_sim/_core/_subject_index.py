"""Which sequences each subject holds.

Most subjects of a lattice hold one message: such an entry is the bare sequence. From the second message on
it is a `_Sequences`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from lattice_store_sim._core._filters import Wants

_SLACK = 16


class _Sequences:
    """Ascending sequences; both ends are present, one removed in between is negated until an end reaches it."""

    __slots__ = ("count", "head", "items")

    def __init__(self, first: int, second: int) -> None:
        self.items = [first, second]
        self.head = 0
        self.count = 2

    def remove(self, sequence: int) -> None:
        """Remove one of at least two."""
        items, head = self.items, self.head
        self.count -= 1
        if sequence == items[head]:
            head += 1
            while items[head] < 0:
                head += 1
            self.head = head
        elif sequence == items[-1]:
            items.pop()
            while items[-1] < 0:
                items.pop()
        else:
            items[bisect_left(items, sequence, lo=head, key=abs)] = -sequence
        if len(items) > 2 * self.count + _SLACK:
            self.items = list(self)
            self.head = 0

    def copy(self) -> _Sequences:
        copied = _Sequences.__new__(_Sequences)
        copied.items, copied.head, copied.count = self.items.copy(), self.head, self.count
        return copied

    def __iter__(self) -> Iterator[int]:
        items = self.items
        return (items[at] for at in range(self.head, len(items)) if items[at] > 0)


class SubjectIndex:
    """Subject to sequences. Every question about one subject is O(1); about a filter, O(subjects)."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[str, int | _Sequences] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def copy(self) -> SubjectIndex:
        copied = SubjectIndex()
        copied._entries = {
            subject: entry if isinstance(entry, int) else entry.copy() for subject, entry in self._entries.items()
        }
        return copied

    def add(self, subject: str, sequence: int) -> None:
        """Note a message; *sequence* is above all earlier ones."""
        entry = self._entries.get(subject)
        if entry is None:
            self._entries[subject] = sequence
        elif isinstance(entry, int):
            self._entries[subject] = _Sequences(entry, sequence)
        else:
            entry.items.append(sequence)
            entry.count += 1

    def remove(self, subject: str, sequence: int) -> None:
        """Forget a message that was added."""
        entry = self._entries[subject]
        if isinstance(entry, int) or entry.count == 1:
            del self._entries[subject]
        else:
            entry.remove(sequence)

    def count(self, subject: str) -> int:
        entry = self._entries.get(subject)
        if entry is None:
            return 0
        return 1 if isinstance(entry, int) else entry.count

    def first(self, subject: str) -> int:
        """Return the oldest sequence of a subject that holds messages."""
        entry = self._entries[subject]
        return entry if isinstance(entry, int) else entry.items[entry.head]

    def last(self, subject: str) -> int:
        """Return the newest sequence on *subject*, 0 if there is none."""
        entry = self._entries.get(subject, 0)
        return entry if isinstance(entry, int) else entry.items[-1]

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

    def last_per_subject(self, wants: Wants) -> list[int]:
        """Return the newest sequence of each wanted subject, ascending."""
        return sorted(self.last(subject) for subject in self._entries if wants(subject))
