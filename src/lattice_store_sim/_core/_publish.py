"""What a publish must pass before it is stored, in the order of each nats-server version (stream.go).

A step changes nothing (the last one speaks of what is bound to happen). It raises the server's refusal, returns an ack that stands for the publish, or the message
to go on with in place of what was sent, or None to let it pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from lattice_store.errors import ApiError, api_error
from lattice_store.headers import Headers
from lattice_store.limits import MAX_HEADER_BYTES, SECOND_NS
from lattice_store.model import Message, PubAck
from lattice_store_sim._core import _control as names
from lattice_store_sim._core._control import Control, number_of, read_control, without_header
from lattice_store_sim._core._counter import counted
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._recovery import remember_ids
from lattice_store_sim._core._retention import is_wanted
from lattice_store_sim._core._schedule_rules import check_end, check_schedule, has_schedule
from lattice_store_sim._core._stream_config import StreamConfig
from lattice_store_sim._core._ttl import ttl_of

if TYPE_CHECKING:
    from lattice_store_sim._core._stream import Stream

Run = Callable[["Stream", Message, Control], PubAck | Message | None]

_INCREMENT: Final = re.compile(rb"[+-]?[0-9]+")
_NO_PART_OF_COUNTERS: Final = frozenset(
    (
        *(names.ROLLUP, names.EXPECTED_STREAM, names.EXPECTED_LAST, names.EXPECTED_ID),
        *(names.EXPECTED_SUBJECT, names.EXPECTED_SUBJECT_FILTER),
    )
)


def sequence_of(text: bytes) -> int:
    """Read an expected sequence; what is no number becomes one that no stream reaches, as in the server."""
    return number_of(text) if text.isdigit() else 2**64 - 1


class UnansweredError(Exception):
    """The message is refused without a word: who published it waits in vain."""


# -- the steps --------------------------------------------------------------------------------------


def transform(stream: Stream, message: Message, control: Control) -> Message | None:
    """Go on with the subject that the stream makes of the message's own, if it does."""
    subject = None if stream.transform is None else stream.transform.match(message.subject, message.sequence)
    return None if subject is None else msgspec.structs.replace(message, subject=subject)


def _sealed(stream: Stream, message: Message, control: Control) -> None:
    raise api_error(400, 10109, "invalid operation on sealed stream")


def message_size(stream: Stream, message: Message, control: Control) -> None:
    if 0 < stream.config.max_msg_size < len(message.headers.block) + len(message.payload):
        raise api_error(400, 10054, "message size exceeds maximum allowed")


def header_size(stream: Stream, message: Message, control: Control) -> None:
    if len(message.headers.block) > MAX_HEADER_BYTES:
        raise api_error(400, 10097, "header size exceeds maximum allowed of 64k")


def _batch(stream: Stream, message: Message, control: Control) -> PubAck:
    """Let what belongs to a batch wait for its end; it is looked at then."""
    message_size(stream, message, control)
    if stream.batches.atomic is None:
        raise api_error(400, 10174, "atomic publish is disabled")
    return stream.batches.atomic.take(message, control)


def _request_info(stream: Stream, message: Message, control: Control) -> Message:
    """Take out what a server adds to a request from another account."""
    repeated = stream.context.profile.repeated_headers_removed
    block = without_header(message.headers.block, names.REQUEST_INFO, repeated=repeated)
    return msgspec.structs.replace(message, headers=Headers.from_block(block))


def increment(stream: Stream, message: Message, control: Control) -> None:
    if _INCREMENT.fullmatch(control[names.INCREMENT]) is None:
        raise api_error(400, 10171, "message counter increment is invalid")
    if not stream.config.allow_msg_counter:
        raise api_error(400, 10168, "message counters is disabled")
    if message.payload:
        raise api_error(400, 10170, "message counter has payload")
    if not control.keys().isdisjoint(_NO_PART_OF_COUNTERS):
        raise api_error(400, 10171, "message counter increment is invalid")


def expected_stream(stream: Stream, message: Message, control: Control) -> None:
    if control[names.EXPECTED_STREAM] != stream.config.name.encode():
        raise api_error(400, 10060, "expected stream does not match")


