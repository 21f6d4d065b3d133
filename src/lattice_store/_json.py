"""The JSON of records: what is on the wire, read with tolerance and written exactly. Pure.

Tolerant: a missing ``id``, a null text, a list where hosts write comma text, unknown fields.
msgspec's own errors name the path of the offending field and the types, never the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

import msgspec

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


_J = TypeVar("_J", bound=msgspec.Struct)


class _Decoder(Generic[_J]):
    """Decodes the fields that hosts write; what has others, too, is first decoded as a whole.

    The typed decoder skips what it does not know, so that a number out of range or bytes that are no UTF-8 could
    hide there, and come to light only when the record is put or removed.
    """

    def __init__(self, kind: type[_J]) -> None:
        self._known = msgspec.json.Decoder(kind)
        loose = msgspec.defstruct(f"Loose{kind.__name__}", [], bases=(kind,), forbid_unknown_fields=False)
        self._loose = msgspec.json.Decoder(cast("type[_J]", loose))

    def decode(self, payload: bytes) -> _J:
        try:
            return self._known.decode(payload)
        except msgspec.ValidationError:
            msgspec.json.decode(payload)
            return self._loose.decode(payload)


_claims_decoder: Final = _Decoder(_ClaimsJson)
_link_decoder: Final = _Decoder(_LinkJson)
_oci_reference_decoder: Final = _Decoder(_OciReferenceJson)


def _split(value: str | list[str] | None) -> tuple[str, ...]:
    """Comma text or list to items; hosts write "" for none, and it cannot be told from one empty item."""
    if not value:
        return ()
    return tuple(filter(None, value.split(",") if isinstance(value, str) else value))


Keyed: TypeAlias = tuple[Key, Record | None]
"""What a value says of a key: a record, or ``None`` if it says that there is none any more."""


def _read_claims(payload: bytes) -> Keyed:
    given = _claims_decoder.decode(payload)
    key = ClaimsKey(given.sub)
    if given.deleted:
        return key, None
    return key, Claims(
        public_key=given.sub,
        issuer=given.iss or "",
        name=given.name or "",
        call_alias=given.call_alias or "",
        capabilities=_split(given.caps),
        tags=_split(given.tags),
        rev="0" if given.rev is None else str(given.rev),
        version=given.version,
        source=payload,
    )


def _read_link(payload: bytes) -> Keyed:
    given = _link_decoder.decode(payload)
    key = LinkKey(given.actor_id, given.contract_id, given.link_name)
    if given.deleted:
        return key, None
    return key, LinkDefinition(
        actor_id=given.actor_id,
        provider_id=given.provider_id or "",
        contract_id=given.contract_id,
        link_name=given.link_name,
        values=given.values or {},
        source=payload,
    )


def _read_oci_reference(payload: bytes) -> Keyed:
    given = _oci_reference_decoder.decode(payload)
    key = OciReferenceKey(given.oci_url)
    if given.deleted:
        return key, None
    return key, OciReference(oci_url=given.oci_url, public_key=given.public_key, source=payload)


_READERS: Final[dict[Kind, Callable[[bytes], Keyed]]] = {
    Kind.CLAIMS: _read_claims,
    Kind.LINK: _read_link,
    Kind.OCI_REFERENCE: _read_oci_reference,
}


def read(kind: Kind, payload: bytes) -> Keyed:
    """Read the JSON of a record of *kind*.

    Raises:
        InvalidRecordError: it is not one. The message names the field at fault, never its content.
    """
    try:
        return _READERS[kind](payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRecordError(f"not the JSON of a {kind.value} record: {error}") from error
    except RecursionError as error:
        raise InvalidRecordError(f"not the JSON of a {kind.value} record: nested too deeply") from error


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
