"""A consumer's configuration in the server's own terms: field names and values are those of its JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

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
    opt_start_seq: int = 0
    opt_start_time: int | None = None
    ack_policy: AckPolicy = "none"
    ack_wait: int = 0
    max_deliver: int = 0
    backoff: tuple[int, ...] = ()
    filter_subject: str = ""
    filter_subjects: tuple[str, ...] = ()
    replay_policy: Literal["instant", "original"] = "instant"
    rate_limit_bps: int = 0
    """Bits per second."""
    sample_freq: str = ""
    max_waiting: int = 0
    max_ack_pending: int = 0
    flow_control: bool = False
    headers_only: bool = False
    max_batch: int = 0
    max_expires: int = 0
    max_bytes: int = 0
    deliver_subject: str = ""
    """Where a push consumer sends; a pull consumer has none."""
    deliver_group: str = ""
    idle_heartbeat: int = 0
    inactive_threshold: int = 0
    num_replicas: int = 0
    mem_storage: bool = False
    direct: bool = False
    sourcing: bool = False
    metadata: dict[str, str] = {}
    pause_until: int | None = None
    priority_groups: tuple[str, ...] = ()
    priority_policy: Literal["none", "overflow", "pinned_client", "prioritized"] = "none"
    priority_timeout: int = 0

    @property
    def filters(self) -> tuple[str, ...]:
        """The subjects asked for, whichever field names them; empty for all."""
        return self.filter_subjects or ((self.filter_subject,) if self.filter_subject else ())
