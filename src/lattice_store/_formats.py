"""How a lattice lies in a stream: names, subjects, payloads, the form of a deletion. Pure.

`StreamFormat` is the format of wasmCloud hosts up to 0.59 (wasmcloud-otp
``host_core/jetstream/client.ex``): stream ``LATTICECACHE_{prefix}`` on ``lc.{prefix}.>``, one message per
subject, ``lc.{prefix}.{claims|linkdefs|refmap}.{token}``.
"""

from __future__ import annotations

import base64
import uuid
from binascii import b2a_base64
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import attrs
import msgspec

from lattice_store._json import Deleted, deletion, encode, known_reader, read, value_of
from lattice_store._records import (
    NO_SOURCE,
    ClaimsKey,
    Key,
    Kind,
    LinkDefinition,
    LinkKey,
    OciReferenceKey,
    Record,
    check,
    kind_of,
)
from lattice_store._shapes import Keyed
from lattice_store.errors import InvalidPrefixError, InvalidRecordError
from lattice_store.limits import DEFAULT_DUPLICATE_WINDOW_NS, DEFAULT_LIMITS
from lattice_store.model import StorageType, StreamConfig
from lattice_store.subjects import check_prefix, check_subject

STREAM_NAME_START: Final = "LATTICECACHE_"
CommonlyKeyed: TypeAlias = Keyed | tuple[None, None]
UNCOMMON: Final = (None, None)
_LINK_NAMESPACE: Final = uuid.UUID("7d1c1f0a-6d5b-5c56-9d0e-0b6d0c8f4c11")
_BY_TOKEN: Final = {kind.value: kind for kind in Kind}


def link_id(key: LinkKey) -> str:
    """Return the id of a new link: hosts draw one at random, we derive it, so that writers meet (UUID version 5)."""
    return str(uuid.uuid5(_LINK_NAMESPACE, f"{key.actor_id}\n{key.contract_id}\n{key.link_name}"))


