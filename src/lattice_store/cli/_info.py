"""``info``: what a lattice's stream is like, and what it holds. It changes nothing."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import msgspec

from lattice_store._ensure import Ensured, EnsureOutcome
from lattice_store._lattice import Lattice
from lattice_store._view import LatticeView
from lattice_store.cli._connection import Connection
from lattice_store.cli._exit import ExitCode
from lattice_store.cli._present import corrupt_json
from lattice_store.cli._progress import progress_bar
from lattice_store.cli._read import HERE
from lattice_store.cli._session import OutputForm, SessionArgument
from lattice_store.cli._text import columns, counted, escaped, fields
from lattice_store.limits import SECOND_NS

_IN_WORDS: Final = {
    EnsureOutcome.IDENTICAL: "identical: as wasmCloud hosts make it",
    EnsureOutcome.CUSTOM: "custom: differs from what wasmCloud hosts make, and is used as it is",
    EnsureOutcome.MISSING: "missing: there is no such stream; a host makes it, or put --create",
    EnsureOutcome.OVERLAPPED: "overlapped: another stream holds the lattice's subjects, so its own cannot be made",
}


async def info(*, at: Connection = HERE, output: OutputForm = "table", session: SessionArgument) -> ExitCode:
    """Show the stream of a lattice, how it differs from what hosts make, what that will cost, and what it holds.

    Exits with 3 if the lattice has no stream.

    Parameters
    ----------
    output
        Form of the output.
    """
    async with at.opened(session) as (_, lattice):
        found = await lattice.inspect()
        if found.error is not None:
            raise found.error
        view = None
        if found.usable:
            with progress_bar(session, "reading") as progress:
                view = await lattice.rebuild(progress=progress)
    if output == "table":
        session.say(_lines(lattice, found, view))
    else:
        session.say_json(_json(lattice, found, view), output)
    return ExitCode.OK if found.usable else ExitCode.CONNECTION


def _json(lattice: Lattice, found: Ensured, view: LatticeView | None) -> dict[str, Any]:
    report: dict[str, Any] = {
        "lattice": lattice.prefix,
        "stream": lattice.stream,
        "outcome": found.outcome.value,
        "overlapping": list(found.overlapping),
        "differences": [_plain(msgspec.structs.asdict(difference)) for difference in found.differences],
        "warnings": [_plain(msgspec.structs.asdict(warning)) for warning in found.warnings],
    }
    if found.info is not None:
        report |= {
            "created_ns": found.info.created_ns,
            "config": _plain(attrs.asdict(found.info.config)),
            "state": msgspec.structs.asdict(found.info.state),
        }
    if view is not None:
        report |= {
            "revision": view.revision,
            "records": _counts(view),
            "corrupt": [corrupt_json(corrupt.error) for corrupt in view.corrupt.values()],
            "alias_conflicts": [
                {
                    "call_alias": conflict.call_alias,
                    "owner": conflict.owner.public_key,
                    "others": [other.public_key for other in conflict.others],
                }
                for conflict in view.alias_conflicts()
            ],
        }
    return report


def _lines(lattice: Lattice, found: Ensured, view: LatticeView | None) -> Iterator[str]:
    yield from fields(_summary(lattice, found, view))
    if found.differences:
        header = ("SETTING", "HOSTS MAKE", "HERE")
        yield from columns(header, ((d.setting, _shown(d.default), _shown(d.actual)) for d in found.differences))
    for warning in found.warnings:
        yield escaped(f"warning: {warning.setting} = {_shown(warning.actual)}: {warning.consequence}")
    if view is not None:
        for corrupt in view.corrupt.values():
            yield escaped(f"corrupt: {corrupt.error}")
        for conflict in view.alias_conflicts():
            others = ", ".join(other.public_key for other in conflict.others)
            owner = conflict.owner.public_key
            yield escaped(f"conflict: call alias {conflict.call_alias} belongs to {owner}, and not to {others}")


def _summary(lattice: Lattice, found: Ensured, view: LatticeView | None) -> Iterator[tuple[str, str]]:
    yield "lattice", lattice.prefix
    yield "stream", lattice.stream
    yield "outcome", _IN_WORDS[found.outcome]
    if found.overlapping:
        yield "overlapping", ", ".join(found.overlapping)
    if found.info is not None:
        created = datetime.fromtimestamp(found.info.created_ns // SECOND_NS, UTC)
        config, state = found.info.config, found.info.state
        yield "created", created.isoformat()
        yield "kept", f"{counted(config.num_replicas, 'replica')}, in {config.storage.value}"
        yield "holds", f"{counted(state.messages, 'message')}, {state.bytes} bytes"
    if view is not None:
        yield "revision", str(view.revision)
        yield from ((name, str(count)) for name, count in _counts(view).items())
        yield "corrupt", str(len(view.corrupt))


def _counts(view: LatticeView) -> dict[str, int]:
    return {"claims": len(view.claims), "links": len(view.links), "oci": len(view.oci_references)}


def _shown(value: Any) -> str:
    plain = _plain(value)
    return "none" if plain is None else str(plain)


def _plain(value: Any) -> Any:
    """Return *value* in the types of JSON."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return value
