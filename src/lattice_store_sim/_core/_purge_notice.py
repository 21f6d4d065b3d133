"""What consumers learn of a purge: of each message that went, of a single one, or only that there was one.

Sources: nats-server stream.go, ``purgeLocked``, ``storeUpdates``; memstore.go and filestore.go, ``PurgeEx``.
"""

from __future__ import annotations

from lattice_store.model import Message
from lattice_store.subjects import covers, matches
from lattice_store_sim._core._filters import compile_filters
from lattice_store_sim._core._log import Log


class PurgeNotice:
    """A purge under way, and what it has removed so far.

    Args:
        log: of the purged stream.
        filter_: of the purged subjects, empty for all.
        keep: how many of the newest are kept.
    """

    def __init__(self, log: Log, filter_: str, *, keep: int) -> None:
        keeps_by_search = keep > 0 and (log.on_file or not log.profile.memory_keeps_by_sequence)
        by_search = filter_ not in ("", ">") or keeps_by_search
        self.tells_each = by_search and not log.on_file and log.profile.memory_purges_told_singly
        """Whether consumers are told of each message as of one that was deleted."""
        self._tells_single = by_search and (not log.on_file or log.profile.single_file_purges_told)
        self._filter = filter_
        self._log = log
        self.removed: list[Message] = []

    @property
    def single(self) -> Message | None:
        """The only message removed, if consumers are told of it and need not count anew."""
        return self.removed[0] if self._tells_single and len(self.removed) == 1 else None

    def reaches(self, filters: tuple[str, ...], message: Message) -> bool:
        """Return whether a consumer of these filters is told of the single message.

        The file store tells it with the filter in place of the message's subject.
        """
        told = self._filter or ">" if self._log.on_file else message.subject
        return not filters or any(matches(one, told) for one in filters)

    def covers(self, filters: tuple[str, ...]) -> bool:
        """Return whether the purge was about what a consumer of these filters gets."""
        if not self._filter:
            return True
        if self._log.profile.purges_cover_wider:
            return not filters or any(covers(one, self._filter) for one in filters)
        covered = [covers(self._filter, one) for one in filters]
        return any(covered) and (all(covered) or not self._log.profile.purges_cover_every_filter)

    def touches(self, filters: tuple[str, ...]) -> bool:
        """Return whether a consumer of these filters gets some of what it was about; filters that cross do not count."""
        if self._log.profile.purges_cover_wider:
            return False
        return not filters or any(covers(one, self._filter) or covers(self._filter, one) for one in filters)

    @property
    def first_left(self) -> int:
        """The first sequence that could have been removed and was not, the one to come next if there is none."""
        log = self._log
        if not self._filter:
            return log.first_sequence
        wants = compile_filters((self._filter,))
        left = (log.subjects.first(subject) for subject in log.subjects if wants(subject))
        return min(left, default=log.last_sequence + 1)
