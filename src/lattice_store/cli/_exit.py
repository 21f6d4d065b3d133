"""Exit codes, and the one table that gives each error its code and says what to do."""

from __future__ import annotations

import enum
from typing import Final

from lattice_store.cli._text import escaped
from lattice_store.errors import (
    AuthenticationError,
    ConnectionLostError,
    CorruptRecordError,
    DamagedFileError,
    InvalidArgumentError,
    InvalidRecordError,
    InvalidUrlError,
    JetStreamDisabledError,
    LatticeStoreError,
    MessageTooLargeError,
    NoRespondersError,
    PermissionDeniedError,
    PreconditionError,
    RecordError,
    RecordNotFoundError,
    RemoveIncompleteError,
    ReplayInterruptedError,
    RevisionMismatchError,
    StorageTimeoutError,
    StorageUnavailableError,
    StreamNotFoundError,
    SubjectsOverlapError,
    UnexpectedAnswerError,
)


class ExitCode(enum.IntEnum):
    """What scripts may rely on."""

    OK = 0
    NOT_FOUND = 1
    """No such record; for ``del``: there was none to delete."""
    USAGE = 2
    """The command line is wrong, or what it names cannot be read. Nothing was sent."""
    CONNECTION = 3
    """No server, no answer, JetStream is off, the lattice has no stream, or the server cannot do it."""
    PERMISSION = 4
    """Wrong credentials, or the account may not do this."""
    DATA = 5
    """A record is invalid or corrupt, or not at the expected revision."""
    INTERNAL = 70
    """A bug of ours (``EX_SOFTWARE`` of sysexits.h)."""
    OUTPUT = 74
    """The results cannot be written: the disk is full, standard output is closed (``EX_IOERR``)."""
    INTERRUPTED = 130
    """Ctrl-C, as shells number it; `watch` ends with 0."""
    BROKEN_PIPE = 141
    """The reader of our output went away, as shells number it: a truncated ``dump`` must not look whole."""


class ServerNotStartedError(StorageUnavailableError):
    """There is no server of our own to be had; the message says how to get one."""


_TABLE: Final[dict[type[BaseException], tuple[ExitCode, str]]] = {
    RecordNotFoundError: (ExitCode.NOT_FOUND, ""),
    InvalidArgumentError: (ExitCode.USAGE, ""),
    InvalidUrlError: (ExitCode.USAGE, "see --url"),
    OSError: (ExitCode.USAGE, ""),
    LatticeStoreError: (ExitCode.CONNECTION, ""),
    StorageUnavailableError: (ExitCode.CONNECTION, "is a server running there? see --url"),
    ServerNotStartedError: (ExitCode.CONNECTION, ""),
    NoRespondersError: (ExitCode.CONNECTION, "is JetStream on, --domain right, and is there a lattice? see info"),
    JetStreamDisabledError: (ExitCode.CONNECTION, "start the server with -js, or see --domain"),
    StreamNotFoundError: (ExitCode.CONNECTION, "the lattice is not here: see --lattice and --domain, or put --create"),
    SubjectsOverlapError: (ExitCode.CONNECTION, "info names the other stream"),
    StorageTimeoutError: (ExitCode.CONNECTION, "a write may have been applied: look before you repeat it"),
    ConnectionLostError: (ExitCode.CONNECTION, "a write may have been applied: look before you repeat it"),
    UnexpectedAnswerError: (ExitCode.CONNECTION, "is --domain right, and does nobody else listen on these subjects?"),
    ReplayInterruptedError: (ExitCode.CONNECTION, "what was printed is not complete: repeat it"),
    AuthenticationError: (ExitCode.PERMISSION, "see --user, --password, --token, --creds and --nkey"),
    PermissionDeniedError: (ExitCode.PERMISSION, "ask who runs the server for this permission"),
    InvalidRecordError: (ExitCode.DATA, ""),
    MessageTooLargeError: (ExitCode.DATA, ""),
    RecordError: (ExitCode.DATA, ""),
    CorruptRecordError: (ExitCode.DATA, "dump shows what is stored there"),
    DamagedFileError: (ExitCode.DATA, ""),
    RevisionMismatchError: (ExitCode.DATA, "get it, then decide again"),
    PreconditionError: (ExitCode.DATA, "others were faster: repeat it"),
    RemoveIncompleteError: (ExitCode.DATA, "repeat it"),
}


def exit_code(error: BaseException) -> ExitCode:
    """Return the code of the nearest class in the table."""
    return _entry(error)[0]


def explain(error: BaseException) -> str:
    """Return one line: what went wrong, and what to do."""
    what = " ".join(str(error).split()) or type(error).__name__
    advice = _entry(error)[1]
    return escaped(f"{what}; {advice}" if advice else what)


def _entry(error: BaseException) -> tuple[ExitCode, str]:
    return next(_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE)
