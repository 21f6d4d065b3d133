"""The values that travel through a `Storage`: stream configuration and state, messages, expectations.

Sequences are >= 1; a sequence of 0 means "none". Times are nanoseconds since 1970-01-01 UTC and end in
``_ns``, sizes are bytes, and "no limit" is ``None``; the server's ``-1`` and ``0`` stay in the backends.

What is made for each message is a msgspec struct, and so are the small values; what has converters or
checks is attrs: see docs/adr/0004-message-type.md for the measurement.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec

from lattice_store.errors import InvalidArgumentError, InvalidConfigError
from lattice_store.headers import (
    EXPECTED_LAST_MESSAGE_ID,
    EXPECTED_LAST_SEQUENCE,
    EXPECTED_LAST_SUBJECT_SEQUENCE,
    EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT,
    EXPECTED_STREAM,
    MESSAGE_ID,
    NO_HEADERS,
    Headers,
)
from lattice_store.subjects import check_filter


class RetentionPolicy(enum.Enum):
    """When the stream lets go of a message."""

    LIMITS = "limits"
    INTEREST = "interest"
    WORK_QUEUE = "workqueue"


class StorageType(enum.Enum):
    """Where the server keeps the stream."""

    FILE = "file"
    MEMORY = "memory"


class DiscardPolicy(enum.Enum):
    """What gives way when a limit is reached: the oldest messages, or the new one."""

    OLD = "old"
    NEW = "new"


class Compression(enum.Enum):
    """How file storage packs blocks; it changes neither sizes nor semantics."""

    NONE = "none"
    S2 = "s2"


def _sorted_mapping(given: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(sorted(given.items()))


def _subjects(given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str):  # tuple("lc.>") would be four subjects
        raise InvalidConfigError(f"subjects={given!r} is a single text; give a list of subjects")
    return tuple(given)


def _limit(instance: StreamConfig, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and (not isinstance(value, int) or not 0 <= value < 1 << 63):
        raise InvalidConfigError(f"{attribute.name}={value!r} is no limit: a whole number from 0 on, or None for none")


def _one_of(kind: type[enum.Enum]) -> Callable[[StreamConfig, attrs.Attribute[Any], object], None]:
    def check(instance: StreamConfig, attribute: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, kind):
            raise InvalidConfigError(f"{attribute.name}={value!r} is not one of {', '.join(map(str, kind))}")

    return check


@attrs.frozen(kw_only=True)
class StreamConfig:
    """What an administrator decides about a stream. ``None`` is "no limit", or "the server's default".

    Name and subjects are checked when a stream is to be created or updated: a server may hold streams whose
    subjects this library would not send.

    Raises:
        InvalidConfigError: a limit or a policy is none, or the subjects are a single text.
    """

    name: str
    subjects: tuple[str, ...] = attrs.field(default=(), converter=_subjects)
    """What the stream captures; empty means the stream's own name."""
    description: str | None = None
    retention: RetentionPolicy = attrs.field(default=RetentionPolicy.LIMITS, validator=_one_of(RetentionPolicy))
    storage: StorageType = attrs.field(default=StorageType.FILE, validator=_one_of(StorageType))
    discard: DiscardPolicy = attrs.field(default=DiscardPolicy.OLD, validator=_one_of(DiscardPolicy))
    discard_new_per_subject: bool = False
    max_msgs: int | None = attrs.field(default=None, validator=_limit)
    max_bytes: int | None = attrs.field(default=None, validator=_limit)
    max_age_ns: int | None = attrs.field(default=None, validator=_limit)
    max_msgs_per_subject: int | None = attrs.field(default=None, validator=_limit)
    max_msg_size: int | None = attrs.field(default=None, validator=_limit)
    max_consumers: int | None = attrs.field(default=None, validator=_limit)
    num_replicas: int = 1
    duplicate_window_ns: int | None = attrs.field(default=None, validator=_limit)
    """How long message IDs are remembered; ``None`` lets the server choose (2 minutes, or the maximum age)."""
    no_ack: bool = False
    allow_direct: bool = False
    allow_rollup: bool = False
    deny_delete: bool = False
    deny_purge: bool = False
    sealed: bool = False
    compression: Compression = attrs.field(default=Compression.NONE, validator=_one_of(Compression))
    metadata: Mapping[str, str] = attrs.field(factory=dict, converter=_sorted_mapping)
    """The administrator's own labels; the server's ``_nats.*`` entries are left out."""
    other: Mapping[str, Any] = attrs.field(factory=dict, converter=_sorted_mapping)
    """Settings this library does not interpret, by their wire name, kept as they are (mirror, sources, placement, …)."""


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream holds, as the server reports it.

    ``last_sequence`` never goes back when messages are removed. ``first_sequence`` of an emptied stream
    is ``last_sequence + 1``; of a stream never used, 0. The first time is ``None`` while there is no message,
    the last one until there was one.
    """

    messages: int = 0
    bytes: int = 0
    first_sequence: int = 0
    first_time_ns: int | None = None
    last_sequence: int = 0
    last_time_ns: int | None = None
    num_subjects: int = 0
    num_deleted: int = 0
    """Sequences between first and last that hold no message any more."""
    consumer_count: int = 0


@attrs.frozen(kw_only=True)
class StreamInfo:
    """A stream as it stands."""

    config: StreamConfig
    created_ns: int
    """When it was created: with the name, the stream's identity."""
    state: StreamState


