"""The tables: version × family × operations × differences, and which outcomes were reached."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from tests.agreement.cells import Filled
from tests.agreement.run import all_families
from tests.agreement.servers import PROFILE_OF
from tests.agreement.tally import Tally

_WHAT: Final = (
    "Every operation was sent, byte for byte the same, to the simulator with the profile of a version and to a real "
    "server of that version; every message that came back was compared, and every few steps the whole state of all "
    "streams and consumers. Streams are on memory and on file storage. Each cell says how many operations were compared; "
    "one can be filled anew without the others (`python -m tests.agreement --amend`)."
)
_WHY: Final = (
    "Agreement about nothing is none: each family names the outcomes it must meet, such as a refusal by its code and "
    "text. The share of them that was met:"
)


@attrs.frozen(kw_only=True)
class Report:
    """All cells of a run; printed, and written as a page of the docs and as JSON."""

    date: str
    cells: Sequence[Filled]
    unavailable: dict[str, str]
    """Versions that could not be had, with the reason."""

    @property
    def machine(self) -> str:
        system, cores = f"{platform.system()} {platform.machine()}", f"{os.cpu_count()} cores"
        return f"{system}, {cores}, Python {platform.python_version()}"

    @property
    def good(self) -> bool:
        """Whether there is agreement, and about something."""
        return bool(self.cells) and all(cell.enough and not cell.difference for cell in self.cells)

    # -- tables -----------------------------------------------------------------------------------

    def agreement(self) -> str:
        """Return the table of versions and families: operations compared, and differences if there are any."""
        families = self._families
        rows = []
        for version in self._versions:
            cells = [self._cell(version, family) for family in families]
            operations, differences, states = (
                sum(getattr(cell.tally, name) if name != "differences" else cell.differences for cell in cells if cell)
                for name in ("operations", "differences", "states")
            )
            rows.append([version, *map(_filled, cells), f"{operations:,}", f"{states:,}", f"**{differences}**"])
        rows += [[version, *["–"] * len(families), "not available", "", ""] for version in self.unavailable]
        return _table(["nats-server", *families, "operations", "states", "differences"], rows)

    def coverage(self) -> str:
        """Return the table of families and versions: the share of the expected outcomes that was reached."""
        rows = []
        for family in self._families:
            cells = [self._cell(version, family) for version in self._versions]
            shares = [
                f"{cell.tally.share(cell.expected):.0%} of {len(cell.expected)}" if cell else "–" for cell in cells
            ]
            rows.append([family, *shares])
        return _table(["family", *self._versions], rows)

    def outcomes(self, family: str) -> str:
        """Return the table of a family's rules and outcomes: how often each was met on each version."""
        cells = [self._cell(version, family) for version in self._versions]
        met = {row for cell in cells if cell for row in (*cell.tally.reached, *cell.expected)}
        rows = [[rule, outcome, *(_count(cell, (rule, outcome)) for cell in cells)] for rule, outcome in sorted(met)]
        return _table(["operation", "outcome", *self._versions], rows)

    def missed(self) -> list[str]:
        """Return a line for each expected outcome that a cell which ran to its end did not meet."""
        return [
            f"{cell.version} {cell.family}: not reached: {rule}: {outcome}"
            for cell in self.cells
            if not cell.difference
            for rule, outcome in cell.tally.missed(cell.expected)
        ]

    # -- forms ------------------------------------------------------------------------------------

    def text(self) -> str:
        """Return what a terminal shows."""
        unavailable = [f"NOT AVAILABLE: nats-server {version}: {why}" for version, why in self.unavailable.items()]
        differences = [
            f"\nDIFFERENCE: {cell.version} {cell.family}\n{cell.difference}" for cell in self.cells if cell.difference
        ]
        return "\n".join(
            [self.agreement(), "", "Outcomes reached:", "", self.coverage(), *self.missed(), *unavailable, *differences]
        )

    def markdown(self) -> str:
        """Return the page."""
        parts = [
            "# Agreement with nats-server",
            f"Written by `make agreement` on {self.date} ({self.machine}).",
            _WHAT,
            self.agreement(),
            *(f"nats-server {version} was not available: {why}." for version, why in self.unavailable.items()),
            "## Outcomes reached",
            _WHY,
            self.coverage(),
            "Every outcome that was met, and how often; a bold 0 was expected and not met.",
        ]
        for family in self._families:
            parts += [f"### {family}", self.outcomes(family)]
        return "\n\n".join(parts) + "\n"

    def json(self) -> dict[str, Any]:
        return {
            "date": self.date,
            "machine": self.machine,
            "unavailable": self.unavailable,
            "cells": [
                {
                    "version": cell.version,
                    "family": cell.family,
                    "examples": cell.tally.examples,
                    "operations": cell.tally.operations,
                    "states": cell.tally.states,
                    "seconds": round(cell.seconds, 1),
                    "differences": cell.differences,
                    "expected": len(cell.expected),
                    "missed": cell.tally.missed(cell.expected),
                    "sent": dict(sorted(cell.tally.sent.items())),
                    "reached": [[*row, count] for row, count in sorted(cell.tally.reached.items())],
                }
                for cell in self.cells
            ],
        }

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read what `json` wrote: of a difference only that there was one."""
        said = json.loads(path.read_text())
        return cls(
            date=said["date"], cells=[_filled_again(cell) for cell in said["cells"]], unavailable=said["unavailable"]
        )

    def amended(self, newer: Report) -> Report:
        """Return this report with the cells that were filled anew in place of its own."""
        cells = [newer._cell(cell.version, cell.family) or cell for cell in self.cells]
        return attrs.evolve(newer, cells=cells, unavailable={**self.unavailable, **newer.unavailable})

    @property
    def _versions(self) -> list[str]:
        return list(dict.fromkeys(cell.version for cell in self.cells))

    @property
    def _families(self) -> list[str]:
        return sorted({cell.family for cell in self.cells})

    def _cell(self, version: str, family: str) -> Filled | None:
        return next((cell for cell in self.cells if (cell.version, cell.family) == (version, family)), None)


def _filled_again(said: dict[str, Any]) -> Filled:
    family = all_families()[said["family"]]
    tally = Tally(
        examples=said["examples"],
        operations=said["operations"],
        states=said["states"],
        reached=Counter({(rule, outcome): count for rule, outcome, count in said["reached"]}),
        sent=Counter(said["sent"]),
    )
    return Filled(
        version=said["version"],
        family=said["family"],
        tally=tally,
        expected=family.rows(PROFILE_OF[said["version"]]),
        difference="met in an earlier run" if said["differences"] else "",
        seconds=said["seconds"],
    )


def _filled(cell: Filled | None) -> str:
    if cell is None:
        return "–"
    return f"{cell.tally.operations:,}" + (" **differs**" if cell.difference else "")


def _count(cell: Filled | None, row: tuple[str, str]) -> str:
    if cell is None:
        return "–"
    count = cell.tally.reached[row]
    return f"{count:,}" if count else "**0**" if row in cell.expected else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
