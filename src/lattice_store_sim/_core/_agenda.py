"""When something comes due for each of many, of whom few change at a time."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

_SPARE: Final = 64
"""How many entries may be out of date before they are looked through, on top of as many as are not."""


class Agenda:
    """Deadlines by number. An entry that is replaced stays in the heap until it comes to the top, or there are too many."""

    __slots__ = ("_deadlines", "_heap")

    def __init__(self) -> None:
        self._deadlines: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def put(self, number: int, deadline_ns: int | None) -> None:
        """Note when something comes due, None for never."""
        if deadline_ns is None:
            self._deadlines.pop(number, None)
        elif self._deadlines.get(number) != deadline_ns:
            self._deadlines[number] = deadline_ns
            heappush(self._heap, (deadline_ns, number))
            if len(self._heap) > 2 * len(self._deadlines) + _SPARE:
                self._heap = [(deadline_ns, number) for number, deadline_ns in self._deadlines.items()]
                heapify(self._heap)

    @property
    def deadline_ns(self) -> int | None:
        """When the first comes due."""
        heap, deadlines = self._heap, self._deadlines
        while heap and deadlines.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def take_due(self, now_ns: int) -> list[int]:
        """Take out what is due by *now_ns*; return the numbers, ascending."""
        due = []
        while (deadline_ns := self.deadline_ns) is not None and deadline_ns <= now_ns:
            _, number = heappop(self._heap)
            del self._deadlines[number]
            due.append(number)
        return sorted(due)
