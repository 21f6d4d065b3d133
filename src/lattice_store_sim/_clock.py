"""A clock that stands still until it is told to move."""

from __future__ import annotations

import asyncio
from bisect import insort
from typing import Final

from lattice_store.errors import InvalidArgumentError
from lattice_store.limits import SECOND_NS

_START_NS: Final = 1_767_225_600 * SECOND_NS  # 2026-01-01T00:00:00Z; any fixed time, so that tests print the same


class VirtualClock:
    """A `lattice_store.clock.Clock` whose time moves only by `advance`.

    Args:
        now_ns: where it starts.
    """

    def __init__(self, now_ns: int = _START_NS) -> None:
        self._now_ns = now_ns
        self._elapsed_ns = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._slept = 0

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_ns(self) -> int:
        return self._elapsed_ns

    async def sleep(self, duration_ns: int) -> None:
        if duration_ns <= 0:
            await asyncio.sleep(0)
            return
        self._slept += 1  # sleepers with the same deadline wake in the order in which they fell asleep
        sleeper = (self._elapsed_ns + duration_ns, self._slept, asyncio.get_running_loop().create_future())
        insort(self._sleepers, sleeper)
        try:
            await sleeper[2]
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)

    def advance(self, seconds: float) -> None:
        """Move on by *seconds* (>= 0) and wake whoever sleeps no longer, in deadline order.

        Not a coroutine: those woken run as soon as the caller waits for something, and then see the new time.

        Raises:
            InvalidArgumentError: *seconds* is negative.
        """
        self.advance_ns(round(seconds * SECOND_NS))

    def advance_ns(self, duration_ns: int) -> None:
        """`advance`, in nanoseconds."""
        if duration_ns < 0:
            raise InvalidArgumentError(f"a clock cannot be advanced by {duration_ns} ns: time does not go back")
        self._now_ns += duration_ns
        self._elapsed_ns += duration_ns
        while self._sleepers and self._sleepers[0][0] <= self._elapsed_ns:
            _, _, woken = self._sleepers.pop(0)
            if not woken.done():
                woken.set_result(None)

    def _set(self, now_ns: int) -> None:
        """Set the time of day, as restoring a snapshot does; who sleeps sleeps on for as long as it had left."""
        self._now_ns = now_ns
