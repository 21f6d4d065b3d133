"""What a client says about a delivery."""

from __future__ import annotations

from typing import Literal

import msgspec

from lattice_store_sim._core._pulls import PullRequest, Refusal

Kind = Literal["ack", "nak", "progress", "term", "next", "unknown"]


class Ack(msgspec.Struct, frozen=True):
    """What a client says about a delivery; its ack subject says about which."""

    kind: Kind
    stream_sequence: int
    consumer_sequence: int
    deliveries: int = 1
    """How often it has been delivered by then."""
    delay_ns: int | None = None
    """Of a nak."""
    request: PullRequest | Refusal | None = None
    """Of a next."""
    reason: str = ""
    """Of a term."""
