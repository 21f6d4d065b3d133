"""nats.js as it is, on a real nats-server and on the simulator: what passes on each.

python -m tests.clients [--kind nats] [--kind serve] [--only pubsub] [file …]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from pathlib import Path

from tests.clients.starter import starting

SUITE = Path(__file__).parent / "js"
KINDS = {"nats": "nats-server", "serve": "the simulator"}


async def run(kind: str, files: list[Path], options: list[str]) -> tuple[int, str]:
    """Run the suite on servers of a *kind*; return its exit status and what it reports."""
    async with starting(kind) as address:
        process = await asyncio.create_subprocess_exec(
            *("node", "--test", "--test-reporter=tap", "--test-timeout=240000", *options, *map(str, files)),
            env={**os.environ, "SERVERS": address},
            stdout=asyncio.subprocess.PIPE,
        )
        report, _ = await process.communicate()
        return process.returncode or 0, report.decode()


def summary(report: str) -> str:
    """Return how many tests ran and passed, as node counts them."""
    counts = dict(re.findall(r"^# (tests|pass|fail|skipped|todo) (\d+)$", report, re.MULTILINE))
    failed = sorted(set(re.findall(r"^ *not ok \d+ - (.*)$", report, re.MULTILINE)))
    ran = int(counts.get("tests", 0)) - int(counts.get("skipped", 0))  # those that --only leaves out are skipped
    lines = [f"{counts.get('pass', 0)} of {ran} tests pass", *(f"  not: {name}" for name in failed)]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=__doc__.splitlines()[0])
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="of server; both by default")
    parser.add_argument("--only", default="", help="tests whose name matches this")
    parser.add_argument("--report", action="store_true", help="print all that node reports of what failed")
    parser.add_argument("files", nargs="*", type=Path, help="all of tests/clients/js by default")
    asked = parser.parse_args()
    files = asked.files or sorted(SUITE.glob("*.test.mjs"))
    options = [f"--test-name-pattern={asked.only}"] if asked.only else []
    worst = 0
    for kind in asked.kind or KINDS:
        status, report = asyncio.run(run(kind, files, options))
        if asked.report and status:
            print(report)  # noqa: T201 - a command's output
        print(f"nats.js on {KINDS[kind]}: {summary(report)}", flush=True)  # noqa: T201
        worst = max(worst, status)
    return worst


if __name__ == "__main__":
    sys.exit(main())
