"""Making sure that a lattice has its stream, without ever altering one. The outcome is data.

An administrator may have made the stream beforehand (file storage, 5 replicas, other limits): it is used
as it is, and what would endanger a cache is said in words.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

import attrs
import msgspec

from lattice_store._formats import StreamFormat
from lattice_store.errors import (
    ApiError,
    ConnectionLostError,
    LatticeStoreError,
    PermissionDeniedError,
    StorageTimeoutError,
    StorageUnavailableError,
    StreamNameInUseError,
    StreamNotFoundError,
    SubjectsOverlapError,
    UnexpectedAnswerError,
    may_pass,
)
from lattice_store.limits import SECOND_NS
from lattice_store.model import DiscardPolicy, RetentionPolicy, StreamConfig, StreamInfo
from lattice_store.storage import Storage
from lattice_store.subjects import check_new_prefix, covers


class EnsureOutcome(enum.Enum):
    """What ``ensure`` found or did."""

    CREATED = "created"
    """There was no stream; now there is the default one. Two hosts that race may both be told so."""
    IDENTICAL = "identical"
    """The stream is there, with the default configuration."""
    CUSTOM = "custom"
    """The stream is there with another configuration; it is used as it is."""
    MISSING = "missing"
    """There is no stream, and none was made: only ``inspect`` says so."""
    OVERLAPPED = "overlapped"
    """Another stream holds the lattice's subjects, so ours cannot be made."""
    UNAVAILABLE = "unavailable"
    """JetStream did not answer, or is disabled."""
    DENIED = "denied"
    """The server does not let this account look at the stream or make it: a permission, or a limit."""


class Difference(msgspec.Struct, frozen=True):
    """One setting in which a stream differs from the default; names are those of `StreamConfig`."""

    setting: str
    default: Any
    actual: Any


class StreamWarning(msgspec.Struct, frozen=True):
    """A setting of the stream that endangers a cache, and what will go wrong."""

    setting: str
    actual: Any
    consequence: str


@attrs.frozen(kw_only=True)
class Ensured:
    """What `Lattice.ensure` or `Lattice.inspect` found.

    Attributes:
        outcome: in one word.
        info: the stream, where it could be read.
        differences: from the default, setting by setting; empty unless CUSTOM.
        warnings: settings that will hurt.
        overlapping: the streams that hold our subjects, if OVERLAPPED.
        error: what the server said, if ``ensure`` was OVERLAPPED, and if UNAVAILABLE or DENIED.
    """

    outcome: EnsureOutcome
    info: StreamInfo | None = None
    differences: tuple[Difference, ...] = ()
    warnings: tuple[StreamWarning, ...] = ()
    overlapping: tuple[str, ...] = ()
    error: LatticeStoreError | None = None

    @property
    def usable(self) -> bool:
        """Whether the lattice has its stream."""
        return self.info is not None


async def ensure(storage: Storage, format_: StreamFormat) -> Ensured:
    """Look for the lattice's stream; make the default one if there is none.

    Raises:
        InvalidPrefixError: there is none, and none may be made under this prefix.
    """
    return await _answered(_find_or_create(storage, format_))


async def inspect(storage: Storage, format_: StreamFormat) -> Ensured:
    """Look for the lattice's stream, and change nothing."""
    return await _answered(_find(storage, format_))


async def _answered(finding: Coroutine[Any, Any, Ensured]) -> Ensured:
    """Turn a server that refuses or is not there into an outcome."""
    try:
        return await finding
    except (PermissionDeniedError, ApiError, UnexpectedAnswerError, StorageUnavailableError) as error:
        denied = isinstance(error, PermissionDeniedError | ApiError) and not may_pass(error)
        return Ensured(outcome=EnsureOutcome.DENIED if denied else EnsureOutcome.UNAVAILABLE, error=error)
    except (StorageTimeoutError, ConnectionLostError) as error:
        return Ensured(outcome=EnsureOutcome.UNAVAILABLE, error=error)


async def _find(storage: Storage, format_: StreamFormat) -> Ensured:
    try:
        return _found(await storage.stream_info(format_.stream), format_)
    except StreamNotFoundError:
        overlapping = await storage.list_streams(subject=format_.subjects)
        outcome = EnsureOutcome.OVERLAPPED if overlapping else EnsureOutcome.MISSING
        return Ensured(outcome=outcome, overlapping=overlapping)


