"""Records as the command shows them: as JSON, as rows of a table, in a line. Values of links are masked. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from lattice_store._changes import Entry, RecordCorrupt, RecordPut, RecordRemoved
from lattice_store._records import (
    Claims,
    ClaimsKey,
    Key,
    LinkDefinition,
    LinkKey,
    OciReference,
    OciReferenceKey,
    Record,
)
from lattice_store._watch import CaughtUp, Event, Reset
from lattice_store.cli._text import MASK, counted
from lattice_store.errors import CorruptRecordError

KINDS: Final[dict[str, type[Record]]] = {"claims": Claims, "links": LinkDefinition, "oci": OciReference}
"""The kinds by the words of ``ls`` and ``watch``; ``get``, ``put`` and ``del`` speak of one ``link``."""

HEADERS: Final[dict[type[Record], tuple[str, ...]]] = {
    Claims: ("CLAIMS", "NAME", "VERSION", "CALL ALIAS", "CAPABILITIES", "REVISION"),
    LinkDefinition: ("LINK OF ACTOR", "CONTRACT", "LINK NAME", "PROVIDER", "VALUES", "REVISION"),
    OciReference: ("OCI REFERENCE", "PUBLIC KEY", "REVISION"),
}


def kind_of(key: Key) -> str:
    """Return the word for the kind of *key*."""
    match key:
        case ClaimsKey():
            return "claims"
        case LinkKey():
            return "link"
        case OciReferenceKey():
            return "oci"


def masked(values: Mapping[str, Any], show_values: bool) -> dict[str, Any]:
    """Return *values*, without what they hold unless it is to be shown."""
    return {name: value if show_values else MASK for name, value in values.items()}


def record_json(entry: Entry[Record], *, show_values: bool) -> dict[str, Any]:
    """Return a record as its host would write it."""
    record = entry.record
    fields = record.to_json()
    if isinstance(record, LinkDefinition):
        # Nobody knows what unknown fields of a link hold: they are masked as well.
        fields |= masked(record.extra, show_values)
        fields |= {"id": entry.subjects[0].rpartition(".")[2], "values": masked(record.values, show_values)}
    return dict(sorted(fields.items()))


def entry_json(entry: Entry[Record], *, show_values: bool) -> dict[str, Any]:
    """Return a record with its kind, revision and subjects."""
    return {
        "kind": kind_of(entry.record.key),
        "revision": entry.revision,
        "subjects": list(entry.subjects),
        "record": record_json(entry, show_values=show_values),
    }


def corrupt_json(error: CorruptRecordError) -> dict[str, Any]:
    """Return what is known of a message that is no record; never what it holds."""
    return {"subject": error.subject, "revision": error.revision, "problem": error.problem}


def event_json(event: Event, *, show_values: bool) -> dict[str, Any]:
    """Return an event of a watch."""
    match event:
        case RecordPut(entry):
            return {"type": "put", **entry_json(entry, show_values=show_values)}
        case RecordRemoved(key, revision):
            return {"type": "removed", "kind": kind_of(key), "key": msgspec.structs.asdict(key), "revision": revision}
        case RecordCorrupt(error):
            return {"type": "corrupt", **corrupt_json(error)}
        case CaughtUp(revision, records):
            return {"type": "caught_up", "revision": revision, "records": records}
        case Reset(reason):
            return {"type": "reset", "reason": reason.value}


def event_line(event: Event, *, show_values: bool) -> str:
    """Return an event of a watch as one line for people."""
    match event:
        case RecordPut(entry):
            return _line("put", entry.revision, f"{entry.record.key}  {gist(entry.record, show_values=show_values)}")
        case RecordRemoved(key, revision):
            return _line("removed", revision, str(key))
        case RecordCorrupt(error):
            return _line("corrupt", error.revision, f"{error.subject}  {error.problem}")
        case CaughtUp(revision, records):
            return _line("caught up", revision, counted(records, "record"))
        case Reset(reason):
            return _line("reset", "", reason.value)


def _line(what: str, revision: object, detail: str) -> str:
    return f"{what:<9} {revision:>7}  {detail}".rstrip()


def gist(record: Record, *, show_values: bool) -> str:
    """Return what a record says besides its key, in a few words."""
    match record:
        case Claims():
            return " ".join(filter(None, (record.name, record.version)))
        case LinkDefinition():
            return f"-> {record.provider_id}  {_settings(record, show_values)}"
        case OciReference():
            return f"-> {record.public_key}"


def rows(entries: Iterable[Entry[Record]], *, show_values: bool) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each entry, as `HEADERS` names them."""
    for entry in entries:
        record, revision = entry.record, str(entry.revision)
        match record:
            case Claims():
                capabilities = " ".join(record.capabilities)
                version = record.version or ""
                yield record.public_key, record.name, version, record.call_alias, capabilities, revision
            case LinkDefinition():
                yield *msgspec.structs.astuple(record.key), record.provider_id, _settings(record, show_values), revision
            case OciReference():
                yield record.oci_url, record.public_key, revision


def details(entry: Entry[Record], *, show_values: bool) -> Iterator[tuple[str, str]]:
    """Yield everything about one record as names and texts."""
    for name, value in record_json(entry, show_values=show_values).items():
        if name == "values" and isinstance(value, dict):
            yield from ((f"values.{setting}", str(text)) for setting, text in value.items())
        else:
            yield name, "" if value is None else str(value)
    yield "revision", str(entry.revision)
    yield from (("subject", subject) for subject in entry.subjects)


def _settings(link: LinkDefinition, show_values: bool) -> str:
    return " ".join(f"{name}={value}" for name, value in masked(link.values, show_values).items())
