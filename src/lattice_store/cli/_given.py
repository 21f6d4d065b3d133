"""Records as they are given to ``put``: as hosts write them, or as the lines that ``dump``, ``ls`` and ``get`` print. Pure."""

from __future__ import annotations

import base64
import json
from typing import Any, Final, Literal

import attrs
import msgspec

from lattice_store._formats import StreamFormat
from lattice_store._json import Deleted, decode
from lattice_store._records import Key, Kind, LinkDefinition, Record
from lattice_store.cli._text import MASK
from lattice_store.errors import InvalidPrefixError, InvalidRecordError

KINDS: Final = {"claims": Kind.CLAIMS, "link": Kind.LINK, "oci": Kind.OCI_REFERENCE}
_TELLING_FIELDS: Final = {"sub": Kind.CLAIMS, "actor_id": Kind.LINK, "oci_url": Kind.OCI_REFERENCE}
_WHITE_SPACE: Final = " \t\r\n"


@attrs.define
class Given:
    """What is to be put, and how much of a dump is not."""

    values: list[Record | Deleted] = attrs.field(factory=list)
    corrupt: int = 0

    def __len__(self) -> int:
        return len(self.values) + self.corrupt

    @property
    def deleted(self) -> int:
        return sum(isinstance(value, Deleted) for value in self.values)

    def records(self) -> list[Record]:
        """Return the records, but for links with a deleted mark further on: of several values the newest counts."""
        kept: list[Record] = []
        marked: set[Key] = set()
        for value in reversed(self.values):
            if isinstance(value, Deleted):
                marked.add(value.key)
            elif value.key not in marked:
                kept.append(value)
        return kept[::-1]


def parse(text: str, kind: Kind | None) -> Given:
    """Read one or more JSON objects. What they hold is never part of an error.

    Args:
        text: the objects, one after another.
        kind: what they are, all in the form of hosts; without it, each object tells by its fields.

    Raises:
        InvalidRecordError: there is none, or one of them is not a record.
    """
    given = Given()
    position, decoder = _skip_space(text, 0), json.JSONDecoder()
    while position < len(text):
        number = f"record {len(given) + 1}"
        try:
            value, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise InvalidRecordError(f"not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from error
        except ValueError as error:  # of int(), for more than 4300 digits
            raise InvalidRecordError(f"{number}: a number is too long to be read") from error
        except RecursionError as error:
            raise InvalidRecordError(f"{number}: nested too deeply") from error
        try:
            _take(given, value, text[position:end], kind)
        except InvalidRecordError as error:
            raise InvalidRecordError(f"{number}: {error}") from error
        position = _skip_space(text, end)
    if not given:
        raise InvalidRecordError("no JSON was given")
    return given


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in _WHITE_SPACE:
        position += 1
    return position


def _take(given: Given, value: Any, text: str, kind: Kind | None) -> None:
    if not isinstance(value, dict):
        raise InvalidRecordError(f"a record is a JSON object, not a {type(value).__name__}")
    guesses = [guess for field, guess in _TELLING_FIELDS.items() if field in value]
    if kind is None and not guesses and "subject" in value:
        _take_dumped(given, value)
        return
    payload = _bytes(text)
    if kind is None and not guesses and "record" in value:
        kind, payload = _listed(payload)
    elif kind is None:
        if len(guesses) != 1:
            raise InvalidRecordError("its fields do not tell whether it is claims, link or oci: say --kind")
        kind = guesses[0]
    record = decode(kind, payload)
    if isinstance(record, Deleted):
        raise InvalidRecordError("it is marked as deleted: use del")
    if isinstance(record, LinkDefinition) and MASK in (*record.values.values(), *record.extra.values()):
        raise InvalidRecordError(f"values were masked as {MASK} when it was read: read it with --show-values")
    given.values.append(record)


def _take_dumped(given: Given, line: dict[str, Any]) -> None:
    """Take a line of ``dump``; the lattice and, of a link, the id in its subject do not matter."""
    if line.get("corrupt") is True:
        given.corrupt += 1
        return
    subject = line["subject"]
    try:
        format_ = StreamFormat(subject.split(".")[1])
    except (AttributeError, IndexError, InvalidPrefixError) as error:
        raise InvalidRecordError("its subject is not that of a record") from error
    given.values.append(format_.decode(subject, _payload(line)))


def _payload(line: dict[str, Any]) -> bytes:
    match line:
        case {"value": str(value)}:
            return _bytes(value)
        case {"value_base64": str(value)}:
            try:
                return base64.b64decode(value, validate=True)
            except ValueError as error:
                raise InvalidRecordError("its value_base64 is not base64") from error
    raise InvalidRecordError("a line of dump has value or value_base64, a text")


class _Listed(msgspec.Struct):
    """A line of ``ls`` or ``get``, as far as it matters."""

    kind: Literal["claims", "link", "oci"]
    record: msgspec.Raw


def _listed(payload: bytes) -> tuple[Kind, bytes]:
    """Return kind and JSON of the record in a line of ``ls`` or ``get``."""
    try:
        line = msgspec.json.decode(payload, type=_Listed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRecordError(f"not a line of ls or get: {error}") from error
    return KINDS[line.kind], bytes(line.record)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
