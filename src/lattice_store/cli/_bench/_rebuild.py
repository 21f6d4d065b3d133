"""Rebuilds with this library, connect included."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from lattice_store._view import LatticeView
from lattice_store.cli._bench._data import Records
from lattice_store.cli._bench._reach import lattice_on, our_storage
from lattice_store.cli._bench._task import MeasurementError, Task
from lattice_store.cli._bench._worker import Stopwatch


async def cold(task: Task, watch: Stopwatch) -> int:
    async with _rebuilt(task, watch) as view:
        return len(view)


async def cold_eager(task: Task, watch: Stopwatch) -> int:
    async with _rebuilt(task, watch, {"eager": True}) as view:
        return len(view)


async def fallback(task: Task, watch: Stopwatch) -> int:
    async with _rebuilt(task, watch, public_api=True) as view:
        return len(view)


async def warm(task: Task, watch: Stopwatch) -> int:
    async with _rebuilt(task, watch, {"from_snapshot": task.snapshot}) as view:
        if view.cold_because:
            raise MeasurementError(f"not warm: {view.cold_because}")
        return len(view)


async def cold_ready(task: Task, watch: Stopwatch) -> int:
    async with _rebuilt(task, watch) as view:
        with watch:
            ask(view, Records(task.prefix, task.keys, task.payload))
        return len(view)


async def save(task: Task, watch: Stopwatch) -> int:
    """Write the snapshot that `warm` begins with."""
    async with await our_storage(task) as storage:
        lattice = lattice_on(storage, task)
        with watch:
            await lattice.save(task.snapshot)
    return task.keys


@asynccontextmanager
async def _rebuilt(
    task: Task, watch: Stopwatch, how: dict[str, Any] | None = None, *, public_api: bool = False
) -> AsyncIterator[LatticeView]:
    async with AsyncExitStack() as stack:
        with watch:
            storage = await stack.enter_async_context(await our_storage(task, public_api=public_api))
            lattice = lattice_on(storage, task)
            view = await lattice.rebuild(**(how or {}))
        yield view


def ask(view: LatticeView, records: Records) -> None:
    """Ask the four questions after which a view counts as ready.

    Raises:
        MeasurementError: an answer is wrong.
    """
    links = len(view.links)
    link = view.links.get(records.some_link)
    owner = view.find_call_alias(records.some_alias)
    corrupt = len(view.corrupt)
    if not links or link is None or owner is None or corrupt:
        raise MeasurementError(f"{records.prefix} was rebuilt wrongly: {view!r}")
