"""Rebuilds under bad conditions, all of them: cut links, split reads, a million records and a slow reader.

python -m tests.chaos [--cuts 100] [--splits 1000] [--keys 1000000]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from lattice_store.clock import SystemClock
from lattice_store.limits import SECOND_NS
from lattice_store.nats import LocalServer
from tests.chaos.runs import cut_links, slow_reader, split_reads


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--splits", type=int, default=1000)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    logging.getLogger("lattice_store").setLevel(logging.ERROR)  # that links are cut is what is wanted
    with LocalServer() as server:
        asyncio.run(_all(server, asked))
    return 0


async def _all(server: LocalServer, asked: argparse.Namespace) -> None:
    clock = SystemClock()
    start_ns = clock.monotonic_ns()

    def tell(what: str) -> None:
        nonlocal start_ns
        now_ns = clock.monotonic_ns()
        print(f"{what} ({(now_ns - start_ns) / SECOND_NS:.0f} s)", flush=True)  # noqa: T201 - a command's output
        start_ns = now_ns

    cuts = await cut_links(server, runs=asked.cuts, keys=3000, seed=asked.seed)
    tell(f"cut links: {asked.cuts} of {asked.cuts} rebuilds equal the stream, {cuts} of them were cut")
    await split_reads(server, runs=asked.splits, keys=60, seed=asked.seed)
    tell(f"split reads: {asked.splits} of {asked.splits} rebuilds equal the stream")
    largest = await slow_reader(server, keys=asked.keys, turns=5000)
    tell(f"slow reader: {asked.keys} of {asked.keys} records, at most {largest} held, no slow consumer")


if __name__ == "__main__":
    sys.exit(main())
