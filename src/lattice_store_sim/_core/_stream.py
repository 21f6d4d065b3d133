"""One stream: configuration, messages, remembered message IDs and replays, behind one door."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from lattice_store.errors import ApiError, api_error
from lattice_store.headers import Headers
from lattice_store.limits import SECOND_NS
from lattice_store.model import DeliverPolicy, Message, PubAck, StreamState
from lattice_store_sim._core import _feed, _publish, _retention
from lattice_store_sim._core._consumer import Consumer
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._consumer_set import ConsumerSet
from lattice_store_sim._core._context import Context
from lattice_store_sim._core._control import MESSAGE_ID, NO_CONTROL, ROLLUP, TTL, Control, lone_message_id, read_control
from lattice_store_sim._core._counter import CounterAck, value_of
from lattice_store_sim._core._cursor import Cursor
from lattice_store_sim._core._dedupe import Dedupe
from lattice_store_sim._core._feed import Feed, FeedInfo
from lattice_store_sim._core._filters import compile_filters, nothing
from lattice_store_sim._core._log import Log
from lattice_store_sim._core._names import letters
from lattice_store_sim._core._republish import republisher_of
from lattice_store_sim._core._stream_config import StreamConfig
from lattice_store_sim._core._subject_transform import transform_of
from lattice_store_sim._core._ttl import Expiry, is_marker, marker_headers

_NEVER: Final = sys.maxsize
_MARKER_RETRY_NS: Final = 2 * SECOND_NS
"""How long a message whose delete marker was refused stays before it is looked at again (sdm.go)."""


class StreamInfo(msgspec.Struct, frozen=True):
    """A stream as it stands."""

    config: StreamConfig
    created_ns: int
    state: StreamState
    feeds: list[FeedInfo] = []
    """Its mirror or its sources."""


class Stream:
    """A stream with a normalised configuration. Its methods expect that time has been moved by `advance`."""

    def __init__(self, config: StreamConfig, created_ns: int, context: Context) -> None:
        self.context = context
        self.created_ns = created_ns
        self.log = Log(config, context.profile)
        self.dedupe = Dedupe(config.duplicate_window)
        self.last_message_id = b""
        self._ids_forgotten = False
        self.cursors: list[Cursor] = []
        self.consumers = ConsumerSet(self.log)
        self.feeds: list[Feed] = []
        """Where it takes messages from."""
        self.followers: list[Feed] = []
        """Feeds of other streams that take messages from this one."""
        self.due_ns = 0
        """Nothing comes due before; kept so that a publish need not ask for the deadline."""
        self._configure(config)
        self._watch(Expiry(self.log, config.max_age, ttls=config.allow_msg_ttl))

    def _configure(self, config: StreamConfig) -> None:
        self.config = config
        profile, mapping, republish = self.context.profile, config.subject_transform, config.republish
        self.captures = compile_filters(config.subjects) if config.subjects else nothing
        self.transform = None if mapping is None else transform_of(mapping.src, mapping.dest, profile)
        self.republisher = None if republish is None else republisher_of(republish, profile)
        self._admission = _publish.Admission(config, profile, _publish.order(profile))
        from_origin = _publish.order_from_origin(profile, mirrored=config.mirror is not None)
        self._from_origin = _publish.Admission(config, profile, from_origin)
        self.rolls_up = config.allow_rollup_hdrs and not config.deny_purge
        self.feeds = _feed.changed(self, config)
        self.due_ns = 0

    def _watch(self, expiry: Expiry) -> None:
        self.expiry = expiry
        if self.config.allow_msg_ttl:
            self.log.observers.append(expiry)

    def copy(self, context: Context) -> Stream:
        """Return the same stream for another server; replays stay with this one."""
        copied = Stream(self.config, self.created_ns, context)
        copied.log, copied.dedupe = self.log.copy(), self.dedupe.copy()
        copied.consumers = ConsumerSet(copied.log)
        for consumer in self.consumers.values():
            copied.consumers.add(consumer.copy(copied))
        copied.feeds = [feed.copy() for feed in self.feeds]
        copied.last_message_id, copied._ids_forgotten = self.last_message_id, self._ids_forgotten
        copied._watch(self.expiry.copy(copied.log))
        return copied

    # -- time -----------------------------------------------------------------------------------

    @property
    def deadline_ns(self) -> int | None:
        """When something of this stream comes due."""
        due = (self.expiry.deadline_ns, self.dedupe.deadline_ns, self.consumers.deadline_ns)
        return min((deadline for deadline in due if deadline is not None), default=None)

    def advance(self, now_ns: int) -> None:
        """Let everything come due that is due by *now_ns*."""
        while now_ns >= self.due_ns:
            deadline = self.deadline_ns
            if deadline is not None and deadline <= now_ns:
                self._come_due(deadline)
            else:
                self.due_ns = _NEVER if deadline is None else deadline

    def _come_due(self, now_ns: int) -> None:
        """Do all that is due at *now_ns*; nothing due then is left."""
        for sequence in self.expiry.due(now_ns):
            message = self.log.messages.get(sequence)
            if message is not None:  # otherwise the marker of an earlier one has replaced it
                self._expire(message, now_ns)
        self.dedupe.expire(now_ns)
        self.consumers.advance(now_ns)

    def _expire(self, message: Message, now_ns: int) -> None:
        """Remove a message; in place of a subject's last one a delete marker is published."""
        marker_ttl = self.config.subject_delete_marker_ttl
        if not marker_ttl or self.log.subjects.count(message.subject) > 1 or is_marker(message):
            self.log.remove(message.sequence)
            return
        try:
            self.publish(message.subject, b"", marker_headers(marker_ttl), now_ns)
        except ApiError:
            self.expiry.postpone(message.sequence, now_ns + _MARKER_RETRY_NS)

    def due_by(self, deadline_ns: int) -> None:
        """Note that something will come due; the stream would not ask before its next deadline."""
        self.due_ns = min(self.due_ns, deadline_ns)

    # -- publish --------------------------------------------------------------------------------

    def publish(self, subject: str, payload: bytes, headers: Headers, now_ns: int) -> PubAck:
        """Store a message, or stand in for it with the ack of an earlier one.

        Raises:
            ApiError: refused; nothing has changed.
        """
        log = self.log
        message = Message(subject, log.last_sequence + 1, now_ns, headers, payload)
        block = headers.block
        if not block:
            control, steps = NO_CONTROL, self._admission.for_plain
        elif message_id := lone_message_id(block):
            control, steps = {MESSAGE_ID: message_id}, self._admission.for_message_id
        else:
            control, steps = self._admission.read(block)
        for step in steps:
            outcome = step(self, message, control)
            if outcome is not None:
                if isinstance(outcome, PubAck):
                    return outcome
                message = outcome
        log.append(message)
        if self.config.max_age:
            self.due_by(now_ns + self.config.max_age)
        if control:
            return self._follow_up(message, control)
        self.last_message_id = b""
        return PubAck(self.config.name, message.sequence)

    def take(self, subject: str, payload: bytes, headers: Headers, time_ns: int) -> _feed.Outcome:
        """Store a message that another stream has, unless it is not for this one or has to wait."""
        message = Message(subject, self.log.last_sequence + 1, time_ns, headers, payload)
        control, steps = self._from_origin.read(headers.block)
        try:
            for step in steps:
                outcome = step(self, message, control)
                if isinstance(outcome, PubAck):
                    return "passed"
                message = outcome or message
        except (ApiError, _publish.UnansweredError):
            return "refused"
        self.log.append(message)
        self.due_ns = 0
        self._follow_up(message, control)
        return "stored"

    def _follow_up(self, message: Message, control: Control) -> PubAck:
        """Do what the control headers of a stored message ask for."""
        self._remember(control, message.sequence, message.time_ns, message.time_ns)
        if ROLLUP in control and self.rolls_up:
            self._purge(_rolled_up(control, message.subject), keep=1)
        if TTL in control:
            self.due_ns = 0
        if self.config.allow_msg_counter:
            return CounterAck(self.config.name, message.sequence, value=value_of(message.payload))
        return PubAck(self.config.name, message.sequence)

    def _remember(self, control: Control, sequence: int, stored_ns: int, now_ns: int) -> None:
        message_id = self.last_message_id = control.get(MESSAGE_ID, b"")
        if message_id and self.dedupe.remember(message_id, sequence, stored_ns, now_ns):
            self.due_by(now_ns + self.config.duplicate_window)

    def skip(self, message: Message, control: Control) -> PubAck:
        """Take a message that nobody is interested in: it gets a sequence, but is not stored."""
        sequence = self.log.skip(message.time_ns)
        known_as = sequence if self.context.profile.skipped_ids_lead_there else 0
        self._remember(control, known_as, 0, message.time_ns)
        if ROLLUP in control and self.rolls_up and self.context.profile.skipped_rollups_purge:
            self._purge(_rolled_up(control, message.subject))
        return PubAck(self.config.name, sequence)

    # -- reads ----------------------------------------------------------------------------------

    def info(self, now_ns: int) -> StreamInfo:
        feeds = [feed.info(now_ns) for feed in self.feeds]
        shown = sum(feed.consumer is not None for feed in self.followers)
        return StreamInfo(self.config, self.created_ns, self.log.state(self._readers + shown), feeds)

    @property
    def identity(self) -> str:
        """What tells this stream from others that have had its name."""
        return letters(self.created_ns)

    def get_message(self, sequence: int) -> Message:
        """Return the message stored at *sequence*.

        Raises:
            MessageNotFoundError: there is none.
        """
        message = self.log.messages.get(sequence)
        if message is None:
            raise api_error(404, 10037, "no message found")
        return message

    # -- consumers and replays ------------------------------------------------------------------

    @property
    def _readers(self) -> int:
        return len(self.cursors) + len(self.consumers)

    def add_consumer(self, name: str, config: ConsumerConfig, now_ns: int) -> Consumer:
        """Create a consumer of a normalised configuration; it delivers nothing before it runs for the first time."""
        consumer = Consumer(self, name, config, created_ns=now_ns)
        self.consumers.add(consumer)
        consumer.advisories.created(now_ns)
        self.due_ns = 0
        return consumer

    def remove_consumer(self, consumer: Consumer, now_ns: int) -> None:
        """End a consumer; who waits for its messages is told."""
        self.consumers.remove(consumer)
        consumer.advisories.deleted(now_ns)
        consumer.close("Consumer Deleted")
        _retention.reader_gone(self, consumer.acks.record.floor.stream_sequence)

    def close(self, now_ns: int) -> None:
        """End with the stream: its consumers end too."""
        for consumer in self.consumers.values():
            consumer.advisories.deleted(now_ns)
            consumer.close("Consumer Deleted")

    def interest_changed(self, consumer: Consumer) -> None:
        """Note that a consumer wants other subjects than before."""
        _retention.interest_changed(self, consumer.acks.record.floor.stream_sequence)

    def settled(self, consumer: Consumer, sequences: Sequence[int]) -> None:
        """Note that a consumer is done with messages."""
        _retention.settled(self, sequences)

    def open_cursor(self, filters: Sequence[str], deliver: DeliverPolicy) -> Cursor:
        """Begin a replay; it is kept up to date until `close_cursor`.

        Raises:
            ApiError: the stream has as many consumers as it may have.
        """
        if 0 < self.config.max_consumers <= self._readers:
            raise api_error(400, 10026, "maximum consumers limit reached")
        cursor = Cursor(self.log, filters, deliver, lambda sequences: _retention.settled(self, sequences))
        self.cursors.append(cursor)
        self.log.observers.append(cursor)
        return cursor

    def close_cursor(self, cursor: Cursor) -> None:
        self.cursors.remove(cursor)
        self.log.observers.remove(cursor)
        _retention.reader_gone(self, cursor.sequence)

    # -- removal --------------------------------------------------------------------------------

    def delete_message(self, sequence: int) -> None:
        """Remove one message.

        Raises:
            ApiError: sealed, denied, or nothing is stored there; where the gap is decides about the error
                (memstore.go and filestore.go ``removeMsg``).
        """
        self._refuse_if_sealed()
        if self.config.deny_delete:
            raise api_error(500, 10057, "message delete not permitted")
        if self.log.remove(sequence):
            return
        if self.log.on_file and sequence > self.log.last_sequence:
            raise api_error(500, 10057, "stream store EOF")
        if self.log.on_file and (not sequence or sequence < self.log.first_sequence):
            raise api_error(500, 10057, "no message found")
        raise api_error(400, 10043, f"sequence {sequence} not found")

    def purge(self, filter_: str | None, before_sequence: int | None, keep: int | None) -> int:
        """Remove many messages; return how many.

        Raises:
            ApiError: sealed or denied.
        """
        self._refuse_if_sealed()
        if self.config.deny_purge:
            raise api_error(500, 10110, "stream purge not permitted")
        return self._purge(filter_ or "", before=before_sequence or 0, keep=keep or 0)

    def _purge(self, filter_: str, *, before: int = 0, keep: int = 0) -> int:
        if not self.consumers:
            return self.log.purge(filter_, before=before, keep=keep)
        self.consumers.purge_begins(filter_, keep=keep)
        removed = self.log.purge(filter_, before=before, keep=keep)
        self.consumers.purge_ends()
        return removed

    def _refuse_if_sealed(self) -> None:
        if self.config.sealed:
            raise api_error(400, 10109, "invalid operation on sealed stream")

    # -- administration -------------------------------------------------------------------------

    def update(self, config: StreamConfig, now_ns: int) -> None:
        """Take over an accepted configuration; lowered limits evict at once, a new window judges all IDs."""
        old = self.config
        self._configure(config)
        self.dedupe.change_window(config.duplicate_window, now_ns)
        self.expiry.change_age(config.max_age)
        if config.allow_msg_ttl and not old.allow_msg_ttl:
            self._watch(Expiry(self.log, config.max_age, ttls=True))
        self.log.change_limits(config)
        if config.retention == "interest" and old.retention != "interest":
            _retention.began(self)
        self.advance(now_ns)

    def restart(self, now_ns: int) -> None:
        """Forget what the server keeps in memory only."""
        log, profile = self.log, self.context.profile
        if profile.unused_files_restart_at_1:
            log.first_sequence = max(log.first_sequence, 1)
        self._expire_on_the_way_up(now_ns)
        for feed in self.feeds:
            feed.restart(self)
        self.dedupe, self.last_message_id, self._ids_forgotten = Dedupe(self.config.duplicate_window), b"", True
        if not profile.ids_restored_when_asked:
            self.remember_ids(now_ns)
        for consumer in list(self.consumers.values()):
            if consumer.config.mem_storage:
                self.consumers.remove(consumer)
            else:
                consumer.restart(now_ns)
                self.consumers.stir(consumer)
        self.due_ns = 0
        self.advance(now_ns)

    def remember_ids(self, now_ns: int) -> None:
        """Take message IDs from the stored messages, if a restart has forgotten them (stream.go ``rebuildDedupe``)."""
        if not self._ids_forgotten:
            return
        self._ids_forgotten = False
        log, since_ns = self.log, now_ns - self.config.duplicate_window
        for sequence in range(log.first_since(since_ns), log.last_sequence + 1):
            if sequence in log.messages:
                self._remember(self._control_at(sequence), sequence, log.messages[sequence].time_ns, now_ns)
        last = log.messages.get(log.last_sequence)
        is_known = last is not None and last.time_ns >= since_ns
        kept = is_known or self.context.profile.old_last_id_restored
        self.last_message_id = self._control_at(log.last_sequence).get(MESSAGE_ID, b"") if kept else b""

    def _expire_on_the_way_up(self, now_ns: int) -> None:
        """Remove what has come of age while the server was down, even with a TTL (filestore.go, ``expireMsgsOnRecover``)."""
        if self.config.subject_delete_marker_ttl:
            return
        if max_age := self.config.max_age:
            messages = self.log.messages.values()
            self.log.remove_all([one.sequence for one in messages if one.time_ns + max_age <= now_ns])

    def _control_at(self, sequence: int) -> Control:
        """Return the control headers of a stored message."""
        message = self.log.messages.get(sequence)
        return read_control(message.headers.block) if message is not None and message.headers else NO_CONTROL


def _rolled_up(control: Control, subject: str) -> str:
    """Return which messages an accepted rollup on *subject* replaces."""
    return ">" if control[ROLLUP].lower() == b"all" else subject
