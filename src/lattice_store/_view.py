"""The fold of a replay into records. Pure: no I/O, no clock.

Rules:

1. What a subject holds is its newest message; an older or equal sequence changes nothing. So applying a
   message twice, or a replay's tail again, gives the same view.
2. A record is what the newest message of its key says, over all subjects that hold one. Claims and
   references have one subject; a link's triple may own several, since hosts draw a new id at every put.
3. A message that cannot be decoded takes its subject's former value away, as it did in the stream, and is
   reported. It never stops the fold.
4. The view is a function of the stream's last messages, not of the way they came: rebuilding gives the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Generic, TypeAlias, TypeVar, overload

import msgspec

from lattice_store._formats import StreamFormat
from lattice_store._json import Deleted
from lattice_store._records import (
    Claims,
    ClaimsKey,
    Key,
    Kind,
    LinkDefinition,
    LinkKey,
    OciReference,
    OciReferenceKey,
    Record,
    same,
)
from lattice_store.errors import CorruptRecordError, InvalidRecordError
from lattice_store.model import Batch, Message

R_co = TypeVar("R_co", bound=Record, covariant=True)
_SHORTEST_ALIAS: Final = 2  # hosts ignore shorter ones (wasmcloud-otp host_core/claims/manager.ex)


# What is made once for every record of a rebuild is a msgspec struct, the rest attrs: docs/adr/0004-message-type.md.


class Entry(msgspec.Struct, Generic[R_co], frozen=True, gc=False):
    """A record as it lies in the lattice."""

    record: R_co
    revision: int
    """Stream sequence of the record's newest message."""
    subjects: tuple[str, ...]
    """Every subject that holds a value of it, newest first; more than one only for links.

    An older one that goes to another link is no change of this one, and no change is yielded for it.
    """


class RecordPut(msgspec.Struct, frozen=True, gc=False):
    """A record is new, or has another value."""

    entry: Entry[Record]
    previous: Entry[Record] | None = None


class RecordRemoved(msgspec.Struct, frozen=True, gc=False):
    """A record is no more. ``revision`` is the message that said so; 0 if a reset made it vanish."""

    key: Key
    revision: int
    previous: Entry[Record]


class RecordCorrupt(msgspec.Struct, frozen=True):
    """A message that is not a record was found; it is kept raw in ``LatticeView.corrupt``."""

    error: CorruptRecordError


Change: TypeAlias = RecordPut | RecordRemoved | RecordCorrupt


class CorruptRecord(msgspec.Struct, frozen=True):
    """A message that could not be decoded: what is wrong, and the message as it was stored."""

    error: CorruptRecordError
    message: Message


class AliasConflict(msgspec.Struct, frozen=True):
    """One call alias claimed by several actors. The lowest revision owns it, on every host."""

    call_alias: str
    owner: ClaimsKey
    others: tuple[ClaimsKey, ...]


class Held(msgspec.Struct, frozen=True, gc=False):
    """What one subject says: a record of *key*, or ``None`` if it is marked deleted there; no key if it is corrupt."""

    subject: str
    revision: int
    key: Key | None
    record: Record | None


