"""Requests about the account: what it holds and how much it asked."""

from __future__ import annotations

from typing import Any, Final

from lattice_store_sim._core._server import SimCore
from lattice_store_sim._core._stream import StreamInfo
from lattice_store_sim._wire._domain import domain_of
from lattice_store_sim._wire._routes import Request, Route

_UNLIMITED: Final = {
    **dict.fromkeys(("max_memory", "max_storage", "max_streams", "max_consumers", "max_ack_pending"), -1),
    **dict.fromkeys(("memory_max_stream_bytes", "storage_max_stream_bytes"), -1),
    "max_bytes_required": False,
}


def _info(core: SimCore, request: Request) -> dict[str, Any]:
    profile = core.context.profile
    infos = [core.stream_info(name, now_ns=request.now_ns) for name in core.list_streams()]
    api: dict[str, int] = {"total": core.context.api_requests, "errors": core.context.api_refusals}
    if profile.api_level is not None:
        api["level"] = profile.api_level
    wire = {
        "memory": _stored(infos, "memory"),
        "storage": _stored(infos, "file"),
        "streams": len(infos),
        "consumers": sum(info.state.consumer_count for info in infos),
        "limits": _UNLIMITED,
        **domain_of(core),
        "api": api,
    }
    if profile.reservations == "none":
        return wire
    sums_all = profile.reservations == "all"
    reserved = {
        "reserved_memory": _reserved(infos, "memory", unlimited_too=sums_all),
        "reserved_storage": _reserved(infos, "file", unlimited_too=sums_all),
    }
    return {**wire, **reserved}


def _stored(infos: list[StreamInfo], storage: str) -> int:
    return sum(info.state.bytes for info in infos if info.config.storage == storage)


def _reserved(infos: list[StreamInfo], storage: str, *, unlimited_too: bool) -> int:
    """Return what the streams may hold; where the server sums up unlimited ones too, their -1 wrap below 0."""
    limits = [info.config.max_bytes for info in infos if info.config.storage == storage]
    return sum(limit for limit in limits if limit > 0 or unlimited_too) % 2**64


ROUTES: Final = (Route("INFO", 0, _info, "account_info"),)
