"""The three benchmarks: which paths are compared, on what ground, and with what."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import Any, Final

import attrs
import msgspec

from lattice_store.cli._bench._data import Records
from lattice_store.cli._bench._drain import can_drain, server_info
from lattice_store.cli._bench._ground import Ground
from lattice_store.cli._bench._rows import Row, add_ratios, environment, row, versions
from lattice_store.cli._bench._run import Runs, counting, do, in_turns, writing
from lattice_store.cli._bench._task import MODULES, PEERS, Measured, Task

REBUILD_RATIOS: Final = {"times_watchall": ("watchall", False), "share_of_drain": ("drain", True)}
PUBLISH_RATIOS: Final = {
    "times_js_publish": ("js-publish", False),
    "times_js_publish_async": ("js-publish-async", False),
}
SIM_RATIOS: Final = {"times_fakeredis": ("fakeredis", False), "times_py_key_value": ("py-key-value", False)}

REBUILD: Final = (
    *("cold", "cold-ready", "cold-eager", "fallback", "warm"),
    *("natsrpy", "ordered", "watchall", "drain"),
)
PUBLISH: Final = ("put-many", "publish-many", "publish-many-id", "publish", "js-publish-async", "js-publish")
SIM: Final = (
    *("sim-publish", "sim-publish-id", "py-key-value", "fakeredis"),
    *("sim-cold", "sim-cold-ready", "sim-cold-eager"),
)
_ONE_BY_ONE: Final = frozenset(("publish", "js-publish"))
_OF_STORES: Final = frozenset(("sim-publish", "sim-publish-id", "py-key-value", "fakeredis"))
_FEWER: Final = 10
_COUNTED: Final = ("cold", "warm")
"""Of these the bytes that the server sent are counted, in a run that is not timed."""

Tell = Callable[[str, int], None]


@attrs.frozen
class Report:
    """What a benchmark found."""

    head: Row
    rows: list[Row]
    left_out: dict[str, str] = attrs.field(factory=dict)
    """Paths that were wanted and cannot be measured here, and why."""

    @property
    def objects(self) -> list[Row]:
        return [self.head, *self.rows]


@attrs.frozen(kw_only=True)
class Plan:
    """What is wanted, whatever is measured."""

    paths: Sequence[str]
    keys: int
    runs: int
    payload: int
    writers: int = 0
    gc: bool = True
    uvloop: bool = False

    def settings(self) -> Row:
        mean = Records("default", min(self.keys, 1000), self.payload)
        sizes = [len(each.payload) for each in mean]
        return {
            "keys": self.keys,
            "payload_mean": round(sum(sizes) / len(sizes)),
            "gc": "on" if self.gc else "off",
            "loop": "uvloop" if self.uvloop else "asyncio",
        }

    def task(self, path: str, **more: Any) -> Task:
        return Task(path=path, keys=self.keys, payload=self.payload, gc=self.gc, uvloop=self.uvloop, **more)


def steps(plan: Plan, left_out: Mapping[str, str]) -> int:
    """Return how many runs there will be."""
    return plan.runs * len([path for path in plan.paths if path not in left_out])


def missing(paths: Sequence[str]) -> dict[str, str]:
    """Return which of *paths* need what is not installed."""
    return {path: f"{PEERS[path]} is not installed" for path in paths if not _is_there(path)}


def has_uvloop() -> bool:
    return find_spec("uvloop") is not None


def _is_there(path: str) -> bool:
    return path not in MODULES or all(find_spec(name) is not None for name in MODULES[path])


def not_possible(ground: Ground, paths: Sequence[str], writers: int = 0) -> dict[str, str]:
    """Return which of *paths* cannot be measured there, beside so many writers, and why."""
    found = missing(paths)
    if writers:
        found["warm"] = "it goes on cold where writes follow each other too closely to count the subjects in between"
    if not can_drain(ground.where):
        found["drain"] = "it knows neither creds nor nkeys, nor web sockets"
    if ground.where.tls or ground.where.options or ground.where.domain:
        found["natsrpy"] = "it is measured without TLS, credentials and domains only"
    return {path: why for path, why in found.items() if path in paths}


async def rebuild(ground: Ground, plan: Plan, left_out: Mapping[str, str], tell: Tell) -> Report:
    """Read everything that *ground* was filled with, in every way there is."""
    snapshot = str(ground.snapshot)
    paths = [path for path in plan.paths if path not in left_out]
    tasks = {path: plan.task(path, where=ground.where, prefix=ground.prefix, snapshot=snapshot) for path in paths}
    if "warm" in tasks:
        await do(msgspec.structs.replace(tasks["warm"], path="save"))
        await ground.change(plan.keys, plan.payload)
    sent = await _bytes_sent({path: tasks[path] for path in _COUNTED if path in tasks}, ground)
    async with AsyncExitStack() as stack:
        written: list[Measured] = []
        if plan.writers:
            write = plan.task("write", where=ground.where, prefix=ground.prefix, warm_up=False)
            written = await stack.enter_async_context(writing(write, plan.writers))
        found = await in_turns(tasks, plan.runs, tell)
    rows = [row(path, plan.keys, runs) for path, runs in found.items() if not runs.failure]
    add_ratios(rows, REBUILD_RATIOS)
    _add_cpu_ratio(rows)
    for each in rows:
        _add_what_is_known_of_cold(each, found, sent)
    settings = _settings(ground, plan)
    if written:
        settings |= {
            "writers": plan.writers,
            "updates_per_s": round(sum(each.records / each.seconds for each in written)),
        }
    return Report(_head(settings, _server(ground), "natsrpy"), rows, {**left_out, **_failures(found)})


def _failures(found: Mapping[str, Runs]) -> dict[str, str]:
    return {path: runs.failure for path, runs in found.items() if runs.failure}


def _settings(ground: Ground, plan: Plan) -> Row:
    return plan.settings() | {"storage": ground.kept.value, "tls": ground.where.tls is not None}


def _server(ground: Ground) -> dict[str, Any]:
    return server_info(ground.where) if can_drain(ground.where) else {}


def _add_cpu_ratio(rows: Sequence[Row]) -> None:
    baseline = next((each["cpu_s"] for each in rows if each["path"] == "watchall"), None)
    for each in rows:
        each["times_watchall_cpu"] = None if baseline is None else round(baseline / each["cpu_s"], 3)


def _add_what_is_known_of_cold(each: Row, found: Mapping[str, Runs], sent: Mapping[str, int]) -> None:
    path = each["path"]
    if path in sent:
        each["received_bytes"] = sent[path]
    if path == "warm" and "cold" in found:
        cold = row("cold", each["keys"], found["cold"])
        each["times_cold"] = round(cold["median_s"] / each["median_s"], 2)
        if "cold" in sent:
            each["share_of_cold_bytes"] = round(sent["warm"] / sent["cold"], 4)


async def _bytes_sent(tasks: Mapping[str, Task], ground: Ground) -> dict[str, int]:
    """Return how many bytes the server sent for each task; nothing where a relay cannot stand between."""
    if len(tasks) < len(_COUNTED) or "," in ground.where.url or not ground.where.url.startswith("nats://"):
        return {}
    sent = {}
    for path, task in tasks.items():
        async with counting(ground.where) as (relayed, received):
            await do(msgspec.structs.replace(task, where=relayed, warm_up=False))
            sent[path] = received[0]
    return sent


async def publish(ground: Ground, plan: Plan, tell: Tell) -> Report:
    """Write everything, in every way there is, each time into a new stream."""
    tasks = {}
    for path in plan.paths:
        keys = math.ceil(plan.keys / _FEWER) if path in _ONE_BY_ONE else plan.keys
        tasks[path] = msgspec.structs.replace(plan.task(path, where=ground.where, prefix=ground.prefix), keys=keys)
    found = await in_turns(tasks, plan.runs, tell, before=ground.make_streams)
    rows = [row(path, tasks[path].keys, runs) for path, runs in found.items() if not runs.failure]
    add_ratios(rows, PUBLISH_RATIOS)
    return Report(_head(_settings(ground, plan), _server(ground)), rows, _failures(found))


async def sim(plan: Plan, left_out: Mapping[str, str], tell: Tell) -> Report:
    """Write to the simulator and rebuild from it; beside it, other stores in memory."""
    tasks = {path: plan.task(path) for path in plan.paths if path not in left_out}
    found = await in_turns(tasks, plan.runs, tell)
    rows = [row(path, plan.keys, runs) for path, runs in found.items() if not runs.failure]
    stores = [each for each in rows if each["path"] in _OF_STORES]
    add_ratios(stores, SIM_RATIOS)
    for each in rows:
        if each not in stores:
            each.update(dict.fromkeys(SIM_RATIOS))
    return Report(_head(plan.settings(), {}, "fakeredis", "py-key-value-aio"), rows, {**left_out, **_failures(found)})


def _head(settings: Row, server: Mapping[str, Any], *peers: str) -> Row:
    head = environment(**settings)
    head["versions"] |= versions(*peers)
    if settings["loop"] == "uvloop":
        head["versions"] |= versions("uvloop")
    if "version" in server:
        head["versions"]["nats-server"] = server["version"]
    return head
