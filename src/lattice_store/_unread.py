"""Values that nobody has looked at yet, kept as they came. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from lattice_store._snapshot import Snapshot
from lattice_store.model import Message

_RUN: Final = 4096
"""So many messages of a snapshot are made at once."""


class Unread:
    """Messages to be had once, in the order of their sequences: of a subject there may be several.

    Runs of messages are kept just as a storage handed them out: `NatsStorage` makes `Message`s of them when somebody looks.

    Args:
        snapshot: what to begin with.
    """

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self._runs: deque[Sequence[Message]] = deque()
        self._snapshot = snapshot

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._runs) or self._snapshot is not None

    def __len__(self) -> int:
        """How many messages wait."""
        return sum(map(len, self._runs)) + (0 if self._snapshot is None else len(self._snapshot))

    @property
    def subject_count(self) -> int:
        """How many subjects have a message, as long as none was given out."""
        snapshot, subjects = self._snapshot, {message.subject for run in self._runs for message in run}
        if snapshot is None:
            return len(subjects)
        return len(snapshot) + sum(subject not in snapshot for subject in subjects)

    def take(self, messages: Sequence[Message]) -> None:
        """Keep messages, none older than what is here."""
        if messages:
            self._runs.append(messages)

    def drain(self) -> Iterator[Sequence[Message]]:
        """Give out all messages: those of a snapshot, then the others as they came."""
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None:
            messages = snapshot.messages()
            while run := list(islice(messages, _RUN)):
                yield run
        while self._runs:
            yield self._runs.popleft()
