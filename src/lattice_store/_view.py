"""The records of one lattice at one revision, as readers see them. Pure: no I/O, no clock.

When a value is decoded makes no difference. What a rebuild has read lies as it came, and is decoded when something is asked
that needs it. No accessor sees some values decoded and others not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from operator import attrgetter
from types import MappingProxyType
from typing import Any, overload

from lattice_store._changes import (
    AliasConflict,
    Change,
    CorruptRecord,
    Entry,
    Held,
    RecordCorrupt,
    RecordPut,
    RecordRemoved,
)
from lattice_store._fold import Fold
from lattice_store._formats import StreamFormat
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
from lattice_store._snapshot import Snapshot
from lattice_store._unread import Unread
from lattice_store.model import Batch, Message

_revision = attrgetter("revision")


class LatticeView:
    """The records of one lattice at one revision.

    The mappings are live and read-only. Sizes and look-ups cost the same however many records there are, once the values are
    decoded: the first look does that, unless the view was rebuilt with ``eager=True``.
    """

    def __init__(
        self, format_: StreamFormat, decoding: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        self._format = format_
        self._revision = 0
        self._decoding = decoding
        self._unread = Unread()
        self._fold = Fold(format_)
        self._cold_because = ""

    @property
    def prefix(self) -> str:
        return self._format.prefix

    @property
    def revision(self) -> int:
        """Stream sequence up to which the view is complete."""
        return self._revision

    @property
    def cold_because(self) -> str:
        """Why the snapshot that was to be used was not; empty if it was, or if there was to be none."""
        return self._cold_because

    @property
    def claims(self) -> Mapping[ClaimsKey, Entry[Claims]]:
        return MappingProxyType(self._decoded().claims)

    @property
    def links(self) -> Mapping[LinkKey, Entry[LinkDefinition]]:
        return MappingProxyType(self._decoded().links)

    @property
    def oci_references(self) -> Mapping[OciReferenceKey, Entry[OciReference]]:
        return MappingProxyType(self._decoded().oci_references)

    @property
    def corrupt(self) -> Mapping[str, CorruptRecord]:
        """Messages that could not be decoded, by subject."""
        return MappingProxyType(self._decoded().corrupt)

    def of_kind(self, kind: Kind) -> Collection[Entry[Record]]:
        """Return all records of one kind."""
        match kind:
            case Kind.CLAIMS:
                return self.claims.values()
            case Kind.LINK:
                return self.links.values()
            case Kind.OCI_REFERENCE:
                return self.oci_references.values()

    def __len__(self) -> int:
        fold = self._decoded()
        return len(fold.claims) + len(fold.links) + len(fold.oci_references)

    def __iter__(self) -> Iterator[Entry[Record]]:
        fold = self._decoded()
        yield from fold.claims.values()
        yield from fold.links.values()
        yield from fold.oci_references.values()

    def __repr__(self) -> str:
        fold = self._fold
        counts = (
            f"{len(fold.claims)} claims, {len(fold.links)} links, {len(fold.oci_references)} OCI references, "
            f"{len(fold.corrupt)} corrupt"
        )
        unread = f", {len(self._unread)} values not decoded yet" if self._unread else ""
        return f"<LatticeView {self.prefix} at revision {self._revision}: {counts}{unread}>"

    @overload
    def find(self, key: ClaimsKey) -> Entry[Claims] | None: ...
    @overload
    def find(self, key: LinkKey) -> Entry[LinkDefinition] | None: ...
    @overload
    def find(self, key: OciReferenceKey) -> Entry[OciReference] | None: ...
    def find(self, key: Key) -> Entry[Any] | None:
        """Return the record of *key*, or ``None``."""
        return self._decoded().entries(key).get(key)

    def find_call_alias(self, call_alias: str) -> Entry[Claims] | None:
        """Return the claims that own *call_alias*: of those that state it, the ones with the lowest revision."""
        fold = self._decoded()
        return min(fold.aliases().get(call_alias, ()), key=_revision, default=None)

    def alias_conflicts(self) -> tuple[AliasConflict, ...]:
        """Return every call alias that more than one actor claims."""
        conflicts = []
        for call_alias, claimants in sorted(self._decoded().aliases().items()):
            if len(claimants) > 1:
                owner, *others = (entry.record.key for entry in sorted(claimants, key=_revision))
                conflicts.append(AliasConflict(call_alias, owner, tuple(others)))
        return tuple(conflicts)

    def held_by(self, key: Key) -> tuple[Held, ...]:
        """Return what every subject that speaks of *key* says, newest first. The first decides."""
        return self._decoded().held_by(key)

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
            known = self.corrupt.get(subject)
            if known is None or known.message.payload != corrupt.message.payload:
                yield RecordCorrupt(corrupt.error)

    # -- decoding -------------------------------------------------------------------------------

    def _decoded(self) -> Fold:
        """Return the fold, with all values decoded."""
        if self._unread:
            with self._decoding():
                for messages in self._unread.drain():
                    self._fold.load(messages)
        return self._fold


class GrowingView(LatticeView):
    """A view in the making: messages go in, changes come out.

    Args:
        format_: names and bytes of the lattice.
        eager: decode at once what `absorb` is given.
        snapshot: what the view begins with.
        decoding: around the decoding of many values, which a reader may want to do something about.
    """

    def __init__(
        self,
        format_: StreamFormat,
        *,
        eager: bool = False,
        snapshot: Snapshot | None = None,
        decoding: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        super().__init__(format_, decoding)
        self._eager = eager
        self.stream_created_ns = 0
        """When the stream was created that the view is read from."""
        if snapshot is not None:
            self._unread = Unread(snapshot)
            self.advance(snapshot.identity.sequence)

    def another(self, snapshot: Snapshot | None = None) -> GrowingView:
        """Return a new view of the same kind; one that begins with a snapshot is never eager before its end."""
        eager = self._eager and snapshot is None
        return GrowingView(self._format, eager=eager, snapshot=snapshot, decoding=self._decoding)

    @property
    def subject_count(self) -> int:
        """How many subjects hold a value; to be asked before anything was decoded, or once everything is."""
        return self._unread.subject_count if self._unread else self._fold.subject_count

    def drain(self) -> Iterator[Message]:
        """Give out what was read as it came; the view is of no use afterwards."""
        return chain.from_iterable(self._unread.drain())

    def decode_all(self) -> None:
        """Leave nothing for the first look."""
        self._decoded()

    def cold(self, why: str) -> None:
        """Note why a snapshot was not used."""
        self._cold_because = why

    def absorb(self, batch: Batch) -> None:
        """Take in the messages of *batch* and move the view's revision, for readers who do not ask what changed."""
        messages = batch.messages
        if self._eager:
            self._fold.load(messages)
        elif not messages or messages[0].sequence > self._revision:
            self._unread.take(messages)
        else:  # some may be older than what is there
            self._decoded().load(messages)
        self.advance(batch.sequence)

    def apply_batch(self, batch: Batch) -> list[Change]:
        """Fold the messages of *batch* in and move the view's revision; return what changed."""
        changes = [change for message in batch.messages for change in self.apply(message)]
        self.advance(batch.sequence)
        return changes

    def apply(self, message: Message) -> list[Change]:
        """Fold one message in; return what changed. A message not newer than the subject's last changes nothing."""
        self.advance(message.sequence)
        return self._decoded().apply(message)

    def advance(self, sequence: int) -> None:
        """Note that the view is complete up to *sequence*."""
        self._revision = max(self._revision, sequence)
