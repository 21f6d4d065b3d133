"""Requests about consumers: create in three forms, info, delete, names, list, pause, reset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec

from lattice_store.errors import ApiError, api_error
from lattice_store_sim._core._consumer_config import ConsumerConfig, TimeNs
from lattice_store_sim._core._consumer_rules import BAD_GROUP_NAME, GROUP_NAME
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._requirement import check_api_level
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._wire._consumer_json import info_to_wire
from lattice_store_sim._wire._json import decode, decode_options, invalid_json, is_empty_object, lenient, no_such_value
from lattice_store_sim._wire._pages import listed
from lattice_store_sim._wire._routes import Request, Route
from lattice_store_sim._wire._times import ZERO_NS, time_text

_NAMES_PER_PAGE: Final = 1024
_INFOS_PER_PAGE: Final = 256
_EMPTY_PAGE: Final = {"total": 0, "offset": 0, "limit": 0, "consumers": []}


class _CreateRequest(msgspec.Struct, frozen=True):
    stream_name: str = ""
    config: ConsumerConfig = ConsumerConfig()
    action: Literal["", "create", "update"] = ""
    pedantic: bool = False


class _PageRequest(msgspec.Struct, frozen=True):
    offset: int = 0


class _PauseRequest(msgspec.Struct, frozen=True):
    pause_until: TimeNs | None = None


class _UnpinRequest(msgspec.Struct, frozen=True):
    group: str = ""


class _ResetRequest(msgspec.Struct, frozen=True):
    seq: Annotated[int, msgspec.Meta(ge=0)] = 0


# -- create and update ------------------------------------------------------------------------------


def _create_unnamed(core: SimCore, request: Request, stream: str) -> dict[str, Any]:
    """CONSUMER.CREATE with the stream only: for a consumer that is not durable, named or not by the body."""
    wanted = _read(core, request, stream)
    if core.context.profile.legacy_names_checked:
        _check_name(wanted.config.name)
    if wanted.config.durable_name:
        raise api_error(400, 10020, "consumer expected to be ephemeral but a durable name was set in request")
    return _put(core, request, wanted, wanted.config)


def _create_named(core: SimCore, request: Request, stream: str, name_and_filter: str) -> dict[str, Any]:
    """CONSUMER.CREATE with the name, and perhaps the filter, in the subject: there the name counts."""
    name, _, filter_ = name_and_filter.partition(".")
    wanted = _read(core, request, stream)
    _check_name(name)
    if wanted.config.durable_name:
        _check_durable_name(wanted.config, name)
    if "." not in filter_ and not core.context.profile.short_filter_in_subject:
        filter_ = ""
    if filter_ and wanted.config.filter_subjects:
        raise api_error(400, 10137, "consumer with multiple subject filters cannot use subject based API")
    if filter_ and wanted.config.filter_subject != filter_:
        raise api_error(400, 10131, "Consumer create request did not match filtered subject from create subject")
    return _put(core, request, wanted, msgspec.structs.replace(wanted.config, name=name))


def _create_durable(core: SimCore, request: Request, stream: str, name: str) -> dict[str, Any]:
    """CONSUMER.DURABLE.CREATE: the older form, for durable consumers."""
    wanted = _read(core, request, stream)
    _check_name(name)
    if not wanted.config.durable_name:
        raise api_error(400, 10018, "consumer expected to be durable but a durable name was not set")
    _check_durable_name(wanted.config, name)
    named = core.context.profile.legacy_durables_named
    return _put(core, request, wanted, msgspec.structs.replace(wanted.config, name=name) if named else wanted.config)


def _read(core: SimCore, request: Request, stream: str) -> _CreateRequest:
    profile = core.context.profile
    wanted = decode(request.payload, _CreateRequest, profile)
    for name in ("ack_policy", "priority_policy"):
        policy = getattr(wanted.config, name)
        if policy in profile.unknown_consumer_policies:
            raise invalid_json(no_such_value(name, policy), profile)
    check_api_level(request.headers, profile)
    if wanted.stream_name != stream:
        raise api_error(400, 10056, "stream name in subject does not match request")
    return wanted


def _check_name(name: str) -> None:
    if "/" in name or "\\" in name:
        raise api_error(400, 10127, "Consumer name can not contain path separators")


def _check_durable_name(config: ConsumerConfig, name: str) -> None:
    if config.durable_name != name:
        raise api_error(400, 10017, "consumer name in subject does not match durable name in request")


def _put(core: SimCore, request: Request, wanted: _CreateRequest, config: ConsumerConfig) -> dict[str, Any]:
    info = core.put_consumer(
        wanted.stream_name, config, action=wanted.action, pedantic=wanted.pedantic, now_ns=request.now_ns
    )
    return info_to_wire(info, core.context.profile, core.now_ns)


# -- look at ----------------------------------------------------------------------------------------


def _refuse_body(request: Request) -> None:
    if not is_empty_object(request.payload):
        raise api_error(400, 10038, "expected an empty request payload")


def _info(core: SimCore, request: Request, stream: str, consumer: str) -> dict[str, Any]:
    _refuse_body(request)
    check_api_level(request.headers, core.context.profile)
    info = core.consumer_info(stream, consumer, now_ns=request.now_ns)
    return info_to_wire(info, core.context.profile, core.now_ns)


def _page(core: SimCore, request: Request, stream: str, limit: int) -> tuple[Sequence[str], dict[str, Any]]:
    """Return the names of one page of a stream's consumers, and what the answer says of the page."""
    profile = core.context.profile
    offset = decode_options(request.payload, _PageRequest, profile).offset
    return listed(core.list_consumers(stream, now_ns=request.now_ns), offset, limit, profile)


