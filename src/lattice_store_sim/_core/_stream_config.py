"""A stream's configuration in the server's own terms: field names and values are those of its JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

_Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_Unsigned = Annotated[int, msgspec.Meta(ge=0)]
_Object = dict[str, Any]


class ConsumerLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a stream allows its consumers."""

    inactive_threshold: _Int = 0
    max_ack_pending: _Int = 0


class StreamConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What nats-server's ``StreamConfig`` holds; -1 is "no limit", durations are nanoseconds (stream.go)."""

    name: str = ""
    description: str = ""
    subjects: tuple[str, ...] = ()
    retention: Literal["limits", "interest", "workqueue"] = "limits"
    max_consumers: _Int = 0
    max_msgs: _Int = 0
    max_bytes: _Int = 0
    max_age: _Int = 0
    max_msgs_per_subject: _Int = 0
    max_msg_size: _Int32 = 0
    discard: Literal["old", "new"] = "old"
    storage: Literal["file", "memory"] = "file"
    num_replicas: _Int = 0
    no_ack: bool = False
    duplicate_window: _Int = 0
    placement: _Object | None = None
    mirror: _Object | None = None
    sources: tuple[_Object | None, ...] | None = None
    compression: Literal["none", "s2"] = "none"
    first_seq: _Unsigned = 0
    subject_transform: _Object | None = None
    republish: _Object | None = None
    allow_direct: bool = False
    mirror_direct: bool = False
    discard_new_per_subject: bool = False
    sealed: bool = False
    deny_delete: bool = False
    deny_purge: bool = False
    allow_rollup_hdrs: bool = False
    consumer_limits: ConsumerLimits = ConsumerLimits()
    metadata: dict[str, str] | None = None
    allow_msg_ttl: bool = False
    subject_delete_marker_ttl: _Int = 0
    allow_msg_counter: bool = False
    allow_atomic: bool = False
    allow_msg_schedules: bool = False
    persist_mode: Literal["", "default", "async"] = ""
    allow_batched: bool = False
