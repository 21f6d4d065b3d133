"""From which streams a stream may take its messages (nats-server stream.go, ``checkStreamCfg``)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import zip_longest
from typing import Final, NamedTuple

import msgspec

from lattice_store.errors import ApiError, NotSimulatedError, api_error
from lattice_store.subjects import covers, is_literal, overlap
from lattice_store_sim._core._names import is_asset_name, is_subject
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._sourcing import index_name
from lattice_store_sim._core._stream_config import External, StreamConfig, StreamSource, SubjectMapping
from lattice_store_sim._core._subject_rules import invalid
from lattice_store_sim._core._subject_transform import (
    TransformError,
    are_destination_tokens,
    check_mapping,
    transform_of,
)

Lookup = Callable[[str], StreamConfig | None]
"""Returns the configuration of the stream of that name."""

_API: Final = "$JS.API"


def check_sources(config: StreamConfig, profile: ServerProfile, lookup: Lookup, *, pedantic: bool) -> StreamConfig:
    """Return the configuration with what the server fills in.

    Raises:
        ApiError: with the server's text.
    """
    if config.mirror is None and not config.sources:
        return config
    if config.mirror is not None:
        config = _check_mirror(config, config.mirror, profile, lookup, pedantic=pedantic)
    _check_each_source(config, profile, lookup)
    given = [each for each in (config.mirror, *(config.sources or ())) if each is not None]
    _check_external(given, lookup)
    _check_cycles(config, lookup)
    return config


# -- mirrors ----------------------------------------------------------------------------------------

_NOT_WITH_MIRRORS: Final = (
    ("first_seq", 10143, "stream mirrors can not have first sequence configured"),
    ("subjects", 10034, "stream mirrors can not contain subjects"),
    ("sources", 10031, "stream mirrors can not also contain other sources"),
    ("allow_msg_counter", 10173, "stream mirrors can not also calculate counters"),
    ("allow_atomic", 10198, "stream mirrors can not also use atomic publishing"),
    ("allow_batched", 10209, "stream mirrors can not also use batch publishing"),
    ("allow_msg_schedules", 10186, "stream mirrors can not also schedule messages"),
)


def _check_mirror(
    config: StreamConfig, mirror: StreamSource, profile: ServerProfile, lookup: Lookup, *, pedantic: bool
) -> StreamConfig:
    for name, err_code, text in _NOT_WITH_MIRRORS:
        if getattr(config, name):
            raise api_error(400, err_code, text)
    if not _consumer_fits(mirror):
        raise api_error(400, 10213, "stream mirror consumer config is invalid")
    if mirror.filter_subject and mirror.subject_transforms:
        raise api_error(400, 10150, "mirror with multiple subject transforms cannot also have a single subject filter")
    if config.subject_delete_marker_ttl > 0 and profile.mirrors_checked_for_markers:
        raise invalid("subject delete markers forbidden on mirrors")
    _check_transforms(mirror.subject_transforms, profile, _OF_MIRROR)
    if mirror.external is not None:
        return config
    if not is_asset_name(mirror.name, slashes=profile.slashes_in_names):
        raise api_error(400, 10142, "mirrored stream name is invalid")
    origin = lookup(mirror.name)
    if origin is None:
        return config
    if _is_smaller(config, origin):
        raise api_error(400, 10030, "stream mirror must have max message size >= source")
    if pedantic and config.mirror_direct != origin.allow_direct:
        text = "origin stream has direct get set, mirror has it disabled"
        raise api_error(400, 10157, f"pedantic mode: {text}")
    return msgspec.structs.replace(config, mirror_direct=origin.allow_direct)


def _consumer_fits(source: StreamSource) -> bool:
    consumer = source.consumer
    if consumer is None:
        return True
    named = is_asset_name(consumer.name, slashes=False)
    delivers = is_subject(consumer.deliver_subject) and is_literal(consumer.deliver_subject)
    alone = not (source.opt_start_seq or source.opt_start_time is not None or source.filter_subject)
    return named and delivers and alone


# -- mappings ---------------------------------------------------------------------------------------


class _Refusals(NamedTuple):
    """What mappings of a mirror, or of a source, are refused with, and which two filters clash."""

    what: str
    bad_source: int
    bad_destination: int
    overlapping: tuple[int, str]
    clash: Callable[[str, str], bool]


def _is_within(narrower: str, wider: str) -> bool:
    return wider == ">" or ("" not in (narrower, wider) and covers(wider, narrower))


_OF_MIRROR: Final = _Refusals("mirror", 10151, 10154, (10152, "mirror subject filters can not overlap"), overlap)
_OF_SOURCE: Final = _Refusals("source", 10145, 10146, (10147, "source filters can not overlap"), _is_within)


def _check_transforms(mappings: tuple[SubjectMapping, ...], profile: ServerProfile, refusals: _Refusals) -> None:
    if profile.transforms_checked_first:
        for mapping in mappings:
            _check_transform(mapping, profile, refusals)
    elif refusals is _OF_SOURCE and any(not are_destination_tokens(each.dest, profile) for each in mappings):
        raise api_error(400, refusals.bad_destination, "source transform destination is invalid")
    for at, one in enumerate(mappings):
        if not profile.transforms_checked_first and not is_subject(one.src):
            raise api_error(400, refusals.bad_source, f"{refusals.what} subject filter is invalid")
        if any(refusals.clash(one.src, other.src) for beside, other in enumerate(mappings) if at != beside):
            raise api_error(400, *refusals.overlapping)


def _check_transform(mapping: SubjectMapping, profile: ServerProfile, refusals: _Refusals) -> None:
    what = refusals.what
    if mapping.src and not is_subject(mapping.src):
        raise api_error(400, refusals.bad_source, f"{what} transform source: invalid subject {mapping.src}")
    try:
        check_mapping(mapping.src, mapping.dest, profile)
    except TransformError as error:
        raise api_error(400, refusals.bad_destination, f"{what} transform: {error}") from None


def _is_smaller(config: StreamConfig, origin: StreamConfig) -> bool:
    return 0 < config.max_msg_size < origin.max_msg_size


# -- sources ----------------------------------------------------------------------------------------

_SOURCE_TOO_BIG: Final = (10046, "stream source must have max message size >= target")


def _check_each_source(config: StreamConfig, profile: ServerProfile, lookup: Lookup) -> None:
    if config.sources and config.allow_msg_schedules:
        raise api_error(400, 10187, "stream source can not also schedule messages")
    seen: set[str] = set()
    consumers: set[tuple[str, str]] = set()
    for source in config.sources or ():
        if source is None or not is_asset_name(source.name, slashes=profile.slashes_in_names):
            raise api_error(400, 10141, "sourced stream name is invalid")
        if (key := index_name(source)) in seen:
            raise api_error(400, 10140, "duplicate source configuration detected")
        seen.add(key)
        origin = lookup(source.name) if source.external is None else None
        too_small = origin is not None and _is_smaller(config, origin)
        if too_small and profile.source_sizes_first:
            raise api_error(400, *_SOURCE_TOO_BIG)
        if source.external is None or not profile.source_sizes_first:
            _check_source(source, profile)
        if source.consumer is not None:
            if (named := (source.name, source.consumer.name)) in consumers:
                raise api_error(400, 10216, "duplicate stream source consumer detected")
            consumers.add(named)
        if too_small:
            raise api_error(400, *_SOURCE_TOO_BIG)


def _check_source(source: StreamSource, profile: ServerProfile) -> None:
    if source.filter_subject and source.subject_transforms:
        raise api_error(400, 10144, "source with multiple subject transforms cannot also have a single subject filter")
    _check_transforms(source.subject_transforms, profile, _OF_SOURCE)
    if not _consumer_fits(source):
        raise api_error(400, 10215, "stream source consumer config is invalid")


# -- origins elsewhere --------------------------------------------------------------------------------


def _check_external(sources: list[StreamSource], lookup: Lookup) -> None:
    external = [each.external for each in sources if each.external is not None]
    origins = (lookup(each.name) for each in sources if each.external is None)
    subjects = [subject for origin in origins if origin is not None for subject in origin.subjects]
    for each in external:
        if each.deliver:
            _check_delivery(each, subjects)
    for each in external:
        if each.api:
            _check_api(each)


def _can_be_published(subject: str) -> bool:
    return is_subject(subject) and is_literal(subject)


def _check_delivery(external: External, subjects: list[str]) -> None:
    prefix = external.deliver
    if not _can_be_published(prefix):
        raise api_error(400, 10024, f"stream external delivery prefix {prefix} must not contain wildcards")
    for subject in subjects:
        if overlap(subject, f"{prefix}.{subject}"):
            text = f"stream external delivery prefix {prefix} overlaps with stream subject {subject}"
            raise api_error(400, 10022, text)


def _check_api(external: External) -> None:
    if not _can_be_published(external.api):
        raise invalid(f'stream external api prefix "{external.api}" must be a valid subject without wildcards')
    if overlap(external.api, _API):
        raise api_error(400, 10021, f"stream external api prefix {external.api} must not overlap with {_API}")


# -- cycles -----------------------------------------------------------------------------------------


def _check_cycles(config: StreamConfig, lookup: Lookup) -> None:
    ahead: deque[StreamConfig] = deque([config])
    visited: set[str] = set()
    while ahead:
        here = ahead.popleft()
        visited.add(here.name)
        for source in here.sources or ():
            if source is None or source.external is not None:
                continue
            if source.name in visited:
                _check_source_cycle(here, source)
            elif (origin := lookup(source.name)) is not None:
                ahead.append(origin)
        if here.mirror is not None and here.mirror.external is None:
            if here.mirror.name in visited:
                raise invalid("detected cycle")
            if (origin := lookup(here.mirror.name)) is not None:
                ahead.append(origin)


def _check_source_cycle(config: StreamConfig, source: StreamSource) -> None:
    filter_ = source.filter_subject
    if not filter_ or any(overlap(subject, filter_) for subject in config.subjects):
        raise invalid("detected cycle")


# -- what is noticed later --------------------------------------------------------------------------


def check_late(config: StreamConfig, profile: ServerProfile) -> None:
    """Refuse filters and mappings that are none, as a server does only when it makes the stream.

    Raises:
        ApiError: with the server's text.
    """
    mirror = config.mirror
    if mirror is not None and not mirror.subject_transforms and _is_no_filter(mirror.filter_subject):
        raise _not_made(f"subject filter '{mirror.filter_subject}' for the mirror invalid subject")
    if mirror is not None:
        for mapping in mirror.subject_transforms:
            _try_late(mapping, profile, "mirror")
    for source in filter(None, config.sources or ()):
        filters = [each.src for each in source.subject_transforms] or [source.filter_subject]
        for filter_, mapping in zip_longest(filters, source.subject_transforms):
            if _is_no_filter(filter_):
                raise _not_made(f"subject filter '{filter_}' for the source: invalid subject")
            if mapping is not None:
                _try_late(mapping, profile, "source")


def check_update_late(config: StreamConfig, profile: ServerProfile) -> None:
    """Refuse mappings of sources that are none, as a server does only when it changes the stream.

    Raises:
        ApiError: with the server's text.
    """
    try:
        for source in filter(None, config.sources or ()):
            for mapping in source.subject_transforms:
                transform_of(mapping.src, mapping.dest, profile)
    except TransformError as error:
        raise api_error(500, 10069, f"unable to get subject transform for source: {error}") from None


def _is_no_filter(subject: str) -> bool:
    return bool(subject) and not is_subject(subject)


def _try_late(mapping: SubjectMapping, profile: ServerProfile, what: str) -> None:
    try:
        transform_of(mapping.src, mapping.dest, profile)
    except TransformError as error:
        ways = f"from '{mapping.src}' to '{mapping.dest}'"
        raise _not_made(f"subject transform {ways} for the {what}: {error}") from None


def _not_made(text: str) -> ApiError:
    return api_error(500, 10049, text)


def refuse_unsimulated(config: StreamConfig) -> None:
    """Refuse what a server would do and the simulator does not.

    Raises:
        NotSimulatedError: names it.
    """
    if any(each is not None and each.consumer is not None for each in (config.mirror, *(config.sources or ()))):
        raise NotSimulatedError("sourcing by a consumer that is there already is not simulated")
