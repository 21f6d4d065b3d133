"""What a message of a batch must pass, given what the batch holds before it.

Source: nats-server jetstream_batching.go, ``checkMsgHeadersPreClusteredProposal``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lattice_store.errors import ApiError, api_error
from lattice_store.model import Message
from lattice_store_sim._core import _control as names
from lattice_store_sim._core import _publish
from lattice_store_sim._core._control import Control
from lattice_store_sim._core._counter import counted
from lattice_store_sim._core._recovery import remember_ids
from lattice_store_sim._core._schedule_rules import check_end, check_schedule, has_schedule
from lattice_store_sim._core._ttl import ttl_of

if TYPE_CHECKING:
    from lattice_store_sim._core._stream import Stream


class DuplicateError(ApiError):
    """A message ID is known already."""

    sequence: int = 0
    """Of the message that it stands for, 0 if that is in the batch itself."""


class _Written:
    """What the batch writes to one subject."""

    __slots__ = ("bytes", "count", "schedules")

    def __init__(self) -> None:
        self.bytes = self.count = 0
        self.schedules = False
        """Whether the last of it is a schedule."""


class Staging:
    """The changes that a batch will have made when its next message is stored.

    Args:
        stream: where it will be.
        last_sequence: the stream's last one before the batch.
    """

    def __init__(self, stream: Stream, last_sequence: int) -> None:
        self._stream = stream
        self._last_sequence = last_sequence
        self._ids: set[bytes] = set()
        self._counted: dict[str, Message] = {}
        self._expected: dict[str, int] = {}
        self._written: dict[str, _Written] = {}

    def check(self, message: Message, control: Control) -> Message:
        """Return what is to be stored of the batch's next message, under the subject that the stream gives it.

        Raises:
            ApiError: it is refused, and with it the batch.
        """
        stream, config, profile = self._stream, self._stream.config, self._stream.context.profile
        message = _publish.transform(stream, message, control) or message
        if names.OVERSIZE in control:
            _publish.header_size(stream, message, control)
        if names.INCREMENT in control:
            _publish.increment(stream, message, control)
        if names.EXPECTED_STREAM in control:
            _publish.expected_stream(stream, message, control)
        if names.TTL in control:
            self._check_ttl(control)
        if names.MESSAGE_ID in control:
            self._check_id(message, control)
        if names.SOURCE in control and profile.source_header_refused:
            _publish.source(stream, message, control)
        if config.allow_msg_counter:
            message = self._count_on(message, control)
        self._check_expectations(message, control)
        if names.SCHEDULE in control or (names.SCHEDULE_TIME_ZONE in control and profile.schedules_repeat):
            message = check_schedule(config, profile, message, control) or message
        if names.SCHEDULE_NEXT in control or (names.SCHEDULER in control and profile.schedulers_checked):
            check_end(config, profile, message.subject, control, self._is_no_schedule)
        if names.ROLLUP in control:
            self._check_rollup(message, control)
        self._write(message)
        if config.discard == "new":
            self._check_room(message, control)
        return message

    # -- one header each ------------------------------------------------------------------------------

    def _check_ttl(self, control: Control) -> None:
        ttl = ttl_of(control[names.TTL])
        if ttl != 0 and not self._stream.config.allow_msg_ttl:
            raise api_error(400, 10166, "per-message TTL is disabled")
        if ttl is None:
            raise api_error(400, 10165, "invalid per-message TTL")

    def _check_id(self, message: Message, control: Control) -> None:
        message_id, stream = control[names.MESSAGE_ID], self._stream
        remember_ids(stream, message.time_ns)
        known = 0 if message_id in self._ids else stream.dedupe.find(message_id)
        if known is not None:
            error = DuplicateError(
                code=400, err_code=10201, description="atomic publish batch contains duplicate message id"
            )
            error.sequence = known
            raise error
        self._ids.add(message_id)

    def _count_on(self, message: Message, control: Control) -> Message:
        if names.INCREMENT not in control:
            raise api_error(400, 10169, "message counter increment is missing")
        log = self._stream.log
        last = self._counted.get(message.subject) or log.messages.get(log.subjects.last(message.subject))
        message = self._counted[message.subject] = counted(last, message, control)
        _publish.message_size(self._stream, message, control)
        return message

    def _check_expectations(self, message: Message, control: Control) -> None:
        if names.EXPECTED_LAST in control:
            actual = self._last_sequence
            if actual != _publish.sequence_of(control[names.EXPECTED_LAST]):
                raise _publish.wrong_last_sequence(actual)
            if self._written:
                raise _wrong_last_sequence_for_sure()
        if names.EXPECTED_SUBJECT in control:
            self._check_subject_sequence(message, control)
        elif names.EXPECTED_SUBJECT_FILTER in control:
            raise _publish.missing_sequence()

    def _check_subject_sequence(self, message: Message, control: Control) -> None:
        filter_ = control.get(names.EXPECTED_SUBJECT_FILTER, message.subject.encode()).decode("latin-1")
        wanted = _publish.sequence_of(control[names.EXPECTED_SUBJECT])
        if filter_ in self._written:
            raise _wrong_last_sequence_for_sure()
        actual = self._expected.get(filter_)
        if actual is None:
            actual = self._stream.log.last_of(filter_)
        if actual != wanted:
            raise _publish.wrong_last_sequence(actual)
        self._expected[filter_] = actual

    def _is_no_schedule(self, subject: str) -> bool:
        written = self._written.get(subject)
        return _publish.is_no_schedule(self._stream, subject) if written is None else not written.schedules

    def _check_rollup(self, message: Message, control: Control) -> None:
        _publish.rollup(self._stream, message, control)
        value = control[names.ROLLUP].lower()
        if value == b"sub" and message.subject in self._written:
            raise api_error(500, 10111, "batch rollup sub invalid")
        if value == b"all" and self._written:
            raise api_error(500, 10111, "batch rollup all invalid")

    # -- limits -----------------------------------------------------------------------------------------

    def _write(self, message: Message) -> None:
        written = self._written.setdefault(message.subject, _Written())
        written.bytes += self._stream.log.size_of(message)
        written.count += 1
        written.schedules = has_schedule(message)
        self._last_sequence += 1

    def _check_room(self, message: Message, control: Control) -> None:
        config, log = self._stream.config, self._stream.log
        written = self._written.values()
        if 0 < config.max_msgs < len(log.messages) + sum(each.count for each in written):
            raise api_error(503, 10077, "maximum messages exceeded")
        if 0 < config.max_bytes < log.bytes + sum(each.bytes for each in written):
            raise api_error(503, 10077, "maximum bytes exceeded")
        passes = names.ROLLUP in control and self._stream.context.profile.rollup_passes_full_subject
        of_subject = log.subjects.count(message.subject) + self._written[message.subject].count
        if config.discard_new_per_subject and not passes and 0 < config.max_msgs_per_subject < of_subject:
            raise api_error(503, 10077, "maximum messages per subject exceeded")


def _wrong_last_sequence_for_sure() -> ApiError:
    """Return the refusal of an expectation that the batch itself has made void."""
    return api_error(400, 10164, "wrong last sequence")
