"""What an import costs over a bare Python.

Every import happens in a fresh interpreter; the statements take turns, so that a noisy machine disturbs them
alike. Compiled files are there from the first turn on, which is not counted.

Run: ``python benchmarks/bench_import.py [--runs 21]`` (JSON lines on stdout).
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time

BARE = "pass"
MAY_COST_MS = {
    BARE: None,
    "import lattice_store": 60,
    "import lattice_store_sim": 60,
    "from lattice_store import Lattice": 150,
    "from lattice_store_sim import SimStorage": None,
    "from lattice_store.nats import connect": None,
    "import asyncio": None,
    "import attrs": None,
    "import msgspec": None,
    "import nats": None,
}


def milliseconds(statement: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return (time.perf_counter() - started) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=21)
    runs = parser.parse_args().runs
    print(json.dumps({"python": platform.python_version(), "runs": runs}))
    taken: dict[str, list[float]] = {statement: [] for statement in MAY_COST_MS}
    for turn in range(runs + 1):
        for statement, times in taken.items():
            elapsed = milliseconds(statement)
            if turn:
                times.append(elapsed)
    bare = statistics.median(taken[BARE])
    for statement, may_cost in MAY_COST_MS.items():
        times = taken[statement]
        row = {
            "statement": statement,
            "over_bare_ms": round(statistics.median(times) - bare, 1),
            "may_cost_ms": may_cost,
            "median_ms": round(statistics.median(times), 1),
            "min_ms": round(min(times), 1),
            "max_ms": round(max(times), 1),
        }
        print(json.dumps(row))


if __name__ == "__main__":
    main()
