"""Which subjects a stream may capture (nats-server stream.go, ``checkStreamCfg``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lattice_store.errors import ApiError, api_error
from lattice_store.subjects import covers, overlap
from lattice_store_sim._core._names import is_subject
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._stream_config import StreamConfig

_API: Final = "$JS.API.>"
_SYSTEM: Final = "$SYS.>"
_FREE_OF_API: Final = "$JS.EVENT.>"
_FREE_OF_SYSTEM: Final = "$SYS.ACCOUNT.>"


def invalid(text: str) -> ApiError:
    """Return the refusal of a configuration."""
    return api_error(500, 10052, text)


def check_subjects(config: StreamConfig, profile: ServerProfile) -> None:
    """Refuse subjects that are none, are reserved, or overlap each other.

    Raises:
        ApiError: with the server's text.
    """
    subjects = config.subjects
    for at, subject in enumerate(subjects):
        if not is_subject(subject):
            raise invalid("invalid subject")
        if subject in subjects[:at]:
            raise invalid("duplicate subjects detected")
        _check_reserved(subject, config, profile)
        if profile.subjects_in_one_pass:
            _check_overlap(subject, subjects[at + 1 :])
    if not profile.subjects_in_one_pass:
        for at, subject in enumerate(subjects):
            _check_overlap(subject, subjects[at + 1 :])


def _check_overlap(subject: str, others: Sequence[str]) -> None:
    for other in others:
        if overlap(subject, other):
            raise invalid(f'subject "{subject}" overlaps with "{other}"')


def _check_reserved(subject: str, config: StreamConfig, profile: ServerProfile) -> None:
    if not profile.reserved_subjects:
        if covers(_API, subject):
            raise invalid("subjects overlap with jetstream api")
        return
    if subject == ">" and not config.no_ack:
        raise invalid("capturing all subjects requires no-ack to be true")
    if subject == ">" and config.num_replicas != 1:
        raise invalid("capturing all subjects requires replicas of 1")
    if config.no_ack:
        return
    touches = overlap if profile.reserved_by_overlap else covers
    if any(touches(space, subject) for space in profile.reserved_subjects) and not covers(_FREE_OF_API, subject):
        raise invalid("subjects that overlap with jetstream api require no-ack to be true")
    if touches(_SYSTEM, subject) and not covers(_FREE_OF_SYSTEM, subject):
        raise invalid("subjects that overlap with system api require no-ack to be true")
