"""The front door: one lattice on any storage, in terms of its records."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast, overload

from lattice_store._changes import Entry
from lattice_store._ensure import Ensured, ensure, inspect
from lattice_store._formats import StreamFormat
from lattice_store._live import LiveView
from lattice_store._reads import Progress, Reader
from lattice_store._records import (
    Claims,
    ClaimsKey,
    Key,
    LinkDefinition,
    LinkKey,
    OciReference,
    OciReferenceKey,
    Record,
)
from lattice_store._view import LatticeView
from lattice_store._watch import Watch
from lattice_store._writes import Writer, checked_revision
from lattice_store.clock import Clock, SystemClock
from lattice_store.errors import InvalidArgumentError, LatticeStoreError, RecordNotFoundError
from lattice_store.limits import DEFAULT_LIMITS, Limits
from lattice_store.storage import Storage

R = TypeVar("R", Claims, LinkDefinition, OciReference)


class Lattice:
    """The records of one lattice, told apart from others on the same server by its prefix.

    Reads go to the storage, or to a view kept current by `attach`; either way a put that returned is
    visible to the next read through this object.

    Args:
        storage: any backend; it stays the caller's to close.
        prefix: the lattice's prefix, one token; hosts use ``default`` unless told otherwise.
        limits: deadlines and bounds.
        clock: for the pauses between attempts.

    Raises:
        InvalidPrefixError: *prefix* is not a single token.
    """

    def __init__(
        self,
        storage: Storage,
        prefix: str = "default",
        *,
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock | None = None,
    ) -> None:
        self._storage, self._format = storage, StreamFormat(prefix, limits.max_value_bytes)
        self._limits, self._clock = limits, clock or SystemClock()
        self._reader = Reader(storage, self._format, limits, self._clock)
        self._writer = Writer(storage, self._format, self._reader, limits)

    @property
    def prefix(self) -> str:
        return self._format.prefix

    @property
    def stream(self) -> str:
        """Name of the stream that holds the lattice."""
        return self._format.stream

    def __repr__(self) -> str:
        return f"Lattice({self._storage!r}, {self.prefix!r})"

    async def ensure(self) -> Ensured:
        """Make the default stream if there is none; never alter one that is there. The outcome is data.

        Raises:
            InvalidPrefixError: there is none, and none may be made under this prefix.
        """
        return await ensure(self._storage, self._format)

    async def inspect(self) -> Ensured:
        """Look for the stream as `ensure` does, but make nothing: MISSING instead of CREATED. The outcome is data."""
        return await inspect(self._storage, self._format)

    # -- reading --------------------------------------------------------------------------------------

    async def rebuild(
        self,
        *kinds: type[Record],
        eager: bool = False,
        from_snapshot: str | Path | None = None,
        pause_gc: bool = True,
        progress: Progress | None = None,
    ) -> LatticeView:
        """Replay the last value of every record and fold it into a view: complete up to its revision.

        A link that breaks meanwhile is waited for, as long as ``limits.connect_timeout_ns`` says: reading again is safe.
        Values are decoded when they are first looked at. One that is not a record is counted and kept in
        ``view.corrupt``; it never stops the rebuild.

        Args:
            kinds: the record classes to read; all three by default.
            eager: decode every value now. It takes about as long as the rest, and no look has to wait for it later.
            from_snapshot: a file that `save` wrote. If all that it holds can be shown to be true still, only what came
                after it is read from the server; otherwise, or if there is none yet, everything is, and
                ``view.cold_because`` says why.
            pause_gc: keep Python's garbage collector from running meanwhile, in the whole process.
            progress: called after each batch with the messages read and those the server still holds.

        Raises:
            StreamNotFoundError: the lattice has no stream; see `ensure`.
            InvalidArgumentError: *kinds* together with a snapshot, which is of the whole lattice.
        """
        if from_snapshot is None:
            return await self._reader.rebuild(kinds, progress, eager=eager, pause_gc=pause_gc)
        if kinds:
            raise InvalidArgumentError("a snapshot is of the whole lattice: rebuild from it without naming kinds")
        return await self._reader.rebuild_from(Path(from_snapshot), progress, eager=eager, pause_gc=pause_gc)

    async def save(self, path: str | Path, *, pause_gc: bool = True) -> int:
        """Write all last values to a file that `rebuild` can begin with; return the stream's sequence that it is of.

        The values are read from the server once for that, and written as they are, those of links in the clear: the file
        is readable by its owner only. It is there whole, or the one before is.

        Raises:
            StreamNotFoundError: the lattice has no stream; see `ensure`.
            SnapshotError: the file cannot be written, or the stream keeps more than one message per subject, so that
                nobody could tell later whether a value is still the last one.
        """
        return await self._reader.save(Path(path), pause_gc=pause_gc)

    def watch(self, *kinds: type[Record]) -> Watch:
        """Follow the lattice: ``async with lattice.watch() as watch: async for event in watch: …``.

        Args:
            kinds: the record classes to follow; all three by default.

        Raises:
            StreamNotFoundError: on entering, if the lattice has no stream; see `ensure`.
        """
        return Watch(self._storage, self._format, self._reader.subjects(kinds), limits=self._limits, clock=self._clock)

    @asynccontextmanager
    async def attach(self) -> AsyncIterator[LiveView]:
        """Keep a view of the whole lattice current in the background; meanwhile reads are answered from it.

        Such reads cost no request. They see every own write; what others wrote may arrive a moment later, which
        ``wait_for`` waits out. What a write decides on is always what is stored.

        Raises:
            StreamNotFoundError: on entering, if the lattice has no stream; see `ensure`.
        """
        live = LiveView(self.watch())
        async with live.following():
            self._reader.attach(live)
            try:
                yield live
            finally:
                self._reader.detach(live)

    @overload
    async def get(self, key: ClaimsKey) -> Entry[Claims]: ...
    @overload
    async def get(self, key: LinkKey) -> Entry[LinkDefinition]: ...
    @overload
    async def get(self, key: OciReferenceKey) -> Entry[OciReference]: ...
    async def get(self, key: Key) -> Entry[Any]:
        """Return the record of *key* with its revision.

        Without an attached view, claims and references cost one request, a link one replay of all links.

        Raises:
            RecordNotFoundError: there is none, or not any more.
            CorruptRecordError: what is stored there is not a record.
            StreamNotFoundError: the lattice has no stream; see `ensure`.
        """
        entry = await self._reader.find(key)
        if entry is None:
            raise RecordNotFoundError(str(key), self.prefix)
        return entry

    @overload
    async def find(self, key: ClaimsKey) -> Entry[Claims] | None: ...
    @overload
    async def find(self, key: LinkKey) -> Entry[LinkDefinition] | None: ...
    @overload
    async def find(self, key: OciReferenceKey) -> Entry[OciReference] | None: ...
    async def find(self, key: Key) -> Entry[Any] | None:
        """Return the record of *key* with its revision, or ``None`` if there is none. Otherwise as `get`."""
        return await self._reader.find(key)

    async def list(self, kind: type[R]) -> tuple[Entry[R], ...]:
        """Return all records of one class, in no order; values that are no records are left out (see `rebuild`).

        Raises:
            StreamNotFoundError: the lattice has no stream; see `ensure`.
        """
        view = self._reader.current_view()
        if view is None:
            view = await self._reader.rebuild((kind,))
        return tuple(cast("Iterable[Entry[R]]", view.of_kind(kind.kind)))

    # -- writing --------------------------------------------------------------------------------------

    async def put(self, record: Record, *, expect: int | None = None) -> int:
        """Store *record*; return its revision.

        Claims equal to the stored ones are not written again, so that their owner keeps its call alias.
        A link reuses the newest subject of its triple; a new triple gets an id derived from it. To know which,
        all links are looked at, unless a view is attached; `put_many` looks once for all it is given.

        Args:
            record: what to store.
            expect: the revision to replace, of the record or of the mark that removed it, or `ABSENT`. For a link
                this needs a server from 2.11 on.

        Raises:
            InvalidRecordError: no host could read it back unchanged; nothing was sent.
            RevisionMismatchError: the record is at another revision; nothing was written.
            StreamNotFoundError: the lattice has no stream; see `ensure`.
            NoRespondersError: no stream is bound to the lattice's subjects; see `ensure`.
            MisplacedRecordError: another stream than the lattice's took it.
            NotSupportedError: a conditional link write on a server before 2.11; nothing was written.
            WrongLastSequenceError: other links changed so fast that the conditional write found no gap.
            StorageTimeoutError, ConnectionLostError: UNKNOWN; put again, safely so with *expect*.
        """
        return await self._writer.put(record, checked_revision(expect, lowest=0))

    def put_many(self, records: Iterable[Record]) -> AsyncGenerator[int | LatticeStoreError, None]:
        """Store many records, in order; yield for each its revision, or the error that `put` would have raised.

        As with `put`, claims equal to the stored ones are not written again. A record refused beforehand does not
        stop the others.

        Raises:
            StreamNotFoundError: the lattice has no stream, and claims or links are among the records.
        """
        return self._writer.put_many(records)

    async def remove(self, key: Key, *, expect: int | None = None) -> int | None:
        """Mark the record of *key* as deleted; return the revision of the mark, or ``None`` if there was no record.

        What is written is the last value with ``deleted: true``, or the key alone where that is no record. wasmCloud hosts up to 0.59 honour it for links
        only; readers with this library for every record. A link with several subjects is removed newest first,
        one by one: not atomic, but invisible from the first mark on, and idempotent.

        Args:
            key: which record.
            expect: only if the record is at this revision. For a link this needs a server from 2.11 on.

        Raises:
            RevisionMismatchError: the record is at another revision; nothing was written.
            RemoveIncompleteError: some subjects of a link could not be marked; remove again.
            CorruptRecordError: with *expect*, and what is stored there is not a record.
            StreamNotFoundError: the lattice has no stream; see `ensure`.
        """
        return await self._writer.remove(key, checked_revision(expect, lowest=1))
