"""A stream's configuration in the server's own terms: field names and values are those of its JSON."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from lattice_store_sim._core._consumer_config import TimeNs

_Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_Unsigned = Annotated[int, msgspec.Meta(ge=0)]


class SubjectMapping(msgspec.Struct, frozen=True, kw_only=True):
    """From which subjects to which: what the server calls a subject transform."""

    src: str = ""
    dest: str = ""


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where in a cluster the stream is to be; a lone server keeps it and does nothing with it."""

    cluster: str = ""
    tags: tuple[str, ...] | None = None
    preferred: str = ""


class RePublish(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages are sent on to once they are stored."""

    src: str = ""
    dest: str = ""
    headers_only: bool = False


class External(msgspec.Struct, frozen=True, kw_only=True):
    """Where the API of another account or domain is found."""

    api: str = ""
    deliver: str = ""


class SourceConsumer(msgspec.Struct, frozen=True, kw_only=True):
    """A consumer of the origin that is there already."""

    name: str = ""
    deliver_subject: str = ""


class StreamSource(msgspec.Struct, frozen=True, kw_only=True):
    """A stream that another one takes its messages from."""

    name: str = ""
    opt_start_seq: _Unsigned = 0
    opt_start_time: TimeNs | None = None
    filter_subject: str = ""
    subject_transforms: tuple[SubjectMapping, ...] = ()
    external: External | None = None
    consumer: SourceConsumer | None = None

    @property
    def filters(self) -> tuple[str, ...]:
        """Which of the origin's subjects are taken."""
        if self.subject_transforms:
            return tuple(each.src or ">" for each in self.subject_transforms)
        return (self.filter_subject,) if self.filter_subject else ()


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
    placement: Placement | None = None
    mirror: StreamSource | None = None
    sources: tuple[StreamSource | None, ...] | None = None
    compression: Literal["none", "s2"] = "none"
    first_seq: _Unsigned = 0
    subject_transform: SubjectMapping | None = None
    republish: RePublish | None = None
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
