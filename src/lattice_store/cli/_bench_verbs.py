"""``bench rebuild``, ``bench publish``, ``bench sim``: their options and output. The measuring is in `_bench`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Final, Literal

import attrs
from cyclopts import App, Parameter

from lattice_store.cli._connection import Access
from lattice_store.cli._progress import progress_bar, steps_bar
from lattice_store.cli._session import OutputForm, Session, SessionArgument
from lattice_store.cli._text import to_json
from lattice_store.errors import InvalidArgumentError
from lattice_store.model import StorageType

if TYPE_CHECKING:
    from lattice_store.cli._bench._ground import Ground
    from lattice_store.cli._bench._suites import Plan, Report

RebuildPath = Literal["cold", "cold-ready", "cold-eager", "fallback", "warm", "natsrpy", "ordered", "watchall", "drain"]
PublishPath = Literal["put-many", "publish-many", "publish-many-id", "publish", "js-publish-async", "js-publish"]
SimPath = Literal[
    "sim-publish", "sim-publish-id", "py-key-value", "fakeredis", "sim-cold", "sim-cold-ready", "sim-cold-eager"
]
_LEAST_KEYS: Final = 10
_WIDEST: Final = 1000
_ONLY: Final = Parameter(name="--only", consume_multiple=True, negative=(), show_default=False)
_NOBODY: Final = Access()

bench: Final = App(
    name="bench",
    help="Measure rebuilds, publishing and the simulator on this machine, beside what else there is.",
    help_format="plaintext",
    default_parameter=Parameter(negative=()),
    sort_key=100,  # after the verbs of daily use
)


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Amount:
    """How much is measured."""

    keys: int = 100_000
    """How many records."""
    runs: int = 5
    """How often each path is measured; the paths take turns."""
    payload: int = 292
    """Mean size of a record, in bytes: 130 at least."""
    no_gc: bool = False
    """Switch Python's garbage collector off, for all paths."""
    uvloop: bool = False
    """On uvloop instead of asyncio's own loop."""

    def plan(self, paths: Iterable[str], *, writers: int = 0) -> Plan:
        from lattice_store.cli._bench._data import Records
        from lattice_store.cli._bench._suites import Plan, has_uvloop

        if self.keys < _LEAST_KEYS or self.runs < 1 or writers < 0:
            raise InvalidArgumentError(f"--keys is {_LEAST_KEYS} at least, --runs 1, and --writers 0")
        if self.uvloop and not has_uvloop():
            raise InvalidArgumentError("--uvloop needs uvloop: pip install uvloop")
        Records("", 0, self.payload)  # refuses sizes that cannot be
        return Plan(
            paths=tuple(paths),
            keys=self.keys,
            runs=self.runs,
            payload=self.payload,
            writers=writers,
            gc=not self.no_gc,
            uvloop=self.uvloop,
        )


@Parameter(name="*", group="Server")
@attrs.frozen(kw_only=True)
class Place:
    """On which server; without a URL on one started for the purpose."""

    url: str | None = None
    """On this server, in streams that are new and removed in the end."""
    storage: Literal["memory", "file"] = "memory"
    """How the streams are kept."""
    tls: bool = False
    """Let the server started for the purpose want TLS."""
    access: Annotated[Access, Parameter(name="*")] = _NOBODY
    """As whom."""

    @asynccontextmanager
    async def ground(self, session: Session) -> AsyncIterator[Ground]:
        from lattice_store.cli._bench._ground import ground

        kept = StorageType(self.storage)
        async with ground(session.open_storage, self.url, self.access, kept=kept, tls=self.tls) as found:
            yield found


_USUAL: Final = Amount()
_HERE: Final = Place()


