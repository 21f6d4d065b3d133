"""The duplicate window: which message IDs are remembered, and where their messages went.

It is a table of its own and not a look at the messages: an ID stays known after its message was removed,
and is never refreshed by a duplicate (nats-server stream.go, ``purgeMsgIds``).
"""

from __future__ import annotations

from collections import deque


class Dedupe:
    """Message IDs of one stream, in the order they came. They are forgotten by sweeps, a look-up asks for no time."""

    __slots__ = ("_ids", "_sequences", "_times_ns", "_window_ns", "deadline_ns")

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._sequences: dict[bytes, int] = {}
        self._ids: deque[bytes] = deque()  # apart from their times: a pair each would keep the garbage collector busy
        self._times_ns: deque[int] = deque()
        self.deadline_ns: int | None = None
        """When the next sweep is due."""

    def __len__(self) -> int:
        return len(self._sequences)

    def find(self, message_id: bytes) -> int | None:
        """Return the sequence the ID was stored at, or None if it is not remembered."""
        return self._sequences.get(message_id)

    def remember(self, message_id: bytes, sequence: int, stored_ns: int, now_ns: int) -> bool:
        """Note an ID that is not known yet; *stored_ns* is 0 if its message was not stored.

        Returns:
            whether it is the first, so that there is a sweep to come.
        """
        self._sequences[message_id] = sequence
        self._ids.append(message_id)
        self._times_ns.append(stored_ns)
        if self.deadline_ns is not None:
            return False
        self.deadline_ns = now_ns + self._window_ns
        return True

    def expire(self, now_ns: int) -> None:
        """Forget what has reached the window, up to the first ID that has not."""
        if self.deadline_ns is None or self.deadline_ns > now_ns:
            return
        times_ns = self._times_ns
        while times_ns and times_ns[0] + self._window_ns <= now_ns:
            times_ns.popleft()
            self._sequences.pop(self._ids.popleft(), None)  # what came from an origin may be remembered twice
        self.deadline_ns = times_ns[0] + self._window_ns if times_ns else None

    def change_window(self, window_ns: int, now_ns: int) -> None:
        """Judge old and new IDs by another window from now on."""
        if window_ns != self._window_ns and self._ids:
            self._window_ns, self.deadline_ns = window_ns, now_ns
        self._window_ns = window_ns

    def copy(self) -> Dedupe:
        copied = Dedupe(self._window_ns)
        copied._sequences = self._sequences.copy()
        copied._ids, copied._times_ns = self._ids.copy(), self._times_ns.copy()
        copied.deadline_ns = self.deadline_ns
        return copied
