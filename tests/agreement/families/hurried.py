"""What families share whose consumers deliver again after a short time: nothing else happens before it is over."""

from __future__ import annotations

from typing import Any

from lattice_store.limits import SECOND_NS
from tests.agreement.family import Family
from tests.agreement.states import compare_states

SHORT_NS = SECOND_NS // 25
BACKOFF = [SHORT_NS, 8 * SHORT_NS]  # so far apart that a late server keeps their order
_SOON_NS = 9 * SHORT_NS
_ROUNDS = 10
_LAST_ROUND_UNSEEN = ("2.11", "2.12")
"""Where a round of a consumer's timer that finds nothing pending moves its own floor, of which no info tells."""


class HurriedFamily(Family):
    """Waits for what is about to come due."""

    configs: dict[str, dict[str, Any]]
    """Of the consumers, by name."""
    shown_ns: int = 0
    """The last deadline of which the server has shown that it passed."""

    def run_out(self) -> None:
        """Wait until no short time is running, and until the server shows it: its timers may be late."""
        for _ in range(_ROUNDS):
            due = self.pair.lead.deadline_ns
            if due is None or due > self.pair.now_ns() + _SOON_NS:
                break
            self.pair.let_pass(due - self.pair.now_ns())
        if self.pair.last_due_ns != self.shown_ns:
            self.shown_ns = self.pair.last_due_ns
            compare_states(self.pair)
            if self.profile in _LAST_ROUND_UNSEEN and self.hurried:
                self.pair.wait(max(BACKOFF) + self.lateness_ns)

    @property
    def hurried(self) -> bool:
        """Whether any consumer delivers again after a short time."""
        return any(config.keys() & {"ack_wait", "backoff"} for config in self.configs.values())
