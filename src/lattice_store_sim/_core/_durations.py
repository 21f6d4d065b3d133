"""Durations as the server reads and writes them (Go's ``time.ParseDuration`` and ``time.Duration.String``)."""

from __future__ import annotations

import re
from typing import Final

from lattice_store.limits import SECOND_NS

_SMALL_UNITS: Final = ((1_000_000, "ms"), (1_000, "µs"), (1, "ns"))
_LONGEST: Final = 4000
"""Python reads no longer numbers."""
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_TEXT: Final = re.compile(r"([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)", re.ASCII)
_PART: Final = re.compile(r"(\d*)\.?(\d*)([a-zµμ]+)", re.ASCII)  # Go takes either letter for micro
_UNIT_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": SECOND_NS,
    "m": _MINUTE_S * SECOND_NS,
    "h": _HOUR_S * SECOND_NS,
}


def duration_of(text: str) -> int | None:
    """Return the nanoseconds that a text such as ``1h30m`` or ``-1.5s`` means, None if it is no duration."""
    spelled = _TEXT.fullmatch(text) if len(text) <= _LONGEST else None
    if spelled is None:
        return None
    duration_ns: int = sum(
        int(whole or 0) * _UNIT_NS[unit] + int(part or 0) * _UNIT_NS[unit] // 10 ** len(part)
        for whole, part, unit in _PART.findall(spelled[2])
    )
    if duration_ns >= 1 << 63:
        return None
    return -duration_ns if spelled[1] == "-" else duration_ns


def duration_text(duration_ns: int) -> str:
    """Return *duration_ns* as in ``1h30m0s``, ``1.5s`` and ``20ms``."""
    if duration_ns < 0:
        return f"-{duration_text(-duration_ns)}"
    if duration_ns == 0:
        return "0s"
    for unit_ns, unit in _SMALL_UNITS:
        if unit_ns <= duration_ns < SECOND_NS:
            return f"{_decimal(duration_ns, unit_ns)}{unit}"
    minutes_s = duration_ns // SECOND_NS // _MINUTE_S * _MINUTE_S
    seconds = f"{_decimal(duration_ns - minutes_s * SECOND_NS, SECOND_NS)}s"
    if minutes_s >= _HOUR_S:
        return f"{minutes_s // _HOUR_S}h{minutes_s % _HOUR_S // _MINUTE_S}m{seconds}"
    return f"{minutes_s // _MINUTE_S}m{seconds}" if minutes_s else seconds


def _decimal(amount: int, unit: int) -> str:
    """Return *amount* / *unit*, a power of ten, exactly and without trailing zeros."""
    whole, rest = divmod(amount, unit)
    decimals = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{decimals}" if decimals else str(whole)
