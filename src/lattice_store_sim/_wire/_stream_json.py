"""Stream configurations, infos and states as the server's JSON shows them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lattice_store.model import StreamState
from lattice_store_sim._core._feed import FeedInfo
from lattice_store_sim._core._metadata import with_server
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._stream import StreamInfo
from lattice_store_sim._core._stream_config import StreamConfig, StreamSource
from lattice_store_sim._wire._times import time_text

_LEFT_OUT_IF_EMPTY: Final = frozenset(
    {
        *("description", "subjects", "no_ack", "duplicate_window", "mirror", "sources", "first_seq"),
        *("subject_transform", "republish", "discard_new_per_subject", "subject_delete_marker_ttl", "metadata"),
        *("allow_msg_counter", "allow_atomic", "allow_msg_schedules", "persist_mode", "allow_batched"),
    }
)


def config_to_json(config: StreamConfig, profile: ServerProfile) -> dict[str, Any]:
    """Return a stored configuration with the fields that the server shows."""
    wire: dict[str, Any] = msgspec.to_builtins(config)
    if config.placement is None:
        del wire["placement"]
    else:
        wire["placement"] = _without_empty(wire["placement"], "cluster", "tags", "preferred")
    if config.republish is not None:
        wire["republish"] = _without_empty(wire["republish"], "src", "headers_only")
    if config.mirror is not None:
        wire["mirror"] = source_to_json(config.mirror)
    if config.sources:
        wire["sources"] = [None if each is None else source_to_json(each) for each in config.sources]
    return {
        name: value
        for name, value in wire.items()
        if name not in profile.later_fields and (value or name not in _LEFT_OUT_IF_EMPTY)
    }


def source_to_json(source: StreamSource) -> dict[str, Any]:
    """Return a mirror or source as a configuration shows it."""
    wire: dict[str, Any] = msgspec.to_builtins(source)
    if source.opt_start_time is not None:
        wire["opt_start_time"] = time_text(source.opt_start_time)
    if source.consumer is not None:
        wire["consumer"] = _without_empty(wire["consumer"], "name", "deliver_subject")
    return _without_empty(wire, *(name for name in wire if name != "name"))


def _without_empty(wire: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in wire.items() if value or name not in names}


def state_to_json(state: StreamState) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "messages": state.messages,
        "bytes": state.bytes,
        "first_seq": state.first_sequence,
        "first_ts": time_text(state.first_time_ns),
        "last_seq": state.last_sequence,
        "last_ts": time_text(state.last_time_ns),
        "consumer_count": state.consumer_count,
    }
    counts = {"num_subjects": state.num_subjects, "num_deleted": state.num_deleted}
    return wire | {name: count for name, count in counts.items() if count}


def listed_to_json(info: StreamInfo, profile: ServerProfile, now_ns: int) -> dict[str, Any]:
    """Return an info as STREAM.LIST shows it: with the configuration as it is stored."""
    wire: dict[str, Any] = {
        "config": config_to_json(info.config, profile),
        "created": time_text(info.created_ns),
        "state": state_to_json(info.state),
    }
    feeds = [_feed_to_json(feed, profile) for feed in info.feeds]
    if feeds and info.config.mirror is not None:
        wire["mirror"] = feeds[0]
    elif feeds:
        wire["sources"] = feeds
    return {**wire, "ts": time_text(now_ns)} if profile.info_origin else wire


def _feed_to_json(feed: FeedInfo, profile: ServerProfile) -> dict[str, Any]:
    source = feed.source
    wire: dict[str, Any] = {"name": source.name}
    if source.external is not None:
        wire["external"] = msgspec.to_builtins(source.external)
    wire["lag"] = feed.lag
    if feed.sequence and profile.source_places_told:
        wire["seq"] = feed.sequence
    wire["active"] = -1 if feed.silent_ns is None else feed.silent_ns
    if feed.error is not None:
        wire["error"] = feed.error
    if source.filter_subject and profile.infos_tell_filters:
        wire["filter_subject"] = source.filter_subject
    if source.subject_transforms:
        wire["subject_transforms"] = msgspec.to_builtins(source.subject_transforms)
    return wire


def info_to_json(info: StreamInfo, profile: ServerProfile, now_ns: int) -> dict[str, Any]:
    """Return an info as the other requests answer it: the metadata names the server's version."""
    metadata = with_server(info.config.metadata, profile)
    shown = msgspec.structs.replace(info, config=msgspec.structs.replace(info.config, metadata=metadata))
    return listed_to_json(shown, profile, now_ns)