async def _find_or_create(storage: Storage, format_: StreamFormat) -> Ensured:
    try:
        return _found(await storage.stream_info(format_.stream), format_)
    except StreamNotFoundError:
        check_new_prefix(format_.prefix)
    try:
        return Ensured(outcome=EnsureOutcome.CREATED, info=await storage.create_stream(format_.config()))
    except StreamNameInUseError:  # somebody made a custom one just now
        return _found(await storage.stream_info(format_.stream), format_)
    except SubjectsOverlapError as error:
        overlapping = await storage.list_streams(subject=format_.subjects)
        return Ensured(outcome=EnsureOutcome.OVERLAPPED, overlapping=overlapping, error=error)


def _found(info: StreamInfo, format_: StreamFormat) -> Ensured:
    found = differences(format_.config(), info.config)
    return Ensured(
        outcome=EnsureOutcome.CUSTOM if found else EnsureOutcome.IDENTICAL,
        info=info,
        differences=found,
        warnings=warnings(info.config, format_),
    )


def differences(default: StreamConfig, actual: StreamConfig) -> tuple[Difference, ...]:
    """Compare two configurations setting by setting."""
    return tuple(
        Difference(field.name, getattr(default, field.name), getattr(actual, field.name))
        for field in attrs.fields(StreamConfig)
        if getattr(default, field.name) != getattr(actual, field.name)
    )


_LOSES_OLDEST: Final = "when it is reached, the oldest records disappear without a word"
_REFUSES_NEW: Final = "when it is reached, puts of new records are refused"


def _limit_consequence(config: StreamConfig) -> str:
    return _LOSES_OLDEST if config.discard is DiscardPolicy.OLD else _REFUSES_NEW


_OTHERS: Final = {
    "mirror": "a mirror cannot be written to",
    "subject_transform": "a transformed subject is not where hosts look",
    "allow_msg_counter": "every put is refused: the stream takes counters only",
    "persist_mode": "an acknowledged put may be lost when the server stops",
}
_ENDANGERING: Final = frozenset(_OTHERS)


_CHECKS: Final[tuple[tuple[str, Callable[[StreamConfig], bool], Callable[[StreamConfig], str]], ...]] = (
    (
        "max_msgs_per_subject",
        lambda config: config.max_msgs_per_subject != 1,
        lambda _: "superseded values are kept: the store grows, and hosts that replay everything see old values",
    ),
    (
        "max_age_ns",
        lambda config: config.max_age_ns is not None,
        lambda config: (
            f"records disappear {(config.max_age_ns or 0) / SECOND_NS:g} s after their last put, "
            "and running hosts are not told"
        ),
    ),
    ("max_msgs", lambda config: config.max_msgs is not None, _limit_consequence),
    ("max_bytes", lambda config: config.max_bytes is not None, _limit_consequence),
    (
        "max_msg_size",
        lambda config: config.max_msg_size is not None,
        lambda config: f"records over {config.max_msg_size} bytes, headers included, are refused",
    ),
    (
        "retention",
        lambda config: config.retention is not RetentionPolicy.LIMITS,
        lambda config: (
            "a record put while no host follows is acknowledged and not kept, and what all have read disappears"
            if config.retention is RetentionPolicy.INTEREST
            else "rebuild and watch are refused: such a stream can only be read by using it up"
        ),
    ),
    (
        "discard_new_per_subject",
        lambda config: config.discard_new_per_subject,
        lambda _: "once a record is there as often as max_msgs_per_subject, it can be neither changed nor removed",
    ),
    ("sealed", lambda config: config.sealed, lambda _: "nothing can be written"),
    ("no_ack", lambda config: config.no_ack, lambda _: "the server never confirms a put: every put times out"),
    (
        "max_consumers",
        lambda config: config.max_consumers is not None,
        lambda config: f"only {config.max_consumers} hosts can read at once; the others are refused",
    ),
    (
        "other",
        lambda config: bool(_ENDANGERING & config.other.keys()),
        lambda config: "; ".join(text for name, text in _OTHERS.items() if name in config.other),
    ),
)


def warnings(config: StreamConfig, format_: StreamFormat) -> tuple[StreamWarning, ...]:
    """Say which settings endanger a lattice cache, and how."""
    return tuple(_warnings(config, format_))


def _warnings(config: StreamConfig, format_: StreamFormat) -> Iterator[StreamWarning]:
    if not any(covers(subject, format_.subjects) for subject in config.subjects):
        yield StreamWarning(
            "subjects", config.subjects, f"{format_.subjects} is not covered: puts outside are refused or go elsewhere"
        )
    for setting, applies, consequence in _CHECKS:
        if applies(config):
            yield StreamWarning(setting, getattr(config, setting), consequence(config))
