"""Random and mutated bytes to a simulated server on TCP: 200,000 sequences, each over a connection of its own.

python -m tests.fuzz [--sequences 200000] [--first 0] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from lattice_store.clock import SystemClock
from lattice_store.limits import SECOND_NS
from tests.fuzz.attack import Attack

_MOST_GROWTH = 50 << 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=200_000)
    parser.add_argument("--first", type=int, default=0, help="where to begin: sequences are numbered")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    clock = SystemClock()
    began_ns = clock.monotonic_ns()
    report = asyncio.run(Attack(asked.seed).run(asked.first, asked.sequences))
    took_s = (clock.monotonic_ns() - began_ns) / SECOND_NS
    print(  # noqa: T201 - a command's output
        f"fuzz: {report.sequences} sequences over {report.connections} connections in {took_s:.0f} s,"
        f" {report.answered_bytes} bytes answered, no exception and no hang;"
        f" the bystander's {report.bystander_rounds} rounds took {report.slowest_round_ms:.0f} ms at most;"
        f" {report.growth / 2**20:.1f} MB growth"
    )
    return 0 if report.growth < _MOST_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
