"""What a server tells of a consumer, as JSON."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._consumer_info import ConsumerInfo, PriorityState, SequencePair
from lattice_store_sim._core._metadata import with_server
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._wire._times import time_text

_ALWAYS: Final = frozenset({"deliver_policy", "ack_policy", "replay_policy", "num_replicas"})
_TIMES: Final = ("opt_start_time", "pause_until")


def _says_nothing(name: str, value: object) -> bool:
    return name not in _ALWAYS and (not value or (name == "priority_policy" and value == "none"))


def _config(config: ConsumerConfig, metadata: dict[str, str]) -> dict[str, Any]:
    settings = {**msgspec.structs.asdict(config), "metadata": metadata}
    wire = {name: value for name, value in settings.items() if not _says_nothing(name, value)}
    times = {name: time_text(settings[name]) for name in _TIMES if settings[name] is not None}
    return wire | times


def _place(place: SequencePair, last_ns: int | None) -> dict[str, Any]:
    wire: dict[str, Any] = {"consumer_seq": place.consumer_sequence, "stream_seq": place.stream_sequence}
    return wire if last_ns is None else {**wire, "last_active": time_text(last_ns)}


def info_to_wire(info: ConsumerInfo, profile: ServerProfile, now_ns: int, *, in_list: bool = False) -> dict[str, Any]:
    """Return a consumer's info; *in_list* it does not tell the server's version."""
    metadata = info.config.metadata if in_list else with_server(info.config.metadata, profile)
    wire = {
        "stream_name": info.stream,
        "name": info.name,
        "created": time_text(info.created_ns),
        "config": _config(info.config, metadata),
        "delivered": _place(info.delivered, info.delivered_ns),
        "ack_floor": _place(info.ack_floor, info.acked_ns),
        "num_ack_pending": info.num_ack_pending,
        "num_redelivered": info.num_redelivered,
        "num_waiting": info.num_waiting,
        "num_pending": info.num_pending,
    }
    if info.push_bound:
        wire["push_bound"] = True
    if info.pause_remaining is not None:
        wire |= {"paused": True, "pause_remaining": info.pause_remaining}
    if profile.info_origin:
        wire["ts"] = time_text(now_ns)
    if info.priority is not None:
        wire["priority_groups"] = [_group(info.priority)]
    return wire


def _group(state: PriorityState) -> dict[str, Any]:
    pin = {"pinned_client_id": state.pin} if state.pin else {}
    return {"group": state.group, **pin, "pinned_ts": time_text(state.pinned_ns)}
