"""Every error of the library, and what each says about the failed operation.

    LatticeStoreError                           outcome is REJECTED unless said otherwise
    ├── InvalidArgumentError (ValueError)       refused before anything was sent
    │   ├── InvalidSubjectError                 subject, filter or stream name
    │   ├── InvalidHeaderError
    │   ├── InvalidConfigError
    │   ├── InvalidPrefixError                  lattice prefix
    │   ├── InvalidRecordError                  a record or key that no host could read
    │   └── InvalidUrlError
    ├── StorageError
    │   ├── StorageClosedError                  used after aclose()
    │   ├── StorageUnavailableError             not sent: no connection
    │   │   ├── NoRespondersError               nobody listens: no stream bound, or JetStream off
    │   │   └── AuthenticationError             the server refused our credentials
    │   ├── PermissionDeniedError               the account may not do this
    │   ├── StorageTimeoutError (TimeoutError)  UNKNOWN: no answer in time
    │   ├── ConnectionLostError (ConnectionError)  UNKNOWN: sent, then the link broke
    │   ├── UnexpectedAnswerError               UNKNOWN: something else than JetStream answered
    │   ├── ReplayInterruptedError              carries the reason and the last sequence
    │   ├── NotSupportedError                   this server version cannot do it safely
    │   ├── NotSimulatedError                   a real server could, the simulator does not
    │   └── ApiError(code, err_code, description)  JetStream said no
    │       ├── NotFoundError
    │       │   ├── StreamNotFoundError  10059
    │       │   ├── MessageNotFoundError 10037, 10043
    │       │   └── ConsumerNotFoundError 10014
    │       ├── StreamNameInUseError     10058
    │       ├── SubjectsOverlapError     10065
    │       ├── InvalidStreamConfigError 10052
    │       ├── PreconditionError
    │       │   ├── WrongLastSequenceError      10071, 10164
    │       │   ├── WrongLastMessageIdError     10070
    │       │   └── ExpectedStreamMismatchError 10060
    │       ├── LimitError
    │       │   ├── MessageTooLargeError 10054, 10097
    │       │   └── StoreFailedError     10077
    │       │       └── StreamFullError  10077 "maximum … exceeded"
    │       └── JetStreamDisabledError   10039, 10076
    ├── SnapshotError                           a local snapshot cannot be written or used
    ├── DamagedFileError                        a file of a stored simulator was changed since it was written
    └── RecordError
        ├── RecordNotFoundError                 no such record in this lattice
        ├── CorruptRecordError                  a stored value that is not a record
        ├── RevisionMismatchError               the record is not at the expected revision
        ├── MisplacedRecordError                stored, but in a stream that is not the lattice's
        └── RemoveIncompleteError               says which subjects still hold the record

JetStream's errors are told apart by ``err_code`` (nats-server ``server/errors.json``), never by the
HTTP-like ``code`` and never by the client library's class. All errors can be pickled.
"""

from __future__ import annotations

import enum
from typing import ClassVar

import attrs


class Outcome(enum.Enum):
    """What a failed operation did to the stream."""

    REJECTED = "rejected"
    """Not applied, and nothing of it will be applied later."""
    UNKNOWN = "unknown"
    """May have been applied: read back before retrying, or retry with an expectation."""


class ResetReason(enum.Enum):
    """Why a replay could not be continued where it stood."""

    STREAM_RECREATED = "stream re-created"
    """The stream's creation time changed: it is another stream under the same name."""
    STREAM_WENT_BACK = "stream went back"
    """The stream's last sequence is below one already delivered: older data was restored."""
    STREAM_DELETED = "stream deleted"
    """The stream is gone; it may come back later."""


class LatticeStoreError(Exception):
    """Root of all errors raised on purpose by `lattice_store` and `lattice_store_sim`."""

    outcome: ClassVar[Outcome] = Outcome.REJECTED


class InvalidArgumentError(LatticeStoreError, ValueError):
    """An argument was refused before anything was sent. The message names value and rule."""


class InvalidSubjectError(InvalidArgumentError):
    """Not a subject, filter or stream name that may be used here."""


class InvalidHeaderError(InvalidArgumentError):
    """A header name or value that cannot be sent unchanged."""


class InvalidConfigError(InvalidArgumentError):
    """A stream configuration no server would accept."""


class InvalidPrefixError(InvalidArgumentError):
    """Not a lattice prefix."""


