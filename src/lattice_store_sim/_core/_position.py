"""Where a consumer stands in its stream: what comes next, and how many wanted messages the server counts ahead of it.

The count is the server's, and not always the truth: it is one more for each wanted message stored and one less for each
taken or removed ahead, whether or not the snapshot of ``last_per_subject`` holds what was removed
(nats-server consumer.go, ``calculateNumPending``, ``decStreamPending``, ``checkNumPending``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from lattice_store.model import Message
from lattice_store.subjects import is_literal
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._filters import compile_filters, everything
from lattice_store_sim._core._log import Log


class Position:
    """A consumer's next sequence, behind a snapshot if its deliver policy takes one.

    Args:
        log: the stream's messages.
        config: deliver policy and filters.
        one_per_subject: the stream keeps one message per subject, so that a snapshot would be all of it.
    """

    def __init__(self, log: Log, config: ConsumerConfig, *, one_per_subject: bool) -> None:
        self._log = log
        self._last_only = config.deliver_policy == "last_per_subject"
        self._snapshot: deque[int] = deque()
        self._resume = log.last_sequence
        self._set_filters(config.filters)
        self._hears_of = self.is_told_of = self.wants
        """Which subjects wake the consumer, and of which it is told what comes and goes: seldom others than it wants."""
        if self._last_only and not one_per_subject:
            self._snapshot.extend(log.subjects.last_per_subject(self.wants))
        self.next = start_of(log, config, self._snapshot, one_per_subject=one_per_subject)
        if self.next >= self._resume:
            self._snapshot.clear()  # its only message is the last: there is nothing to skip (``setLeader``)
        self._ahead = 0
        self.recount()

    def copy(self, log: Log) -> Position:
        """Return the same position in a copy of the log."""
        copied = Position.__new__(Position)
        copied.__dict__.update(self.__dict__, _log=log, _snapshot=self._snapshot.copy())
        return copied

    # -- filters --------------------------------------------------------------------------------

    def _set_filters(self, filters: tuple[str, ...]) -> None:
        self._filters = filters
        self.wants = compile_filters(filters)
        self._literal = filters[0] if len(filters) == 1 and is_literal(filters[0]) else None

    def change_filters(self, filters: tuple[str, ...]) -> None:
        """Ask for other subjects from here on."""
        if set(filters) != set(self._filters):
            self._set_filters(filters)
            if self._log.profile.new_filters_heard:
                # Without filters the server subscribes the consumer to nothing at all (stream.go, ``swapSigSubs``).
                self._hears_of = self.is_told_of = self.wants if filters else _nothing
            else:
                self.is_told_of = self.wants
            self.recount()

    def restart(self) -> None:
        """Hear of all that is wanted again, and count it (consumer.go, ``setLeader``)."""
        self._hears_of = self.is_told_of = self.wants
        self.recount()

    # -- counting -------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """Wanted messages ahead."""
        return max(0, self._ahead)

    def recount(self) -> None:
        """Count anew what is ahead."""
        log, wants, start = self._log, self.wants, self.next
        subjects = log.subjects
        if start > log.last_sequence:
            self._ahead = 0
        elif self._last_only and start <= log.first_sequence:
            self._ahead = sum(map(wants, subjects))
        elif self._last_only:
            self._ahead = sum(1 for subject in subjects if subjects.last(subject) >= start and wants(subject))
        elif start <= log.first_sequence:
            wanted = (subjects.count(subject) for subject in subjects if wants(subject))
            self._ahead = len(log.messages) if wants is everything else sum(wanted)
        else:
            self._ahead = sum(1 for one in log.messages.values() if one.sequence >= start and wants(one.subject))

    def clamp(self) -> None:
        """Count no more than the stream can hold; the server does so whenever it tells of a consumer."""
        log = self._log
        if log.profile.infos_recount:
            self.recount()
        elif self.next > log.last_sequence:
            self._ahead = 0
        elif log.profile.surplus_recounted:
            if self._ahead > len(log.messages):
                self.recount()
        elif self._ahead > 0:
            self._ahead = min(self._ahead, len(log.messages), log.last_sequence - self.next + 1)

    def added(self, message: Message) -> bool:
        """Note that the log grew; return whether there may be something to deliver."""
        if self.is_told_of(message.subject):
            self._ahead += 1
        return message.sequence >= self.next and self._hears_of(message.subject)

    def removed(self, message: Message) -> None:
        """Note that the log lost a wanted message."""
        if message.sequence >= self.next:
            self._ahead -= 1

    # -- moving ---------------------------------------------------------------------------------

    def take(self) -> Message | None:
        """Move past the next wanted message and return it, None at the end.

        A snapshot's message that was removed ends the pass as well; the next pass goes on behind it.
        """
        if self._snapshot:
            return self._take_from_snapshot()
        log = self._log
        sequence = self._find(max(self.next, log.first_sequence))
        if sequence:
            self.next = sequence + 1
            self._ahead -= 1
            return log.messages[sequence]
        self.next = max(self.next, log.last_sequence + 1)
        if self.next > log.last_sequence:
            self._ahead = 0
        return None

    def walk(self) -> Iterator[Message]:
        """Do `take` until it returns None. Whoever stops before stands where the last one left him."""
        while self._snapshot:
            taken = self._take_from_snapshot()
            if taken is None:
                return
            yield taken
        if self._literal is not None:
            while (taken := self.take()) is not None:
                yield taken
            return
        log, messages, wants = self._log, self._log.messages, self.wants
        for sequence in range(max(self.next, log.first_sequence), log.last_sequence + 1):
            message = messages.get(sequence)
            if message is not None and (wants is everything or wants(message.subject)):
                self.next = sequence + 1
                self._ahead -= 1
                yield message
        self.take()

    def _take_from_snapshot(self) -> Message | None:
        sequence = self._snapshot.popleft()
        if not self._snapshot:
            again = self._log.profile.last_looked_at_again
            self.next = max(sequence + 1, self._resume if again else self._resume + 1)
        elif self._log.profile.snapshot_moves_position:
            self.next = sequence + 1
        else:
            self.next += 1
        message = self._log.messages.get(sequence)
        if message is not None:
            self._ahead -= 1
        return message

    def _find(self, start: int) -> int:
        """Return the first wanted sequence from *start*, 0 if there is none."""
        if self._literal is not None:
            return self._log.subjects.next(self._literal, start)
        messages, wants = self._log.messages, self.wants
        for sequence in range(start, self._log.last_sequence + 1):
            message = messages.get(sequence)
            if message is not None and wants(message.subject):
                return sequence
        return 0

    def give_back(self, message: Message) -> bool:
        """Take back the last `take`; return False if it was not along the log."""
        if message.sequence != self.next - 1:
            return False
        self.next -= 1
        self._ahead += 1
        return True

    def step_back(self) -> None:
        """Go back by one without counting it: what 2.9 does with a redelivery that nobody could take."""
        self.next -= 1

    def skip_to(self, sequence: int) -> None:
        """Continue at *sequence*, never further back."""
        self.next = max(self.next, sequence)

    def rewind(self, sequence: int) -> None:
        """Continue at *sequence*, wherever it is."""
        self.next = sequence
        self.recount()


def _nothing(_subject: str) -> bool:
    return False


def start_of(log: Log, config: ConsumerConfig, snapshot: deque[int], *, one_per_subject: bool) -> int:
    """Return where a new consumer begins (consumer.go, ``selectStartingSeqNo``)."""
    first, last = log.first_sequence, log.last_sequence
    if config.opt_start_seq and log.profile.start_beyond_end_waits:
        return max(config.opt_start_seq, first)
    if first == 0:
        return 1
    match config.deliver_policy:
        case "all":
            start = first
        case "last" if not config.filters and log.profile.last_may_have_gone:
            return max(last, 1)
        case "last":
            start = max((_last_of(log, one) for one in config.filters), default=last)
        case "last_per_subject":
            start = first if one_per_subject else snapshot[0] if snapshot else last
        case "by_start_sequence":
            start = config.opt_start_seq
        case "by_start_time" if config.opt_start_time is not None:
            start = _since(log, config.opt_start_time, config.filters)
        case _:
            start = last + 1
    return max(min(start, last + 1), first)


def _last_of(log: Log, filter_: str) -> int:
    return log.last_sequence if filter_ == ">" else log.last_of(filter_)


def _since(log: Log, time_ns: int, filters: tuple[str, ...]) -> int:
    """Return the first sequence of that time, or the first of the filters' oldest messages if that is later.

    The server looks at the oldest message of each filter only, to walk less.
    """
    start = log.first_since(time_ns)
    ahead = min((one for one in (_oldest(log, each) for each in filters) if one >= start), default=log.last_sequence)
    return ahead if start < ahead < log.last_sequence else start


def _oldest(log: Log, filter_: str) -> int:
    wants = compile_filters((filter_,))
    return min((log.subjects.first(subject) for subject in log.subjects if wants(subject)), default=0)
