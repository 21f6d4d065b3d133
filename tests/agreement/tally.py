"""What a run compared, and what it should have met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import takewhile

import attrs

API = "$JS.API."
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
    sent: Counter[str] = attrs.field(factory=Counter)
    """Operations by the kind of subject they were sent to, as `kind_of` has it."""
    differences: list[str] = attrs.field(factory=list)
    """Each difference as it was met, the latest last; shrinking meets one many times."""

    def missed(self, expected: Iterable[Row]) -> list[Row]:
        return sorted(set(expected) - set(self.reached))

    def share(self, expected: frozenset[Row]) -> float:
        """Return how much of *expected* was reached; nothing, if nothing is expected."""
        return 1 - len(self.missed(expected)) / len(expected) if expected else 0.0

    def summary(self) -> str:
        return f"{self.examples} examples, {self.operations} operations, {self.states} states compared"


def kind_of(subject: str) -> str:
    """Return what a client asks for with *subject*: the words of an API request, an ack, or a publish."""
    if not subject.startswith(API):
        return "ack" if subject.startswith(("$JS.ACK.", "$JS.FC.")) else "publish"
    return verb(subject.removeprefix(API))


def verb(api: str) -> str:
    """Return the words that say what is asked, without names."""
    return ".".join(takewhile(str.isupper, api.split(".")))
