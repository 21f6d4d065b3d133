"""Who listens: subscriptions of clients, as far as the server asks whether anybody would receive a message."""

from __future__ import annotations

from collections import Counter

from lattice_store.subjects import is_literal, matches

_Groups = Counter[str | None]


class Interest:
    """Subscriptions by subject or wildcard and queue group, counted: two clients may subscribe alike."""

    __slots__ = ("_literal", "_wildcard")

    def __init__(self) -> None:
        self._literal: dict[str, _Groups] = {}
        self._wildcard: dict[str, _Groups] = {}

    def _table(self, subject: str) -> dict[str, _Groups]:
        return self._literal if is_literal(subject) else self._wildcard

    def subscribe(self, subject: str, group: str | None = None) -> None:
        self._table(subject).setdefault(subject, Counter())[group] += 1

    def unsubscribe(self, subject: str, group: str | None = None) -> None:
        """Take back one `subscribe`.

        Raises:
            KeyError: there was none.
        """
        table = self._table(subject)
        groups = table[subject]
        if group not in groups:
            raise KeyError(group)
        groups[group] -= 1
        if not groups[group]:
            del groups[group]
        if not groups:
            del table[subject]

    def has(self, subject: str) -> bool:
        """Return whether a message to the literal *subject* would reach a subscriber."""
        return subject in self._literal or any(matches(listened, subject) for listened in self._wildcard)

    def names(self, subject: str, group: str | None) -> bool:
        """Return whether a subscription of that group, or of none, is to *subject* itself and not to a wildcard.

        A push consumer counts no other (nats-server sublist.go, ``registerNotification``).
        """
        return group in self._literal.get(subject, ())

    def copy(self) -> Interest:
        copied = Interest()
        copied._literal = {subject: groups.copy() for subject, groups in self._literal.items()}
        copied._wildcard = {subject: groups.copy() for subject, groups in self._wildcard.items()}
        return copied
