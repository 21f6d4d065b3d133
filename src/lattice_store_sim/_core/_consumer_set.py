"""The consumers of one stream, by name: what happens to its log is told to them, and they run in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lattice_store.model import Message
from lattice_store.subjects import covers, matches
from lattice_store_sim._core._filters import compile_filters

if TYPE_CHECKING:
    from lattice_store_sim._core._consumer import Consumer
    from lattice_store_sim._core._log import Log


class Purge:
    """A purge under way: consumers learn of it as a whole (nats-server stream.go, ``purgeLocked``).

    Args:
        filter_: of the purged subjects, empty for all.
        one_by_one: messages are looked for by subject or number; otherwise all below a sequence go.
        on_file: where the messages are stored.
    """

    def __init__(self, filter_: str, *, one_by_one: bool, on_file: bool) -> None:
        self._filter = filter_
        self._one_by_one = one_by_one
        self._on_file = on_file
        self.removed: list[Message] = []

    @property
    def is_counted_singly(self) -> bool:
        """Whether the only message removed is told as such, and consumers do not count anew."""
        return self._one_by_one and len(self.removed) == 1

    def tells_of_one(self, filters: tuple[str, ...]) -> bool:
        """Return whether a consumer of these filters is told of a single removed message.

        The file store tells it with the filter in place of the message's subject (filestore.go, ``PurgeEx``).
        """
        told = self._filter or ">" if self._on_file else self.removed[0].subject
        return not filters or any(matches(one, told) for one in filters)

    def covers(self, filters: tuple[str, ...], *, all_of_them: bool) -> bool:
        """Return whether it was about what a consumer of these filters gets.

        Args:
            filters: the consumer's.
            all_of_them: whether it has to be about each filter, or one is enough.
        """
        covered = [covers(self._filter, one) for one in filters]
        return not self._filter or (all(covered) and bool(covered) if all_of_them else any(covered))

    def touches(self, filters: tuple[str, ...]) -> bool:
        """Return whether a consumer of these filters gets some of what it was about; filters that cross do not count."""
        return not filters or any(covers(one, self._filter) or covers(self._filter, one) for one in filters)

    def first_left(self, log: Log) -> int:
        """Return the first sequence that it could have removed and did not, the one to come next if there is none."""
        if not self._filter:
            return log.first_sequence
        wants = compile_filters((self._filter,))
        left = (log.subjects.first(subject) for subject in log.subjects if wants(subject))
        return min(left, default=log.last_sequence + 1)


class ConsumerSet(dict[str, "Consumer"]):
    """Consumers in the order of their creation; an observer of the stream's log while there are any."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._purge: Purge | None = None

    @property
    def deadline_ns(self) -> int | None:
        """When something of a consumer comes due."""
        due = (deadline for one in self.values() if (deadline := one.deadline_ns) is not None)
        return min(due, default=None)

    def advance(self, now_ns: int) -> None:
        """Do all that is due by *now_ns*."""
        for consumer in list(self.values()):
            consumer.advance(now_ns)
        self.run(now_ns)

    def run(self, now_ns: int) -> None:
        """Let the signalled deliver, until nobody is: what one is done with may be removed under another."""
        signalled = True
        while signalled:
            signalled = False
            for consumer in list(self.values()):
                if consumer.run(now_ns):
                    signalled = True

    def interest_changed(self, now_ns: int) -> None:
        """Note that somebody began or ceased to listen."""
        for consumer in list(self.values()):
            consumer.interest_changed(now_ns)
        self.run(now_ns)

    # -- members --------------------------------------------------------------------------------

    def add(self, consumer: Consumer) -> None:
        if not self:
            self._log.observers.append(self)
        self[consumer.name] = consumer

    def remove(self, consumer: Consumer) -> None:
        del self[consumer.name]
        if not self:
            self._log.observers.remove(self)

    # -- what happens to the log ----------------------------------------------------------------

    def added(self, message: Message) -> None:
        for consumer in self.values():
            consumer.added(message)

    def removed(self, message: Message) -> None:
        if self._purge is not None:
            self._purge.removed.append(message)
            return
        for consumer in self.values():
            consumer.removed(message)

    def purge_begins(self, filter_: str, *, keep: int) -> None:
        """Keep what is removed from now on to the end of the purge."""
        one_by_one = keep > 0 or filter_ not in ("", ">")
        self._purge = Purge(filter_, one_by_one=one_by_one, on_file=self._log.on_file)

    def purge_ends(self) -> None:
        purge, self._purge = self._purge, None
        assert purge is not None
        for consumer in self.values():
            consumer.purged(purge)
