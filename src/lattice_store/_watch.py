"""Following a lattice: snapshot, `CaughtUp`, changes, and `Reset` when the stream is not the same any more."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Self, TypeAlias

import msgspec

from lattice_store._changes import Change, Entry, RecordCorrupt, RecordPut, RecordRemoved
from lattice_store._formats import StreamFormat
from lattice_store._records import Key, Record
from lattice_store._view import GrowingView, LatticeView
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
from lattice_store.model import DELIVER_LAST_PER_SUBJECT, Batch
from lattice_store.storage import Replay, Storage


class CaughtUp(msgspec.Struct, frozen=True):
    """All that was in the stream at the beginning, or at a reset, has been yielded."""

    revision: int
    records: int


class Reset(msgspec.Struct, frozen=True):
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
        self._replay: Replay | None = None
        self._batches: AsyncGenerator[Batch, None] | None = None
        self._lost = False
        self._pause_ns = limits.retry_min_ns
        self._snapshot: GrowingView | None = None
        self._view = GrowingView(format_)
        self._ready: Iterator[Event] = iter(())
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
    def created_ns(self) -> int:
        """When the stream that is followed was created, which tells it from others of its name; 0 before entering."""
        return 0 if self._replay is None else self._replay.stream.created_ns

    @property
    def coalesced(self) -> int:
        """Changes left out because a newer one of the same record had already arrived."""
        return self._coalesced

    def call_after_each_batch(self, callback: Callable[[], None]) -> None:
        """Have *callback* called whenever the view moved on, also by a batch without a change."""
        self._on_batch = callback

    async def __aenter__(self) -> Self:
        self._begin(await self._replays.enter_async_context(self._open()))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._batches, self._lost, self._ready = None, False, iter(())
        await self._replays.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """Return the next event; there is always one more. A call that was cancelled or timed out loses nothing.

        Raises:
            StorageClosedError: the storage or the watch was closed, or the watch was not entered.
            PermissionDeniedError: after a reset, the stream may not be read any more.
        """
        while True:
            event = next(self._ready, None)
            if event is not None:
                return event
            if self._lost:
                await self._begin_again()
            else:
                await self._take_batch()

    def _begin(self, replay: Replay) -> None:
        self._replay, self._batches, self._lost = replay, replay.batches(), False
        self._pause_ns = self._limits.retry_min_ns
        self._snapshot = GrowingView(self._format)
        if replay.caught_up:
            self._snapshot.advance(replay.stream.state.last_sequence)
            self._finish_snapshot(self._snapshot)

    async def _take_batch(self) -> None:
        if self._batches is None or self._replay is None:
            raise StorageClosedError("a watch is read inside its 'async with' block")
        try:
            batch = await anext(self._batches)
        except ReplayInterruptedError as error:
            self._lost = True
            self._ready = iter([Reset(error.reason)])
            return
        except BaseException:  # a generator does not survive the cancellation of its reader; the replay does
            self._batches = self._replay.batches()
            raise
        if self._snapshot is None:
            changes = self._view.apply_batch(batch)
            self._on_batch()
            self._ready = iter(self._bounded(changes))
        else:
            self._snapshot.absorb(batch)
            if batch.caught_up:
                self._finish_snapshot(self._snapshot)

    def _finish_snapshot(self, view: GrowingView) -> None:
        former, self._view, self._snapshot = self._view, view, None
        self._on_batch()
        self._ready = itertools.chain(former.changes_to(view), [CaughtUp(view.revision, len(view))])

    async def _begin_again(self) -> None:
        """Open the next replay; if the stream is not back yet, wait a moment."""
        await self._replays.aclose()
        try:
            replay = await self._replays.enter_async_context(self._open())
        except LatticeStoreError as error:
            if not isinstance(error, StreamNotFoundError | ReplayInterruptedError) and not may_pass(error):
                raise
            await self._clock.sleep(self._pause_ns)
            self._pause_ns = min(2 * self._pause_ns, self._limits.retry_max_ns)
        else:
            self._begin(replay)

    def _bounded(self, changes: Sequence[Change]) -> Iterable[Change]:
        if len(changes) <= self._limits.watch_buffer:
            return changes
        newest = coalesce(changes)
        self._coalesced += len(changes) - len(newest)
        return newest

    def _open(self) -> AbstractAsyncContextManager[Replay]:
        return self._storage.replay(self._format.stream, subjects=self._subjects, deliver=DELIVER_LAST_PER_SUBJECT)


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
