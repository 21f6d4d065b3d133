"""Which subjects a stream may make of its own: its subject transform and where it republishes to.

Source: nats-server stream.go, ``checkStreamCfg``.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lattice_store.errors import ApiError, NotSimulatedError, api_error
from lattice_store.subjects import is_literal, overlap
from lattice_store_sim._core._names import is_subject
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._stream_config import RePublish, StreamConfig
from lattice_store_sim._core._subject_rules import invalid
from lattice_store_sim._core._subject_transform import TransformError, check_mapping, transform_of

_REPUBLISH: Final = "stream configuration for republish"


def check_mappings(config: StreamConfig, profile: ServerProfile, *, pedantic: bool) -> StreamConfig:
    """Return the configuration with what the server fills in.

    Raises:
        ApiError: with the server's text.
    """
    if config.subject_transform is not None and profile.transforms_checked_first:
        _check_transform(config, profile)
    if config.republish is None:
        return config
    settled = _settled(config, config.republish, profile, pedantic=pedantic)
    _check_republish(config, settled, profile)
    return msgspec.structs.replace(config, republish=settled)


def _check_transform(config: StreamConfig, profile: ServerProfile) -> None:
    mapping = config.subject_transform
    assert mapping is not None
    if mapping.src and not is_subject(mapping.src):
        raise api_error(400, 10155, f"stream transform source: invalid subject {mapping.src}")
    try:
        check_mapping(mapping.src, mapping.dest, profile)
    except TransformError as error:
        raise api_error(400, 10156, f"stream transform: {error}") from None


def check_late(config: StreamConfig, profile: ServerProfile, *, update: bool) -> None:
    """Refuse what a server only notices as it makes or changes the stream.

    Raises:
        ApiError: with the server's text.
    """
    republish, mapping = config.republish, config.subject_transform
    if update and republish is not None and not republish.dest and not profile.republish_bound:
        _try_late(republish.src, ">", profile, f"{_REPUBLISH} from '{republish.src}' to '>'", 10069)
        raise NotSimulatedError("a republish without a destination, which an update makes one without an end")
    if mapping is not None and not profile.transforms_checked_first:
        what = "stream configuration for subject transform" if update else "stream subject transform"
        ways = f"from '{mapping.src}' to '{mapping.dest}'"
        _try_late(mapping.src, mapping.dest, profile, f"{what} {ways}", 10069 if update else 10049)


def _try_late(source: str, destination: str, profile: ServerProfile, what: str, code: int) -> None:
    try:
        transform_of(source, destination, profile)
    except TransformError as error:
        raise api_error(500, code, f"{what}: {error}") from None


def _pedantic(text: str) -> ApiError:
    return api_error(400, 10157, f"pedantic mode: {text}")


def _settled(config: StreamConfig, republish: RePublish, profile: ServerProfile, *, pedantic: bool) -> RePublish:
    if not republish.src:
        if pedantic:
            twice = "pedantic mode: " if profile.pedantic_said_twice else ""
            raise _pedantic(f"{twice}republish source can not be empty")
        republish = msgspec.structs.replace(republish, src=">")
    transform = config.subject_transform
    everything = republish.src == republish.dest == ">"
    if everything and transform is not None and config.subjects == (transform.src,):
        if pedantic:
            raise _pedantic("implicit republish based on subject transform")
        return msgspec.structs.replace(republish, src=transform.dest, dest=transform.dest)
    return republish


def _check_republish(config: StreamConfig, republish: RePublish, profile: ServerProfile) -> None:
    if profile.republish_bound and not any(_collide(republish.src, subject) for subject in config.subjects):
        raise invalid(f"{_REPUBLISH} source is not valid subset of subjects")
    if any(_collide(republish.dest, subject) for subject in config.subjects):
        raise invalid(f"{_REPUBLISH} destination forms a cycle")
    if profile.republish_bound and not republish.dest:
        raise invalid(f"{_REPUBLISH} not valid")
    try:
        transform_of(republish.src, republish.dest, profile)
    except TransformError:
        if profile.republish_bound:
            raise invalid(f"{_REPUBLISH} not valid") from None
        ways = f"from '{republish.src}' to '{republish.dest}'"
        raise invalid(f"{_REPUBLISH} with transform {ways} not valid") from None


def _collide(given: str, subject: str) -> bool:
    """Return whether a subject as it was given, perhaps with empty tokens, overlaps one of the stream's."""
    if given == subject:
        return True
    tokens, matched = given.split("."), subject.split(".")
    if matched[-1] == ">" and is_literal(given):
        matched.pop()  # whatever comes there is not looked at
    return "" not in tokens[: len(matched)] and overlap(given, subject)
