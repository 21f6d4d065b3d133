"""``ls``, ``get``, ``dump``: reading a lattice."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from lattice_store._formats import StreamFormat
from lattice_store._json import Deleted
from lattice_store._records import ClaimsKey, Key, LinkDefinition, LinkKey, OciReferenceKey, Record
from lattice_store._view import LatticeView
from lattice_store.cli._connection import Connection, Opened
from lattice_store.cli._present import HEADERS, KINDS, details, entry_json, rows
from lattice_store.cli._progress import progress_bar
from lattice_store.cli._session import OutputForm, Session, SessionArgument
from lattice_store.cli._text import columns, counted, fields, to_json
from lattice_store.errors import InvalidArgumentError, InvalidRecordError, ReplayInterruptedError, ResetReason
from lattice_store.model import DELIVER_LAST_PER_SUBJECT, Message

HERE = Connection()
KindsArgument = Literal["claims", "links", "oci"]
KindArgument = Literal["claims", "link", "oci"]


def key_from(kind: KindArgument, words: tuple[str, ...]) -> Key:
    """Return the key that *words* of a command line name.

    Raises:
        InvalidArgumentError: there are too few or too many of them, or one is not UTF-8.
    """
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError as error:  # Python hands on such bytes of a command line as surrogates
            raise InvalidArgumentError(f"{word!a} is not UTF-8") from error
    match kind, words:
        case "claims", (public_key,):
            return ClaimsKey(public_key)
        case "link", (actor_id, contract_id, *link_name) if len(link_name) <= 1:
            return LinkKey(actor_id, contract_id, *link_name)
        case "oci", (oci_url,):
            return OciReferenceKey(oci_url)
    needed = {"claims": "PUBLIC_KEY", "link": "ACTOR CONTRACT [NAME]", "oci": "URL"}
    raise InvalidArgumentError(f"{kind} is told apart by {needed[kind]}; {len(words)} words were given")


async def ls(
    kind: KindsArgument | None = None,
    /,
    *,
    at: Connection = HERE,
    output: OutputForm = "table",
    show_values: bool = False,
    session: SessionArgument,
) -> None:
    """List the records of a lattice, with their revisions.

    Parameters
    ----------
    kind
        Only this kind.
    output
        json is one array, jsonl one record a line.
    show_values
        Show the values of links, which often hold secrets.
    """
    wanted = tuple(KINDS.values()) if kind is None else (KINDS[kind],)
    async with at.opened(session) as (_, lattice):
        with progress_bar(session, "reading") as progress:
            view = await lattice.rebuild(*wanted, progress=progress)
    entries = sorted(view, key=lambda entry: msgspec.structs.astuple(entry.record.key))
    if output == "table":
        tables = ([entry for entry in entries if isinstance(entry.record, each)] for each in wanted)
        for position, (each, table) in enumerate(zip(wanted, tables, strict=True)):
            if position:
                session.say([""])
            header, *lines = columns(HEADERS[each], rows(table, show_values=show_values))
            session.say_title(header)
            session.say(lines)
    elif output == "json":
        session.say_json([entry_json(entry, show_values=show_values) for entry in entries], "json")
    else:
        session.say(to_json(entry_json(entry, show_values=show_values)) for entry in entries)
    _report_corrupt(session, view)


def _report_corrupt(session: Session, view: LatticeView) -> None:
    if view.corrupt:
        session.warn(f"left out {counted(len(view.corrupt), 'message')} that cannot be read: see info")


async def get(
    kind: KindArgument,
    /,
    *key: str,
    at: Connection = HERE,
    output: OutputForm = "table",
    show_values: bool = False,
    session: SessionArgument,
) -> None:
    """Show one record: get claims PUBLIC_KEY, get link ACTOR CONTRACT [NAME], get oci URL.

    Exits with 1 if there is none.

    Parameters
    ----------
    kind
        What it is.
    key
        Which one.
    output
        Form of the output.
    show_values
        Show the values of a link, which often hold secrets.
    """
    wanted = key_from(kind, key)
    async with at.opened(session) as (_, lattice):
        entry = await lattice.get(wanted)
    if output == "table":
        session.say(fields(details(entry, show_values=show_values)))
    else:
        session.say_json(entry_json(entry, show_values=show_values), output)


async def dump(
    *,
    at: Connection = HERE,
    everything: Annotated[bool, Parameter(name="--all", negative=())] = False,
    session: SessionArgument,
) -> None:
    """Print every stored value as it is, as JSON lines in the order of their revisions: a backup, for put to read.

    Each line has subject, revision and value, the stored text; value_base64 instead, if it is not
    UTF-8. What is no record has corrupt set. Values of links are included: keep the output as secret
    as they are.

    Parameters
    ----------
    everything
        Also the marks of deleted records, with deleted set; without it only those that matter, because an
        older value of the same link still stands under another id.
    """
    format_ = StreamFormat(at.prefix)
    session.warn("the values of links are part of a dump, and may be secrets")
    printed: set[LinkKey] = set()
    async with at.opened(session) as opened:
        async for message in _last_messages(opened, session):
            record = _decoded(format_, message)
            if isinstance(record, LinkDefinition):
                printed.add(record.key)
            if everything or not isinstance(record, Deleted) or record.key in printed:
                session.say([to_json(_raw(message, record))])


async def _last_messages(opened: Opened, session: Session) -> AsyncIterator[Message]:
    """Yield the last message of every subject, in order, as they arrive."""
    stream = opened.lattice.stream
    done = 0
    async with opened.storage.replay(
        stream, subjects=(StreamFormat(opened.lattice.prefix).subjects,), deliver=DELIVER_LAST_PER_SUBJECT
    ) as replay:
        if replay.caught_up:
            return
        with progress_bar(session, "reading", while_printing=True) as progress:
            async for batch in replay.batches():
                for message in batch.messages:
                    yield message
                done += len(batch.messages)
                progress(done, batch.pending)
                if batch.caught_up:
                    return
    # Unreachable while `batches` keeps its contract to go on for ever; never let half a backup look whole.
    raise ReplayInterruptedError(stream, ResetReason.STREAM_DELETED, 0)


def _decoded(format_: StreamFormat, message: Message) -> Record | Deleted | None:
    try:
        return format_.decode(message.subject, message.payload)
    except InvalidRecordError:
        return None


def _raw(message: Message, record: Record | Deleted | None) -> dict[str, Any]:
    line: dict[str, Any] = {"subject": message.subject, "revision": message.sequence}
    try:
        line["value"] = message.payload.decode()
    except UnicodeDecodeError:
        line["value_base64"] = base64.b64encode(message.payload).decode()
    if record is None:
        line["corrupt"] = True
    elif isinstance(record, Deleted):
        line["deleted"] = True
    return line