def _names(core: SimCore, request: Request, stream: str) -> dict[str, Any]:
    names, page = _page(core, request, stream, _NAMES_PER_PAGE)
    return {**page, "consumers": names}


def _list(core: SimCore, request: Request, stream: str) -> dict[str, Any]:
    names, page = _page(core, request, stream, _INFOS_PER_PAGE)
    infos = [core.consumer_info(stream, name, now_ns=request.now_ns) for name in names]
    profile = core.context.profile
    return {**page, "consumers": [info_to_wire(info, profile, core.now_ns, in_list=True) for info in infos]}


# -- change and end ---------------------------------------------------------------------------------


def _delete(core: SimCore, request: Request, stream: str, consumer: str) -> dict[str, Any]:
    _refuse_body(request)
    core.delete_consumer(stream, consumer, now_ns=request.now_ns)
    return {"success": True}


def _pause(core: SimCore, request: Request, stream: str, consumer: str) -> dict[str, Any]:
    until_ns = decode_options(request.payload, _PauseRequest, core.context.profile).pause_until
    check_api_level(request.headers, core.context.profile)
    until_ns = None if until_ns == ZERO_NS else until_ns
    core.pause_consumer(stream, consumer, until_ns, now_ns=request.now_ns)
    answer: dict[str, Any] = {"paused": False, "pause_until": time_text(until_ns)}
    if until_ns is not None and until_ns > core.now_ns:
        answer |= {"paused": True, "pause_remaining": until_ns - core.now_ns}
    return answer


def _reset(core: SimCore, request: Request, stream: str, consumer: str) -> dict[str, Any] | None:
    """CONSUMER.RESET: served by the consumer itself, so that where there is none nobody answers."""
    try:
        core.consumer_info(stream, consumer, now_ns=request.now_ns)
    except ApiError:
        return None
    sequence = _read_reset(request.payload, core.context.profile)
    start, info = core.reset_consumer(stream, consumer, sequence, now_ns=request.now_ns)
    return {**info_to_wire(info, core.context.profile, core.now_ns), "reset_seq": start}


def _read_reset(payload: bytes, profile: ServerProfile) -> int:
    return decode(payload, _ResetRequest, lenient(profile)).seq if payload else 0


def _unpin(core: SimCore, request: Request, stream: str, consumer: str) -> dict[str, Any]:
    profile = core.context.profile
    group = decode(request.payload, _UnpinRequest, lenient(profile)).group
    if not group:
        raise invalid_json("consumer group not specified", profile)
    if GROUP_NAME.fullmatch(group) is None:
        raise api_error(*BAD_GROUP_NAME)
    core.unpin_consumer(stream, consumer, group, now_ns=request.now_ns)
    return {}


def _pauses(profile: ServerProfile) -> bool:
    return profile.consumer_pauses


def _resets(profile: ServerProfile) -> bool:
    return profile.consumer_resets


ROUTES: Final = (
    Route("CONSUMER.CREATE", 1, _create_unnamed, "consumer_create", level_after_body=True),
    Route("CONSUMER.CREATE", 2, _create_named, "consumer_create", rest=True, level_after_body=True),
    Route("CONSUMER.DURABLE.CREATE", 2, _create_durable, "consumer_create", level_after_body=True),
    Route("CONSUMER.INFO", 2, _info, "consumer_info", level_after_body=True),
    Route("CONSUMER.NAMES", 1, _names, "consumer_names", refused=_EMPTY_PAGE),
    Route("CONSUMER.LIST", 1, _list, "consumer_list", refused=_EMPTY_PAGE),
    Route("CONSUMER.DELETE", 2, _delete, "consumer_delete"),
    Route(
        "CONSUMER.PAUSE",
        *(2, _pause, "consumer_pause"),
        refused={"paused": False, "pause_until": time_text(None)},
        level_after_body=True,
        offered=_pauses,
    ),
    Route(
        "CONSUMER.RESET",
        *(2, _reset, "consumer_reset"),
        refused={"reset_seq": 0},
        audited=False,
        offered=_resets,
    ),
    Route("CONSUMER.UNPIN", 2, _unpin, "consumer_unpin", offered=_pauses),
)
