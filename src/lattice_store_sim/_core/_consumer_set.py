"""The consumers of one stream, by name: what happens to its log is told to them, and they run in turn.

Only those that something has happened to may have something to deliver or another deadline: they are *stirred*. So
what a verb costs does not grow with the consumers that it is not about.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from lattice_store.model import Message
from lattice_store_sim._core._agenda import Agenda
from lattice_store_sim._core._consumer_index import ConsumerIndex
from lattice_store_sim._core._purge_notice import PurgeNotice

if TYPE_CHECKING:
    from lattice_store_sim._core._consumer import Consumer
    from lattice_store_sim._core._log import Log


class ConsumerSet(dict[str, "Consumer"]):
    """Consumers in the order of their creation; an observer of the stream's log while there are any."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._purge: PurgeNotice | None = None
        self._made = 0
        self.index = ConsumerIndex()
        self._agenda = Agenda()
        self._unfiled: dict[int, Consumer] = {}
        """Whose deadline may be another one than that on the agenda."""
        self._turns: list[tuple[int, int]] = []
        """Round and number of the stirred."""
        self._turn = 0, 0
        """Round and number of the one that runs."""
        self.left: list[Consumer] = []
        """Who is not done, but has to wait for the next run."""

    # -- turns ----------------------------------------------------------------------------------

    def stir(self, consumer: Consumer) -> None:
        """Let a consumer have a turn: in this round if it has not passed by it yet."""
        self._unfiled[consumer.number] = consumer
        if not consumer.stirred:
            consumer.stirred = True
            in_round, number = self._turn
            heappush(self._turns, (in_round + (consumer.number <= number), consumer.number))

    def at_hand(self, name: str) -> Consumer | None:
        """Return a consumer that something is about to happen to."""
        consumer = self.get(name)
        if consumer is not None:
            self.stir(consumer)
        return consumer

    def run(self, now_ns: int) -> None:
        """Let the stirred deliver, until nobody is: what one is done with may be removed under another."""
        if self.left:
            left, self.left = self.left, []
            for consumer in left:
                if self.get(consumer.name) is consumer:
                    self.stir(consumer)
        turns = self._turns
        while turns:
            self._turn = heappop(turns)
            runs = self.index.numbered(self._turn[1])
            if runs is not None:
                runs.stirred = False
                runs.run(now_ns)
                if runs.is_left:
                    self.left.append(runs)
                self._unfiled[runs.number] = runs
        self._turn = 0, 0

    # -- time -----------------------------------------------------------------------------------

    @property
    def deadline_ns(self) -> int | None:
        """When something of a consumer comes due."""
        if self._unfiled:
            for number, consumer in self._unfiled.items():
                self._agenda.put(number, consumer.deadline_ns)
            self._unfiled.clear()
        return self._agenda.deadline_ns

    def advance(self, now_ns: int) -> None:
        """Do all that is due by *now_ns*."""
        if (deadline := self.deadline_ns) is not None and deadline <= now_ns:
            for number in self._agenda.take_due(now_ns):
                consumer = self.index.numbered(number)
                if consumer is not None:
                    self.stir(consumer)
                    consumer.advance(now_ns)
        self.run(now_ns)

    # -- members --------------------------------------------------------------------------------

    def add(self, consumer: Consumer) -> None:
        if not self:
            self._log.observers.append(self)
        self._made += 1
        consumer.number, consumer.stirred = self._made, False
        self[consumer.name] = consumer
        self.index.put(consumer)
        self.stir(consumer)

    def remove(self, consumer: Consumer) -> None:
        del self[consumer.name]
        self.index.remove(consumer)
        self._unfiled.pop(consumer.number, None)
        self._agenda.put(consumer.number, None)
        if not self:
            self._log.observers.remove(self)

    def interest_changed(self, now_ns: int, subject: str | None = None) -> None:
        """Note that somebody began or ceased to listen to a deliver subject, or to any."""
        for consumer in list(self.values()) if subject is None else self.index.delivering_to(subject):
            self.stir(consumer)
            consumer.interest_changed(now_ns)
        self.run(now_ns)

    # -- what happens to the log ----------------------------------------------------------------

    def added(self, message: Message) -> None:
        for consumer in self.index.concerned(message.subject):
            if consumer.added(message):
                self.stir(consumer)

    def removed(self, message: Message) -> None:
        if self._purge is not None and not self._purge.tells_each:
            self._purge.removed.append(message)
            return
        for consumer in self.index.concerned(message.subject):
            if consumer.removed(message):
                self.stir(consumer)

    def purge_begins(self, filter_: str, *, keep: int) -> None:
        """Keep what is removed from now on to the end of the purge."""
        self._purge = PurgeNotice(self._log, filter_, keep=keep)

    def purge_ends(self) -> None:
        purge, self._purge = self._purge, None
        assert purge is not None
        for consumer in self.values():
            self.stir(consumer)
            consumer.purged(purge)
