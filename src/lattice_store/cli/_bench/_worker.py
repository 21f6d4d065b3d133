"""Doing a task by the clock, in a process that does nothing else."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Final, TypeAlias

import attrs

from lattice_store.cli._bench._task import PLACES, Measured, Task

_STATUS: Final = Path("/proc/self/status")


@attrs.define
class Stopwatch:
    """What passes inside ``with watch:`` counts; the garbage of what came before is collected first."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    rss_bytes: int = 0
    _since: tuple[float, float] = (0.0, 0.0)

    def __enter__(self) -> None:
        if not self.seconds:
            gc.collect()
        self._since = time.perf_counter(), time.process_time()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wall, cpu = self._since
        self.seconds += time.perf_counter() - wall
        self.cpu_seconds += time.process_time() - cpu
        self.rss_bytes = _most_memory()


Work: TypeAlias = Callable[[Task, Stopwatch], Awaitable[int]]
"""Does a task, the part that counts inside the stopwatch; returns how many records it read or wrote."""


def measure(task: Task) -> Measured:
    """Do *task*; before that once on the small lattice, so that nothing is loaded or connected for the first time."""
    place = import_module(f"lattice_store.cli._bench.{PLACES[task.path]}")
    work: Work = getattr(place, task.path.replace("-", "_"))
    if not task.gc:
        gc.disable()
    watch = Stopwatch()
    with asyncio.Runner(loop_factory=_loop_factory(task)) as runner:
        if task.warm_up:
            runner.run(_doing(work, task.small, Stopwatch()))
        records = runner.run(_doing(work, task, watch))
    return Measured(records=records, seconds=watch.seconds, cpu_seconds=watch.cpu_seconds, rss_bytes=watch.rss_bytes)


async def _doing(work: Work, task: Task, watch: Stopwatch) -> int:
    return await work(task, watch)


def _loop_factory(task: Task) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if not task.uvloop:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory


def _most_memory() -> int:
    """Return the peak of this process. ``ru_maxrss`` alone would begin with the parent's on Linux."""
    if _STATUS.exists():
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    import resource  # which Windows has not

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
