"""Several clients that rebuild at once, each in a process of its own, from one signal on."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from multiprocessing.synchronize import Barrier
from typing import NamedTuple

from servers import PREFIX

from lattice_store import Lattice
from lattice_store.nats import connect

_TIMEOUT_S = 120.0


class Rebuilt(NamedTuple):
    """What one client did."""

    records: int
    began: float
    ended: float
    cpu_seconds: float


def rebuild_together(url: str, clients: int) -> list[Rebuilt]:
    """Let so many processes read the lattice at once; all are connected before the first one begins.

    Raises:
        RuntimeError: one of them failed.
    """
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(clients), context.SimpleQueue()
    processes = [context.Process(target=_client, args=(url, barrier, results)) for _ in range(clients)]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()
    failures = [each for each in found if isinstance(each, str)]
    if failures:
        raise RuntimeError(failures[0])
    return found


def _client(url: str, barrier: Barrier, results: multiprocessing.SimpleQueue[Rebuilt | str]) -> None:
    try:
        results.put(asyncio.run(_rebuild(url, barrier)))
    except BaseException as error:
        barrier.abort()
        results.put(f"a client failed: {error!r}")


async def _rebuild(url: str, barrier: Barrier) -> Rebuilt:
    async with await connect(url) as storage:
        barrier.wait(_TIMEOUT_S)
        began, cpu = time.perf_counter(), time.process_time()
        view = await Lattice(storage, PREFIX).rebuild()
        ended, cpu = time.perf_counter(), time.process_time() - cpu
        return Rebuilt(len(view), began, ended, cpu)  # to count is to decode