class InvalidRecordError(InvalidArgumentError):
    """A record or record key that wasmCloud hosts could not read."""


class InvalidUrlError(InvalidArgumentError):
    """Not a storage URL."""


class StorageError(LatticeStoreError):
    """The storage could not do what was asked."""


class StorageClosedError(StorageError):
    """The storage was used after ``aclose()``."""


class StorageUnavailableError(StorageError):
    """Nothing was sent: there is no connection to a server."""


class NoRespondersError(StorageUnavailableError):
    """Nobody listens on the subject: no stream is bound to it, or JetStream is off there."""


class AuthenticationError(StorageUnavailableError):
    """The server refused the credentials."""


class PermissionDeniedError(StorageError):
    """The server refused the operation for lack of a permission; it was not applied."""


class StorageTimeoutError(StorageError, TimeoutError):
    """No answer came in time; the operation may have been applied."""

    outcome: ClassVar[Outcome] = Outcome.UNKNOWN


class ConnectionLostError(StorageError, ConnectionError):
    """The link broke after the request was sent; the operation may have been applied."""

    outcome: ClassVar[Outcome] = Outcome.UNKNOWN


class UnexpectedAnswerError(StorageError):
    """Something else than JetStream answered; whether JetStream saw the operation too cannot be told."""

    outcome: ClassVar[Outcome] = Outcome.UNKNOWN


@attrs.define(eq=False, slots=False)
class ReplayInterruptedError(StorageError):
    """The replay cannot be continued without a gap or a lie: start a new one.

    Attributes:
        stream: name of the stream.
        reason: why.
        last_sequence: highest stream sequence that was delivered; 0 for none.
    """

    stream: str
    reason: ResetReason
    last_sequence: int

    def __str__(self) -> str:
        return f"replay of {self.stream} interrupted after sequence {self.last_sequence}: {self.reason.value}"


class NotSupportedError(StorageError):
    """This server version does not do what was asked, or not safely."""


class NotSimulatedError(StorageError):
    """A real server could do this; the simulator names what it leaves out instead of guessing."""


@attrs.define(eq=False, slots=False)
class ApiError(StorageError):
    """JetStream refused the operation.

    Attributes:
        code: HTTP-like class of the error.
        err_code: JetStream's own error code, what callers should branch on.
        description: the server's text, verbatim.
    """

    code: int
    err_code: int
    description: str

    def __str__(self) -> str:
        return f"{self.description} ({self.code}/{self.err_code})"


class NotFoundError(ApiError):
    """The stream, message or consumer is not there."""


class StreamNotFoundError(NotFoundError):
    """No stream of that name."""


class MessageNotFoundError(NotFoundError):
    """No message at that sequence or on that subject."""


class ConsumerNotFoundError(NotFoundError):
    """No consumer of that name."""


class StreamNameInUseError(ApiError):
    """A stream of that name exists with a different configuration."""


class SubjectsOverlapError(ApiError):
    """Another stream already holds one of the subjects."""


class InvalidStreamConfigError(ApiError):
    """The server refused the stream's configuration."""


class PreconditionError(ApiError):
    """An expectation of a publish did not hold; nothing was stored."""


class WrongLastSequenceError(PreconditionError):
    """The stream or subject is at another sequence than expected."""

    @property
    def actual(self) -> int | None:
        """The sequence the server reported, if it reported one."""
        _, _, number = self.description.rpartition(": ")
        return int(number) if number.isdecimal() else None


class WrongLastMessageIdError(PreconditionError):
    """The last stored message has another message ID than expected."""


class ExpectedStreamMismatchError(PreconditionError):
    """The subject is bound to another stream than expected."""


class LimitError(ApiError):
    """A limit of the stream or server stands in the way."""


class MessageTooLargeError(LimitError):
    """The message exceeds ``max_msg_size`` or the header limit of 64 KiB."""


class StoreFailedError(LimitError):
    """The server could not store the message."""


class StreamFullError(StoreFailedError):
    """Discard policy NEW, and a limit of the stream is reached."""


class JetStreamDisabledError(ApiError):
    """JetStream is not enabled on the server or for the account."""


@attrs.define(eq=False, slots=False)
class DamagedFileError(LatticeStoreError):
    """A file that a simulated server keeps a stream in is not as it was written. Nothing was changed.

    Attributes:
        path: which one.
        problem: what is wrong with it.
    """

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path} is damaged: {self.problem}; without this file the server begins without that stream"


