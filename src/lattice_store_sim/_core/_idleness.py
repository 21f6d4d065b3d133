"""When a consumer that nobody uses is deleted (nats-server consumer.go, ``deleteNotActive``)."""

from __future__ import annotations

import copy

from lattice_store_sim._core._acks import Acks
from lattice_store_sim._core._pulls import Pulls


class Idleness:
    """A consumer's inactive threshold, and the time at which it is looked at next.

    Args:
        threshold_ns: 0 or less for a consumer that stays.
        now_ns: since when; None while somebody listens.
    """

    def __init__(self, threshold_ns: int, now_ns: int | None) -> None:
        self._threshold_ns = max(threshold_ns, 0)
        self._used_ns: int | None = None
        self.due_ns: int | None = None
        if now_ns is not None:
            self.begin(now_ns)

    def copy(self) -> Idleness:
        return copy.copy(self)

    def begin(self, now_ns: int) -> None:
        """Begin to wait, if that is not so already."""
        if self._threshold_ns and self.due_ns is None:
            self.due_ns = now_ns + self._threshold_ns

    def end(self) -> None:
        """Stop waiting: somebody listens."""
        self.due_ns = None

    def used(self, now_ns: int) -> None:
        """Note a pull request or what it was answered with."""
        self._used_ns = now_ns

    def acked(self, now_ns: int) -> None:
        """Note that an ack of any kind came."""
        self._used_ns = now_ns
        if self.due_ns is not None:
            self.due_ns = now_ns + self._threshold_ns

    def put_off(self, now_ns: int, pulls: Pulls, acks: Acks, *, acks_awaited: bool) -> bool:
        """Look at a pull consumer that is due; return whether it is still in use, or may be.

        Args:
            acks_awaited: whether it is kept until the last ack wait has passed (see `ServerProfile`).
        """
        threshold = self._threshold_ns
        if self._used_ns is not None and self._used_ns + threshold > now_ns:
            self.due_ns = self._used_ns + threshold
        elif len(pulls):
            self.due_ns = now_ns + threshold
        elif acks_awaited and (last := acks.last_due_ns) is not None and last + threshold > now_ns:
            self.due_ns = last + threshold
        else:
            self.due_ns = None
        return self.due_ns is not None
