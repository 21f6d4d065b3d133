"""What a run compared, and what it should have met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import attrs

Row = tuple[str, str]
"""A rule and one of its outcomes, such as ``("STREAM.PURGE", "10110 stream purge not permitted")``."""

ENOUGH = 0.95
"""The share of the expected rows that a long run must reach: agreement about nothing is none."""


@attrs.define
class Tally:
    """Counts of one family against one server, over all its examples."""

    examples: int = 0
    operations: int = 0
    states: int = 0
    reached: Counter[Row] = attrs.field(factory=Counter)
    differences: list[str] = attrs.field(factory=list)
    """Each difference as it was met, the latest last; shrinking meets one many times."""

    def missed(self, expected: Iterable[Row]) -> list[Row]:
        return sorted(set(expected) - set(self.reached))

    def share(self, expected: frozenset[Row]) -> float:
        return 1 - len(self.missed(expected)) / len(expected) if expected else 1.0

    def summary(self) -> str:
        return f"{self.examples} examples, {self.operations} operations, {self.states} states compared"
