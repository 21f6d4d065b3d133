"""A consumer's configuration in the server's own terms: field names and values are those of its JSON."""

from __future__ import annotations

from typing import Annotated, Literal, NewType

import msgspec

_Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Unsigned = Annotated[int, msgspec.Meta(ge=0)]
TimeNs = NewType("TimeNs", int)
"""A time in nanoseconds since 1970; RFC 3339 on the wire."""
DeliverPolicy = Literal["all", "last", "new", "by_start_sequence", "by_start_time", "last_per_subject", "undefined"]
AckPolicy = Literal["none", "all", "explicit", "flow_control"]


class ConsumerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What nats-server's ``ConsumerConfig`` holds (consumer.go).

    Durations and times are nanoseconds, times since the epoch; 0 is "not set" unless `normalise` says otherwise.
    """

    durable_name: str = ""
    name: str = ""
    description: str = ""
    deliver_policy: DeliverPolicy = "all"
    opt_start_seq: _Unsigned = 0
    opt_start_time: TimeNs | None = None
    ack_policy: AckPolicy = "none"
    ack_wait: _Int = 0
    max_deliver: _Int = 0
    backoff: tuple[_Int, ...] = ()
    filter_subject: str = ""
    filter_subjects: tuple[str, ...] = ()
    replay_policy: Literal["instant", "original"] = "instant"
    rate_limit_bps: _Unsigned = 0
    """Bits per second."""
    sample_freq: str = ""
    max_waiting: _Int = 0
    max_ack_pending: _Int = 0
    flow_control: bool = False
    headers_only: bool = False
    max_batch: _Int = 0
    max_expires: _Int = 0
    max_bytes: _Int = 0
    deliver_subject: str = ""
    """Where a push consumer sends; a pull consumer has none."""
    deliver_group: str = ""
    idle_heartbeat: _Int = 0
    inactive_threshold: _Int = 0
    num_replicas: _Int = 0
    mem_storage: bool = False
    direct: bool = False
    sourcing: bool = False
    metadata: dict[str, str] = {}
    pause_until: TimeNs | None = None
    priority_groups: tuple[str, ...] = ()
    priority_policy: Literal["none", "overflow", "pinned_client", "prioritized"] = "none"
    priority_timeout: _Int = 0

    @property
    def filters(self) -> tuple[str, ...]:
        """The subjects asked for, whichever field names them; empty for all."""
        return self.filter_subjects or ((self.filter_subject,) if self.filter_subject else ())
