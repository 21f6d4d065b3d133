"""Who listens to a subject: single subscriptions, and queue groups of which one member gets each message."""

from __future__ import annotations

from collections.abc import Iterator

from lattice_store_sim._core._subject_map import SubjectMap
from lattice_store_sim._wire._clients import Subscription


class QueueGroup(dict[Subscription, None]):
    """The members of a group that listen to one subject, in the order in which they came.

    Args:
        turn: whose turn is first.
    """

    def __init__(self, turn: int) -> None:
        self.turn = turn


class Listeners:
    """The subscriptions to one subject, which may hold wildcards."""

    __slots__ = ("groups", "single")

    def __init__(self) -> None:
        self.single: dict[Subscription, None] = {}
        self.groups: dict[str, QueueGroup] = {}

    @property
    def empty(self) -> bool:
        return not self.single and not self.groups


class Subscriptions:
    """All subscriptions of all clients.

    Args:
        seed: decides which member of a queue group is served first; from then on each in turn.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._listeners: SubjectMap[Listeners] = SubjectMap()
        self.match = self._listeners.match
        """Return the listeners of all subjects that a literal one matches."""

    def add(self, subscription: Subscription) -> None:
        subject, group = subscription.subject, subscription.group
        listeners = self._listeners.get(subject)
        if listeners is None:
            listeners = Listeners()
            self._listeners.set(subject, listeners)
        if group is None:
            listeners.single[subscription] = None
        else:
            listeners.groups.setdefault(group, QueueGroup(self._seed))[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """Take back one `add`."""
        subject, group = subscription.subject, subscription.group
        listeners = self._listeners.get(subject)
        assert listeners is not None
        if group is None:
            del listeners.single[subscription]
        else:
            del listeners.groups[group][subscription]
            if not listeners.groups[group]:
                del listeners.groups[group]
        if listeners.empty:
            self._listeners.remove(subject)


def in_turn(found: tuple[Listeners, ...], group: str) -> Iterator[Subscription]:
    """Return the members of a group, whose turn it is first; which counts as served."""
    groups = [listeners.groups[group] for listeners in found if group in listeners.groups]
    members = [member for one in groups for member in one]
    turn = groups[0].turn % len(members)
    groups[0].turn = turn + 1
    yield from members[turn:]
    yield from members[:turn]


def is_subscribable(subject: str) -> bool:
    """Return whether a subject has no empty token, and nothing behind ``>`` (sublist.go, ``Insert``)."""
    tokens = subject.split(".")
    return "" not in tokens and ">" not in tokens[:-1]
