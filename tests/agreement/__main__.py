"""The long run: every family against every version, in worker processes with a server each.

python -m tests.agreement --versions 2.12.8 2.15.1 --families publish --operations 5000
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.agreement.cells import Cell, Filled, fill
from tests.agreement.report import Report
from tests.agreement.run import all_families
from tests.agreement.servers import PROFILE_OF, NotAvailableError, fetch


def main() -> int:
    asked = _arguments()
    binaries, unavailable = {}, {}
    for version in asked.versions:
        try:
            binaries[version] = fetch(version)
        except NotAvailableError as error:
            unavailable[version] = str(error)
            _tell(f"!!! nats-server {version} is NOT AVAILABLE and will not be compared: {error}")
    cells = [
        Cell(version=version, binary=binary, family=family, operations=share, over_tcp=asked.over_tcp)
        for version, binary in binaries.items()
        for family, share in _shares(asked.families, asked.operations).items()
    ]
    today = dt.datetime.now(dt.UTC).date().isoformat()  # noqa: TID251 - a report bears its date
    report = Report(date=today, cells=_fill_all(cells, asked.jobs), unavailable=unavailable)
    if asked.amend:
        report = Report.read(asked.report.with_suffix(".json")).amended(report)
    print(report.text())  # noqa: T201 - a command's output
    if asked.report:
        asked.report.write_text(report.markdown())
        asked.report.with_suffix(".json").write_text(json.dumps(report.json(), indent=1) + "\n")
    return 0 if report.good else 1


def _arguments() -> argparse.Namespace:
    families = list(all_families())
    parser = argparse.ArgumentParser(prog="python -m tests.agreement", description=__doc__.splitlines()[0])
    parser.add_argument("--versions", nargs="+", choices=list(PROFILE_OF), default=list(PROFILE_OF), metavar="VERSION")
    parser.add_argument("--families", nargs="+", choices=families, default=families, metavar="FAMILY")
    parser.add_argument(
        "--operations", type=int, default=100_000, help="compared per version, by all families together"
    )
    parser.add_argument("--jobs", type=int, default=3, help="cells at a time; some wait more than they work")
    parser.add_argument("--report", type=Path, metavar="PAGE.md", help="also written beside it as JSON")
    parser.add_argument("--over-tcp", action="store_true", help="let the simulated side be a server on TCP, too")
    parser.add_argument("--amend", action="store_true", help="put the cells into the report that is there")
    asked = parser.parse_args()
    if asked.amend and not asked.report:
        parser.error("--amend goes with --report")
    return asked


def _shares(names: list[str], operations: int) -> dict[str, int]:
    families = all_families()
    whole = sum(families[name].weight for name in names)
    return {name: round(operations * families[name].weight / whole) for name in names}


def _fill_all(cells: list[Cell], jobs: int) -> list[Filled]:
    """Fill the cells, some at a time; return them in their order."""
    done: dict[tuple[str, str], Filled] = {}
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(fill, cell) for cell in cells]):
            filled = future.result()
            done[filled.version, filled.family] = filled
            _tell("\n".join(filter(None, [f"[{len(done)}/{len(cells)}] {filled.summary()}", filled.difference])))
    return [done[cell.version, cell.family] for cell in cells]


def _tell(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)  # noqa: T201 - a command's progress


if __name__ == "__main__":
    sys.exit(main())