@bench.command
async def rebuild(
    *,
    amount: Amount = _USUAL,
    only: Annotated[tuple[RebuildPath, ...], _ONLY] = (),
    writers: int = 0,
    place: Place = _HERE,
    output: OutputForm = "table",
    session: SessionArgument,
) -> None:
    """Measure how long it takes to read a lattice: with this library, with nats-py, and down a bare socket.

    Each path connects and reads in a process of its own. cold ends when rebuild()
    returns, cold-ready after four questions to the view, cold-eager decodes every
    record, fallback uses nats-py's public functions only, warm begins with a
    snapshot since which one record in a hundred changed. watchall and ordered are
    nats-py's, natsrpy is a fetch with natsrpy, all with json; drain takes what a
    socket gives and looks at none of it.

    Parameters
    ----------
    only
        Only these paths.
    writers
        So many processes update records meanwhile.
    output
        jsonl is one line for machine and settings, then one for each path.
    """
    from lattice_store.cli._bench import _suites

    plan = amount.plan(only or _suites.REBUILD, writers=writers)
    async with place.ground(session) as ground:
        left_out = _suites.not_possible(ground, plan.paths, writers)
        with progress_bar(session, "filling") as filling:
            await ground.fill(plan.keys, plan.payload, filling)
        with steps_bar(session, _suites.steps(plan, left_out)) as tell:
            report = await _suites.rebuild(ground, plan, left_out, tell)
    _say(session, report, output, _suites.REBUILD_RATIOS, "records")


@bench.command
async def publish(
    *,
    amount: Amount = _USUAL,
    only: Annotated[tuple[PublishPath, ...], _ONLY] = (),
    place: Place = _HERE,
    output: OutputForm = "table",
    session: SessionArgument,
) -> None:
    """Measure acknowledged writes: with this library, and with nats-py.

    put-many stores records, publish-many and publish bytes, publish-many-id with a
    message ID each; js-publish and js-publish-async are nats-py's. What waits for
    each ack before it sends the next message writes a tenth.

    Parameters
    ----------
    only
        Only these paths.
    output
        jsonl is one line for machine and settings, then one for each path.
    """
    from lattice_store.cli._bench import _suites

    plan = amount.plan(only or _suites.PUBLISH)
    async with place.ground(session) as ground:
        with steps_bar(session, _suites.steps(plan, {})) as tell:
            report = await _suites.publish(ground, plan, tell)
    _say(session, report, output, _suites.PUBLISH_RATIOS, "acks")


@bench.command
async def sim(
    *,
    amount: Amount = _USUAL,
    only: Annotated[tuple[SimPath, ...], _ONLY] = (),
    output: OutputForm = "table",
    session: SessionArgument,
) -> None:
    """Measure the simulator: awaited publishes into a stream that holds the subjects, and rebuilds.

    fakeredis and py-key-value set keys that are there, where these are installed.

    Parameters
    ----------
    only
        Only these paths.
    output
        jsonl is one line for machine and settings, then one for each path.
    """
    from lattice_store.cli._bench import _suites

    plan = amount.plan(only or _suites.SIM)
    left_out = _suites.missing(plan.paths)
    with steps_bar(session, _suites.steps(plan, left_out)) as tell:
        report = await _suites.sim(plan, left_out, tell)
    _say(session, report, output, _suites.SIM_RATIOS, "records")


def _say(
    session: Session, report: Report, output: OutputForm, ratios: Mapping[str, tuple[str, bool]], what: str
) -> None:
    for path, why in report.left_out.items():
        session.warn(f"left out {path}: {why}")
    if output == "table":
        from lattice_store.cli._bench._rows import about, table

        console = session.console()
        laid_out = table(report.rows, ratios, what)
        # Nothing is ever cut off: a narrow terminal wraps lines by itself.
        console.width = console.measure(laid_out, options=console.options.update(max_width=_WIDEST)).maximum
        with session.writing():
            console.print(laid_out)
        session.say(["", *about(report.head)])
    elif output == "json":
        session.say_json(report.objects, "json")
    else:
        session.say(to_json(each) for each in report.objects)