class RecordError(LatticeStoreError):
    """A record of the lattice is not as the operation needs it."""


class SnapshotError(LatticeStoreError):
    """A local snapshot cannot be written, or what is there is none that can be used."""


@attrs.define(eq=False, slots=False)
class RecordNotFoundError(RecordError, LookupError):
    """The lattice has no such record."""

    key: str
    prefix: str

    def __str__(self) -> str:
        return f"no {self.key} in lattice {self.prefix}"


@attrs.define(eq=False, slots=False)
class CorruptRecordError(RecordError):
    """A stored value that is not a record. The value itself is never part of the message.

    Attributes:
        subject: where it is stored.
        revision: its stream sequence.
        problem: what is wrong with it.
    """

    subject: str
    revision: int
    problem: str

    def __str__(self) -> str:
        return f"{self.subject} at revision {self.revision}: {self.problem}"


@attrs.define(eq=False, slots=False)
class RevisionMismatchError(RecordError):
    """The record is not at the expected revision; nothing was written.

    Attributes:
        key: the record.
        expected: the revision asked for; 0 means "must not exist".
        actual: the record's revision; 0 if it does not exist.
    """

    key: str
    expected: int
    actual: int

    def __str__(self) -> str:
        actual = f"at revision {self.actual}" if self.actual else "absent"
        return f"{self.key} is {actual}, expected {self.expected or 'absent'}"


@attrs.define(eq=False, slots=False)
class MisplacedRecordError(RecordError):
    """The record was stored, but by a stream that is not the lattice's: no host will find it there.

    Attributes:
        subject: where it was published.
        stream: the stream that took it.
        expected: the lattice's stream.
    """

    outcome: ClassVar[Outcome] = Outcome.UNKNOWN

    subject: str
    stream: str
    expected: str

    def __str__(self) -> str:
        return f"{self.subject} was stored by stream {self.stream}, not by {self.expected}"


@attrs.define(eq=False, slots=False)
class RemoveIncompleteError(RecordError):
    """Some subjects of a record could not be marked deleted; call remove again.

    The record is already invisible if at least one subject was marked, for the newest is marked first.

    Attributes:
        key: the record.
        remaining: subjects that still hold a value not marked as deleted, newest first.
    """

    outcome: ClassVar[Outcome] = Outcome.UNKNOWN

    key: str
    remaining: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.key}: not yet marked deleted on {', '.join(self.remaining)}"


_MAXIMUM_CONSUMERS = 10026  # passes, once the server has noticed that an old consumer is gone


def may_pass(error: LatticeStoreError) -> bool:
    """Return whether trying again later may help: no connection, no answer, or a server that is not ready.

    JetStream being disabled counts as not ready (its code is 503); refused credentials and answers that are none of
    JetStream's do not.
    """
    if isinstance(error, ApiError):
        return error.code >= 500 or error.err_code == _MAXIMUM_CONSUMERS
    if isinstance(error, AuthenticationError):
        return False
    return isinstance(error, StorageUnavailableError | StorageTimeoutError | ConnectionLostError)


_BY_ERR_CODE: dict[int, type[ApiError]] = {
    10014: ConsumerNotFoundError,
    10037: MessageNotFoundError,
    10039: JetStreamDisabledError,
    10043: MessageNotFoundError,
    10052: InvalidStreamConfigError,
    10054: MessageTooLargeError,
    10058: StreamNameInUseError,
    10059: StreamNotFoundError,
    10060: ExpectedStreamMismatchError,
    10065: SubjectsOverlapError,
    10070: WrongLastMessageIdError,
    10071: WrongLastSequenceError,
    10076: JetStreamDisabledError,
    10077: StoreFailedError,
    10097: MessageTooLargeError,
    10164: WrongLastSequenceError,
}

# File storage reports a missing sequence outside [first, last] under the generic 10057 (nats-server filestore.go).
_MISSING_ON_FILE = ("no message found", "stream store EOF")


def api_error(code: int, err_code: int, description: str) -> ApiError:
    """Return the error of the class that belongs to *err_code*; `ApiError` itself for an unknown one."""
    kind = _BY_ERR_CODE.get(err_code, ApiError)
    if err_code == 10077 and description.startswith("maximum "):
        kind = StreamFullError
    elif err_code == 10057 and description in _MISSING_ON_FILE:
        kind = MessageNotFoundError
    return kind(code, err_code, description)
