"""Times in the server's JSON: RFC 3339 in UTC, decimals only where there are some (Go's ``time.Time``)."""

from __future__ import annotations

from typing import Final

from lattice_store.limits import SECOND_NS
from lattice_store.wire import ns_to_time, time_to_ns

ZERO_NS: Final = -62_135_596_800 * SECOND_NS
"""The start of year 1: Go's zero time, which stands for "never"."""


def time_text(time_ns: int | None) -> str:
    """Return *time_ns* as the server writes it; ``None`` is its zero time."""
    text = ns_to_time(ZERO_NS if time_ns is None else time_ns)
    return f"{text.removesuffix('Z').rstrip('0').removesuffix('.')}Z"


def time_ns(text: str) -> int:
    """Return nanoseconds since 1970, before it if negative.

    Raises:
        ValueError: it is not RFC 3339.
    """
    found = time_to_ns(text)
    return ZERO_NS if found is None else found
