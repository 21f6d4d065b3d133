"""Writing a lattice: put and remove, plain and compared with a revision.

A link needs care, for its triple may own several subjects, and a foreign host may add one at any moment.
So a conditional link write is conditional on *all* links: it reads the last sequence of all link subjects,
checks the triple, and publishes only if that last sequence still stands. If an unrelated link got in
between, it looks again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from typing import Any, Final

from lattice_store._changes import Entry, Held
from lattice_store._formats import StreamFormat
from lattice_store._reads import Reader
from lattice_store._records import Claims, Key, Kind, LinkDefinition, LinkKey, Record, key_of, same
from lattice_store._view import GrowingView, LatticeView
from lattice_store.errors import (
    CorruptRecordError,
    InvalidArgumentError,
    InvalidRecordError,
    LatticeStoreError,
    MisplacedRecordError,
    RemoveIncompleteError,
    RevisionMismatchError,
    WrongLastSequenceError,
)
from lattice_store.limits import Limits
from lattice_store.model import Expect, PubAck, Publication
from lattice_store.storage import Storage

ABSENT: Final = 0
"""As ``expect=ABSENT``: only if the lattice has no such record."""


class Writer:
    """Puts and removes records of one lattice; `Lattice` says what each promises."""

    def __init__(self, storage: Storage, format_: StreamFormat, reader: Reader, limits: Limits) -> None:
        self._storage, self._format, self._reader, self._limits = storage, format_, reader, limits

    async def put(self, record: Record, expect: int | None) -> int:
        subject = self._format.subject(key_of(record))
        payload = self._format.encode(record, subject)  # a bad record is refused before anything is read
        if expect is not None:
            return await self._put_expecting(record, expect)
        if isinstance(record, Claims):
            stored = await self._stored(record.key)
            if stored is not None and same(stored.record, record):
                return stored.revision
        elif isinstance(record, LinkDefinition):
            links, _ = await self._reader.stored_view(LinkDefinition)
            subject = self._subject_for(record.key, links)
            payload = self._format.encode(record, subject)
        return await self._publish(subject, payload)

    async def put_many(self, records: Iterable[Record]) -> AsyncGenerator[int | LatticeStoreError, None]:
        given = list(records)
        kinds = {type(record) for record in given} & {Claims, LinkDefinition}
        stored = (await self._reader.stored_view(*kinds))[0] if kinds else LatticeView(self._format)
        order: deque[str | int | LatticeStoreError] = deque()  # subject of a publication, or what stands for it

        def publications() -> Iterator[Publication]:
            written: set[Key] = set()
            for record in given:
                try:
                    key = key_of(record)
                    revision = None if key in written else _revision_if_equal(stored, record)
                    subject = self._subject_for(key, stored)
                    payload = self._format.encode(record, subject)
                except InvalidRecordError as error:
                    order.append(error)
                    continue
                if revision is not None:
                    order.append(revision)
                    continue
                order.append(subject)
                written.add(key)
                yield Publication(subject=subject, payload=payload)

        last, before = 0, self._reader.positions()
        async with aclosing(self._storage.publish_many(publications())) as results:
            async for result in results:
                while not isinstance(subject := order.popleft(), str):
                    yield subject
                if isinstance(result, PubAck):
                    last = max(last, result.sequence)
                    self._reader.raise_floor(last, before)
                    yield self._misplaced(subject, result) or result.sequence
                else:
                    yield result
        for rest in order:
            if not isinstance(rest, str):
                yield rest
        await self._reader.settle(last, before)

    async def _put_expecting(self, record: Record, expect: int) -> int:
        key = record.key
        if isinstance(key, LinkKey):

            def replacement(held: tuple[Held, ...]) -> tuple[str, bytes]:
                subject = held[0].subject if held else self._format.subject(key)
                return subject, self._format.encode(record, subject)

            revision, _ = await self._compare_and_set_link(key, expect, replacement)
            return revision
        if expect and isinstance(record, Claims):
            stored = await self._stored(key)
            if stored is not None and stored.revision == expect and same(stored.record, record):
                return expect
        subject = self._format.subject(key)
        sequence = expect or await self._sequence_if_absent(key, subject)
        return await self._publish_expecting(key, expect, subject, self._format.encode(record, subject), sequence)

    async def remove(self, key: Key, expect: int | None) -> int | None:
        if isinstance(key, LinkKey):
            return await self._remove_link(key, expect)
        subject = self._format.subject(key)
        try:
            entry = await self._reader.find_stored(key)
        except CorruptRecordError:
            if expect is not None:
                raise
            return await self._publish(subject, self._format.encode_deleted(b"", key))
        actual = 0 if entry is None else entry.revision
        if expect not in (None, actual):
            raise RevisionMismatchError(str(key), expect, actual)
        if entry is None:
            return None
        payload = self._format.encode_deleted(self._format.last_value(entry.record, subject), key)
        if expect is None:
            return await self._publish(subject, payload)
        return await self._publish_expecting(key, expect, subject, payload, expect)

    async def _remove_link(self, key: LinkKey, expect: int | None) -> int | None:
        if expect is None:
            links, _ = await self._reader.stored_view(LinkDefinition)
            holders = _holders(links.held_by(key))
            if not holders:
                return None
            revision = await self._publish(*self._mark(key, holders[0]))
        else:
            revision, held = await self._compare_and_set_link(
                key, expect, lambda held: self._mark(key, _live(key, expect, held))
            )
            holders = _holders(held)
        for position, holder in enumerate(holders[1:], start=1):
            try:
                await self._publish(*self._mark(key, holder), Expect(last_subject_sequence=holder.revision))
            except WrongLastSequenceError:
                continue  # put again meanwhile: that is a new value, not the one to remove
            except LatticeStoreError as error:
                remaining = tuple(holder.subject for holder in holders[position:])
                raise RemoveIncompleteError(str(key), remaining) from error
        return revision

    async def _compare_and_set_link(
        self, key: LinkKey, expect: int, write: Callable[[tuple[Held, ...]], tuple[str, bytes]]
    ) -> tuple[int, tuple[Held, ...]]:
        """Try until no unrelated link gets in between; return the new revision and what was held before."""
        for _ in range(self._limits.compare_and_set_attempts - 1):
            with suppress(WrongLastSequenceError):
                return await self._try_to_set_link(key, expect, write)
        return await self._try_to_set_link(key, expect, write)

    async def _try_to_set_link(
        self, key: LinkKey, expect: int, write: Callable[[tuple[Held, ...]], tuple[str, bytes]]
    ) -> tuple[int, tuple[Held, ...]]:
        """Publish what *write* makes of what the triple holds, if it is at *expect* and no link changed."""
        links, last_sequence = await self._reader.stored_view(LinkDefinition)
        held = links.held_by(key)
        _check_revision(key, expect, held)
        condition = Expect(last_subject_sequence=last_sequence, last_subject_filter=self._format.subjects_of(Kind.LINK))
        return await self._publish(*write(held), condition), held

    async def _sequence_if_absent(self, key: Key, subject: str) -> int:
        """Return the last sequence on *subject*, where no record of *key* may live; a deleted mark may stand there."""
        message = await self._reader.last_message(subject)
        if message is None:
            return 0
        view = GrowingView(self._format)
        view.apply(message)
        _check_revision(key, ABSENT, view.held_by(key))
        return message.sequence

    async def _stored(self, key: Key) -> Entry[Any] | None:
        try:
            return await self._reader.find_stored(key)
        except CorruptRecordError:  # to be replaced
            return None

    def _subject_for(self, key: Key, links: LatticeView) -> str:
        """Return where to put a record: the newest subject that speaks of its key, or else a new one."""
        held = links.held_by(key) if isinstance(key, LinkKey) else ()
        return held[0].subject if held else self._format.subject(key)

    def _mark(self, key: Key, holder: Held) -> tuple[str, bytes]:
        """Return subject and payload that mark *holder* as deleted."""
        assert holder.record is not None
        value = self._format.last_value(holder.record, holder.subject)
        return holder.subject, self._format.encode_deleted(value, key)

    async def _publish_expecting(self, key: Key, expect: int, subject: str, payload: bytes, sequence: int) -> int:
        try:
            return await self._publish(subject, payload, Expect(last_subject_sequence=sequence))
        except WrongLastSequenceError as error:
            stored = await self._stored(key)  # the server names the last message, which may be a deleted mark
            raise RevisionMismatchError(str(key), expect, 0 if stored is None else stored.revision) from error

    async def _publish(self, subject: str, payload: bytes, expect: Expect | None = None) -> int:
        before = self._reader.positions()
        ack = await self._storage.publish(subject, payload, expect=expect)
        misplaced = self._misplaced(subject, ack)
        if misplaced is not None:
            raise misplaced
        await self._reader.settle(ack.sequence, before)
        return ack.sequence

    def _misplaced(self, subject: str, ack: PubAck) -> MisplacedRecordError | None:
        if ack.stream == self._format.stream:
            return None
        return MisplacedRecordError(subject, ack.stream, self._format.stream)


def checked_revision(expect: object, *, lowest: int) -> int | None:
    """Accept a revision to compare with.

    Raises:
        InvalidArgumentError: it is not a whole number of at least *lowest*.
    """
    if expect is None:
        return None
    if not isinstance(expect, int) or isinstance(expect, bool) or expect < lowest:
        raise InvalidArgumentError(f"expect={expect!r} is not a revision: a whole number from {lowest} on")
    return expect


def _live(key: Key, expect: int, held: tuple[Held, ...]) -> Held:
    if held[0].record is None:  # at *expect*, but that is a mark already
        raise RevisionMismatchError(str(key), expect, 0)
    return held[0]


def _revision_if_equal(stored: LatticeView, record: Record) -> int | None:
    """Return the revision of claims that are stored as they are: putting them again would cost them their alias."""
    entry = stored.claims.get(record.key) if isinstance(record, Claims) else None
    return entry.revision if entry is not None and same(entry.record, record) else None


def _holders(held: tuple[Held, ...]) -> list[Held]:
    return [holder for holder in held if holder.record is not None]


def _check_revision(key: Key, expect: int, held: tuple[Held, ...]) -> None:
    """Compare the newest holder with *expect*: its revision, or `ABSENT` if there must be no record."""
    newest = held[0] if held else None
    live = newest.revision if newest is not None and newest.record is not None else 0
    revision = newest.revision if newest is not None else 0
    if (live if expect == ABSENT else revision) != expect:
        raise RevisionMismatchError(str(key), expect, live)
