"""Requests about streams: create, update, info, delete, names and list."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lattice_store.model import StreamState
from lattice_store.wire import ns_to_time
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._core._stream import StreamInfo
from lattice_store_sim._core._stream_config import StreamConfig
from lattice_store_sim._wire._json import decode
from lattice_store_sim._wire._routes import Request, Route

_ZERO_TIME: Final = "0001-01-01T00:00:00Z"


def _time(time_ns: int | None) -> str:
    return _ZERO_TIME if time_ns is None else ns_to_time(time_ns)


class _StreamRequest(StreamConfig, frozen=True, kw_only=True):
    pedantic: bool = False

    def config(self) -> StreamConfig:
        return StreamConfig(**{name: getattr(self, name) for name in StreamConfig.__struct_fields__})


def _state(state: StreamState) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "messages": state.messages,
        "bytes": state.bytes,
        "first_seq": state.first_sequence,
        "first_ts": _time(state.first_time_ns),
        "last_seq": state.last_sequence,
        "last_ts": _time(state.last_time_ns),
        "consumer_count": state.consumer_count,
    }
    counts = {"num_subjects": state.num_subjects, "num_deleted": state.num_deleted}
    return wire | {name: count for name, count in counts.items() if count}


def _info(info: StreamInfo) -> dict[str, Any]:
    return {
        "config": msgspec.to_builtins(info.config),
        "created": ns_to_time(info.created_ns),
        "state": _state(info.state),
    }


def _create(core: SimCore, request: Request, name: str) -> dict[str, Any]:
    asked = decode(request.payload, _StreamRequest, core.context.profile)
    info = core.create_stream(asked.config(), stream=name, pedantic=asked.pedantic, now_ns=request.now_ns)
    return {**_info(info), "did_create": True}


def _update(core: SimCore, request: Request, name: str) -> dict[str, Any]:
    asked = decode(request.payload, _StreamRequest, core.context.profile)
    return _info(core.update_stream(asked.config(), stream=name, pedantic=asked.pedantic, now_ns=request.now_ns))


def _get_info(core: SimCore, request: Request, name: str) -> dict[str, Any]:
    return _info(core.stream_info(name, now_ns=request.now_ns))


def _delete(core: SimCore, request: Request, name: str) -> dict[str, Any]:
    core.delete_stream(name, now_ns=request.now_ns)
    return {"success": True}


ROUTES: Final = (
    Route("STREAM.CREATE", 1, _create, "stream_create"),
    Route("STREAM.UPDATE", 1, _update, "stream_update"),
    Route("STREAM.INFO", 1, _get_info, "stream_info"),
    Route("STREAM.DELETE", 1, _delete, "stream_delete"),
)
