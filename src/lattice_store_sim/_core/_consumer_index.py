"""Consumers of one stream by what they want and by where they deliver to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from lattice_store_sim._core._subject_map import SubjectMap

if TYPE_CHECKING:
    from lattice_store_sim._core._consumer import Consumer

_FEW: Final = 4
"""So many are asked one by one whether they want a message."""


class ConsumerIndex:
    """Finds consumers, by their numbers, without asking each."""

    def __init__(self) -> None:
        self._all: dict[int, Consumer] = {}
        self._wanting: SubjectMap[dict[int, Consumer]] = SubjectMap()
        self._wanted: dict[int, set[str]] = {}
        """The filters that a consumer has or once had: messages it got by those may still await acks."""
        self._delivering: dict[str, dict[int, Consumer]] = {}
        self._delivered: dict[int, str] = {}

    def put(self, consumer: Consumer) -> None:
        """Find a consumer by its configuration from now on."""
        number, config = consumer.number, consumer.config
        self._all[number] = consumer
        wanted = self._wanted.setdefault(number, set())
        for filter_ in config.filters or (">",):
            wanted.add(filter_)
            wanting = self._wanting.get(filter_) or {}
            wanting[number] = consumer
            self._wanting.set(filter_, wanting)
        if config.deliver_subject != self._delivered.get(number):
            self._forget_delivery(number)
            self._delivering.setdefault(config.deliver_subject, {})[number] = consumer
            self._delivered[number] = config.deliver_subject

    def remove(self, consumer: Consumer) -> None:
        number = consumer.number
        del self._all[number]
        for filter_ in self._wanted.pop(number):
            wanting = self._wanting.get(filter_) or {}
            del wanting[number]
            if not wanting:
                self._wanting.remove(filter_)
        self._forget_delivery(number)

    def _forget_delivery(self, number: int) -> None:
        former = self._delivered.pop(number, None)
        if former is not None:
            del self._delivering[former][number]
            if not self._delivering[former]:
                del self._delivering[former]

    def numbered(self, number: int) -> Consumer | None:
        return self._all.get(number)

    def concerned(self, subject: str) -> Iterable[Consumer]:
        """Return all that want, or once wanted, messages of a subject, and perhaps others."""
        if len(self._all) <= _FEW or ".." in f".{subject}.":  # an empty token is of no pattern, but of ``>``
            return self._all.values()
        found = self._wanting.match(subject)
        if len(found) == 1:
            return found[0].values()
        merged: dict[int, Consumer] = {}
        for each in found:
            merged |= each
        return merged.values()

    def delivering_to(self, subject: str) -> list[Consumer]:
        """Return the push consumers with just that deliver subject, in the order of their creation."""
        return [found for _, found in sorted(self._delivering.get(subject, {}).items())] if subject else []
