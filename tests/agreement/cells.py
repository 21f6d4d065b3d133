"""One family against one version: what a worker process does, and what it hands back."""

from __future__ import annotations

import os
import traceback
import warnings
from pathlib import Path

import attrs

from lattice_store.clock import SystemClock
from lattice_store.limits import SECOND_NS
from lattice_store.nats import LocalServer
from tests.agreement.ground import Ground
from tests.agreement.pair import DifferenceError
from tests.agreement.run import all_families, run_long
from tests.agreement.served import ServedGround
from tests.agreement.servers import PROFILE_OF
from tests.agreement.tally import ENOUGH, Row, Tally

_WORDS = 12


@attrs.frozen(kw_only=True)
class Cell:
    """One cell of the table, still to be filled."""

    version: str
    binary: Path
    family: str
    operations: int
    over_tcp: bool = False
    """Whether the simulated side is a server on TCP, too."""


@attrs.frozen(kw_only=True)
class Filled:
    """A cell's outcome."""

    version: str
    family: str
    tally: Tally
    expected: frozenset[Row]
    difference: str
    """The difference as far as it could be shrunk, or the error that ended the run; empty for agreement."""
    seconds: float

    @property
    def differences(self) -> int:
        return int(bool(self.difference))

    @property
    def enough(self) -> bool:
        """Whether what should be met was met."""
        return self.tally.share(self.expected) >= ENOUGH

    def summary(self) -> str:
        rate = self.tally.operations / self.seconds
        reached = f"{self.tally.share(self.expected):.0%} of {len(self.expected)} outcomes"
        verdict = "DIFFERS" if self.difference else "agrees"
        return f"{self.version} {self.family} {verdict}: {self.tally.summary()}, {reached}, {rate:.0f} operations/s"


def fill(cell: Cell) -> Filled:
    """Run the cell on a server of its own."""
    os.environ["LATTICE_STORE_NATS_SERVER"] = str(cell.binary)
    warnings.filterwarnings("ignore", "Generating overly large repr")  # large payloads are drawn on purpose
    family, profile = all_families()[cell.family], PROFILE_OF[cell.version]
    clock = SystemClock()
    start_ns = clock.monotonic_ns()
    difference = ""
    make_ground = ServedGround if cell.over_tcp else Ground
    with LocalServer() as server, make_ground(server, profile) as ground:
        try:
            run_long(family, ground, cell.operations)
        except Exception as error:  # noqa: BLE001 - whatever ends a cell is its outcome
            difference = _told(error, ground.tally) + _last_words(server)
    return Filled(
        version=cell.version,
        family=cell.family,
        tally=attrs.evolve(ground.tally, differences=[]),
        expected=family.rows(profile),
        difference=difference,
        seconds=(clock.monotonic_ns() - start_ns) / SECOND_NS,
    )


def _told(error: Exception, tally: Tally) -> str:
    """Return a difference's text; one that did not come again when shrunk is told as it was met."""
    if isinstance(error, DifferenceError):
        return "\n".join([str(error), *getattr(error, "__notes__", [])])
    if tally.differences:
        return "\n".join([tally.differences[0], *traceback.format_exception_only(error)])
    return "".join(traceback.format_exception(error))


def _last_words(server: LocalServer) -> str:
    """Return what a server wrote when it fell, which some do."""
    _, fell, why = server.output.partition("panic: ")
    return "\n".join(["", "the server fell:", *(fell + why).splitlines()[:_WORDS]]) if fell else ""
