"""What is told of a consumer."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from lattice_store_sim._core._consumer_config import ConsumerConfig


class SequencePair(NamedTuple):
    """A place among a consumer's deliveries, and in its stream."""

    consumer_sequence: int
    stream_sequence: int


class PriorityState(NamedTuple):
    """A priority group and its pin; without a pin there is no ID, and no time."""

    group: str
    pin: str
    pinned_ns: int | None


class ConsumerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A consumer as it stands; times are nanoseconds since the epoch."""

    stream: str
    name: str
    created_ns: int
    config: ConsumerConfig
    delivered: SequencePair
    delivered_ns: int | None
    """When something was delivered last."""
    ack_floor: SequencePair
    acked_ns: int | None
    """When something was acked last."""
    num_ack_pending: int
    num_redelivered: int
    num_waiting: int
    num_pending: int
    push_bound: bool
    pause_remaining: int | None
    """How long it stays paused, in nanoseconds; None if it is not."""
    priority: PriorityState | None = None
    """Of the first priority group, if there are any."""
