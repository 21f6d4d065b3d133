"""A stream's configuration in the server's own terms: field names and values are those of its JSON."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class ConsumerLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a stream allows its consumers."""

    inactive_threshold: int = 0
    max_ack_pending: int = 0


class StreamConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What nats-server's ``StreamConfig`` holds; -1 is "no limit", durations are nanoseconds (stream.go)."""

    name: str = ""
    description: str = ""
    subjects: tuple[str, ...] = ()
    retention: Literal["limits", "interest", "workqueue"] = "limits"
    max_consumers: int = 0
    max_msgs: int = 0
    max_bytes: int = 0
    max_age: int = 0
    max_msgs_per_subject: int = 0
    max_msg_size: int = 0
    discard: Literal["old", "new"] = "old"
    storage: Literal["file", "memory"] = "file"
    num_replicas: int = 0
    no_ack: bool = False
    duplicate_window: int = 0
    placement: Any = None
    mirror: Any = None
    sources: Any = None
    compression: Literal["none", "s2"] = "none"
    first_seq: int = 0
    subject_transform: Any = None
    republish: Any = None
    allow_direct: bool = False
    mirror_direct: bool = False
    discard_new_per_subject: bool = False
    sealed: bool = False
    deny_delete: bool = False
    deny_purge: bool = False
    allow_rollup_hdrs: bool = False
    consumer_limits: ConsumerLimits = ConsumerLimits()
    metadata: dict[str, str] = {}
    allow_msg_ttl: bool = False
    subject_delete_marker_ttl: int = 0
    allow_msg_counter: bool = False
    allow_atomic: bool = False
    allow_msg_schedules: bool = False
    persist_mode: str = ""
    allow_batched: bool = False
