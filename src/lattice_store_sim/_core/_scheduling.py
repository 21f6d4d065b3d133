"""The schedules of one stream: what is to be published when (nats-server scheduler.go, ``MsgScheduling``)."""

from __future__ import annotations

from operator import attrgetter
from typing import Final, NamedTuple

from lattice_store.errors import ApiError
from lattice_store.headers import Headers
from lattice_store.limits import SECOND_NS
from lattice_store.model import Message
from lattice_store_sim._core import _control as names
from lattice_store_sim._core._control import read_header, with_one_more, without_header, without_prefixes
from lattice_store_sim._core._log import Log
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._schedule import Schedule, schedule_of, time_of
from lattice_store_sim._core._schedule_rules import PURGE
from lattice_store_sim._core._ttl import int64, ttl_of

_SHORTEST_NS: Final = SECOND_NS // 4
"""How long a server waits at least before it looks what has come due."""

_EXPECTED: Final = b"Nats-Expected-"


class _Entry:
    """One schedule that is stored."""

    __slots__ = ("due_ns", "fired", "sequence")

    def __init__(self, sequence: int, due_ns: int) -> None:
        self.sequence, self.due_ns = sequence, int64(due_ns)
        self.fired = False
        """Whether its message is under way; it stays so if that is refused, until the schedule is set anew."""

    def copy(self) -> _Entry:
        copied = _Entry(self.sequence, self.due_ns)
        copied.fired = self.fired
        return copied


class Due(NamedTuple):
    """What a schedule makes when its time has come."""

    subject: str
    headers: Headers
    payload: bytes


