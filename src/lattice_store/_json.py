"""The JSON of records: what is on the wire, read with tolerance and written exactly. Pure.

Tolerant: a missing ``id``, a null text, a list where hosts write comma text, unknown fields.
msgspec's own errors name the path of the offending field and the types, never the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from lattice_store import _made as made
from lattice_store._records import (
    ClaimsKey,
    Key,
    Kind,
    LinkKey,
    OciReferenceKey,
    Record,
)
from lattice_store.errors import InvalidRecordError


class Deleted(msgspec.Struct, frozen=True):
    """A stored value that says its record is no more (``deleted: true``)."""

    key: Key


# The tolerance of the reader is in the types.


class _ClaimsJson(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    sub: str
    iss: str | None = None
    name: str | None = None
    call_alias: str | None = None
    caps: str | list[str] | None = None
    tags: str | list[str] | None = None
    rev: str | int | None = None
    version: str | None = None
    deleted: bool = False


class _LinkJson(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    actor_id: str
    contract_id: str
    link_name: str
    provider_id: str | None = None
    values: dict[str, str] | None = None
    id: str | None = None
    deleted: bool = False


class _OciReferenceJson(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    oci_url: str
    public_key: str = ""
    deleted: bool = False


def _split(value: str | list[str] | None) -> tuple[str, ...]:
    """Comma text or list to items; hosts write "" for none, and it cannot be told from one empty item."""
    if not value:
        return ()
    return _split_text(value) if isinstance(value, str) else tuple(filter(None, value))


@lru_cache(maxsize=4096)
def _split_text(value: str) -> tuple[str, ...]:
    """Comma text to items; many claims of a lattice say the same, and share them then."""
    return tuple(filter(None, value.split(",")))


UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What decoding raises."""

Keyed: TypeAlias = tuple[Key, Record | None]
"""What a value says of a key: a record, or ``None`` if it says that there is none any more."""


def _claims(given: _ClaimsJson, payload: bytes) -> Keyed:
    sub, rev = given.sub, given.rev
    if given.deleted:
        return ClaimsKey(sub), None
    return ClaimsKey(sub), made.claims(
        payload,
        sub,
        given.iss or "",
        given.name or "",
        given.call_alias or "",
        _split(given.caps),
        _split(given.tags),
        rev if type(rev) is str else "0" if rev is None else str(rev),
        given.version,
    )


def _link(given: _LinkJson, payload: bytes) -> Keyed:
    actor_id, contract_id, link_name = given.actor_id, given.contract_id, given.link_name
    key = LinkKey(actor_id, contract_id, link_name)
    if given.deleted:
        return key, None
    return key, made.link(payload, actor_id, given.provider_id or "", contract_id, link_name, given.values or {})


def _oci_reference(given: _OciReferenceJson, payload: bytes) -> Keyed:
    key = OciReferenceKey(given.oci_url)
    return key, None if given.deleted else made.oci_reference(payload, given.oci_url, given.public_key)


class _Reader(NamedTuple):
    """How the JSON of one kind is read."""

    known: Callable[[bytes], Any]
    """Decodes a value that has the fields which hosts write and no others: nearly every one."""
    loose: Callable[[bytes], Any]
    """Decodes a value that has others too, which it skips."""
    keyed: Callable[[Any, bytes], Keyed]

    @classmethod
    def of(cls, shape: type[msgspec.Struct], keyed: Callable[[Any, bytes], Keyed]) -> _Reader:
        loose = msgspec.defstruct(f"Loose{shape.__name__}", [], bases=(shape,), forbid_unknown_fields=False)
        return cls(msgspec.json.Decoder(shape).decode, msgspec.json.Decoder(loose).decode, keyed)


_READERS: Final = {
    Kind.CLAIMS: _Reader.of(_ClaimsJson, _claims),
    Kind.LINK: _Reader.of(_LinkJson, _link),
    Kind.OCI_REFERENCE: _Reader.of(_OciReferenceJson, _oci_reference),
}


def known_reader(kind: Kind) -> tuple[Callable[[bytes], Any], Callable[[Any, bytes], Keyed]]:
    """Return `read` in two steps, for a value that has no field but those which hosts write.

    The first decodes, and raises one of `UNREADABLE` where it is another value; the second tells what it says.
    """
    return _READERS[kind].known, _READERS[kind].keyed


def read(kind: Kind, payload: bytes) -> Keyed:
    """Read the JSON of a record of *kind*.

    Raises:
        InvalidRecordError: it is not one. The message names the field at fault, never its content.
    """
    known, loose, keyed = _READERS[kind]
    try:
        try:
            given = known(payload)
        except msgspec.ValidationError:
            # What is skipped is decoded as well: a number out of range or bytes that are no UTF-8 could hide there,
            # and come to light only when the record is put or removed.
            msgspec.json.decode(payload)
            given = loose(payload)
    except UNREADABLE as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else error
        raise InvalidRecordError(f"not the JSON of a {kind.value} record: {why}") from error
    return keyed(given, payload)


def decode(kind: Kind, payload: bytes) -> Record | Deleted:
    """Read the JSON of a record of *kind*; a mark of deletion is a value too.

    Raises:
        InvalidRecordError: as `read` does.
    """
    return value_of(read(kind, payload))


def value_of(keyed: Keyed) -> Record | Deleted:
    """Return what was read as one value."""
    key, record = keyed
    return Deleted(key) if record is None else record


def encode(fields: Mapping[str, Any]) -> bytes:
    """Write a JSON object in the host's field order, which is alphabetical."""
    return msgspec.json.encode(dict(sorted(fields.items())))


def deletion(key: Key) -> dict[str, Any]:
    """Return the least a deleted mark can say: the key."""
    match key:
        case ClaimsKey(public_key):
            return {"deleted": True, "sub": public_key}
        case LinkKey(actor_id, contract_id, link_name):
            return {"actor_id": actor_id, "contract_id": contract_id, "deleted": True, "link_name": link_name}
        case OciReferenceKey(oci_url):
            return {"deleted": True, "oci_url": oci_url}
