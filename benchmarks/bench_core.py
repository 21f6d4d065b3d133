"""How fast is the simulator, and does any operation cost more the more messages there are?

Four tables, as JSON lines on stdout:

- ``publish``: publishes a second into a stream of 100,000 subjects, for the core with and without a message ID
  and with each limit evicting, and for an awaited ``SimStorage.publish``.
- ``operation``: nanoseconds of one operation on streams of 1,000 to 1,000,000 messages; ``growth``
  says how much more it costs on the largest than on the smallest.
- ``fork``: milliseconds to copy a server that holds 100,000 messages, as a snapshot and a fork do.
- ``memory``: bytes a stored message costs besides its subject and payload.

Times are CPU times: nothing here waits, and they hold on a machine that others use too.

Run: ``python benchmarks/bench_core.py [--messages 100000] [--runs 5] [--largest 1000000]``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

from lattice_store.model import DELIVER_ALL, StorageType, StreamConfig, publish_headers
from lattice_store_sim import SimStorage
from lattice_store_sim._core._profile import NEWEST
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._translate import config_to_core

STREAM = "LATTICECACHE_bench"
PAYLOAD = b"x" * 292  # the mean of real records
CHUNK = 1000


def subjects(count: int) -> list[str]:
    return [f"lc.bench.claims.M{number:055d}" for number in range(count)]


def config(**limits: Any) -> StreamConfig:
    return StreamConfig(name=STREAM, subjects=("lc.bench.>",), storage=StorageType.MEMORY, **limits)


def filled(names: list[str], **limits: Any) -> SimCore:
    core = SimCore()
    core.create_stream(config_to_core(config(**limits), NEWEST), now_ns=0)
    for now_ns, subject in enumerate(names):
        core.publish(subject, PAYLOAD, now_ns=now_ns)
    return core


def publish_core(names: list[str], *, message_ids: bool, **limits: Any) -> float:
    """Return publishes a second. Header blocks are made outside the clock, a chunk at a time, as they would be."""
    core, took, now_ns = filled(names, **limits), 0.0, len(names)
    for base in range(0, len(names), CHUNK):
        chunk = names[base : base + CHUNK]
        blocks = [publish_headers({}, f"id-{base + at}" if message_ids else None, None) for at in range(len(chunk))]
        started = time.process_time()
        for subject, block in zip(chunk, blocks, strict=True):
            now_ns += 1
            core.publish(subject, PAYLOAD, block, now_ns=now_ns)
        took += time.process_time() - started
    return len(names) / took


async def publish_storage(names: list[str], *, message_ids: bool) -> float:
    storage = SimStorage()
    await storage.create_stream(config(max_msgs_per_subject=1))
    for subject in names:
        await storage.publish(subject, PAYLOAD)
    started = time.process_time()
    if message_ids:
        for number, subject in enumerate(names):
            await storage.publish(subject, PAYLOAD, message_id=f"id-{number}")
    else:
        for subject in names:
            await storage.publish(subject, PAYLOAD)
    return len(names) / (time.process_time() - started)


def bench_publish(count: int, runs: int) -> None:
    names = subjects(count)
    stored = filled(names).streams[STREAM].log.bytes
    cases: dict[str, Callable[[], float]] = {}
    for message_ids in (False, True):
        kind = "message ID" if message_ids else "plain"
        for limits in ({}, {"max_msgs_per_subject": 1}, {"max_msgs": count}, {"max_bytes": stored}):
            name = f"core, {kind}, {next(iter(limits), 'no limit')}"
            cases[name] = lambda message_ids=message_ids, limits=limits: publish_core(  # type: ignore[misc]
                names, message_ids=message_ids, **limits
            )
        cases[f"storage, {kind}, max_msgs_per_subject"] = lambda message_ids=message_ids: asyncio.run(  # type: ignore[misc]
            publish_storage(names, message_ids=message_ids)
        )
    rates: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(runs):  # interleaved, so that a noisy machine spoils no case alone
        for name, case in cases.items():
            gc.collect()
            rates[name].append(case())
    for name, found in rates.items():
        found.sort()
        row = {"table": "publish", "case": name, "subjects": count, "runs": runs}
        print(json.dumps({**row, "median_per_s": round(found[len(found) // 2]), "best_per_s": round(found[-1])}))


def operations(core: SimCore, names: list[str]) -> Iterator[tuple[str, Callable[[int], Any]]]:
    now_ns, last = 10**12, len(names)
    present = iter(range(501, last))
    yield "publish", lambda at: core.publish(names[at], PAYLOAD, now_ns=now_ns)
    yield "get_message", lambda at: core.get_message(STREAM, last - at, now_ns=now_ns)
    yield "get_last_message", lambda at: core.get_last_message(STREAM, names[at], now_ns=now_ns)
    yield "stream_info", lambda _: core.stream_info(STREAM, now_ns=now_ns)
    yield "delete_message", lambda _: core.delete_message(STREAM, next(present), now_ns=now_ns)
    cursor = core.open_cursor(STREAM, (), DELIVER_ALL, now_ns=now_ns)
    yield "replay, one message", lambda _: cursor.take(1)


def bench_operations(largest: int) -> None:
    sizes = [size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= largest]
    costs: dict[str, list[int]] = {}
    for size in sizes:
        names = subjects(size)
        for name, operation in operations(filled(names, max_msgs_per_subject=1), names):
            best = min(_timed(operation, range(at, at + 50)) for at in range(0, 400, 50))
            costs.setdefault(name, []).append(round(best))
        evicting = filled(names, max_msgs=size)
        best = min(
            _timed(lambda at: evicting.publish(names[at], PAYLOAD, now_ns=10**12), range(at, at + 50))  # noqa: B023  # used at once
            for at in range(0, 400, 50)
        )
        costs.setdefault("publish that evicts the oldest", []).append(round(best))
    for name, found in costs.items():
        row = {"table": "operation", "case": name, "messages": sizes, "ns": found}
        print(json.dumps({**row, "growth": round(found[-1] / found[0], 1)}))


def _timed(operation: Callable[[int], Any], arguments: range) -> float:
    started = time.process_time_ns()
    for argument in arguments:
        operation(argument)
    return (time.process_time_ns() - started) / len(arguments)


def bench_fork(count: int, runs: int) -> None:
    names = subjects(count)
    for case, limits in (("one message each", {"max_msgs_per_subject": 1}), ("ten subjects", {})):
        core = filled(names if limits else names[:10] * (count // 10), **limits)
        took = []
        for _ in range(runs):
            gc.collect()
            started = time.process_time()
            core.copy()
            took.append((time.process_time() - started) * 1000)
        took.sort()
        row = {"table": "fork", "case": case, "messages": count, "runs": runs}
        print(json.dumps({**row, "median_ms": round(took[len(took) // 2], 1), "worst_ms": round(took[-1], 1)}))


def bench_memory(count: int) -> None:
    names = subjects(count)
    for message_ids in (False, True):
        gc.collect()
        tracemalloc.start()
        core = SimCore()
        core.create_stream(config_to_core(config(max_msgs_per_subject=1), NEWEST), now_ns=0)
        for number, subject in enumerate(names):
            block = publish_headers({}, f"id-{number}" if message_ids else None, None)
            core.publish(subject, PAYLOAD, block, now_ns=10**18 + number)
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        case = "message ID" if message_ids else "plain"
        print(json.dumps({"table": "memory", "case": case, "messages": count, "bytes_each": round(used / count)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--largest", type=int, default=1_000_000)
    options = parser.parse_args()
    print(json.dumps({"python": platform.python_version(), "machine": platform.machine()}))
    bench_publish(options.messages, options.runs)
    bench_operations(options.largest)
    bench_fork(options.messages, options.runs)
    bench_memory(options.messages)


if __name__ == "__main__":
    main()
