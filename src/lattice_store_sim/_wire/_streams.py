"""Requests about streams: create, update, info, delete, names and list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from lattice_store.errors import api_error
from lattice_store_sim._core._log import Log
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._core._stream_config import StreamConfig
from lattice_store_sim._wire._domain import domain_of
from lattice_store_sim._wire._json import decode, decode_options, is_empty_object
from lattice_store_sim._wire._pages import listed, page_of
from lattice_store_sim._wire._routes import Request, Route
from lattice_store_sim._wire._stream_json import info_to_json, listed_to_json

_NAMES_PER_PAGE: Final = 1024
_STREAMS_PER_PAGE: Final = 256
_SUBJECTS_PER_PAGE: Final = 100_000


class _StreamRequest(StreamConfig, frozen=True, kw_only=True):
    pedantic: bool = False

    def config(self) -> StreamConfig:
        return StreamConfig(**{name: getattr(self, name) for name in StreamConfig.__struct_fields__})


class _InfoRequest(msgspec.Struct):
    deleted_details: bool = False
    subjects_filter: str = ""
    offset: int = 0


class _ListRequest(msgspec.Struct):
    offset: int = 0
    subject: str = ""


def _create(core: SimCore, request: Request, name: str) -> dict[str, Any]:
    profile = core.context.profile
    asked = decode(request.payload, _StreamRequest, profile)
    info = core.create_stream(asked.config(), stream=name, pedantic=asked.pedantic, now_ns=request.now_ns)
    if not profile.creations_tell_origins:
        info = msgspec.structs.replace(info, feeds=[])
    return {**info_to_json(info, profile, core.now_ns), "did_create": True}


def _update(core: SimCore, request: Request, name: str) -> dict[str, Any]:
    profile = core.context.profile
    asked = decode(request.payload, _StreamRequest, profile)
    info = core.update_stream(asked.config(), stream=name, pedantic=asked.pedantic, now_ns=request.now_ns)
    return {**info_to_json(info, profile, core.now_ns), **domain_of(core)}


def _delete(core: SimCore, request: Request, name: str) -> dict[str, Any]:
    if not is_empty_object(request.payload):
        raise api_error(400, 10038, "expected an empty request payload")
    core.delete_stream(name, now_ns=request.now_ns)
    return {"success": True}


# -- info -------------------------------------------------------------------------------------------


def _info(core: SimCore, request: Request, name: str) -> dict[str, Any]:
    profile = core.context.profile
    asked = decode_options(request.payload, _InfoRequest, profile)
    info = core.stream_info(name, now_ns=request.now_ns)
    log = core.log(name, now_ns=request.now_ns)
    wire = {**info_to_json(info, profile, core.now_ns), **domain_of(core)}
    if profile.info_origin:
        wire["cluster"] = {"leader": core.context.server_name}
    if asked.deleted_details and (deleted := log.deleted()):
        wire["state"] |= {"deleted": deleted, "num_deleted": max(info.state.num_deleted, len(deleted))}
    elif asked.deleted_details and not log.messages:  # what a purge left behind is counted, but not listed
        wire["state"].pop("num_deleted", None)
    return {**wire, "total": 0, "offset": 0, "limit": 0} | _add_subjects(wire["state"], asked, log)


def _add_subjects(state: dict[str, Any], asked: _InfoRequest, log: Log) -> dict[str, Any]:
    """Add the page of subjects that was asked for to *state*; return where the page stands."""
    counts = log.subjects.counts(asked.subjects_filter) if asked.subjects_filter else {}
    if not counts:
        return {}
    page, offset = page_of(sorted(counts), asked.offset, _SUBJECTS_PER_PAGE, log.profile)
    if page:
        state["subjects"] = {subject: counts[subject] for subject in page}
    shown = offset if log.profile.subjects_offset_clamped else max(asked.offset, 0)
    return {"total": len(counts), "offset": shown, "limit": _SUBJECTS_PER_PAGE}


# -- lists ------------------------------------------------------------------------------------------


def _listed(core: SimCore, request: Request, limit: int) -> tuple[Sequence[str], dict[str, Any]]:
    """Return the names on the page that was asked for, and where the page stands."""
    asked = decode_options(request.payload, _ListRequest, core.context.profile)
    names = core.list_streams(asked.subject or None)
    return listed(names, asked.offset, limit, core.context.profile)


def _names(core: SimCore, request: Request) -> dict[str, Any]:
    page, place = _listed(core, request, _NAMES_PER_PAGE)
    return {**place, "streams": list(page) or None}


def _list(core: SimCore, request: Request) -> dict[str, Any]:
    page, place = _listed(core, request, _STREAMS_PER_PAGE)
    profile = core.context.profile
    infos = [core.stream_info(name, now_ns=request.now_ns) for name in page]
    domain = domain_of(core)
    return {**place, "streams": [{**listed_to_json(info, profile, core.now_ns), **domain} for info in infos]}


_NOWHERE: Final = {"total": 0, "offset": 0, "limit": 0}

ROUTES: Final = (
    Route("STREAM.CREATE", 1, _create, "stream_create"),
    Route("STREAM.UPDATE", 1, _update, "stream_update"),
    Route("STREAM.INFO", 1, _info, "stream_info", refused=_NOWHERE),
    Route("STREAM.DELETE", 1, _delete, "stream_delete"),
    Route("STREAM.NAMES", 0, _names, "stream_names", refused={**_NOWHERE, "streams": None}),
    Route("STREAM.LIST", 0, _list, "stream_list", refused={**_NOWHERE, "streams": []}),
)
