"""Where a lone server believes its stream to be when it looks at batches."""

from __future__ import annotations


class Reckoning:
    """What a lone server takes for its last sequence when it looks at a message of a fast batch.

    It keeps the place that it has reckoned up to, which only makes sense in a cluster: an atomic batch that is refused
    leaves it ahead of what is stored, until the stream has caught up (stream.go, ``clseq`` and ``clfs``).
    """

    def __init__(self) -> None:
        self._reached = 0
        self._missed = 0

    def copy(self) -> Reckoning:
        copied = Reckoning()
        copied._reached, copied._missed = self._reached, self._missed
        return copied

    def begin(self, last_sequence: int) -> None:
        """Look at an atomic batch, after what is stored."""
        self._reached, self._missed = last_sequence, 0

    def go_on(self) -> None:
        self._reached += 1

    def end(self) -> None:
        """Forget the place: the batch is stored."""
        self._reached = self._missed = 0

    def miss(self) -> None:
        """Note that a message was refused as late as when it was to be stored."""
        self._missed += 1

    def last_sequence(self, stored: int) -> int:
        """Return the last sequence, which is *stored* unless the place is ahead of it."""
        self._reached = max(self._reached, stored + self._missed)
        return self._reached - self._missed
