"""Where a time begins in a log: at which sequence the first message of that time or later stands.

Times never go back, so halving finds it; removed messages in between must be stepped over. Up to 2.11 the server
did not always do so, and a start time led elsewhere (nats-server memstore.go and filestore.go, ``GetSeqFromTime``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lattice_store.model import Message

if TYPE_CHECKING:
    from lattice_store_sim._core._log import Log


def first_since(log: Log, time_ns: int) -> int:
    """Return a sequence, one beyond the end if nothing is as late, and what a version made of it before 2.12.

    Args:
        time_ns: what does not fit into 64 bits, before 1678 and after 2262, wraps around as it does in Go.
    """
    time_ns = (time_ns + 2**63) % 2**64 - 2**63
    if log.profile.time_search == "exact":
        return _exact(log, time_ns)
    return _on_file(log, time_ns) if log.on_file else _on_memory(log, time_ns)


def _exact(log: Log, time_ns: int) -> int:
    messages, low, high = log.messages, log.first_sequence, log.last_sequence
    found = high + 1
    while low <= high:
        middle = (low + high) // 2
        stored = _stored_from(messages, middle, high)
        if stored and messages[stored].time_ns < time_ns:
            low = stored + 1
        else:
            found = stored or found
            high = middle - 1
    return found


def _stored_from(messages: Mapping[int, Message], start: int, end: int) -> int:
    return next((sequence for sequence in range(start, end + 1) if sequence in messages), 0)


def _on_file(log: Log, time_ns: int) -> int:
    """Return 0 if what was stored at that time has been removed since."""
    if log.last_time_ns is None or time_ns > log.last_time_ns:
        return log.last_sequence + 1
    if log.profile.time_search == "scan":
        found = _exact(log, time_ns)
        return found if found in log.messages else 0
    span = log.last_sequence - log.first_sequence + 1
    at = _halve_positions(log, span, time_ns)
    return log.first_sequence + at if at < span else 0


def _on_memory(log: Log, time_ns: int) -> int:
    """Take the count of messages for the span of sequences."""
    messages, first, last = log.messages, log.first_sequence, log.last_sequence
    if not messages or time_ns <= messages[first].time_ns:
        return first if messages else last + 1
    newest = next(sequence for sequence in range(last, first - 1, -1) if sequence in messages)
    if newest == first and log.profile.lone_message_never_early:
        return first
    if newest == first or time_ns > messages[newest].time_ns:
        return last + 1
    if time_ns == messages[newest].time_ns:
        return last
    return first + _halve_positions(log, len(messages), time_ns)


def _halve_positions(log: Log, span: int, time_ns: int) -> int:
    """Return the position found by halving; a removed message counts as too early."""

    def late_enough(position: int) -> bool:
        message = log.messages.get(log.first_sequence + position)
        return message is not None and message.time_ns >= time_ns

    return bisect_left(range(span), True, key=late_enough)
