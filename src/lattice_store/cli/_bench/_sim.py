"""The simulator: publishes into a stream that holds the subjects already, and rebuilds."""

from __future__ import annotations

from typing import Any

from lattice_store._formats import StreamFormat
from lattice_store._lattice import Lattice
from lattice_store._view import LatticeView
from lattice_store.cli._bench._data import Records
from lattice_store.cli._bench._rebuild import ask
from lattice_store.cli._bench._task import Task
from lattice_store.cli._bench._worker import Stopwatch
from lattice_store_sim import SimStorage


async def sim_publish(task: Task, watch: Stopwatch) -> int:
    publications = list(Records(task.prefix, task.keys, task.payload))
    async with await _filled(task) as storage:
        with watch:
            for each in publications:
                await storage.publish(each.subject, each.payload)
    return len(publications)


async def sim_publish_id(task: Task, watch: Stopwatch) -> int:
    publications = list(Records(task.prefix, task.keys, task.payload))
    named = [(each.subject, each.payload, f"id-{number}") for number, each in enumerate(publications)]
    async with await _filled(task) as storage:
        with watch:
            for subject, payload, message_id in named:
                await storage.publish(subject, payload, message_id=message_id)
    return len(named)


async def sim_cold(task: Task, watch: Stopwatch) -> int:
    return len(await _rebuild(task, watch))


async def sim_cold_ready(task: Task, watch: Stopwatch) -> int:
    return len(await _rebuild(task, watch, ready=True))


async def sim_cold_eager(task: Task, watch: Stopwatch) -> int:
    return len(await _rebuild(task, watch, eager=True))


async def _rebuild(task: Task, watch: Stopwatch, *, ready: bool = False, eager: bool = False) -> LatticeView:
    async with await _filled(task) as storage:
        lattice: Any = Lattice(storage, task.prefix)
        records = Records(task.prefix, task.keys, task.payload)
        with watch:
            view: LatticeView = await lattice.rebuild(eager=eager)
            if ready:
                ask(view, records)
        return view


async def _filled(task: Task) -> SimStorage:
    storage = SimStorage()
    await storage.create_stream(StreamFormat(task.prefix).config())
    for each in Records(task.prefix, task.keys, task.payload):
        await storage.publish(each.subject, each.payload)
    return storage
