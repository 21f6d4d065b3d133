"""The three records of a lattice, as wasmCloud hosts up to 0.59 write them. Pure.

`to_json` gives the host's fields, all of them, in the host's (alphabetical) order.
Unknown fields are kept: a record read from a stream remembers its JSON, `attrs.evolve` carries it on,
and writing puts the fields that nobody here knows back where they were.

Cached records are unsigned: whoever may publish on the lattice's subjects is believed.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, TypeAlias

import attrs
import msgspec

from lattice_store.errors import InvalidRecordError

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_MAX_TEXT: Final = 4096


class Kind(enum.Enum):
    """What a record is; the value is its token in the lattice's subjects."""

    CLAIMS = "claims"
    LINK = "linkdefs"
    OCI_REFERENCE = "refmap"

    __hash__ = object.__hash__  # as equality: by identity; Enum hashes a name, in Python, for each value of a rebuild


# Keys are structs: two of different kinds are never equal, and hashing one costs little.


class ClaimsKey(msgspec.Struct, frozen=True, gc=False):
    """Claims are told apart by public key."""

    public_key: str

    def __str__(self) -> str:
        return f"claims {self.public_key}"


class LinkKey(msgspec.Struct, frozen=True, gc=False):
    """Links are told apart by this triple; the provider is a value, not part of the identity."""

    actor_id: str
    contract_id: str
    link_name: str = "default"

    def __str__(self) -> str:
        return f"link {self.actor_id} {self.contract_id} {self.link_name}"


class OciReferenceKey(msgspec.Struct, frozen=True, gc=False):
    """References are told apart by their URL, OCI and bindle alike."""

    oci_url: str

    def __str__(self) -> str:
        return f"OCI reference {self.oci_url}"


Key: TypeAlias = ClaimsKey | LinkKey | OciReferenceKey
_KINDS: Final[dict[type, Kind]] = {
    ClaimsKey: Kind.CLAIMS,
    LinkKey: Kind.LINK,
    OciReferenceKey: Kind.OCI_REFERENCE,
}


def kind_of(key: Key) -> Kind:
    """Return what *key* is a key of.

    Raises:
        InvalidRecordError: it is no key.
    """
    kind = _KINDS.get(type(key))
    if kind is None:
        raise InvalidRecordError(f"not the key of a record: {type(key).__name__}")
    return kind


def _items_from(given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str):  # tuple("wasmcloud:x") would be letters
        raise InvalidRecordError(f"give a list of texts, not the single text {_shown(given)}")
    return tuple(given)


def _settings_from(given: Mapping[str, str]) -> dict[str, str]:
    return dict(given)


NO_SOURCE: Final = b"{}"


@attrs.frozen(kw_only=True)
class _Record:
    """What all records share: the JSON they were read from."""

    kind: ClassVar[Kind]
    FIELDS: ClassVar[frozenset[str]]
    """Names of the JSON fields a host writes; all others are unknown and kept."""

    source: bytes = attrs.field(default=NO_SOURCE, repr=False, eq=False)
    """The JSON this record was read from, or an empty object if that has no field but those of a host."""

    @property
    def extra(self) -> Mapping[str, Any]:
        """The unknown fields, decoded when asked for."""
        if self.source == NO_SOURCE:
            return {}
        return {name: value for name, value in msgspec.json.decode(self.source).items() if name not in self.FIELDS}


@attrs.frozen(kw_only=True)
class Claims(_Record):
    """What a signed token says about an actor or a provider; an unverified projection without the signature.

    ``rev`` is the revision in the token, not the record's revision in the lattice.
    """

    kind: ClassVar[Kind] = Kind.CLAIMS
    FIELDS: ClassVar[frozenset[str]] = frozenset(
        ("call_alias", "caps", "iss", "name", "rev", "sub", "tags", "version", "deleted")
    )

    public_key: str
    """``sub``: begins with M for an actor, with V for a provider."""
    issuer: str
    """``iss``: the account that signed."""
    name: str = ""
    call_alias: str = ""
    """Name under which other actors may call this one; empty for none."""
    capabilities: tuple[str, ...] = attrs.field(default=(), converter=_items_from)
    """``caps``: contract ids the actor may use."""
    tags: tuple[str, ...] = attrs.field(default=(), converter=_items_from)
    rev: str = "0"
    version: str | None = None

    @property
    def key(self) -> ClaimsKey:
        return ClaimsKey(self.public_key)

    @property
    def is_provider(self) -> bool:
        """Nothing in the value tells; the public key's first letter does (nkeys: V is a service)."""
        return self.public_key.startswith("V")

    def to_json(self) -> dict[str, Any]:
        """Return the host's JSON object."""
        return {
            **self.extra,
            "call_alias": self.call_alias,
            "caps": ",".join(self.capabilities),
            "iss": self.issuer,
            "name": self.name,
            "rev": self.rev,
            "sub": self.public_key,
            "tags": ",".join(self.tags),
            "version": self.version,
        }


