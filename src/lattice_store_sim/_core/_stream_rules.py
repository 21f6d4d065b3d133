"""What the server makes of a stream configuration: defaults and validation, in its order.

Sources: nats-server stream.go, ``checkStreamCfg``; jetstream_versioning.go, ``setStaticStreamMetadata``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from lattice_store.errors import api_error
from lattice_store.limits import DEFAULT_DUPLICATE_WINDOW_NS, MAX_STREAM_NAME_BYTES, SECOND_NS
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._mapping_rules import check_mappings
from lattice_store_sim._core._metadata import metadata_bytes, with_required_level
from lattice_store_sim._core._names import is_asset_name
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._source_rules import Lookup, check_sources
from lattice_store_sim._core._stream_config import Placement, StreamConfig
from lattice_store_sim._core._subject_rules import check_subjects

_SHORTEST_NS: Final = SECOND_NS // 10
_DESCRIPTION_BYTES: Final = 4096
_METADATA_BYTES: Final = 128 * 1024
_MOST_REPLICAS: Final = 5
_LIMITS: Final = ("max_msgs", "max_msgs_per_subject", "max_bytes", "max_msg_size", "max_consumers")
_REQUIRED_LEVELS: Final = {
    "allow_msg_ttl": 1,
    "subject_delete_marker_ttl": 1,
    "allow_msg_counter": 2,
    "allow_atomic": 2,
    "allow_msg_schedules": 2,
    "persist_mode": 2,
    "allow_batched": 4,
}


# -- defaults ---------------------------------------------------------------------------------------


def stamp(config: StreamConfig, profile: ServerProfile) -> StreamConfig:
    """Return *config* with the metadata that the server stores: it notes the API level that the settings require."""
    used = (name for name in _REQUIRED_LEVELS if getattr(config, name) not in (0, "", "default"))
    level = max((_REQUIRED_LEVELS[name] for name in used), default=0)
    return msgspec.structs.replace(config, metadata=with_required_level(config.metadata, level, profile))


def normalise(config: StreamConfig, profile: ServerProfile) -> StreamConfig:
    """Fill in the server's defaults, so that equal behaviour is an equal configuration."""
    window = config.duplicate_window
    sourced = config.sources and profile.sources_have_no_window
    if not window and config.mirror is None and not sourced:
        window = min(DEFAULT_DUPLICATE_WINDOW_NS, config.max_age or DEFAULT_DUPLICATE_WINDOW_NS)
    marked = config.subject_delete_marker_ttl > 0
    nowhere = config.placement == Placement()
    rolls_up = (marked or config.allow_msg_schedules) and not config.allow_rollup_hdrs
    return msgspec.structs.replace(
        config,
        subjects=config.subjects or (() if config.mirror is not None or config.sources else (config.name,)),
        num_replicas=config.num_replicas or 1,
        duplicate_window=window,
        allow_msg_ttl=config.allow_msg_ttl or marked,
        allow_rollup_hdrs=config.allow_rollup_hdrs or rolls_up,
        deny_purge=config.deny_purge and not rolls_up,
        placement=None if nowhere and not profile.empty_placement_kept else config.placement,
        persist_mode="" if config.persist_mode == "default" else config.persist_mode,
        **{name: _limit(getattr(config, name), profile) for name in _LIMITS},
    )


def _limit(value: int, profile: ServerProfile) -> int:
    return value if value > 0 or (value and profile.negative_limits_kept) else -1


# -- validation -------------------------------------------------------------------------------------


class _Case(NamedTuple):
    """A configuration as it was given and as it would be, and the server that judges it."""

    given: StreamConfig
    config: StreamConfig
    profile: ServerProfile
    pedantic: bool
    """Whether the client wants a refusal instead of corrections."""


class _Rule(NamedTuple):
    """A case that is refused, and what the server then says."""

    broken: Callable[[_Case], object]
    text: str
    code: int = 500
    err_code: int = 10052


def _name(case: _Case) -> bool:
    return not is_asset_name(case.given.name, slashes=case.profile.slashes_in_names)


def _too_young(case: _Case) -> bool:
    return 0 < case.given.max_age < _SHORTEST_NS


def _window_follows_age(case: _Case) -> bool:
    return case.pedantic and case.config.duplicate_window not in (
        case.given.duplicate_window,
        DEFAULT_DUPLICATE_WINDOW_NS,
    )


def _below_no_limit(name: str) -> _Rule:
    def broken(case: _Case) -> bool:
        return case.pedantic and not case.profile.negative_limits_kept and getattr(case.given, name) < -1

    return _pedantic_rule(broken, f"{name} must be set to -1")


def _pedantic_rule(broken: Callable[[_Case], object], text: str) -> _Rule:
    return _Rule(broken, f"pedantic mode: {text}", 400, 10157)


