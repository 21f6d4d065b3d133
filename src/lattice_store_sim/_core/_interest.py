"""Who listens: subscriptions of clients, as far as the server asks whether anybody would receive a message."""

from __future__ import annotations

from collections import Counter
from typing import Final

from lattice_store.subjects import overlap
from lattice_store_sim._core._subject_map import SubjectMap

_Groups = Counter[str | None]
EVENTS: Final = "$JS.EVENT.>"
"""All advisories and metrics."""


class Interest:
    """Subscriptions by subject or wildcard and queue group, counted: two clients may subscribe alike."""

    __slots__ = ("_groups", "in_events")

    def __init__(self) -> None:
        self._groups: SubjectMap[_Groups] = SubjectMap()
        self.in_events = 0
        """How many subscriptions may hear of advisories and metrics."""

    def subscribe(self, subject: str, group: str | None = None) -> None:
        groups = self._groups.get(subject)
        if groups is None:
            groups = Counter()
            self._groups.set(subject, groups)
        groups[group] += 1
        self.in_events += _may_be_event(subject)

    def unsubscribe(self, subject: str, group: str | None = None) -> None:
        """Take back one `subscribe`.

        Raises:
            KeyError: there was none.
        """
        groups = self._groups.get(subject)
        if groups is None or group not in groups:
            raise KeyError(subject)
        groups[group] -= 1
        self.in_events -= _may_be_event(subject)
        if not groups[group]:
            del groups[group]
        if not groups:
            self._groups.remove(subject)

    def has(self, subject: str) -> bool:
        """Return whether a message to the literal *subject* would reach a subscriber."""
        return bool(self._groups.match(subject))

    def names(self, subject: str, group: str | None) -> bool:
        """Return whether a subscription of that group, or of none, is to *subject* itself and not to a wildcard.

        A push consumer counts no other (nats-server sublist.go, ``registerNotification``).
        """
        return group in (self._groups.get(subject) or ())

    def copy(self) -> Interest:
        copied = Interest()
        copied.in_events = self.in_events
        for subject in self._groups:
            copied._groups.set(subject, Counter(self._groups.get(subject)))
        return copied


def _may_be_event(subject: str) -> bool:
    return subject.startswith(("$", "*", ">")) and overlap(subject, EVENTS)
