"""``put`` and ``del``: writing a lattice."""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from lattice_store._formats import StreamFormat
from lattice_store._records import Key, Record
from lattice_store._writes import ABSENT
from lattice_store.cli._connection import Connection
from lattice_store.cli._exit import ExitCode
from lattice_store.cli._given import KINDS, Given, parse
from lattice_store.cli._present import kind_of
from lattice_store.cli._read import HERE, KindArgument, key_from
from lattice_store.cli._session import OutputForm, Session, SessionArgument
from lattice_store.cli._text import counted, escaped
from lattice_store.errors import InvalidArgumentError, InvalidRecordError, LatticeStoreError


def put(
    record: str | None = None,
    /,
    *,
    file: Annotated[Path | None, Parameter(name=["--file", "-f"])] = None,
    kind: KindArgument | None = None,
    expect: int | Literal["absent"] | None = None,
    create: Annotated[bool, Parameter(negative=())] = False,
    at: Connection = HERE,
    output: OutputForm = "table",
    session: SessionArgument,
) -> Coroutine[Any, Any, None]:
    """Store records, given as the JSON that hosts write; several one after another, as JSON lines.

    Also takes the lines of dump, and of ls and get with --show-values -o jsonl. All are checked before the
    first is written.

    Parameters
    ----------
    record
        The JSON; without it and without --file, standard input is read.
    file
        File with the JSON.
    kind
        What the records are, in the form of hosts; guessed if left out.
    expect
        Only if the record is at this revision, or absent.
    create
        Make the lattice's stream if there is none, as a host would.
    output
        Form of the output.
    """
    # Read before there is an event loop, which would hold back Ctrl-C until the read is over.
    given = parse(_given_text(record, file, session), None if kind is None else KINDS[kind])
    records = given.records()
    if expect is not None and len(records) != 1:
        raise InvalidArgumentError(f"--expect speaks of one record; {len(records)} were given")
    format_ = StreamFormat(at.prefix)
    for each in records:
        format_.encode(each, format_.subject(each.key))
    revision = ABSENT if expect == "absent" else expect
    _report_skipped(session, given)
    return _put_all(session, at, records, expect=revision, create=create, output=output)


def _report_skipped(session: Session, given: Given) -> None:
    skipped = [(given.deleted, "deleted mark"), (given.corrupt, "corrupt message")]
    if said := [counted(number, what) for number, what in skipped if number]:
        session.warn(f"skipped {' and '.join(said)}")


async def _put_all(
    session: Session, at: Connection, records: list[Record], *, expect: int | None, create: bool, output: OutputForm
) -> None:
    async with AsyncExitStack() as stack:
        _, lattice = await stack.enter_async_context(at.opened(session))
        if create and (refusal := (await lattice.ensure()).error) is not None:
            raise refusal
        if len(records) > 1:  # or else each link would be looked up by a replay of its own
            await stack.enter_async_context(lattice.attach())
        for position, record in enumerate(records, start=1):
            try:
                revision = await lattice.put(record, expect=expect)
            except LatticeStoreError:
                if len(records) > 1:
                    session.warn(f"stopped at record {position} of {len(records)}; those before it are stored")
                raise
            _report(session, output, "put", record.key, revision)


async def delete(
    kind: KindArgument,
    /,
    *key: str,
    expect: int | None = None,
    at: Connection = HERE,
    output: OutputForm = "table",
    session: SessionArgument,
) -> ExitCode:
    """Mark a record as deleted: del claims PUBLIC_KEY, del link ACTOR CONTRACT [NAME], del oci URL.

    Exits with 1 if there is none. Hosts up to 0.59 honour the mark for links only.

    Parameters
    ----------
    kind
        What it is.
    key
        Which one.
    expect
        Only if the record is at this revision.
    output
        Form of the output.
    """
    wanted = key_from(kind, key)
    async with at.opened(session) as (_, lattice):
        revision = await lattice.remove(wanted, expect=expect)
    if revision is None:
        session.warn(escaped(f"no {wanted} in lattice {at.prefix}: nothing to delete"))
        return ExitCode.NOT_FOUND
    _report(session, output, "deleted", wanted, revision)
    return ExitCode.OK


def _report(session: Session, output: OutputForm, what: str, key: Key, revision: int) -> None:
    if output == "table":
        session.say([escaped(f"{what}  {key}  at revision {revision}")])
    else:
        session.say_json({"kind": kind_of(key), "key": msgspec.structs.asdict(key), "revision": revision}, output)


def _given_text(record: str | None, file: Path | None, session: Session) -> str:
    if record is not None:
        if file is not None:
            raise InvalidArgumentError("give the JSON as an argument or as --file, not both")
        return record
    if file is None and session.stdin.isatty():
        raise InvalidArgumentError("nothing to put: give the JSON as an argument, as --file, or on standard input")
    try:
        raw = session.stdin.read() if file is None else file.read_bytes()
    except OSError as error:
        where = "standard input" if file is None else f"--file {str(file)!r}"
        raise InvalidArgumentError(f"{where}: {error.strerror}") from error
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidRecordError(f"not UTF-8 at byte {error.start}") from error
