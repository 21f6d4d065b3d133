"""Who listens: subscriptions of clients, as far as the server asks whether anybody would receive a message."""

from __future__ import annotations

from collections import Counter

from lattice_store.subjects import is_literal, matches


class Interest:
    """Subscriptions by subject or wildcard and queue group, counted: two clients may subscribe alike."""

    __slots__ = ("_literal", "_wildcard")

    def __init__(self) -> None:
        self._literal: Counter[tuple[str, str | None]] = Counter()
        self._wildcard: Counter[tuple[str, str | None]] = Counter()

    def _table(self, subject: str) -> Counter[tuple[str, str | None]]:
        return self._literal if is_literal(subject) else self._wildcard

    def subscribe(self, subject: str, group: str | None = None) -> None:
        self._table(subject)[subject, group] += 1

    def unsubscribe(self, subject: str, group: str | None = None) -> None:
        """Take back one `subscribe`."""
        table = self._table(subject)
        table[subject, group] -= 1
        if not table[subject, group]:
            del table[subject, group]

    def has(self, subject: str, group: str | None = None) -> bool:
        """Return whether a message to the literal *subject* would reach a subscriber, of *group* if that is given."""
        for table in (self._literal, self._wildcard):
            for listened, member_of in table:
                if (group is None or group == member_of) and matches(listened, subject):
                    return True
        return False

    def copy(self) -> Interest:
        copied = Interest()
        copied._literal, copied._wildcard = self._literal.copy(), self._wildcard.copy()
        return copied