def reference_token(oci_url: str) -> str:
    """Return the subject token of a reference: URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(oci_url.encode()).rstrip(b"=").decode()


def prefix_of(stream: str) -> str | None:
    """Return the prefix of the lattice that *stream* holds by its name, or ``None``."""
    return stream.removeprefix(STREAM_NAME_START) if stream.startswith(STREAM_NAME_START) else None


def _is_prefix(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str):
        raise InvalidPrefixError(f"lattice prefix {value!r} is not a text")
    check_prefix(value)


def _token(key: Key) -> str:
    match key:
        case ClaimsKey(public_key):
            return public_key
        case LinkKey():
            return link_id(key)
        case OciReferenceKey(oci_url):
            return reference_token(oci_url)


@attrs.frozen
class StreamFormat:
    """The names and bytes of one lattice.

    Raises:
        InvalidPrefixError: *prefix* is not a single token.
    """

    prefix: str = attrs.field(validator=_is_prefix)
    max_value_bytes: int = DEFAULT_LIMITS.max_value_bytes
    """Largest value read or written."""
    _start: str = attrs.field(
        init=False, repr=False, eq=False, default=attrs.Factory(lambda self: f"lc.{self.prefix}.", takes_self=True)
    )

    @property
    def stream(self) -> str:
        return f"{STREAM_NAME_START}{self.prefix}"

    @property
    def subjects(self) -> str:
        """The filter that covers the whole lattice."""
        return f"{self._start}>"

    def subjects_of(self, kind: Kind) -> str:
        """Return the filter that covers one kind of record."""
        return f"{self._start}{kind.value}.>"

    def start_of(self, kind: Kind) -> str:
        """Return what the subjects of one kind of record begin with."""
        return f"{self._start}{kind.value}."

    def config(self) -> StreamConfig:
        """Return the stream as wasmCloud hosts make it, field for field."""
        return StreamConfig(
            name=self.stream,
            subjects=(self.subjects,),
            storage=StorageType.MEMORY,
            max_msgs_per_subject=1,
            duplicate_window_ns=DEFAULT_DUPLICATE_WINDOW_NS,
        )

    def subject(self, key: Key) -> str:
        """Return the subject of a record; for a link, the one a new link gets.

        Raises:
            InvalidRecordError: the key cannot be part of a subject.
        """
        try:
            kind, token = kind_of(key), _token(key)
        except (UnicodeEncodeError, AttributeError, TypeError):
            raise InvalidRecordError(f"a {type(key).__name__} holds what is no text") from None
        subject = f"{self._start}{kind.value}.{token}"
        try:
            check_subject(subject)
        except ValueError as error:
            raise InvalidRecordError(f"{key} does not fit into a subject: {error}") from error
        if subject.count(".") != 3:  # lc, prefix, kind, token
            raise InvalidRecordError(f"{key} must not hold a dot: it is one token of a subject")
        return subject

    def parse_subject(self, subject: str) -> tuple[Kind, str]:
        """Return kind and token of a stored message's subject.

        Raises:
            InvalidRecordError: it is not the subject of a record.
        """
        word, _, token = subject.removeprefix(self._start).partition(".")
        kind = _BY_TOKEN.get(word)
        if kind is None:
            raise InvalidRecordError(f"unknown kind of record {word!r}")
        if not token or "." in token:
            raise InvalidRecordError(f"a {word} subject ends in exactly one more token")
        return kind, token

    def read(self, subject: str, payload: bytes) -> Keyed:
        """Read a stored message.

        Raises:
            InvalidRecordError: subject or payload are not those of a record, or contradict each other.
        """
        kind, token = self.parse_subject(subject)
        if len(payload) > self.max_value_bytes:
            raise InvalidRecordError(f"value of {len(payload)} bytes; at most {self.max_value_bytes} are read")
        keyed = read(kind, payload)
        key = keyed[0]
        if type(key) is ClaimsKey:
            if key.public_key != token:
                raise InvalidRecordError("sub differs from the public key in the subject")
        elif type(key) is OciReferenceKey and reference_token(key.oci_url) != token:
            raise InvalidRecordError("oci_url differs from the reference in the subject")
        return keyed

    def common_reader(self, kind: Kind) -> Callable[[str, bytes], CommonlyKeyed]:
        """Return what reads almost every value of a kind, given the token of its subject: as `read`, in less time.

        What it returns no record for, or raises one of `UNREADABLE`, is `read`'s to decide.
        """
        known, keyed = known_reader(kind)
        largest = self.max_value_bytes

        def claims(token: str, payload: bytes) -> CommonlyKeyed:
            given = known(payload)
            return keyed(given) if given.sub == token and len(payload) <= largest else UNCOMMON

        def link(token: str, payload: bytes) -> CommonlyKeyed:
            return keyed(known(payload)) if token and len(payload) <= largest else UNCOMMON

        def oci_reference(token: str, payload: bytes) -> CommonlyKeyed:
            given = known(payload)
            plain = b2a_base64(given.oci_url.encode(), newline=False).rstrip(b"=")
            return keyed(given) if plain == token.encode() and len(payload) <= largest else UNCOMMON

        match kind:
            case Kind.CLAIMS:
                return claims
            case Kind.LINK:
                return link
            case Kind.OCI_REFERENCE:
                return oci_reference

    def decode(self, subject: str, payload: bytes) -> Record | Deleted:
        """Read a stored message; a mark of deletion is a value too.

        Raises:
            InvalidRecordError: as `read` does.
        """
        return value_of(self.read(subject, payload))

    def encode(self, record: Record, subject: str) -> bytes:
        """Write *record* as the host would on *subject*.

        Raises:
            InvalidRecordError: hosts could not read it back unchanged, or it is larger than they may publish.
        """
        check(record)
        fields = record.to_json()
        if isinstance(record, LinkDefinition):
            fields["id"] = subject.rpartition(".")[2]
        return self._fitting(fields, record.key)

    def last_value(self, record: Record, subject: str) -> bytes:
        """Return the JSON that *record* was read from on *subject*, or what comes to the same; empty if there is none."""
        if record.source != NO_SOURCE:
            return record.source
        try:
            return self.encode(record, subject)
        except InvalidRecordError:  # hosts could not read it back: it was not written by one
            return b""

    def encode_deleted(self, payload: bytes, key: Key) -> bytes:
        """Write the deleted mark of the record whose last value is *payload*: the same object with ``deleted: true``.

        If that is no object, or would become too large, the mark holds the key alone.
        """
        try:
            return self._fitting({**msgspec.json.decode(payload), "deleted": True}, key)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError, InvalidRecordError):
            return self._fitting(deletion(key), key)

    def _fitting(self, fields: dict[str, Any], key: Key) -> bytes:
        payload = encode(fields)
        if len(payload) > self.max_value_bytes:
            raise InvalidRecordError(f"{key} takes {len(payload)} bytes; at most {self.max_value_bytes} may be written")
        return payload
