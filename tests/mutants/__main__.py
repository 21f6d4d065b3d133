"""Plant each bug in a copy of the sources, run there what `make test` runs, and say what found it.

python -m tests.mutants --only "a purge keeps the oldest" --jobs 1
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.mutants.mutations import MUTATIONS, SOURCES, Mutation

ROOT = SOURCES.parent
AGREEMENT = "tests/agreement/test_agreement.py::test_simulator_agrees_with_the_server"
SCENARIOS = "tests/agreement/test_agreement.py::test_simulator_agrees_about"
NAIVE = "tests/unit/sim/test_naive.py"
FAILED = re.compile(r"^FAILED .*?\[(.+?)\]|^FAILED ", re.MULTILINE)
NOT_RUN = 2
"""From this exit code on pytest could not run the tests at all."""
_TOLD = 4000


class Verdict(NamedTuple):
    """What found a bug; empty if nothing did."""

    bug: str
    agreement: str
    naive: bool

    def row(self) -> str:
        found = f"`{self.agreement}`" if self.agreement else "**not found**"
        return f"| {self.bug} | {found} | {'yes' if self.naive else 'no'} |"


def main() -> int:
    asked = _arguments()
    chosen = [mutation for mutation in MUTATIONS if mutation.bug in asked.only or not asked.only]
    _require_that_nothing_fails_without_a_bug()
    with ThreadPoolExecutor(asked.jobs) as workers:
        verdicts = list(workers.map(_try, chosen))
    text = _page(verdicts)
    print(text)  # noqa: T201  # its purpose
    if asked.report:
        asked.report.write_text(text)
    return 0 if all(verdict.agreement for verdict in verdicts) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="BUG", help="these bugs, by their whole names")
    parser.add_argument("--jobs", type=int, default=2, help="copies at a time")
    parser.add_argument("--report", type=Path, metavar="PAGE.md", help="also written there")
    return parser.parse_args()


def _require_that_nothing_fails_without_a_bug() -> None:
    with tempfile.TemporaryDirectory() as copied:
        shutil.copytree(SOURCES, copied, dirs_exist_ok=True)
        done = _run(Path(copied), [AGREEMENT, SCENARIOS, NAIVE])
    if done.returncode:
        sys.exit(f"{done.stdout[-_TOLD:]}\nthis fails already without any bug")


def _try(mutation: Mutation) -> Verdict:
    with tempfile.TemporaryDirectory() as copied:
        sources = Path(copied)
        shutil.copytree(SOURCES, sources, dirs_exist_ok=True)
        path = mutation.path(sources)
        path.write_text(mutation.applied(path.read_text()))
        first = [SCENARIOS, f"{AGREEMENT}[{mutation.family}]"]
        by_agreement = _failure(sources, first) or _failure(sources, [AGREEMENT])
        verdict = Verdict(mutation.bug, by_agreement, bool(_failure(sources, [NAIVE])))
    print(verdict.row(), file=sys.stderr, flush=True)  # noqa: T201  # its purpose
    return verdict


def _failure(sources: Path, tests: Sequence[str]) -> str:
    """Return the family or scenario, or else the word "test", that fails first on those sources; empty if none does."""
    done = _run(sources, tests)
    if done.returncode >= NOT_RUN:
        sys.exit(f"{done.stdout[-_TOLD:]}{done.stderr[-_TOLD:]}\nthe tests could not be run")
    failed = FAILED.search(done.stdout)
    return (failed[1] or "test") if failed else ""


def _run(sources: Path, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run tests until the first that fails."""
    options = ["-q", "-x", "-p", "no:cacheprovider", "--timeout", "600"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{sources}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
        capture_output=True,
        text=True,
    )


def _page(verdicts: Sequence[Verdict]) -> str:
    found, by_naive = sum(bool(one.agreement) for one in verdicts), sum(one.naive for one in verdicts)
    today = dt.datetime.now(dt.UTC).date().isoformat()  # noqa: TID251  # a report bears its date
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, CPython {platform.python_version()}"
    return f"""# Planted bugs

`make mutants` plants small bugs in copies of the simulator, one at a time, and runs there the comparison with a real server that
`make test` runs. {found} of {len(verdicts)} were found by it, {by_naive} also by the naive model, which knows no consumers.
Written on {today}; {machine}.

| planted bug | found by the comparison with a server | by the naive model |
|---|---|---|
{chr(10).join(verdict.row() for verdict in verdicts)}
"""


if __name__ == "__main__":
    sys.exit(main())
