"""What a publish must pass before it is stored, in nats-server 2.15.1's order.

The control headers are read from the message's own header block, as the server reads them: exact case,
first occurrence, an empty value counts as absent. A check changes nothing: it raises the server's refusal,
returns an ack that stands for the publish (a duplicate), or returns None to let it pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from lattice_store import headers as names
from lattice_store.errors import ApiError, api_error
from lattice_store.limits import MAX_HEADER_BYTES
from lattice_store.model import Message, PubAck
from lattice_store_sim._core._stream_config import StreamConfig

if TYPE_CHECKING:
    from lattice_store_sim._core._stream import Stream

Control = dict[bytes, bytes]
"""Header names that have a say in publishing, with their non-empty values."""
NO_CONTROL: Final[Control] = {}

MESSAGE_ID: Final = names.MESSAGE_ID.encode()
ROLLUP: Final = names.ROLLUP.encode()
_EXPECTED_STREAM: Final = names.EXPECTED_STREAM.encode()
_EXPECTED_LAST: Final = names.EXPECTED_LAST_SEQUENCE.encode()
_EXPECTED_SUBJECT: Final = names.EXPECTED_LAST_SUBJECT_SEQUENCE.encode()
_EXPECTED_SUBJECT_FILTER: Final = names.EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT.encode()
_EXPECTED_ID: Final = names.EXPECTED_LAST_MESSAGE_ID.encode()
_TTL: Final = b"Nats-TTL"
_OVERSIZE: Final = b"\0"  # no header has this name: it stands for a header block that is too large

_DURATION: Final = re.compile(rb"(?:(\d+(?:\.\d*)?|\.\d+)(ns|us|\xc2\xb5s|ms|s|m|h))")
_UNIT_SECONDS: Final = {b"ns": 1e-9, b"us": 1e-6, b"\xc2\xb5s": 1e-6, b"ms": 1e-3, b"s": 1, b"m": 60, b"h": 3600}


def _sequence(text: bytes) -> int:
    """Read an expected sequence; what is no number becomes one that no stream reaches, as in the server."""
    return (int(text) if text.isdigit() else -1) % 2**64


def _is_ttl(text: bytes) -> bool:
    if text.lower() == b"never":
        return True
    if text.isdigit():
        return int(text) > 0
    parts = _DURATION.findall(text)
    if not parts or b"".join(map(b"".join, parts)) != text:
        return False
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts) >= 1


# -- the checks -------------------------------------------------------------------------------------


def _sealed(stream: Stream, message: Message, control: Control) -> None:
    raise api_error(400, 10109, "invalid operation on sealed stream")


def _message_size(stream: Stream, message: Message, control: Control) -> None:
    if len(message.headers.block) + len(message.payload) > stream.config.max_msg_size:
        raise api_error(400, 10054, "message size exceeds maximum allowed")


def _header_size(stream: Stream, message: Message, control: Control) -> None:
    raise api_error(400, 10097, "header size exceeds maximum allowed of 64k")


def _batch(stream: Stream, message: Message, control: Control) -> None:
    raise api_error(400, 10174, "atomic publish is disabled")


def _counter(stream: Stream, message: Message, control: Control) -> None:
    if re.fullmatch(rb"[+-]?[0-9]+", control[b"Nats-Incr"]) is None:
        raise api_error(400, 10171, "message counter increment is invalid")
    raise api_error(400, 10168, "message counters is disabled")


def _expected_stream(stream: Stream, message: Message, control: Control) -> None:
    if control[_EXPECTED_STREAM] != stream.config.name.encode():
        raise api_error(400, 10060, "expected stream does not match")


def _ttl_disabled(stream: Stream, message: Message, control: Control) -> None:
    if _is_ttl(control[_TTL]):
        raise api_error(400, 10166, "per-message TTL is disabled")


def _wrong_last_sequence(actual: int) -> ApiError:
    return api_error(400, 10071, f"wrong last sequence: {actual}")


def _last_subject_sequence(stream: Stream, message: Message, control: Control) -> None:
    if _EXPECTED_SUBJECT not in control:
        raise api_error(400, 10193, "missing sequence for expected last sequence per subject")
    filter_ = control.get(_EXPECTED_SUBJECT_FILTER)
    actual = stream.log.last_of(message.subject if filter_ is None else filter_.decode("latin-1"))
    if actual != _sequence(control[_EXPECTED_SUBJECT]):
        raise _wrong_last_sequence(actual)


def _last_sequence(stream: Stream, message: Message, control: Control) -> None:
    if stream.log.last_sequence != _sequence(control[_EXPECTED_LAST]):
        raise _wrong_last_sequence(stream.log.last_sequence)


def _schedule(stream: Stream, message: Message, control: Control) -> None:
    raise api_error(400, 10188, "message schedules is disabled")


def _scheduler(stream: Stream, message: Message, control: Control) -> None:
    raise api_error(400, 10212, "message schedules invalid scheduler")


def _source(stream: Stream, message: Message, control: Control) -> None:
    raise api_error(400, 10227, "message stream source header is not allowed")


def _duplicate(stream: Stream, message: Message, control: Control) -> PubAck | None:
    sequence = stream.dedupe.find(control[MESSAGE_ID])
    return None if sequence is None else PubAck(stream.config.name, sequence, duplicate=True)


def _last_message_id(stream: Stream, message: Message, control: Control) -> None:
    if control[_EXPECTED_ID] != stream.last_message_id:
        raise api_error(400, 10070, f"wrong last msg ID: {stream.last_message_id.decode('latin-1')}")


def _rollup(stream: Stream, message: Message, control: Control) -> None:
    if not stream.config.allow_rollup_hdrs or stream.config.deny_purge:
        raise api_error(500, 10111, "rollup not permitted")
    value = control[ROLLUP].lower()
    if value not in (b"sub", b"all"):
        raise api_error(500, 10111, f'rollup value invalid: "{value.decode("latin-1")}"')


def _ttl_invalid(stream: Stream, message: Message, control: Control) -> None:
    raise api_error(400, 10165, "invalid per-message TTL")


def _full(stream: Stream, message: Message, control: Control) -> None:
    """Refuse under discard policy NEW; a message that replaces the oldest of its subject may still pass."""
    config, log, subject = stream.config, stream.log, message.subject
    per_subject = config.max_msgs_per_subject
    replaces = 0 < per_subject <= log.subjects.count(subject)
    if replaces and config.discard_new_per_subject and ROLLUP not in control:
        raise api_error(503, 10077, "maximum messages per subject exceeded")
    if 0 < config.max_msgs <= len(log.messages) and not replaces:
        raise api_error(503, 10077, "maximum messages exceeded")
    if config.max_bytes > 0 and log.bytes + (size := log.size_of(message)) > config.max_bytes:
        oldest = log.messages[log.subjects.first(subject)] if replaces else None
        if oldest is None or log.size_of(oldest) < size:
            raise api_error(503, 10077, "maximum bytes exceeded")


# -- their order ------------------------------------------------------------------------------------


def _any_stream(config: StreamConfig) -> bool:
    return True


class Check(NamedTuple):
    """One row of the order: the check runs on streams it concerns, for messages with one of its headers."""

    run: Callable[[Stream, Message, Control], PubAck | None]
    headers: tuple[bytes, ...] = ()
    """Control headers of which one must be there; none means every message."""
    concerns: Callable[[StreamConfig], bool] = _any_stream


ORDER: Final[tuple[Check, ...]] = (
    Check(_sealed, concerns=lambda config: config.sealed),
    Check(_message_size, concerns=lambda config: config.max_msg_size > 0),
    Check(_header_size, (_OVERSIZE,)),
    Check(_batch, (b"Nats-Batch-Id",)),
    Check(_counter, (b"Nats-Incr",)),
    Check(_expected_stream, (_EXPECTED_STREAM,)),
    Check(_ttl_disabled, (_TTL,)),
    Check(_last_subject_sequence, (_EXPECTED_SUBJECT, _EXPECTED_SUBJECT_FILTER)),
    Check(_last_sequence, (_EXPECTED_LAST,)),
    Check(_schedule, (b"Nats-Schedule",)),
    Check(_scheduler, (b"Nats-Schedule-Next", b"Nats-Scheduler")),
    Check(_source, (b"Nats-Stream-Source",)),
    Check(_duplicate, (MESSAGE_ID,)),
    Check(_last_message_id, (_EXPECTED_ID,)),
    Check(_rollup, (ROLLUP,)),
    Check(_ttl_invalid, (_TTL,)),
    Check(_full, concerns=lambda config: config.discard == "new"),
)
_CONTROL: Final = re.compile(
    rb"\r\n(%b): *(.*?)(?=\r\n)"
    % b"|".join(dict.fromkeys(name for check in ORDER for name in check.headers if name != _OVERSIZE)),
    re.DOTALL,
)
_LONE_MESSAGE_ID: Final = b"NATS/1.0\r\n" + MESSAGE_ID + b": "


def read_control(block: bytes) -> Control:
    """Return the control headers of a header block (nats-server client.go, ``getHeader``)."""
    if block.startswith(_LONE_MESSAGE_ID):  # by far the most common; four times as fast as the general way
        message_id = block[len(_LONE_MESSAGE_ID) : -4]
        if message_id and b"\r" not in message_id and message_id[0] != 32 and len(block) <= MAX_HEADER_BYTES:
            return {MESSAGE_ID: message_id}
    found = dict(reversed(_CONTROL.findall(block)))  # of a repeated name the first value counts
    control = {name: value for name, value in found.items() if value}
    if len(block) > MAX_HEADER_BYTES:
        control[_OVERSIZE] = b"true"
    return control


class Admission:
    """The checks of `ORDER` that one stream needs, picked once for each combination of control headers."""

    __slots__ = ("_checks", "_concerning", "for_plain")

    def __init__(self, config: StreamConfig) -> None:
        self._concerning = [check for check in ORDER if check.concerns(config)]
        self._checks: dict[tuple[bytes, ...], tuple[Callable[..., PubAck | None], ...]] = {}
        self.for_plain = tuple(check.run for check in self._concerning if not check.headers)
        """What a message without headers must pass; on most streams nothing."""

    def checks(self, control: Control) -> tuple[Callable[..., PubAck | None], ...]:
        """Return what a message with these control headers must pass."""
        present = tuple(control)
        chosen = self._checks.get(present)
        if chosen is None:
            chosen = self._checks[present] = tuple(
                check.run
                for check in self._concerning
                if not check.headers or not control.keys().isdisjoint(check.headers)
            )
        return chosen


def rolled_up(control: Control, subject: str) -> str:
    """Return which messages an accepted rollup on *subject* replaces."""
    return ">" if control[ROLLUP].lower() == b"all" else subject