def _ttl_disabled(stream: Stream, message: Message, control: Control) -> None:
    if ttl_of(control[names.TTL]):
        raise api_error(400, 10166, "per-message TTL is disabled")


def wrong_last_sequence(actual: int) -> ApiError:
    return api_error(400, 10071, f"wrong last sequence: {actual}")


def missing_sequence() -> ApiError:
    return api_error(400, 10193, "missing sequence for expected last sequence per subject")


def _last_subject_sequence(stream: Stream, message: Message, control: Control) -> None:
    if names.EXPECTED_SUBJECT not in control:
        raise missing_sequence()
    filter_ = control.get(names.EXPECTED_SUBJECT_FILTER) if stream.context.profile.expected_subject_filter else None
    actual = stream.log.last_of(message.subject if filter_ is None else filter_.decode("latin-1"))
    if actual != sequence_of(control[names.EXPECTED_SUBJECT]):
        raise wrong_last_sequence(actual)


def _last_sequence(stream: Stream, message: Message, control: Control) -> None:
    actual = stream.log.last_sequence + stream.miscounted
    if actual != sequence_of(control[names.EXPECTED_LAST]):
        raise wrong_last_sequence(actual)


def _schedule(stream: Stream, message: Message, control: Control) -> Message | None:
    return check_schedule(stream.config, stream.context.profile, message, control)


def is_no_schedule(stream: Stream, subject: str) -> bool:
    """Return whether the last message of a subject is no schedule; there may be none."""
    last = stream.log.messages.get(stream.log.subjects.last(subject))
    return last is not None and not has_schedule(last)


def _schedules_end(stream: Stream, message: Message, control: Control) -> None:
    def is_other(subject: str) -> bool:
        return is_no_schedule(stream, subject)

    check_end(stream.config, stream.context.profile, message.subject, control, is_other)


def source(stream: Stream, message: Message, control: Control) -> None:
    raise api_error(400, 10227, "message stream source header is not allowed")


def _duplicate(stream: Stream, message: Message, control: Control) -> PubAck | None:
    remember_ids(stream, message.time_ns)
    sequence = stream.dedupe.find(control[names.MESSAGE_ID])
    return None if sequence is None else PubAck(stream.config.name, sequence, duplicate=True)


def _last_message_id(stream: Stream, message: Message, control: Control) -> None:
    if not stream.last_message_id:
        remember_ids(stream, message.time_ns)
    if control[names.EXPECTED_ID] != stream.last_message_id:
        stream.batches.reckoning.miss()
        raise api_error(400, 10070, f"wrong last msg ID: {stream.last_message_id.decode('latin-1')}")


def rollup(stream: Stream, message: Message, control: Control) -> None:
    if not stream.rolls_up:
        raise api_error(500, 10111, "rollup not permitted")
    _rollup_value(stream, message, control)


def _rollup_value(stream: Stream, message: Message, control: Control) -> None:
    value = control[names.ROLLUP].lower()
    if value not in (b"sub", b"all"):
        if not stream.context.profile.invalid_rollup_answered:
            raise UnansweredError
        raise api_error(500, 10111, f'rollup value invalid: "{value.decode("latin-1")}"')


def _count(stream: Stream, message: Message, control: Control) -> Message:
    """Go on with the subject's new sum, which may be too large."""
    if names.INCREMENT not in control:
        raise api_error(400, 10169, "message counter increment is missing")
    last = stream.log.messages.get(stream.log.subjects.last(message.subject))
    message = counted(last, message, control)
    message_size(stream, message, control)
    return message


def _ttl(stream: Stream, message: Message, control: Control) -> Message | None:
    """Raise a TTL to that of the stream's delete markers, which would otherwise come too late."""
    seconds = ttl_of(control[names.TTL])
    if seconds is None:
        if stream.context.profile.bad_ttls_counted:
            stream.miscounted += 1
            stream.last_message_id = control.get(names.MESSAGE_ID, b"")
        raise api_error(400, 10165, "invalid per-message TTL")
    least = stream.config.subject_delete_marker_ttl // SECOND_NS
    if not 0 < seconds < least or stream.config.max_msgs_per_subject == 1:
        return None
    repeated = stream.context.profile.repeated_headers_removed
    block = without_header(message.headers.block, names.TTL, repeated=repeated) or b"NATS/1.0\r\n\r\n"
    raised = Headers.from_block(b"%b%b: %d\r\n\r\n" % (block[:-2], names.TTL, least))
    return msgspec.structs.replace(message, headers=raised)