_TOO_YOUNG: Final = "max age needs to be >= 100ms"
_RULES: Final = (
    _Rule(
        lambda case: case.profile.slashes_in_names and _name(case),
        "stream name is required and can not contain '.', '*', '>'",
    ),
    _Rule(_name, "stream name is required and can not contain '.', '*', '>', '\\', '/'"),
    _Rule(
        lambda case: len(case.given.name.encode()) > MAX_STREAM_NAME_BYTES,
        f"stream name is too long, maximum allowed is {MAX_STREAM_NAME_BYTES}",
    ),
    _Rule(
        lambda case: len(case.given.description.encode()) > _DESCRIPTION_BYTES,
        f"stream description is too long, maximum allowed is {_DESCRIPTION_BYTES}",
    ),
    _Rule(
        lambda case: metadata_bytes(case.given.metadata) > _METADATA_BYTES,
        f"stream metadata exceeds maximum size of {_METADATA_BYTES} bytes",
    ),
    _Rule(lambda case: case.given.num_replicas > _MOST_REPLICAS, f"maximum replicas is {_MOST_REPLICAS}"),
    _Rule(lambda case: case.given.num_replicas < 0, "replicas count cannot be negative", 400, 10133),
    *map(_below_no_limit, _LIMITS),
    _Rule(lambda case: case.profile.age_before_window and case.given.max_age < 0, "max age can not be negative"),
    _Rule(lambda case: case.profile.age_before_window and _too_young(case), _TOO_YOUNG),
    _pedantic_rule(
        lambda case: case.profile.pedantic_said_twice and _window_follows_age(case),
        "pedantic mode: duplicate window cannot be bigger than max age",
    ),
    _pedantic_rule(_window_follows_age, "duplicate window cannot be bigger than max age"),
    _Rule(_too_young, _TOO_YOUNG),
    _Rule(lambda case: case.config.duplicate_window < 0, "duplicates window can not be negative"),
    _Rule(
        lambda case: case.given.max_age and case.config.duplicate_window > case.given.max_age,
        "duplicates window can not be larger then max age",
    ),
    _Rule(lambda case: 0 < case.config.duplicate_window < _SHORTEST_NS, "duplicates window needs to be >= 100ms"),
    _Rule(
        lambda case: case.given.deny_purge and case.given.allow_rollup_hdrs,
        "roll-ups require the purge permission",
    ),
    _Rule(
        lambda case: case.given.allow_msg_counter and case.given.discard == "new",
        "counter stream cannot use discard new",
    ),
    _Rule(
        lambda case: case.given.allow_msg_counter and case.given.allow_msg_ttl,
        "counter stream cannot use message TTLs",
    ),
    _Rule(
        lambda case: case.profile.schedules_checked and case.given.allow_msg_counter and case.given.allow_msg_schedules,
        "counter stream cannot use message schedules",
    ),
    _Rule(
        lambda case: case.given.allow_msg_counter and case.given.retention != "limits",
        "counter stream can only use limits retention",
    ),
    _Rule(
        lambda case: case.given.discard_new_per_subject and case.given.discard != "new",
        "discard new per subject requires discard new policy to be set",
    ),
    _Rule(
        lambda case: case.given.discard_new_per_subject and case.given.max_msgs_per_subject <= 0,
        "discard new per subject requires max msgs per subject > 0",
    ),
    _Rule(
        lambda case: 0 < case.given.subject_delete_marker_ttl < SECOND_NS,
        "subject delete marker TTL must be at least 1 second",
    ),
    _Rule(
        lambda case: case.pedantic and case.given.subject_delete_marker_ttl > 0 and not case.given.allow_msg_ttl,
        "subject delete marker cannot be set if message TTLs are disabled",
    ),
    _Rule(
        lambda case: case.pedantic and case.given.subject_delete_marker_ttl > 0 and not case.given.allow_rollup_hdrs,
        "subject delete marker cannot be set if roll-ups are disabled",
    ),
    _Rule(lambda case: case.given.subject_delete_marker_ttl < 0, "subject delete marker TTL must not be negative"),
    _Rule(
        lambda case: case.profile.schedules_checked and case.given.allow_msg_schedules and case.given.discard == "new",
        "message scheduling cannot use discard new",
    ),
    _Rule(
        lambda case: case.pedantic and case.given.allow_msg_schedules and not case.given.allow_rollup_hdrs,
        "message scheduling cannot be set if roll-ups are disabled",
    ),
    _Rule(
        lambda case: case.given.persist_mode == "async" and case.given.storage != "file",
        "async persist mode is only supported on file storage",
    ),
    _Rule(
        lambda case: case.given.persist_mode == "async" and case.given.num_replicas > 1,
        "async persist mode is not supported on replicated streams",
    ),
    _Rule(
        lambda case: case.given.persist_mode == "async" and case.given.allow_atomic,
        "async persist mode is not supported with atomic batch publish",
    ),
)


def check(config: StreamConfig, profile: ServerProfile, lookup: Lookup, *, pedantic: bool = False) -> StreamConfig:
    """Return the configuration that the server makes of *config*; *lookup* finds those of other streams.

    Raises:
        ApiError: it refuses it, with its text.
        NotSimulatedError: it might do with it what the simulator does not.
    """
    case = _Case(config, normalise(config, profile), profile, pedantic)
    for rule in _RULES:
        if rule.broken(case):
            raise api_error(rule.code, rule.err_code, rule.text)
    settled = check_sources(case.config, profile, lookup, pedantic=pedantic)
    check_subjects(settled, profile)
    settled = check_mappings(settled, profile, pedantic=pedantic)
    if config.placement is not None and config.placement.preferred:
        raise api_error(500, 10052, "preferred server not permitted in placement")
    return settled


def check_replicas(config: StreamConfig | ConsumerConfig, *, max_replicas: int) -> None:
    """Refuse more replicas than there are servers."""
    if config.num_replicas > max_replicas:
        raise api_error(500, 10074, "replicas > 1 not supported in non-clustered mode")