@attrs.frozen(kw_only=True)
class LinkDefinition(_Record):
    """Which provider an actor uses for a contract under a link name, and with what values."""

    kind: ClassVar[Kind] = Kind.LINK
    FIELDS: ClassVar[frozenset[str]] = frozenset(
        ("actor_id", "contract_id", "deleted", "id", "link_name", "provider_id", "values")
    )

    actor_id: str
    provider_id: str
    contract_id: str
    link_name: str = "default"
    values: Mapping[str, str] = attrs.field(factory=dict, converter=_settings_from, repr=False)
    """Settings for the provider. They often hold secrets: no repr, log or error shows them."""

    @property
    def key(self) -> LinkKey:
        return LinkKey(self.actor_id, self.contract_id, self.link_name)

    def to_json(self) -> dict[str, Any]:
        """Return the host's JSON object but for ``id``, which belongs to the subject it is stored under."""
        return {
            **self.extra,
            "actor_id": self.actor_id,
            "contract_id": self.contract_id,
            "deleted": False,
            "link_name": self.link_name,
            "provider_id": self.provider_id,
            "values": dict(self.values),
        }


@attrs.frozen(kw_only=True)
class OciReference(_Record):
    """Which public key an image reference stands for."""

    kind: ClassVar[Kind] = Kind.OCI_REFERENCE
    FIELDS: ClassVar[frozenset[str]] = frozenset(("deleted", "oci_url", "public_key"))

    oci_url: str
    public_key: str

    @property
    def key(self) -> OciReferenceKey:
        return OciReferenceKey(self.oci_url)

    def to_json(self) -> dict[str, Any]:
        """Return the host's JSON object."""
        return {**self.extra, "oci_url": self.oci_url, "public_key": self.public_key}


Record: TypeAlias = Claims | LinkDefinition | OciReference


def _shown(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}…"


def _text(where: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT or _CONTROL.search(value):
        raise InvalidRecordError(
            f"{where} must be text of at most {_MAX_TEXT} characters without control characters, not {_shown(value)}"
        )
    return value


def _name(where: str, value: object) -> None:
    if not _text(where, value):
        raise InvalidRecordError(f"{where} must not be empty")


def _token(where: str, value: object) -> None:
    if not isinstance(value, str) or _TOKEN.fullmatch(value) is None:
        raise InvalidRecordError(f"{where} must be 1-256 characters of A-Z a-z 0-9 _ -, not {_shown(value)}")


def _items(where: str, values: tuple[str, ...]) -> None:
    for value in values:
        _name(where, value)
        if "," in value:
            raise InvalidRecordError(f"{where}: {_shown(value)} holds a comma, which hosts write between items")


def _settings(where: str, values: Mapping[Any, Any]) -> None:
    for name, value in values.items():
        if not all(isinstance(text, str) and not _SURROGATE.search(text) for text in (name, value)):
            raise InvalidRecordError(f"{where} must map text to text; {_shown(name)} does not")  # links hold passwords


def check(record: Record) -> None:
    """Accept a record that hosts can read back unchanged. Reading is more tolerant than this.

    Raises:
        InvalidRecordError: it is not one. Values of links are never part of the message.
    """
    key_of(record)
    match record:
        case Claims():
            _token("Claims.public_key", record.public_key)
            _name("Claims.issuer", record.issuer)
            _text("Claims.name", record.name)
            _text("Claims.call_alias", record.call_alias)
            _text("Claims.rev", record.rev)
            if record.version is not None:
                _text("Claims.version", record.version)
            _items("Claims.capabilities", record.capabilities)
            _items("Claims.tags", record.tags)
        case LinkDefinition():
            _name("LinkDefinition.actor_id", record.actor_id)
            _name("LinkDefinition.provider_id", record.provider_id)
            _name("LinkDefinition.contract_id", record.contract_id)
            _name("LinkDefinition.link_name", record.link_name)
            _settings("LinkDefinition.values", record.values)
        case OciReference():
            _name("OciReference.oci_url", record.oci_url)
            _token("OciReference.public_key", record.public_key)
    try:
        dict(record.extra)
    except (msgspec.MsgspecError, AttributeError, UnicodeDecodeError, RecursionError):
        raise InvalidRecordError(f"{type(record).__name__}.source must be a JSON object, or left out") from None


def key_of(record: object) -> Key:
    """Return the key of what should be a record.

    Raises:
        InvalidRecordError: it is something else.
    """
    if not isinstance(record, Claims | LinkDefinition | OciReference):
        raise InvalidRecordError(f"not a record of a lattice: {type(record).__name__}")
    return record.key


def same(left: Record, right: Record) -> bool:
    """Return whether two records say the same, unknown fields included."""
    return left == right and left.extra == right.extra