class LatticeView:
    """The records of one lattice at one revision.

    The mappings are live and read-only. Sizes and look-ups cost the same however many records there are.
    """

    def __init__(self, format_: StreamFormat) -> None:
        self._format = format_
        self._revision = 0
        self._held: dict[str, Held] = {}
        self._subjects: dict[Key, tuple[str, ...]] = {}
        self._claims: dict[ClaimsKey, Entry[Claims]] = {}
        self._links: dict[LinkKey, Entry[LinkDefinition]] = {}
        self._oci_references: dict[OciReferenceKey, Entry[OciReference]] = {}
        self._corrupt: dict[str, CorruptRecord] = {}
        self._aliases: dict[str, dict[ClaimsKey, int]] = {}

    @property
    def prefix(self) -> str:
        return self._format.prefix

    @property
    def revision(self) -> int:
        """Stream sequence up to which the view is complete."""
        return self._revision

    @property
    def claims(self) -> Mapping[ClaimsKey, Entry[Claims]]:
        return MappingProxyType(self._claims)

    @property
    def links(self) -> Mapping[LinkKey, Entry[LinkDefinition]]:
        return MappingProxyType(self._links)

    @property
    def oci_references(self) -> Mapping[OciReferenceKey, Entry[OciReference]]:
        return MappingProxyType(self._oci_references)

    @property
    def corrupt(self) -> Mapping[str, CorruptRecord]:
        """Messages that could not be decoded, by subject."""
        return MappingProxyType(self._corrupt)

    def of_kind(self, kind: Kind) -> Collection[Entry[Record]]:
        """Return all records of one kind."""
        match kind:
            case Kind.CLAIMS:
                return self._claims.values()
            case Kind.LINK:
                return self._links.values()
            case Kind.OCI_REFERENCE:
                return self._oci_references.values()

    def __len__(self) -> int:
        return len(self._claims) + len(self._links) + len(self._oci_references)

    def __iter__(self) -> Iterator[Entry[Record]]:
        yield from self._claims.values()
        yield from self._links.values()
        yield from self._oci_references.values()

    def __repr__(self) -> str:
        return (
            f"<LatticeView {self.prefix} at revision {self._revision}: {len(self._claims)} claims, "
            f"{len(self._links)} links, {len(self._oci_references)} OCI references, {len(self._corrupt)} corrupt>"
        )

    @overload
    def find(self, key: ClaimsKey) -> Entry[Claims] | None: ...
    @overload
    def find(self, key: LinkKey) -> Entry[LinkDefinition] | None: ...
    @overload
    def find(self, key: OciReferenceKey) -> Entry[OciReference] | None: ...
    def find(self, key: Key) -> Entry[Any] | None:
        """Return the record of *key*, or ``None``."""
        return self._entries(key).get(key)

    def find_call_alias(self, call_alias: str) -> Entry[Claims] | None:
        """Return the claims that own *call_alias*: of those that state it, the ones with the lowest revision."""
        claimants = self._aliases.get(call_alias)
        return self._claims[min(claimants, key=claimants.__getitem__)] if claimants else None

    def alias_conflicts(self) -> tuple[AliasConflict, ...]:
        """Return every call alias that more than one actor claims."""
        conflicts = []
        for call_alias, claimants in sorted(self._aliases.items()):
            if len(claimants) > 1:
                owner, *others = sorted(claimants, key=claimants.__getitem__)
                conflicts.append(AliasConflict(call_alias, owner, tuple(others)))
        return tuple(conflicts)

    def held_by(self, key: Key) -> tuple[Held, ...]:
        """Return what every subject that speaks of *key* says, newest first. The first decides."""
        all_held = [self._held[subject] for subject in self._subjects.get(key, ())]
        return tuple(sorted(all_held, key=lambda held: -held.revision))

    def changes_to(self, other: LatticeView) -> Iterator[Change]:
        """Yield what turns this view's records into those of *other*; used after a reset."""
        for entry in self:
            if other.find(entry.record.key) is None:
                yield RecordRemoved(entry.record.key, 0, entry)
        for entry in other:
            former = self.find(entry.record.key)
            if former is None or not same(former.record, entry.record):
                yield RecordPut(entry, former)
        for subject, corrupt in other.corrupt.items():
            known = self._corrupt.get(subject)
            if known is None or known.message.payload != corrupt.message.payload:
                yield RecordCorrupt(corrupt.error)

    def _entries(self, key: Key) -> dict[Any, Entry[Any]]:
        match key:
            case ClaimsKey():
                return self._claims
            case LinkKey():
                return self._links
            case OciReferenceKey():
                return self._oci_references
        raise InvalidRecordError(f"not the key of a record: {type(key).__name__}")