def _sized(payload: bytes) -> str:
    """How a payload is shown: it may hold the values of a link."""
    return f"<{len(payload)} bytes>"


class Message(msgspec.Struct, frozen=True, gc=False):
    """One stored message."""

    subject: str
    sequence: int
    time_ns: int
    """When the server stored it."""
    headers: Headers
    payload: bytes

    def __repr__(self) -> str:
        return (
            f"Message(subject={self.subject!r}, sequence={self.sequence}, time_ns={self.time_ns}, "
            f"headers={list(self.headers)}, payload={_sized(self.payload)})"
        )


class PubAck(msgspec.Struct, frozen=True, gc=False):
    """The server's answer to a publish."""

    stream: str
    sequence: int
    """Where the message is, or where the earlier message with this message ID is or was."""
    duplicate: bool = False
    """Whether an earlier message with this message ID stands for this one; nothing was stored."""


@attrs.frozen(kw_only=True)
class Expect:
    """Preconditions of a publish, all of which must hold at the moment of storing.

    Raises:
        InvalidArgumentError: a negative sequence, or ``last_subject_filter`` without ``last_subject_sequence``.
    """

    stream: str | None = None
    """The name of the stream bound to the subject."""
    last_sequence: int | None = None
    """The stream's last sequence."""
    last_subject_sequence: int | None = None
    """The last sequence stored on the subject; 0 for "nothing stored there"."""
    last_subject_filter: str | None = None
    """Where ``last_subject_sequence`` is looked up instead of the subject itself. Servers from 2.11 on."""
    last_message_id: str | None = None
    """The message ID of the stream's very last message."""

    def __attrs_post_init__(self) -> None:
        for name in ("last_sequence", "last_subject_sequence"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise InvalidArgumentError(f"Expect({name}={value}) is negative")
        if self.last_subject_filter is not None:
            check_filter(self.last_subject_filter)
            if self.last_subject_sequence is None:
                raise InvalidArgumentError("Expect(last_subject_filter=…) needs last_subject_sequence")


@attrs.frozen(kw_only=True)
class Publication:
    """One message to publish with ``publish_many``; the fields are the arguments of ``publish``."""

    subject: str
    payload: bytes = attrs.field(repr=_sized)
    headers: Mapping[str, str] = attrs.field(default=NO_HEADERS, repr=lambda headers: str(list(headers)))
    message_id: str | None = None
    expect: Expect | None = None


def publish_headers(headers: Mapping[str, str], message_id: str | None, expect: Expect | None) -> Headers:
    """Return the header block a publish sends: the caller's headers, then message ID and expectations.

    Raises:
        InvalidHeaderError: a name or value would not arrive unchanged.
        InvalidArgumentError: an empty message ID, which a server would take for none.
    """
    if message_id is None and expect is None:
        return headers if isinstance(headers, Headers) else Headers(headers)
    if message_id and expect is None and not headers:
        return Headers.single(MESSAGE_ID, message_id)
    control: dict[str, str] = {}
    if message_id is not None:
        control[MESSAGE_ID] = message_id
    if expect is not None:
        for name, value in (
            (EXPECTED_STREAM, expect.stream),
            (EXPECTED_LAST_SEQUENCE, expect.last_sequence),
            (EXPECTED_LAST_SUBJECT_SEQUENCE, expect.last_subject_sequence),
            (EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT, expect.last_subject_filter),
            (EXPECTED_LAST_MESSAGE_ID, expect.last_message_id),
        ):
            if value is not None:
                control[name] = str(value)
    for name, text in control.items():
        if not text:
            raise InvalidArgumentError(f"{name} is empty, which a server takes for absent")
        if name in headers:
            raise InvalidArgumentError(f"header {name} is given twice: as a header and as an argument")
    return Headers({**headers, **control})


class DeliverAll(msgspec.Struct, frozen=True):
    """Every message, from the stream's first on."""


class DeliverNew(msgspec.Struct, frozen=True):
    """Only what is published from now on."""


class DeliverLast(msgspec.Struct, frozen=True):
    """The last message, then what follows."""


class DeliverLastPerSubject(msgspec.Struct, frozen=True):
    """The last message of every subject, in sequence order, then what follows."""


class DeliverFromSequence(msgspec.Struct, frozen=True):
    """From the first message at or after *sequence* on."""

    sequence: int

    def __post_init__(self) -> None:
        if self.sequence < 1:
            raise InvalidArgumentError(f"DeliverFromSequence({self.sequence}): sequences start at 1")


class DeliverFromTime(msgspec.Struct, frozen=True):
    """From the first message stored at or after *time_ns* on."""

    time_ns: int


DeliverPolicy = DeliverAll | DeliverNew | DeliverLast | DeliverLastPerSubject | DeliverFromSequence | DeliverFromTime

DELIVER_ALL: Final = DeliverAll()
DELIVER_LAST_PER_SUBJECT: Final = DeliverLastPerSubject()


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of a replay that arrived together, and where the replay stands after them."""

    messages: Sequence[Message]
    """In sequence order; empty when only the position moved (an idle heartbeat, or the end of the snapshot)."""
    sequence: int
    """The replay has seen everything it will ever deliver up to this stream sequence."""
    pending: int
    """Messages the server still holds for this replay."""
    caught_up: bool
    """Whether everything that was in the stream when the replay began has been delivered."""
