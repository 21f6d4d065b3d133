"""The duplicate window: which message IDs are remembered, and where their messages went.

It is a table of its own and not a look at the messages: an ID stays known after its message was removed,
and is never refreshed by a duplicate (nats-server stream.go, ``purgeMsgIds``).
"""

from __future__ import annotations

from collections import deque


class Dedupe:
    """Message IDs of one stream, oldest first; the shortest lived is always the first."""

    __slots__ = ("_order", "_sequences", "window_ns")

    def __init__(self, window_ns: int) -> None:
        self.window_ns = window_ns
        self._sequences: dict[bytes, int] = {}
        self._order: deque[tuple[int, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._sequences)

    def find(self, message_id: bytes) -> int | None:
        """Return the sequence the ID was stored at, or None if it is not remembered."""
        return self._sequences.get(message_id)

    def remember(self, message_id: bytes, sequence: int, now_ns: int) -> None:
        """Note an ID that is not known yet."""
        self._sequences[message_id] = sequence
        self._order.append((now_ns, message_id))

    def expire(self, now_ns: int) -> None:
        """Forget what has reached the window; a changed window judges old and new IDs alike."""
        order = self._order
        while order and order[0][0] + self.window_ns <= now_ns:
            del self._sequences[order.popleft()[1]]

    def copy(self) -> Dedupe:
        copied = Dedupe(self.window_ns)
        copied._sequences, copied._order = self._sequences.copy(), self._order.copy()
        return copied

    @property
    def deadline_ns(self) -> int | None:
        """When the next ID is forgotten."""
        return self._order[0][0] + self.window_ns if self._order else None
