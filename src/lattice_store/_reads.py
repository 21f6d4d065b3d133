"""Reading a lattice: from a view that is attached and current, otherwise from the storage."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from lattice_store._changes import Entry
from lattice_store._collector import paused
from lattice_store._formats import StreamFormat
from lattice_store._live import LiveView
from lattice_store._records import Key, LinkDefinition, LinkKey, Record
from lattice_store._snapshot import Identity
from lattice_store._view import GrowingView, LatticeView
from lattice_store._warm import continued, save
from lattice_store.clock import Clock
from lattice_store.errors import (
    ConnectionLostError,
    LatticeStoreError,
    MessageNotFoundError,
    ReplayInterruptedError,
    ResetReason,
    SnapshotError,
    may_pass,
)
from lattice_store.limits import SECOND_NS, Limits
from lattice_store.model import DELIVER_LAST_PER_SUBJECT, Message
from lattice_store.storage import Storage

Progress: TypeAlias = Callable[[int, int], None]
Positions: TypeAlias = dict[LiveView, tuple[int, int]]
"""Attached views with their resets and revisions at one moment."""

_log: Final = logging.getLogger("lattice_store")

_NEVER = sys.maxsize

_REBUILD_ATTEMPTS = 3  # a stream that is replaced more often than that is not worth a fourth


class Reader:
    """What is stored: at least as fresh as the caller's own writes, and for decisions as fresh as it gets."""

    def __init__(self, storage: Storage, format_: StreamFormat, limits: Limits, clock: Clock) -> None:
        self._storage, self._format, self._limits, self._clock = storage, format_, limits, clock
        self._floors: dict[LiveView, tuple[int, int]] = {}

    def attach(self, live: LiveView) -> None:
        self._floors[live] = (live.resets, 0)

    def detach(self, live: LiveView) -> None:
        del self._floors[live]

    def positions(self) -> Positions:
        """Return where the attached views stand; to be taken before a write, and given with its revision."""
        return {live: (live.resets, live.view.revision) for live in self._floors}

    def raise_floor(self, revision: int, before: Positions | None = None) -> None:
        """Note what the caller has seen of the stream: a view that is not there yet is passed by.

        A write whose revision is not above where a view stood *before* it proves that the view follows a stream
        that is no more: it is passed by until it has heard of that.
        """
        for live, (resets, floor) in self._floors.items():
            raised = max(revision, floor if resets == live.resets else 0)
            stood_resets, stood = (before or {}).get(live, (0, 0))
            if stood_resets == live.resets and 0 < revision <= stood:
                raised = _NEVER
            self._floors[live] = (live.resets, raised)

    async def settle(self, revision: int, before: Positions) -> None:
        """Let an own write reach the attached views before it is reported."""
        self.raise_floor(revision, before)
        for live, (_, floor) in list(self._floors.items()):
            if floor != _NEVER:
                await self._wait_for(live, revision)

    async def _wait_for(self, live: LiveView, revision: int) -> None:
        if live.is_current:
            with suppress(Exception):  # whatever became of the view: what was written stands, and it is passed by
                async with asyncio.timeout(self._limits.request_timeout_ns / SECOND_NS):
                    await live.wait_for(revision)

    def current_view(self) -> LatticeView | None:
        """Return an attached view that holds all own writes."""
        for live, (resets, floor) in self._floors.items():
            if live.is_current and (live.resets != resets or live.view.revision >= floor):
                return live.view
        return None

    def subjects(self, kinds: Sequence[type[Record]]) -> tuple[str, ...]:
        """Return the filters that cover *kinds*, or the whole lattice if none is named."""
        if not kinds:
            return (self._format.subjects,)
        return tuple(dict.fromkeys(self._format.subjects_of(kind.kind) for kind in kinds))

    async def rebuild(
        self,
        kinds: Sequence[type[Record]] = (),
        progress: Progress | None = None,
        *,
        eager: bool = False,
        pause_gc: bool = True,
    ) -> LatticeView:
        """Fold one replay; begin again if the stream was replaced under it."""
        view = GrowingView(self._format, eager=eager, decoding=partial(paused, wanted=pause_gc))
        with paused(wanted=pause_gc):
            return await self._read(view, kinds, progress)

    async def rebuild_from(self, path: Path, progress: Progress | None, *, eager: bool, pause_gc: bool) -> LatticeView:
        """Begin with a snapshot if that is safe, otherwise with nothing."""
        empty = GrowingView(self._format, eager=eager, decoding=partial(paused, wanted=pause_gc))
        with paused(wanted=pause_gc):
            try:
                view = await continued(path, empty, self._storage, self._format)
            except (SnapshotError, ReplayInterruptedError, ConnectionLostError) as error:
                _log.info("a cold rebuild of lattice %s: %s", self._format.prefix, error)
                lost_ns = self._clock.monotonic_ns() if isinstance(error, ConnectionLostError) else None
                view = await self._read(empty, (), progress, lost_ns=lost_ns)
                view.cold(str(error))
            else:
                if eager:
                    view.decode_all()
            return view

    async def save(self, path: Path, *, pause_gc: bool) -> int:
        """Write a snapshot of what is stored now; return its sequence."""
        info = await self._storage.stream_info(self._format.stream)
        if info.config.max_msgs_per_subject != 1:
            raise SnapshotError(
                f"stream {self._format.stream} does not keep one message per subject: no snapshot of it could be used"
            )
        with paused(wanted=pause_gc):
            view = await self._read(GrowingView(self._format), (), None)
            created_ns, sequence = view.stream_created_ns, view.revision
            identity = Identity(
                prefix=self._format.prefix, stream=self._format.stream, created_ns=created_ns, sequence=sequence
            )
            newest = {message.subject: message for message in view.drain()}  # one more if it was written meanwhile
            await save(path, identity, newest.values())
        return sequence

    async def _read(
        self,
        empty: GrowingView,
        kinds: Sequence[type[Record]],
        progress: Progress | None,
        *,
        lost_ns: int | None = None,
    ) -> GrowingView:
        """Read once, and begin again where that is safe, as a read is: the stream was replaced, or the link broke.

        Args:
            empty: the kind of view to make; each attempt begins with another like it.
            lost_ns: since when the link is known to be broken.
        """
        attempts = 1
        while True:
            try:
                return await self._read_once(empty.another(), kinds, progress)
            except ReplayInterruptedError:
                if attempts == _REBUILD_ATTEMPTS:
                    raise
                attempts += 1
            except LatticeStoreError as error:
                lost_ns = await self._wait_for_link(error, lost_ns)

    async def _wait_for_link(self, error: LatticeStoreError, lost_ns: int | None) -> int:
        """Pause before the next attempt if the link broke, and did not stay broken for too long; return since when."""
        now_ns = self._clock.monotonic_ns()
        if lost_ns is None and isinstance(error, ConnectionLostError):
            lost_ns = now_ns
        if lost_ns is None or not may_pass(error) or now_ns - lost_ns > self._limits.connect_timeout_ns:
            raise error
        await self._clock.sleep(self._limits.retry_min_ns)
        return lost_ns

    async def _read_once(
        self, view: GrowingView, kinds: Sequence[type[Record]], progress: Progress | None
    ) -> GrowingView:
        done, subjects = 0, self.subjects(kinds)
        async with self._storage.replay(
            self._format.stream, subjects=subjects, deliver=DELIVER_LAST_PER_SUBJECT
        ) as replay:
            view.stream_created_ns = replay.stream.created_ns
            if replay.caught_up:
                view.advance(replay.stream.state.last_sequence)
                return view
            target = 0
            async with aclosing(replay.batches()) as batches:
                async for batch in batches:
                    view.absorb(batch)
                    done += len(batch.messages)
                    if progress is not None:
                        progress(done, batch.pending)
                    if not batch.caught_up:
                        continue
                    if not batch.pending:
                        return view
                    if batch.sequence >= target:
                        if target and await self._has_all(view, subjects):
                            return view
                        target = (await self._storage.stream_info(self._format.stream)).state.last_sequence
        # Unreachable while `batches` keeps its contract to go on for ever; never return a partial view.
        raise ReplayInterruptedError(self._format.stream, ResetReason.STREAM_DELETED, view.revision)

    async def _has_all(self, view: GrowingView, subjects: tuple[str, ...]) -> bool:
        """Return whether no subject is missing in a view of a stream that is written faster than it is read.

        What replaces a message before its turn lies further on: a record that was there all the time would be missed.
        """
        return view.subject_count == await self._storage.count_subjects(self._format.stream, subjects=subjects)

    async def find(self, key: Key) -> Entry[Any] | None:
        """Return the record of *key*, from an attached view if there is one.

        Raises:
            CorruptRecordError: what is stored there is not a record.
        """
        view = self.current_view()
        return self._found(view if view is not None else await self._stored(key), key)

    async def find_stored(self, key: Key) -> Entry[Any] | None:
        """Return the record of *key* as it is stored now: an attached view may lag behind what others wrote.

        Raises:
            CorruptRecordError: what is stored there is not a record.
        """
        view = await self._stored(key)
        self.raise_floor(view.revision)
        return self._found(view, key)

    async def stored_view(self, *kinds: type[Record]) -> tuple[LatticeView, int]:
        """Return a view that knows all records of *kinds* as they are stored now, and the last sequence of theirs.

        An attached view serves if it follows the stream that is there now, and has all of it.
        """
        subjects = self.subjects(kinds)
        last = await self.last_message(subjects[0] if len(subjects) == 1 else self._format.subjects)
        through = 0 if last is None else last.sequence
        self.raise_floor(through)
        if self._floors:
            created_ns = (await self._storage.stream_info(self._format.stream)).created_ns
            for live in list(self._floors):
                await self._wait_for(live, through)
                if live.is_current and live.created_ns == created_ns and live.view.revision >= through:
                    return live.view, through
        return await self.rebuild(kinds), through

    async def _stored(self, key: Key) -> LatticeView:
        if isinstance(key, LinkKey):
            return await self.rebuild((LinkDefinition,))
        view = GrowingView(self._format)
        message = await self.last_message(self._format.subject(key))
        if message is not None:
            view.apply(message)
        return view

    def _found(self, view: LatticeView, key: Key) -> Entry[Any] | None:
        if not isinstance(key, LinkKey):
            corrupt = view.corrupt.get(self._format.subject(key))
            if corrupt is not None:
                raise corrupt.error
        return view.find(key)

    async def last_message(self, subject: str) -> Message | None:
        """Return the newest message on *subject*, which may be a filter."""
        try:
            return await self._storage.get_last_message(self._format.stream, subject)
        except MessageNotFoundError:
            return None
