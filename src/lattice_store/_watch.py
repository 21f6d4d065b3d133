"""Following a lattice: snapshot, `CaughtUp`, changes, and `Reset` when the stream is not the same any more."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from typing import Self, TypeAlias

import attrs

from lattice_store._formats import StreamFormat
from lattice_store._records import Key, Record
from lattice_store._view import Change, Entry, Fold, LatticeView, RecordCorrupt, RecordPut, RecordRemoved
from lattice_store.clock import Clock
from lattice_store.errors import (
    LatticeStoreError,
    ReplayInterruptedError,
    ResetReason,
    StorageClosedError,
    StreamNotFoundError,
    may_pass,
)
from lattice_store.limits import Limits
from lattice_store.model import DELIVER_LAST_PER_SUBJECT
from lattice_store.storage import Replay, Storage


@attrs.frozen
class CaughtUp:
    """All that was in the stream at the beginning, or at a reset, has been yielded."""

    revision: int
    records: int


@attrs.frozen
class Reset:
    """The stream was lost or replaced. A new snapshot follows, as differences, and then another `CaughtUp`."""

    reason: ResetReason


Event: TypeAlias = Change | CaughtUp | Reset


class Watch:
    """The events of a lattice, for one reader: every record, `CaughtUp`, then each change as it comes.

    A slow reader holds up nobody: what arrives meanwhile waits in the replay's bounded buffer, then in the
    stream, which keeps the last value of each record. Of a batch of more than ``limits.watch_buffer``
    changes only the newest of each record is yielded; `coalesced` counts the others.
    """

    def __init__(
        self,
        storage: Storage,
        format_: StreamFormat,
        subjects: Sequence[str],
        *,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._storage, self._format, self._subjects = storage, format_, subjects
        self._limits, self._clock = limits, clock
        self._on_batch: Callable[[], None] = lambda: None
        self._replays = AsyncExitStack()
        self._stream_of_events: AsyncGenerator[Event, None] | None = None
        self._view = LatticeView(format_)
        self._coalesced = 0

    @property
    def view(self) -> LatticeView:
        """The records as this watch knows them: ahead of the events by what is left of a batch or snapshot.

        Complete from the first event on. A reset replaces the object.
        """
        return self._view

    @property
    def stream(self) -> str:
        """Name of the stream that is followed."""
        return self._format.stream

    @property
    def coalesced(self) -> int:
        """Changes left out because a newer one of the same record had already arrived."""
        return self._coalesced

    def call_after_each_batch(self, callback: Callable[[], None]) -> None:
        """Have *callback* called whenever the view moved on, also by a batch without a change."""
        self._on_batch = callback

    async def __aenter__(self) -> Self:
        replay = await self._replays.enter_async_context(self._open())
        self._stream_of_events = self._follow(replay)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._stream_of_events is not None:
            await self._stream_of_events.aclose()
        await self._replays.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """Return the next event; there is always one more.

        Raises:
            StorageClosedError: the storage or the watch was closed, or the watch was not entered.
            PermissionDeniedError: after a reset, the stream may not be read any more.
        """
        if self._stream_of_events is None:
            raise StorageClosedError("a watch is read inside its 'async with' block")
        try:
            return await anext(self._stream_of_events)
        except StopAsyncIteration:
            raise StorageClosedError("the watch was left, or ended with an error") from None

    async def _follow(self, replay: Replay) -> AsyncGenerator[Event, None]:
        while True:
            try:
                async for event in self._events(replay):
                    yield event
            except ReplayInterruptedError as error:
                yield Reset(error.reason)
            replay = await self._reopened()

    async def _events(self, replay: Replay) -> AsyncIterator[Event]:
        fresh = Fold(self._format)
        async with aclosing(replay.batches()) as batches:
            if replay.caught_up:
                fresh.advance(replay.stream.state.last_sequence)
            else:
                async for batch in batches:
                    fresh.absorb(batch)
                    if batch.caught_up:
                        break
            former, self._view = self._view, fresh
            self._on_batch()
            for change in former.changes_to(fresh):
                yield change
            yield CaughtUp(fresh.revision, len(fresh))
            async for batch in batches:
                changes = fresh.apply_batch(batch)
                self._on_batch()
                for change in self._bounded(changes):
                    yield change

    def _bounded(self, changes: Sequence[Change]) -> Iterable[Change]:
        if len(changes) <= self._limits.watch_buffer:
            return changes
        newest = coalesce(changes)
        self._coalesced += len(changes) - len(newest)
        return newest

    def _open(self) -> AbstractAsyncContextManager[Replay]:
        return self._storage.replay(self._format.stream, subjects=self._subjects, deliver=DELIVER_LAST_PER_SUBJECT)

    async def _reopened(self) -> Replay:
        """Open the next replay as soon as the stream is back."""
        pause_ns = self._limits.retry_min_ns
        while True:
            await self._replays.aclose()
            try:
                return await self._replays.enter_async_context(self._open())
            except LatticeStoreError as error:
                if not isinstance(error, StreamNotFoundError | ReplayInterruptedError) and not may_pass(error):
                    raise
            await self._clock.sleep(pause_ns)
            pause_ns = min(2 * pause_ns, self._limits.retry_max_ns)


def coalesce(changes: Sequence[Change]) -> list[Change]:
    """Keep one change of each record: from what it was before the first to what it is after the last."""
    newest: dict[Key | str, Change] = {}
    before: dict[Key, Entry[Record] | None] = {}
    for change in changes:
        if isinstance(change, RecordCorrupt):
            newest[change.error.subject] = change
            continue
        key = change.key if isinstance(change, RecordRemoved) else change.entry.record.key
        first = before.setdefault(key, change.previous)
        newest.pop(key, None)  # so that a record takes the place of its newest change
        if isinstance(change, RecordPut):
            newest[key] = RecordPut(change.entry, first)
        elif first is not None:
            newest[key] = RecordRemoved(key, change.revision, first)
    return list(newest.values())
