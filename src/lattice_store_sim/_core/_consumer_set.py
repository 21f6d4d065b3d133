"""The consumers of one stream, by name: what happens to its log is told to them, and they run in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lattice_store.model import Message
from lattice_store_sim._core._purge_notice import PurgeNotice

if TYPE_CHECKING:
    from lattice_store_sim._core._consumer import Consumer
    from lattice_store_sim._core._log import Log


class ConsumerSet(dict[str, "Consumer"]):
    """Consumers in the order of their creation; an observer of the stream's log while there are any."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._purge: PurgeNotice | None = None

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
        if self._purge is not None and not self._purge.tells_each:
            self._purge.removed.append(message)
            return
        for consumer in self.values():
            consumer.removed(message)

    def purge_begins(self, filter_: str, *, keep: int) -> None:
        """Keep what is removed from now on to the end of the purge."""
        self._purge = PurgeNotice(self._log, filter_, keep=keep)

    def purge_ends(self) -> None:
        purge, self._purge = self._purge, None
        assert purge is not None
        for consumer in self.values():
            consumer.purged(purge)