class Schedules:
    """An observer of the stream's log; each subject has at most one schedule."""

    def __init__(self, log: Log, profile: ServerProfile) -> None:
        self._log, self._profile = log, profile
        self._by_subject: dict[str, _Entry] = {}
        self._busy = False
        self.deadline_ns: int | None = None
        """When it is looked what has come due."""

    @classmethod
    def found_in(cls, log: Log, profile: ServerProfile, now_ns: int) -> Schedules:
        """Return the schedules among what is stored already."""
        found = cls(log, profile)
        for message in log.messages.values():
            if message.headers and (schedule := found._schedule_of(message)) is not None:
                found._by_subject[message.subject] = _Entry(message.sequence, schedule.due_ns)
        found._look_for_next(now_ns)
        return found

    def copy(self, log: Log) -> Schedules:
        copied = Schedules(log, self._profile)
        copied._by_subject = {subject: entry.copy() for subject, entry in self._by_subject.items()}
        copied.deadline_ns = self.deadline_ns
        return copied

    # -- what the log tells -----------------------------------------------------------------------

    def added(self, message: Message) -> None:
        """Take a message with a schedule into account; any other one on a schedule's subject ends that."""
        block = message.headers.block
        schedule = self._schedule_of(message) if block else None
        scheduler = read_header(block, names.SCHEDULER)
        if schedule is not None:
            entry = self._by_subject[message.subject] = _Entry(message.sequence, schedule.due_ns)
            self._look_for(entry, message.time_ns)
        elif not scheduler or not self._profile.schedules_repeat:
            self._by_subject.pop(message.subject, None)
        if scheduler and self._profile.schedules_repeat:
            self._go_on(scheduler.decode("utf-8", "replace"), block, message.time_ns)

    def removed(self, message: Message) -> None:
        entry = self._by_subject.get(message.subject)
        if entry is not None and entry.sequence == message.sequence:
            del self._by_subject[message.subject]

    def _go_on(self, subject: str, block: bytes, now_ns: int) -> None:
        """Let a schedule go on from what it has made."""
        due_ns = time_of(read_header(block, names.SCHEDULE_NEXT).decode("utf-8", "replace"))
        entry = self._by_subject.get(subject)
        if due_ns is not None and entry is not None:
            entry.due_ns, entry.fired = int64(due_ns), False
            self._look_for(entry, now_ns)

    def _schedule_of(self, message: Message) -> Schedule | None:
        try:
            return schedule_of(message.headers.block, message.time_ns, message.time_ns, self._profile)
        except ApiError:
            return None

    # -- time ---------------------------------------------------------------------------------------

    def _look_for(self, entry: _Entry, now_ns: int) -> None:
        """Look when a schedule comes due; a look that is planned for earlier stays."""
        if not self._busy:
            deadline_ns = max(entry.due_ns, now_ns + _SHORTEST_NS)
            if self.deadline_ns is None or deadline_ns < self.deadline_ns:
                self.deadline_ns = deadline_ns

    def _look_for_next(self, now_ns: int) -> None:
        """Look when the next of all schedules comes due."""
        unfired = (entry for entry in self._by_subject.values() if not entry.fired)
        following = min(unfired, key=attrgetter("due_ns"), default=None)
        if following is not None:
            self._look_for(following, now_ns)

    def look_at_once(self, now_ns: int) -> None:
        """Wait no longer for what is due already, as after an update (memstore.go, ``UpdateConfig``)."""
        self.deadline_ns = now_ns

    def begin(self, now_ns: int) -> list[Due]:
        """Return what has come due, in the order of the schedules; it is to be published, then `end` called."""
        if self.deadline_ns is None or now_ns < self.deadline_ns:
            return []
        self.deadline_ns, self._busy = None, True
        due = [(subject, one) for subject, one in self._by_subject.items() if one.due_ns <= now_ns and not one.fired]
        made = []
        for subject, entry in sorted(due, key=lambda each: each[1].sequence):
            one = self._made(self._log.messages[entry.sequence], entry.due_ns, now_ns)
            if one is None:
                del self._by_subject[subject]
            else:
                entry.fired = True
                made.append(one)
        return made

    def end(self, now_ns: int) -> None:
        """Look at what comes next, once all that has come due is published."""
        if self._busy:
            self._busy = False
            self._look_for_next(now_ns)

    def restart(self, now_ns: int) -> None:
        """Begin anew with what is stored, as a server does when it comes up."""
        for entry in self._by_subject.values():
            entry.fired = False
        self.deadline_ns = None
        self._look_for_next(now_ns)

    # -- what becomes of a message --------------------------------------------------------------------

    def _made(self, message: Message, due_ns: int, now_ns: int) -> Due | None:
        """Return what a schedule publishes: its own content, or that of its source's last message."""
        block, repeats = message.headers.block, self._profile.schedules_repeat
        following = PURGE
        if repeats:
            try:
                schedule = schedule_of(block, due_ns, now_ns, self._profile)
            except ApiError:
                return None
            if schedule is not None and schedule.repeats:
                following = schedule.due_text.encode()
        ttl, target = read_header(block, names.SCHEDULE_TTL), read_header(block, names.SCHEDULE_TARGET)
        if not target or (ttl and ttl_of(ttl) is None):
            return None
        content = message
        if repeats and (source := read_header(block, names.SCHEDULE_SOURCE)):
            content = self._log.messages.get(self._log.last_of(source.decode("utf-8", "replace"))) or message
        left = self._without_wishes(content.headers.block)
        left = with_one_more(left, names.SCHEDULER, message.subject.encode())
        left = with_one_more(left, names.SCHEDULE_NEXT, following)
        if ttl:
            left = with_one_more(left, names.TTL, ttl)
        if repeats and (rollup := read_header(block, names.SCHEDULE_ROLLUP)):
            left = with_one_more(left, names.ROLLUP, rollup)
        return Due(target.decode("utf-8", "replace"), Headers.from_block(left), content.payload)

    def _without_wishes(self, block: bytes) -> bytes:
        """Return a header block without what is about the schedule, or could keep the message from being stored."""
        if self._profile.schedules_repeat:
            block = without_prefixes(block, (names.SCHEDULE, _EXPECTED))
        else:
            block = without_header(block, names.SCHEDULE, repeated=True)
            block = without_prefixes(block, (b"%b-" % names.SCHEDULE, _EXPECTED))
        for name in (names.MESSAGE_ID, names.TTL, names.ROLLUP):
            block = without_header(block, name, repeated=True)
        return block
