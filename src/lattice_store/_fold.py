"""The fold of messages into records. Pure: no I/O, no clock.

Rules:

1. What a subject holds is its newest message; an older or equal sequence changes nothing. So applying a
   message twice, or a replay's tail again, gives the same records.
2. A record is what the newest message of its key says, over all subjects that hold one. Claims and
   references have one subject; a link's triple may own several, since hosts draw a new id at every put.
3. A message that cannot be decoded takes its subject's former value away, as it did in the stream, and is
   reported. It never stops the fold.
4. The records are a function of the stream's last messages, not of the way they came: rebuilding gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from lattice_store._changes import Change, CorruptRecord, Entry, Held, RecordCorrupt, RecordPut, RecordRemoved
from lattice_store._formats import UNCOMMON, CommonlyKeyed, StreamFormat
from lattice_store._json import UNREADABLE
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
    kind_of,
)
from lattice_store.errors import CorruptRecordError, InvalidRecordError
from lattice_store.model import Message

_FOREIGN: Final[tuple[Callable[[str, bytes], CommonlyKeyed], dict[Any, Any]]] = (lambda _token, _payload: UNCOMMON, {})
_SHORTEST_ALIAS: Final = 2  # hosts ignore shorter ones (wasmcloud-otp host_core/claims/manager.ex)


def _values_of(messages: Sequence[Message]) -> Iterable[tuple[str, int, bytes]]:
    """Return subject, sequence and payload of each: a backend may have them without making a `Message` first."""
    values = getattr(messages, "values", None)
    return ((m.subject, m.sequence, m.payload) for m in messages) if values is None else values()


class Fold:
    """Records by key, and what they were made of. To be read by others, and changed by `apply` and `load` only."""

    def __init__(self, format_: StreamFormat) -> None:
        self._format = format_
        self.claims: dict[ClaimsKey, Entry[Claims]] = {}
        self.links: dict[LinkKey, Entry[LinkDefinition]] = {}
        self.oci_references: dict[OciReferenceKey, Entry[OciReference]] = {}
        self._of_kind: dict[Kind, dict[Any, Entry[Any]]] = {
            Kind.CLAIMS: self.claims,
            Kind.LINK: self.links,
            Kind.OCI_REFERENCE: self.oci_references,
        }
        self._readers = {
            format_.start_of(kind).removesuffix("."): (format_.common_reader(kind), entries)
            for kind, entries in self._of_kind.items()
        }
        """What a subject begins with, how its values are read, and where they go."""
        self.corrupt: dict[str, CorruptRecord] = {}
        self._aliases: dict[str, tuple[Entry[Claims], ...]] | None = None
        """Who claims a call alias; made when first asked for."""
        self._said: dict[str, Held | Entry[Any]] = {}
        """What each subject says. An entry says it of its own subject: most subjects are the only one of their record."""
        self._speakers: dict[Key, tuple[str, ...]] = {}
        """The subjects that speak of a key, unless they are just those of its entry."""

    @property
    def subject_count(self) -> int:
        return len(self._said)

    def entries(self, key: Key) -> dict[Any, Entry[Any]]:
        """Return the records among which that of *key* would be."""
        return self._of_kind[kind_of(key)]

    def held_by(self, key: Key) -> tuple[Held, ...]:
        """Return what every subject that speaks of *key* says, newest first. The first decides."""
        all_held = [held for subject in self._speaking_of(key) if (held := self._held(subject)) is not None]
        return tuple(sorted(all_held, key=lambda held: -held.revision))

    def aliases(self) -> dict[str, tuple[Entry[Claims], ...]]:
        """Return who claims each call alias."""
        if self._aliases is None:
            self._aliases = aliases = dict[str, tuple[Entry[Claims], ...]]()
            for entry in self.claims.values():
                call_alias, alone = entry.record.call_alias, (entry,)
                if (
                    len(call_alias) >= _SHORTEST_ALIAS
                    and (others := aliases.setdefault(call_alias, alone)) is not alone
                ):
                    aliases[call_alias] = (*others, entry)
        return self._aliases

    def _held(self, subject: str) -> Held | None:
        said = self._said.get(subject)
        return Held(subject, said.revision, said.record.key, said.record) if isinstance(said, Entry) else said

    def _speaking_of(self, key: Key) -> tuple[str, ...]:
        if (speakers := self._speakers.get(key)) is not None:
            return speakers
        entry = self.entries(key).get(key)
        return () if entry is None else entry.subjects

    # -- taking messages in ---------------------------------------------------------------------

    def load(self, messages: Sequence[Message]) -> None:
        """Fold messages in, for those who do not ask what changed: `apply`, with the common case at hand.

        A rebuild that decodes everything is made of this loop. Common is a message that is a record, the only one of its
        subject and of its key; the others are folded in afterwards, which makes no difference (rule 1).
        """
        said, speakers, readers = self._said, self._speakers, self._readers
        self._aliases = None
        uncommon: set[int] = set()
        for subject, sequence, payload in _values_of(messages):
            head, _, token = subject.rpartition(".")
            read, entries = readers.get(head, _FOREIGN)
            try:
                key, record = read(token, payload)
            except UNREADABLE:
                key, record = UNCOMMON
            if record is None or (speakers and key in speakers):
                uncommon.add(sequence)
                continue
            entry: Entry[Any] = Entry(record, sequence, (subject,))
            if said.setdefault(subject, entry) is not entry:
                uncommon.add(sequence)
            elif entries.setdefault(key, entry) is not entry:
                del said[subject]
                uncommon.add(sequence)
        if uncommon:
            for message in messages:
                if message.sequence in uncommon:
                    self.apply(message)

    def apply(self, message: Message) -> list[Change]:
        """Fold one message in; return what changed. A message not newer than the subject's last changes nothing."""
        former = self._held(message.subject)
        if former is not None and message.sequence <= former.revision:
            return []
        held = self._said[message.subject] = self._read(message)
        if former is None and (entry := self._add(held)) is not None:
            return [RecordPut(entry)]
        return self._replace(former, held)

    def _read(self, message: Message) -> Held:
        subject, revision = message.subject, message.sequence
        try:
            key, record = self._format.read(subject, message.payload)
        except InvalidRecordError as error:
            self.corrupt[subject] = CorruptRecord(CorruptRecordError(subject, revision, str(error)), message)
            return Held(subject, revision, None, None)
        return Held(subject, revision, key, record)

    def _add(self, held: Held) -> Entry[Record] | None:
        """Take in a record of a key that no other subject speaks of: almost every message of a rebuild."""
        key, record = held.key, held.record
        if record is None or key is None or (self._speakers and key in self._speakers):
            return None
        entry: Entry[Record] = Entry(record, held.revision, (held.subject,))
        if self.entries(key).setdefault(key, entry) is not entry:
            return None
        self._index_alias(None, entry)
        return entry

    def _replace(self, former: Held | None, held: Held) -> list[Change]:
        changes: list[Change] = []
        if held.key is None:
            changes.append(RecordCorrupt(self.corrupt[held.subject].error))
        elif former is not None and former.key is None:
            del self.corrupt[held.subject]
        for key in dict.fromkeys((former.key if former else None, held.key)):
            if key is not None:
                others = tuple(subject for subject in self._speaking_of(key) if subject != held.subject)
                self._speakers[key] = (*others, held.subject) if key == held.key else others
                changes += self._refold(key, held.revision)
        return changes

    def _refold(self, key: Key, revision: int) -> list[Change]:
        """Bring the entry of *key* in line with what its subjects say; rule 2."""
        entries = self.entries(key)
        previous = entries.get(key)
        newest_first = self.held_by(key)
        record = newest_first[0].record if newest_first else None
        if record is None:
            if not newest_first:
                del self._speakers[key]
            if previous is None:
                return []
            del entries[key]
            self._index_alias(previous, None)
            return [RecordRemoved(key, revision, previous)]
        holders = tuple(held.subject for held in newest_first if held.record is not None)
        entry = entries[key] = Entry(record, newest_first[0].revision, holders)
        if len(holders) == len(newest_first):
            del self._speakers[key]
        self._index_alias(previous, entry)
        if previous is not None and previous.revision == entry.revision:
            return []
        return [RecordPut(entry, previous)]

    def _index_alias(self, former: Entry[Any] | None, entry: Entry[Any] | None) -> None:
        """Keep the index of call aliases in line, if there is one yet."""
        if self._aliases is None:
            return
        if former is not None and isinstance(former.record, Claims):
            call_alias = former.record.call_alias
            claimants = tuple(one for one in self._aliases.get(call_alias, ()) if one is not former)
            if claimants:
                self._aliases[call_alias] = claimants
            else:
                self._aliases.pop(call_alias, None)
        if entry is not None and isinstance(entry.record, Claims):
            call_alias = entry.record.call_alias
            if len(call_alias) >= _SHORTEST_ALIAS:
                self._aliases[call_alias] = (*self._aliases.get(call_alias, ()), entry)
