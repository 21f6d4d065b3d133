"""The batches of one stream, of both kinds, that have begun and not ended."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lattice_store.errors import ApiError, api_error
from lattice_store.model import Message
from lattice_store_sim._core import _publish
from lattice_store_sim._core._atomic import AtomicBatches
from lattice_store_sim._core._control import NO_CONTROL
from lattice_store_sim._core._fast import Answer, FastBatches, FastSend
from lattice_store_sim._core._reckoning import Reckoning

if TYPE_CHECKING:
    from lattice_store_sim._core._stream import Stream


class BatchSet:
    """What a stream knows of batches; without the leave for any it costs nothing."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.atomic: AtomicBatches | None = None
        self.fast: FastBatches | None = None
        self.reckoning = Reckoning()

    def configure(self) -> None:
        """Take over what the stream's configuration gives leave for; what is under way without it ends."""
        stream, config = self._stream, self._stream.config
        if config.allow_atomic:
            self.atomic = self.atomic or AtomicBatches(stream)
        elif self.atomic is not None:
            self.atomic.clear()
            self.atomic = None
        if config.allow_batched:
            self.fast = self.fast or FastBatches(stream)
        elif self.fast is not None:
            self.fast.clear()
            self.fast = None

    def copy(self, stream: Stream) -> BatchSet:
        copied = BatchSet(stream)
        copied.reckoning = self.reckoning.copy()
        copied.atomic = None if self.atomic is None else self.atomic.copy(stream)
        copied.fast = None if self.fast is None else self.fast.copy(stream)
        return copied

    def take_fast(self, message: Message, sent: FastSend | None) -> list[Answer]:
        """Take a message of a fast batch; return what it is answered with.

        Raises:
            ApiError: refused, as no part of any batch.
        """
        _publish.message_size(self._stream, message, NO_CONTROL)
        if self.fast is None:
            raise api_error(400, 10205, "batch publish is disabled")
        if sent is None:
            raise api_error(400, 10206, "batch publish pattern is invalid")
        return self.fast.take(sent, message)

    # -- time -----------------------------------------------------------------------------------------

    @property
    def deadline_ns(self) -> int | None:
        """When the next batch has waited for too long."""
        deadlines = [kind.deadline_ns for kind in (self.atomic, self.fast) if kind is not None]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def advance(self, now_ns: int) -> None:
        """Give up what has waited for too long."""
        for kind in (self.atomic, self.fast):
            if kind is not None:
                kind.advance(now_ns)

    def restart(self, now_ns: int) -> None:
        """Forget all of them, but go on with one that was not stored to its end if nothing has come since (jetstream.go)."""
        newest = next(reversed(self._stream.log.messages.values()), None)
        rest = [] if self.atomic is None or newest is None else self.atomic.rest_behind(newest)
        self.clear()
        for message in rest:
            with suppress(ApiError):
                self._stream.store_staged(message, now_ns)

    def clear(self) -> None:
        """Forget all of them without a word."""
        self.reckoning.end()
        for kind in (self.atomic, self.fast):
            if kind is not None:
                kind.clear()