def _full(stream: Stream, message: Message, control: Control) -> None:
    """Refuse under discard policy NEW; a message that replaces the oldest of its subject may still pass."""
    reason = _lack(stream, message, control)
    if reason:
        stream.batches.reckoning.miss()
        stream.miscounted = 0
        raise api_error(503, 10077, f"maximum {reason} exceeded")


def _lack(stream: Stream, message: Message, control: Control) -> str:
    """Return what there is no room for; nothing if there is."""
    config, log, subject = stream.config, stream.log, message.subject
    replaces = 0 < config.max_msgs_per_subject <= log.subjects.count(subject)
    passes = names.ROLLUP in control and stream.context.profile.rollup_passes_full_subject
    if replaces and config.discard_new_per_subject and not passes:
        return "messages per subject"
    if 0 < config.max_msgs <= len(log.messages) and not replaces:
        return "messages"
    oldest = log.messages[log.subjects.first(subject)] if replaces else None
    return "bytes" if config.max_bytes > 0 and _exceeds(stream, message, oldest) else ""


def _exceeds(stream: Stream, message: Message, oldest: Message | None) -> bool:
    """Return whether a message is too large for what is left, though it replaces *oldest* of its subject."""
    log, profile = stream.log, stream.context.profile
    size = log.size_of(message) if profile.full_size_counted else len(message.headers.block) + len(message.payload)
    left = stream.config.max_bytes - log.bytes
    if size < left or (size == left and profile.exact_fit_passes):
        return False
    if oldest is None:
        return True
    may_be_equal = profile.exact_fit_passes or not log.on_file
    return log.size_of(oldest) < size + (0 if may_be_equal else 1)


def _unwanted(stream: Stream, message: Message, control: Control) -> PubAck | None:
    """Let a message that no consumer is interested in only take its sequence."""
    return None if is_wanted(stream, message.subject) else stream.skip(message, control)


def _republish(stream: Stream, message: Message, control: Control) -> None:
    """Send the message on; nothing can keep it from being stored any more, and what came before it is still there."""
    outgoing = None if stream.republisher is None else stream.republisher.of(stream, message)
    if outgoing is not None:
        stream.context.publish(outgoing)


# -- their order ------------------------------------------------------------------------------------


def _any_stream(config: StreamConfig) -> bool:
    return True


class Step(NamedTuple):
    """One row of the order: the step runs on streams it concerns, for messages with one of its headers."""

    run: Run
    headers: tuple[bytes, ...] = ()
    """Control headers of which one must be there; none means every message."""
    concerns: Callable[[StreamConfig], bool] = _any_stream


@cache
def order(profile: ServerProfile) -> tuple[Step, ...]:
    """Return all steps in the order of one version."""

    def when(holds: bool, *steps: Step) -> tuple[Step, ...]:
        return steps if holds else ()

    size = Step(message_size, concerns=lambda config: config.max_msg_size > 0)
    header = Step(header_size, (names.OVERSIZE,))
    duplicate = Step(_duplicate, (names.MESSAGE_ID,))
    times = (names.SCHEDULE_TIME_ZONE,) if profile.schedules_repeat else ()
    scheduler = (names.SCHEDULER,) if profile.schedulers_checked else ()
    alone = (names.EXPECTED_SUBJECT_FILTER,) if profile.expected_subject_filter_alone_refused else ()
    return (
        Step(_sealed, concerns=lambda config: config.sealed),
        *when(profile.counters, Step(_batch, (names.BATCH_ID,))),
        Step(transform, concerns=lambda config: bool(config.subject_transform and config.subject_transform.dest)),
        Step(_request_info, (names.REQUEST_INFO,)),
        *when(profile.size_first, size, header),
        *when(profile.counters, Step(increment, (names.INCREMENT,))),
        Step(expected_stream, (names.EXPECTED_STREAM,)),
        *when(profile.message_ttl, Step(_ttl_disabled, (names.TTL,), lambda config: not config.allow_msg_ttl)),
        *when(profile.duplicate_first, duplicate),
        Step(_last_subject_sequence, (names.EXPECTED_SUBJECT, *alone)),
        Step(_last_sequence, (names.EXPECTED_LAST,)),
        *when(profile.counters, Step(_schedule, (names.SCHEDULE, *times))),
        *when(profile.counters, Step(_schedules_end, (names.SCHEDULE_NEXT, *scheduler))),
        *when(profile.source_header_refused, Step(source, (names.SOURCE,))),
        *when(not profile.duplicate_first, duplicate),
        Step(_last_message_id, (names.EXPECTED_ID,)),
        Step(rollup, (names.ROLLUP,)),
        Step(_count, concerns=lambda config: config.allow_msg_counter),
        *when(not profile.size_first, size, header),
        Step(_unwanted, concerns=lambda config: config.retention == "interest"),
        *when(profile.message_ttl, Step(_ttl, (names.TTL,))),
        Step(_full, concerns=lambda config: config.discard == "new"),
        Step(_republish, concerns=lambda config: bool(config.republish and config.republish.dest)),
    )


