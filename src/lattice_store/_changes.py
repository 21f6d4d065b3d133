"""The values that a view consists of, and what changes in it. Pure."""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar

import msgspec

from lattice_store._records import ClaimsKey, Key, Record
from lattice_store.errors import CorruptRecordError
from lattice_store.model import Message

R_co = TypeVar("R_co", bound=Record, covariant=True)


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
