"""What has changed in a stream since that was last written down."""

from __future__ import annotations

from typing import Generic, TypeVar

from lattice_store.model import Message
from lattice_store_sim._core._log import Log

FileT = TypeVar("FileT")


class Journal(Generic[FileT]):
    """Observes a log, from now on. What comes and goes in between was never there.

    Args:
        log: the stream's messages.
        changed: is given the file when there is something to be written.
        file: where it is written.
    """

    def __init__(self, log: Log, changed: dict[FileT, None], file: FileT) -> None:
        self.log = log
        self._file = file
        self._changed = changed
        self._added: dict[int, Message] = {}
        self._removed: list[int] = []
        log.observers.append(self)

    def end(self) -> None:
        """Observe no more."""
        if self in self.log.observers:
            self.log.observers.remove(self)
        self._changed.pop(self._file, None)

    def added(self, message: Message) -> None:
        self._added[message.sequence] = message
        self._changed[self._file] = None

    def removed(self, message: Message) -> None:
        if self._added.pop(message.sequence, None) is None:
            self._removed.append(message.sequence)
            self._changed[self._file] = None

    def take(self) -> tuple[list[int], list[Message]]:
        """Return what has gone and what has come, which then is written."""
        taken = self._removed, list(self._added.values())
        self._removed, self._added = [], {}
        self._changed.pop(self._file, None)
        return taken