_AT_THE_ORIGIN: Final = frozenset(
    {
        *(_batch, increment, expected_stream, _ttl_disabled, _last_subject_sequence, _last_sequence, _schedule),
        *(_schedules_end, source, _last_message_id),
    }
)
"""What a message from another stream need not pass: it has been looked at there."""


@cache
def order_from_origin(profile: ServerProfile, *, mirrored: bool) -> tuple[Step, ...]:
    """Return the steps for messages that come from another stream; a mirror finds no duplicates either."""
    passed = _AT_THE_ORIGIN | {_duplicate} if mirrored else _AT_THE_ORIGIN
    steps = (step for step in order(profile) if step.run not in passed)
    if profile.rollups_judged_again:
        return tuple(steps)
    return tuple(step._replace(run=_rollup_value) if step.run is rollup else step for step in steps)


_AT_THE_DOOR: Final = frozenset(
    {
        *(_sealed, _batch, message_size, header_size, increment, expected_stream, _ttl_disabled),
        *(_last_subject_sequence, _last_sequence, _schedule, _schedules_end, source, _duplicate, rollup, _count),
    }
)
"""What a message of a batch has passed when the batch is stored."""


@cache
def order_of_staged(profile: ServerProfile) -> tuple[Step, ...]:
    """Return the steps for the messages of a batch that may be stored."""
    return tuple(step for step in order(profile) if step.run not in _AT_THE_DOOR)


@cache
def order_of_own(profile: ServerProfile) -> tuple[Step, ...]:
    """Return the steps for messages that the server has made itself."""
    if profile.own_messages_checked:
        return tuple(step for step in order(profile) if step.run is not _batch)
    return order_from_origin(profile, mirrored=False)


class Admission:
    """The steps that one stream needs, picked once for each combination of control headers."""

    __slots__ = ("_by_line", "_chosen", "_concerning", "for_message_id", "for_plain")

    def __init__(self, config: StreamConfig, profile: ServerProfile, steps: tuple[Step, ...]) -> None:
        self._by_line = profile.headers_found_by_line
        self._concerning = [step for step in steps if step.concerns(config)]
        self._chosen: dict[tuple[bytes, ...], tuple[Run, ...]] = {}
        self.for_plain = self._choose(())
        """What a message without headers must pass; on most streams nothing."""
        self.for_message_id = self._choose((names.MESSAGE_ID,))
        """What a message with a message ID and no other header must pass."""

    def read(self, block: bytes) -> tuple[Control, tuple[Run, ...]]:
        """Return the control headers of a block, and what a message with them must pass."""
        control = read_control(block, by_line=self._by_line)
        present = tuple(control)
        steps = self._chosen.get(present)
        if steps is None:
            steps = self._chosen[present] = self._choose(present)
        return control, steps

    def _choose(self, present: tuple[bytes, ...]) -> tuple[Run, ...]:
        return tuple(
            step.run for step in self._concerning if not step.headers or not set(present).isdisjoint(step.headers)
        )