class Fold(LatticeView):
    """A view in the making: messages go in, changes come out."""

    def absorb(self, batch: Batch) -> None:
        """Fold the messages of *batch* in and move the view's revision, for readers who do not ask what changed."""
        for message in batch.messages:
            self.apply(message)
        self.advance(batch.sequence)

    def apply_batch(self, batch: Batch) -> list[Change]:
        """Fold the messages of *batch* in and move the view's revision; return what changed."""
        changes = [change for message in batch.messages for change in self.apply(message)]
        self.advance(batch.sequence)
        return changes

    def advance(self, sequence: int) -> None:
        """Note that the view is complete up to *sequence*."""
        self._revision = max(self._revision, sequence)

    def apply(self, message: Message) -> list[Change]:
        """Fold one message in; return what changed. A message not newer than the subject's last changes nothing."""
        subject, revision = message.subject, message.sequence
        former = self._held.get(subject)
        if former is not None and revision <= former.revision:
            return []
        self.advance(revision)
        held = self._held[subject] = self._read(message)
        if former is None and held.record is not None and held.key not in self._subjects:
            return self._add(held.record, revision, subject)
        return self._replace(former, held, message)

    def _read(self, message: Message) -> Held:
        try:
            value = self._format.decode(message.subject, message.payload)
        except InvalidRecordError as error:
            corrupt = CorruptRecordError(message.subject, message.sequence, str(error))
            self._corrupt[message.subject] = CorruptRecord(corrupt, message)
            return Held(message.subject, message.sequence, None, None)
        return Held(message.subject, message.sequence, value.key, None if isinstance(value, Deleted) else value)

    def _add(self, record: Record, revision: int, subject: str) -> list[Change]:
        """Take in a record of a key that no other subject speaks of: almost every message of a rebuild."""
        key = record.key
        subjects = self._subjects[key] = (subject,)
        entry = self._entries(key)[key] = Entry(record, revision, subjects)
        if isinstance(record, Claims):
            self._index_alias(None, entry)
        return [RecordPut(entry)]

    def _replace(self, former: Held | None, held: Held, message: Message) -> list[Change]:
        changes: list[Change] = []
        if held.key is None:
            changes.append(RecordCorrupt(self._corrupt[held.subject].error))
        elif former is not None and former.key is None:
            del self._corrupt[held.subject]
        for key in dict.fromkeys((former.key if former else None, held.key)):
            if key is not None:
                others = tuple(subject for subject in self._subjects.get(key, ()) if subject != held.subject)
                self._subjects[key] = (*others, held.subject) if key == held.key else others
                changes += self._refold(key, message.sequence)
        return changes

    def _refold(self, key: Key, revision: int) -> list[Change]:
        """Bring the entry of *key* in line with what its subjects say; rule 2."""
        entries = self._entries(key)
        previous = entries.get(key)
        newest_first = self.held_by(key)
        if not newest_first:
            del self._subjects[key]
        record = newest_first[0].record if newest_first else None
        if record is None:
            if previous is None:
                return []
            del entries[key]
            self._index_alias(previous.record, None)
            return [RecordRemoved(key, revision, previous)]
        holders = tuple(held.subject for held in newest_first if held.record is not None)
        entry = entries[key] = Entry(record, newest_first[0].revision, holders)
        self._index_alias(previous.record if previous else None, entry)
        if previous is not None and previous.revision == entry.revision:
            return []
        return [RecordPut(entry, previous)]

    def _index_alias(self, former: Record | None, entry: Entry[Record] | None) -> None:
        if isinstance(former, Claims):
            claimants = self._aliases.get(former.call_alias, {})
            claimants.pop(former.key, None)
            if not claimants:
                self._aliases.pop(former.call_alias, None)
        if entry is not None and isinstance(entry.record, Claims):
            call_alias = entry.record.call_alias
            if len(call_alias) >= _SHORTEST_ALIAS:
                self._aliases.setdefault(call_alias, {})[entry.record.key] = entry.revision
