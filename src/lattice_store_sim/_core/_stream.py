"""One stream: configuration, messages, remembered message IDs and replays, behind one door."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec

from lattice_store.errors import ApiError, api_error
from lattice_store.headers import Headers
from lattice_store.limits import SECOND_NS
from lattice_store.model import DeliverPolicy, Message, PubAck, StreamState
from lattice_store_sim._core import _feed, _publish, _retention
from lattice_store_sim._core._batch_set import BatchSet
from lattice_store_sim._core._consumer import Consumer
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._consumer_set import ConsumerSet
from lattice_store_sim._core._context import Context
from lattice_store_sim._core._control import (
    BATCH_ID,
    MESSAGE_ID,
    NO_CONTROL,
    ROLLUP,
    SCHEDULE_NEXT,
    SCHEDULER,
    TTL,
    Control,
    lone_message_id,
    read_control,
)
from lattice_store_sim._core._counter import CounterAck, value_of
from lattice_store_sim._core._cursor import Cursor
from lattice_store_sim._core._dedupe import Dedupe
from lattice_store_sim._core._fast import Answer, FastSend
from lattice_store_sim._core._feed import Feed, FeedInfo
from lattice_store_sim._core._filters import compile_filters, nothing
from lattice_store_sim._core._log import Log
from lattice_store_sim._core._names import letters
from lattice_store_sim._core._republish import republisher_of
from lattice_store_sim._core._schedule_rules import PURGE
from lattice_store_sim._core._scheduling import Due, Schedules
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
        self.miscounted = 0
        """How many messages were counted and not stored; see ``bad_ttls_counted``."""
        self.ids_forgotten = False
        """Whether a restart has left message IDs to be found among what is stored."""
        self.cursors: list[Cursor] = []
        self.consumers = ConsumerSet(self.log)
        self.feeds: list[Feed] = []
        """Where it takes messages from."""
        self.followers: list[Feed] = []
        """Feeds of other streams that take messages from this one."""
        self.batches = BatchSet(self)
        self.schedules: Schedules | None = None
        self.due_ns = 0
        """Nothing comes due before; kept so that a publish need not ask for the deadline."""
        self.configure(config, created_ns)
        self._watch(Expiry(self.log, config.max_age, ttls=config.allow_msg_ttl))

    def configure(self, config: StreamConfig, now_ns: int) -> None:
        """Prepare for a configuration; what it means for what is stored is left to `update`."""
        self.config = config
        profile, mapping, republish = self.context.profile, config.subject_transform, config.republish
        self.captures = compile_filters(config.subjects) if config.subjects else nothing
        self.transform = None if mapping is None else transform_of(mapping.src, mapping.dest, profile)
        self.republisher = None if republish is None else republisher_of(republish, profile)
        self._admission = _publish.Admission(config, profile, _publish.order(profile))
        from_origin = _publish.order_from_origin(profile, mirrored=config.mirror is not None)
        self._from_origin = _publish.Admission(config, profile, from_origin)
        self._for_staged = _publish.Admission(config, profile, _publish.order_of_staged(profile))
        self._for_own = _publish.Admission(config, profile, _publish.order_of_own(profile))
        self.rolls_up = config.allow_rollup_hdrs and not config.deny_purge
        self._extras = config.allow_msg_counter or config.allow_msg_schedules or bool(config.mirror or config.sources)
        """Whether a stored message may ask for more than its ID, rollup and TTL do."""
        self.feeds = _feed.changed(self, config)
        self.batches.configure()
        if config.allow_msg_schedules and self.schedules is None:
            self._schedule(Schedules.found_in(self.log, profile, now_ns))
        self.due_ns = 0

    def _schedule(self, schedules: Schedules) -> None:
        self.schedules = schedules
        self.log.observers.append(schedules)

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
        copied.last_message_id, copied.ids_forgotten = self.last_message_id, self.ids_forgotten
        copied.miscounted = self.miscounted
        copied._watch(self.expiry.copy(copied.log))
        if self.schedules is not None:
            copied._schedule(self.schedules.copy(copied.log))
        copied.batches = self.batches.copy(copied)
        return copied

    # -- time -----------------------------------------------------------------------------------

    @property
    def deadline_ns(self) -> int | None:
        """When something of this stream comes due."""
        scheduled_ns = None if self.schedules is None else self.schedules.deadline_ns
        readers_ns, batches_ns = self.consumers.deadline_ns, self.batches.deadline_ns
        due = (self.expiry.deadline_ns, self.dedupe.deadline_ns, readers_ns, batches_ns, scheduled_ns)
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
        self.batches.advance(now_ns)
        if self.schedules is not None:
            for due in self.schedules.begin(now_ns):
                self._publish_own(due, now_ns)
            self.schedules.end(now_ns)
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
        try:
            passed = self._pass(self._from_origin, subject, payload, headers, time_ns)
        except (ApiError, _publish.UnansweredError):
            return "refused"
        if isinstance(passed, PubAck):
            return "passed"
        self._keep(*passed)
        return "stored"

    def publish_fast(
        self, subject: str, payload: bytes, headers: Headers, sent: FastSend | None, now_ns: int
    ) -> list[Answer]:
        """Take a message of a fast batch; return what it is answered with.

        Raises:
            ApiError: refused, as no part of any batch.
        """
        message = Message(subject, self.log.last_sequence + 1, now_ns, headers, payload)
        self._refuse_if_sealed()
        return self.batches.take_fast(message, sent)

    def store_staged(self, message: Message, now_ns: int) -> PubAck:
        """Store a message of a batch that may be stored.

        Raises:
            ApiError: there is no room for it.
        """
        return self._store(self._for_staged, message.subject, message.payload, message.headers, now_ns)

    def _publish_own(self, due: Due, now_ns: int) -> None:
        """Store what a schedule has made, if it may be; what seems to be of a batch is taken to be looked at already."""
        admission = self._for_staged if BATCH_ID in read_control(due.headers.block) else self._for_own
        with suppress(ApiError, _publish.UnansweredError):
            self._store(admission, due.subject, due.payload, due.headers, now_ns)

    def _store(
        self, admission: _publish.Admission, subject: str, payload: bytes, headers: Headers, time_ns: int
    ) -> PubAck:
        """Do as `publish` does, with other steps to pass; what matters there is time."""
        passed = self._pass(admission, subject, payload, headers, time_ns)
        return passed if isinstance(passed, PubAck) else self._keep(*passed)

    def _pass(
        self, admission: _publish.Admission, subject: str, payload: bytes, headers: Headers, time_ns: int
    ) -> tuple[Message, Control] | PubAck:
        """Return what is to be stored, or the ack that stands for it."""
        message = Message(subject, self.log.last_sequence + 1, time_ns, headers, payload)
        control, steps = admission.read(headers.block)
        for step in steps:
            outcome = step(self, message, control)
            if isinstance(outcome, PubAck):
                return outcome
            message = outcome or message
        return message, control

    def _keep(self, message: Message, control: Control) -> PubAck:
        self.log.append(message)
        self.due_ns = 0
        return self._follow_up(message, control)

    def _follow_up(self, message: Message, control: Control) -> PubAck:
        """Do what the control headers of a stored message ask for."""
        self.remember(control, message.sequence, message.time_ns, message.time_ns)
        if ROLLUP in control and self.rolls_up:
            self._purge(_rolled_up(control, message.subject), keep=1)
        if TTL in control:
            self.due_ns = 0
        if self._extras:
            self._end_schedule(control)
            if self.config.allow_msg_counter:
                return CounterAck(self.config.name, message.sequence, value=value_of(message.payload))
        return PubAck(self.config.name, message.sequence)

    def _end_schedule(self, control: Control) -> None:
        """Purge what a message says it has come from for the last time."""
        if self.schedules is not None:
            self.due_ns = 0
        if control.get(SCHEDULE_NEXT) != PURGE or SCHEDULER not in control or not self.rolls_up:
            return
        if ROLLUP not in control or self.context.profile.rollups_end_schedules:
            self._purge(control[SCHEDULER].decode("utf-8", "replace"))

    def remember(self, control: Control, sequence: int, stored_ns: int, now_ns: int) -> None:
        """Note the message ID of what was stored, if it has one."""
        message_id = self.last_message_id = control.get(MESSAGE_ID, b"")
        if message_id and self.dedupe.remember(message_id, sequence, stored_ns, now_ns):
            self.due_by(now_ns + self.config.duplicate_window)

    def skip(self, message: Message, control: Control) -> PubAck:
        """Take a message that nobody is interested in: it gets a sequence, but is not stored."""
        sequence, self.miscounted = self.log.skip(message.time_ns), 0
        known_as = sequence if self.context.profile.skipped_ids_lead_there else 0
        self.remember(control, known_as, 0, message.time_ns)
        if ROLLUP in control and self.rolls_up and self.context.profile.skipped_rollups_purge:
            self._purge(_rolled_up(control, message.subject))
        if self._extras:
            self._end_schedule(control)
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
        self.batches.clear()

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
        believed = self.log.last_sequence + self.miscounted
        removed = self._purge(filter_ or "", before=before_sequence or 0, keep=keep or 0)
        self.miscounted = max(believed - self.log.last_sequence, 0)
        return removed

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
        self.configure(config, now_ns)
        self.dedupe.change_window(config.duplicate_window, now_ns)
        self.expiry.change_age(config.max_age)
        if config.allow_msg_ttl and not old.allow_msg_ttl:
            self._watch(Expiry(self.log, config.max_age, ttls=True))
        self.log.change_limits(config)
        if config.retention == "interest" and old.retention != "interest":
            _retention.began(self)
        if self.schedules is not None:
            self.schedules.look_at_once(now_ns)
        self.advance(now_ns)


def _rolled_up(control: Control, subject: str) -> str:
    """Return which messages an accepted rollup on *subject* replaces."""
    return ">" if control[ROLLUP].lower() == b"all" else subject
