"""The JSON of records: what is on the wire, read with tolerance and written exactly. Pure.

Tolerant: a missing ``id``, a null text, a list where hosts write comma text, unknown fields.
msgspec's own errors name the path of the offending field and the types, never the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from lattice_store import _shapes as shapes
from lattice_store._records import (
    ClaimsKey,
    Key,
    Kind,
    LinkKey,
    OciReferenceKey,
    Record,
)
from lattice_store._shapes import Keyed
from lattice_store.errors import InvalidRecordError

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What decoding raises."""


class Deleted(msgspec.Struct, frozen=True):
    """A stored value that says its record is no more (``deleted: true``)."""

    key: Key


class _Reader(NamedTuple):
    """How the JSON of one kind is read."""

    known: Callable[[bytes], Any]
    """Decodes a value that has the fields which hosts write and no others: nearly every one."""
    loose: Callable[[bytes], Any]
    """Decodes a value that has others too, which it skips."""
    keyed: Callable[..., Keyed]

    @classmethod
    def of(cls, shape: type[msgspec.Struct], keyed: Callable[..., Keyed]) -> _Reader:
        loose = msgspec.defstruct(f"Loose{shape.__name__}", [], bases=(shape,), forbid_unknown_fields=False)
        return cls(msgspec.json.Decoder(shape).decode, msgspec.json.Decoder(loose).decode, keyed)


_READERS: Final = {
    Kind.CLAIMS: _Reader.of(shapes.ClaimsJson, shapes.claims),
    Kind.LINK: _Reader.of(shapes.LinkJson, shapes.link),
    Kind.OCI_REFERENCE: _Reader.of(shapes.OciReferenceJson, shapes.oci_reference),
}


def known_reader(kind: Kind) -> tuple[Callable[[bytes], Any], Callable[[Any], Keyed]]:
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
