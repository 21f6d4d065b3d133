"""The clock: the only module of the library that reads time."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What time it is, and a way to wait. Nanoseconds throughout."""

    def now_ns(self) -> int:
        """Return the time since 1970-01-01 UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Return a time that never goes back, with no defined origin."""
        ...

    async def sleep(self, duration_ns: int) -> None:
        """Wait for *duration_ns*; 0 or less lets other tasks run once."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep(self, duration_ns: int) -> None:
        await asyncio.sleep(duration_ns / 1e9)
