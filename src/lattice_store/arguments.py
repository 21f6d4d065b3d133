"""What every backend checks before anything is sent, so that all refuse the same in the same words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from lattice_store.errors import InvalidArgumentError, InvalidConfigError, NotSupportedError
from lattice_store.model import StreamConfig
from lattice_store.subjects import check_filter, check_stream_name, overlap


class Feature(NamedTuple):
    """What a server before some version would ignore or mistake, so that it is not asked for it."""

    since: tuple[int, int]
    what: str


LAST_SUBJECT_FILTER: Final = Feature((2, 11), "Expect(last_subject_filter=…)")
SEVERAL_SUBJECTS: Final = Feature((2, 10), "a replay with several subjects")
PURGE_BELOW_1: Final = Feature((2, 14), "purge(before_sequence=1)")
"""A server before took 1 for "everything"."""


def check_feature(feature: Feature, server: tuple[int, int]) -> None:
    """Accept a request to a server of that version.

    Raises:
        NotSupportedError: the server is too old.
    """
    if server < feature.since:
        needed, found = (".".join(map(str, version)) for version in (feature.since, server))
        raise NotSupportedError(f"{feature.what} needs a server of version {needed}; this is {found}")


def check_at_least_one(name: str, value: int) -> None:
    """Accept a sequence, a count or a window.

    Raises:
        InvalidArgumentError: it is below 1.
    """
    if value < 1:
        raise InvalidArgumentError(f"{name}={value}: at least 1 is needed")


def check_payload(payload: object) -> None:
    """Accept bytes.

    Raises:
        InvalidArgumentError: it is something else, such as a text.
    """
    if not isinstance(payload, bytes):
        raise InvalidArgumentError(f"a payload of type {type(payload).__name__}; bytes are needed")


def check_config(config: StreamConfig) -> None:
    """Accept the configuration of a stream to create or update.

    Raises:
        InvalidSubjectError: the name or a subject can be refused without asking a server.
        InvalidConfigError: two of the subjects overlap.
    """
    check_stream_name(config.name)
    for position, subject in enumerate(config.subjects):
        check_filter(subject)
        for earlier in config.subjects[:position]:
            if overlap(earlier, subject):
                raise InvalidConfigError(f"subjects {earlier!r} and {subject!r} of stream {config.name} overlap")


def check_get(stream: str, sequence: int) -> None:
    """Accept what names one message.

    Raises:
        InvalidArgumentError: the stream's name or the sequence cannot be.
    """
    check_stream_name(stream)
    check_at_least_one("sequence", sequence)


def check_purge(stream: str, subject: str | None, before_sequence: int | None, keep: int | None) -> None:
    """Accept the arguments of ``purge``.

    Raises:
        InvalidArgumentError: one of them cannot be, or both *before_sequence* and *keep* are given.
    """
    check_stream_name(stream)
    if subject is not None:
        check_filter(subject)
    if before_sequence is not None:
        check_at_least_one("before_sequence", before_sequence)
    if keep is not None:
        check_at_least_one("keep", keep)
        if before_sequence is not None:
            raise InvalidArgumentError(f"purge(before_sequence={before_sequence}, keep={keep}): give one of them")


def check_replay(stream: str, subjects: Sequence[str]) -> None:
    """Accept the arguments of ``replay``.

    Raises:
        InvalidArgumentError: one of them cannot be, or two filters overlap.
    """
    check_stream_name(stream)
    if isinstance(subjects, str):  # its letters would be the filters
        raise InvalidArgumentError(f"subjects={subjects!r} is a string; give a list of subjects")
    for position, subject in enumerate(subjects):
        check_filter(subject)
        for earlier in subjects[:position]:
            if overlap(earlier, subject):
                raise InvalidArgumentError(f"the filters {earlier!r} and {subject!r} overlap")
