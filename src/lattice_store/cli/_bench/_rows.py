"""From what the runs took to what is reported: JSON objects, and the table for people."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from lattice_store.cli._bench._run import Runs
from lattice_store.cli._text import counted
from lattice_store.clock import SystemClock

Row = dict[str, Any]

_MEASURED_WITH: Final = ("nats-py", "msgspec", "attrs")
_CPU_INFO: Final = Path("/proc/cpuinfo")


def environment(**settings: Any) -> Row:
    """Return the first object of every report: machine, versions, settings, and when."""
    return {
        "measured": _now(),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        },
        "versions": {"python": platform.python_version(), **versions(*_MEASURED_WITH)},
        "settings": settings,
    }


def versions(*names: str) -> dict[str, str]:
    """Return the versions of those distributions that are installed."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(SystemClock().now_ns() // 10**9, UTC).isoformat()


def _processor() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def row(path: str, records: int, runs: Runs) -> Row:
    """Return what every path reports."""
    seconds = [each.seconds for each in runs.measured]
    median = statistics.median(seconds)
    return {
        "path": path,
        "keys": records,
        "runs": len(seconds),
        "median_s": round(median, 5),
        "min_s": round(min(seconds), 5),
        "max_s": round(max(seconds), 5),
        "per_s": round(records / median),
        "cpu_s": round(statistics.median(each.cpu_seconds for each in runs.measured), 4),
        "rss_mb": round(statistics.median(each.rss_bytes for each in runs.measured) / 1e6, 1),
        "partial": runs.partial,
    }


def add_ratios(rows: Sequence[Row], ratios: Mapping[str, tuple[str, bool]]) -> None:
    """Compare the rates of all rows with that of others of the same runs.

    Args:
        rows: to be completed; a ratio to what was not measured is None.
        ratios: by the name of the field, the path to compare with, and whether it is the upper limit.
    """
    rates = {each["path"]: each["keys"] / each["median_s"] for each in rows}
    for each in rows:
        for field, (other, _) in ratios.items():
            rate = rates.get(other)
            each[field] = None if rate is None else round(rates[each["path"]] / rate, 3)


def table(rows: Sequence[Row], ratios: Mapping[str, tuple[str, bool]], what: str) -> Table:
    """Lay the rows out for people."""
    found = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("MEDIAN", lambda each: _duration(each["median_s"])),
        ("RANGE", lambda each: _range(each["min_s"], each["max_s"])),
        (f"{what.upper()}/S", lambda each: f"{each['per_s']:,}"),
        ("CPU", lambda each: _duration(each["cpu_s"])),
        ("MEMORY", lambda each: f"{each['rss_mb']:.0f} MB"),
        *(
            (f"{'OF' if is_limit else 'TIMES'}\n{other.upper()}", partial(_ratio, field=field, is_limit=is_limit))
            for field, (other, is_limit) in ratios.items()
        ),
    ]
    found.add_column("PATH", no_wrap=True, vertical="bottom")
    for heading, _ in columns:
        found.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
    for each in rows:
        found.add_row(each["path"], *(cell(each) for _, cell in columns))
    return found


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{_milliseconds(seconds)} ms"


def _range(least: float, most: float) -> str:
    if most >= 1:
        return f"{least:.2f}-{most:.2f} s"
    return f"{_milliseconds(least)}-{_milliseconds(most)} ms"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.{0 if seconds >= 0.1 else 1}f}"


def _ratio(each: Row, *, field: str, is_limit: bool) -> str:
    value = each[field]
    if value is None:
        return "-"
    return f"{value:.0%}" if is_limit else f"{value:.1f}"


def about(head: Row) -> list[str]:
    """Return machine, versions and settings for people."""
    machine, settings = head["machine"], head["settings"]
    versions = ", ".join(f"{name} {number}" for name, number in head["versions"].items())
    return [
        f"{machine['processor']}, {counted(machine['cores'], 'core')}, {machine['system']}",
        versions,
        ", ".join(f"{name} {_plain(value)}" for name, value in settings.items()),
    ]


def _plain(value: object) -> str:
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)
