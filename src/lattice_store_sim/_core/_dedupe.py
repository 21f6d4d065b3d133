"""The duplicate window: which message IDs are remembered, and where their messages went.

It is a table of its own and not a look at the messages: an ID stays known after its message was removed,
and is never refreshed by a duplicate (nats-server stream.go, ``purgeMsgIds``).
"""

from __future__ import annotations

from collections import deque


class Dedupe:
    """Message IDs of one stream, in the order they came. They are forgotten by sweeps, a look-up asks for no time."""

    __slots__ = ("_order", "_sequences", "_window_ns", "deadline_ns")

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._sequences: dict[bytes, int] = {}
        self._order: deque[tuple[int, bytes]] = deque()
        self.deadline_ns: int | None = None
        """When the next sweep is due."""

    def __len__(self) -> int:
        return len(self._sequences)

    def find(self, message_id: bytes) -> int | None:
        """Return the sequence the ID was stored at, or None if it is not remembered."""
        return self._sequences.get(message_id)

    def remember(self, message_id: bytes, sequence: int, stored_ns: int, now_ns: int) -> None:
        """Note an ID that is not known yet; *stored_ns* is 0 if its message was not stored."""
        self._sequences[message_id] = sequence
        self._order.append((stored_ns, message_id))
        if self.deadline_ns is None:
            self.deadline_ns = now_ns + self._window_ns

    def expire(self, now_ns: int) -> None:
        """Forget what has reached the window, up to the first ID that has not."""
        if self.deadline_ns is None or self.deadline_ns > now_ns:
            return
        order = self._order
        while order and order[0][0] + self._window_ns <= now_ns:
            del self._sequences[order.popleft()[1]]
        self.deadline_ns = order[0][0] + self._window_ns if order else None

    def change_window(self, window_ns: int, now_ns: int) -> None:
        """Judge old and new IDs by another window from now on."""
        if window_ns != self._window_ns and self._order:
            self._window_ns, self.deadline_ns = window_ns, now_ns
        self._window_ns = window_ns

    def copy(self) -> Dedupe:
        copied = Dedupe(self._window_ns)
        copied._sequences, copied._order = self._sequences.copy(), self._order.copy()
        copied.deadline_ns = self.deadline_ns
        return copied
