"""Retention by interest and as a work queue: when a message has served its purpose (nats-server stream.go ``ackMsg``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lattice_store_sim._core._stream import Stream


def is_wanted(stream: Stream, subject: str) -> bool:
    """Return whether any consumer or replay is interested in a subject."""
    return any(cursor.wants(subject) for cursor in stream.cursors)
