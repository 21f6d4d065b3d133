"""What a key of a lattice costs the server and its hosts, on a real nats-server: the figures of docs/explanation/scale.md.

``python benchmarks --only costs restart`` writes them to docs/reference/bench/costs.json, and all that is computed from
them. CPU time is meant where nothing else is said: a busy machine disturbs it least. Every size has servers of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import msgspec
from server_profile import shares
from servers import PREFIX, free_ports, make_stream, memory_bytes, relayed, spending, write
from together import Rebuilt, rebuild_together
from topologies import leaf, replicas

from lattice_store import Lattice
from lattice_store._formats import StreamFormat
from lattice_store.cli._bench._data import MEAN, Records
from lattice_store.cli._bench._rows import environment
from lattice_store.cli._bench._run import do
from lattice_store.cli._bench._task import Task, Where
from lattice_store.errors import StorageTimeoutError
from lattice_store.limits import Limits
from lattice_store.model import DELIVER_LAST_PER_SUBJECT, DeliverFromSequence, DeliverPolicy, StorageType
from lattice_store.nats import LocalServer, NatsStorage, connect
from lattice_store.nats._consumers import INACTIVE_THRESHOLD_NS, probe

FORMAT = StreamFormat(PREFIX)
PATIENT = Limits(request_timeout_ns=60_000_000_000)
PROFILE_SECONDS = 8
AT_ONCE = 40
READERS = 4


@attrs.frozen
class Amount:
    """How much is measured."""

    runs: int
    probes: int
    """How often a single request is made."""


async def at_size(keys: int, kept: StorageType, amount: Amount) -> dict[str, Any]:
    """Write so many keys, read them cold and warm, and ask single requests."""
    with LocalServer() as server, tempfile.TemporaryDirectory() as folder:
        empty = memory_bytes(server.pid)
        async with await connect(server.url, limits=PATIENT) as storage:
            await make_stream(storage, kept=kept)
            with spending(server.pid) as publishing, spending(os.getpid()) as publisher:
                await write(storage, Records(PREFIX, keys))
            row: dict[str, Any] = {
                "keys": keys,
                "storage": kept.value,
                "payload_mean": MEAN,
                "publish_server_cpu_us": us(publishing.seconds, keys),
                "publish_client_cpu_us": us(publisher.seconds, keys),
                "stored_bytes_per_key": round((await storage.stream_info(FORMAT.stream)).state.bytes / keys, 1),
                "rss_bytes_per_key": round((memory_bytes(server.pid) - empty) / keys, 1),
            }
            row["cold"] = await starts(server, storage, amount, "cold")
            ready = await starts(server, storage, amount, "cold-ready")
            row["decode_client_cpu_s"] = round(ready["client_cpu_s"] - row["cold"]["client_cpu_s"], 5)
            snapshot = Path(folder) / "snapshot"
            await Lattice(storage, PREFIX).save(snapshot)
            changed = await write(storage, Records(PREFIX, keys), changed=True)
            row["warm"] = {"changed": changed, **await starts(server, storage, amount, "warm", str(snapshot))}
            row["requests"] = await requests(server, storage, keys + 1, amount.probes)
            return row


async def starts(
    server: LocalServer, storage: NatsStorage, amount: Amount, path: str, snapshot: str = ""
) -> dict[str, Any]:
    """Let processes start *path* one after another, and one more through a relay."""
    keys = (await storage.stream_info(FORMAT.stream)).state.messages
    task = Task(
        path=path, where=Where(url=server.url), prefix=PREFIX, keys=keys, payload=MEAN, snapshot=snapshot, warm_up=False
    )
    servers, clients, seconds = [], [], []
    for _ in range(amount.runs):
        with spending(server.pid) as spent:
            measured = await do(task)
        servers.append(spent.seconds)
        clients.append(measured.cpu_seconds)
        seconds.append(measured.seconds)
    async with relayed(server) as (url, counted):
        await do(msgspec.structs.replace(task, where=Where(url=url)))
    return {
        "server_cpu_s": round(statistics.median(servers), 5),
        "client_cpu_s": round(statistics.median(clients), 5),
        "wall_s": round(statistics.median(seconds), 5),
        "received_bytes": counted.received,
        "sent_bytes": len(counted.sent),
        "requests": dict(sorted(Counter(counted.requests).items())),
    }


async def requests(server: LocalServer, storage: NatsStorage, sequence: int, times: int) -> dict[str, float]:
    """Return the server's CPU time to create and remove a consumer of each kind, and for a request that is neither.

    Args:
        server: where the lattice is.
        storage: a connection to it.
        sequence: where a warm start begins.
        times: how often each is asked.
    """

    async def create(deliver: DeliverPolicy) -> None:
        await probe(
            storage._api, FORMAT.stream, deliver, (FORMAT.subjects,), inactive_threshold_ns=INACTIVE_THRESHOLD_NS
        )

    async def stream_info() -> None:
        await storage.stream_info(FORMAT.stream)

    last = partial(create, DELIVER_LAST_PER_SUBJECT)
    asked = {
        "last_per_subject": last,
        "from_sequence": partial(create, DeliverFromSequence(sequence)),
        "info": stream_info,
    }
    found: dict[str, float] = {}
    for name, ask in asked.items():
        await ask()
        began = time.perf_counter()
        with spending(server.pid) as spent:
            for _ in range(times):
                await ask()
        found[f"{name}_ms"] = ms(spent.seconds / times)
        found[f"{name}_wall_ms"] = ms((time.perf_counter() - began) / times)
    began = time.perf_counter()
    await asyncio.gather(*(last() for _ in range(AT_ONCE)))
    found["last_per_subject_at_once_wall_ms"] = ms(time.perf_counter() - began)
    return {**found, "at_once": AT_ONCE, "at_once_timed_out": await timed_out(server.url)}


async def timed_out(url: str) -> int:
    """Ask for as many consumers at once with the limits that the library has unless told; return how many gave up."""
    async with await connect(url) as storage:
        counting = [storage.count_subjects(FORMAT.stream, subjects=(FORMAT.subjects,)) for _ in range(AT_ONCE)]
        answers = await asyncio.gather(*counting, return_exceptions=True)
    return sum(isinstance(each, StorageTimeoutError) for each in answers)


async def loops(keys: int) -> dict[str, Any]:
    """Let sockets drain the lattice again and again, and look which of the server's loops are busy."""
    (port,) = free_ports(1)
    with LocalServer(f"prof_port: {port}\nhost: 127.0.0.1") as server:
        await filled(server, keys)
        task = Task(path="drain", where=Where(url=server.url), prefix=PREFIX, keys=keys, warm_up=False)
        stop = asyncio.Event()

        async def read() -> int:
            count = 0
            while not stop.is_set():
                count += (await do(task)).records
            return count

        readers = [asyncio.create_task(read()) for _ in range(READERS)]
        with ThreadPoolExecutor(1) as pool, spending(server.pid) as spent:
            found = await asyncio.get_running_loop().run_in_executor(pool, shares, port, PROFILE_SECONDS)
            stop.set()
            count = sum(await asyncio.gather(*readers))
        return {"keys": keys, "readers": READERS, "server_cpu_us": us(spent.seconds, count), "shares": found}


async def together(keys: int, clients: int) -> dict[str, Any]:
    """Let several hosts rebuild at once, on the cores that the server has too."""
    with LocalServer() as server:
        await filled(server, keys)
        before = memory_bytes(server.pid, peak=True)
        load = os.getloadavg()[0]
        with spending(server.pid) as spent:
            found = await asyncio.to_thread(rebuild_together, server.url, clients)
        if any(each.records != keys for each in found):
            raise RuntimeError(f"not every host has {keys} records: {found}")
        return {
            "keys": keys,
            "clients": clients,
            "last_s": round(max(each.ended for each in found) - min(each.began for each in found), 4),
            "median_s": round(statistics.median(map(seconds_of, found)), 4),
            "server_cpu_us": us(spent.seconds, keys * clients),
            "client_cpu_us": us(sum(each.cpu_seconds for each in found), keys * clients),
            "server_grew_mb": round((memory_bytes(server.pid, peak=True) - before) / 1e6, 1),
            "load_before": round(load, 1),
        }


def seconds_of(rebuilt: Rebuilt) -> float:
    return rebuilt.ended - rebuilt.began


async def filled(server: LocalServer, keys: int) -> None:
    async with await connect(server.url, limits=PATIENT) as storage:
        await make_stream(storage)
        await write(storage, Records(PREFIX, keys))


def us(seconds: float, count: int) -> float:
    """Return microseconds for one of so many."""
    return round(seconds / count * 1e6, 3)


def ms(seconds: float) -> float:
    return round(seconds * 1e3, 4)


async def server_version() -> str:
    with LocalServer() as server:
        async with AsyncExitStack() as stack:
            storage = await stack.enter_async_context(await connect(server.url))
            return (await storage._connection.client())._server_info["version"]


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    report = environment(keys=options.keys, payload_mean=MEAN, runs=options.runs, together=options.together)
    report["versions"]["nats-server"] = await server_version()
    report["load_before"] = round(os.getloadavg()[0], 1)
    amount = Amount(options.runs, options.probes)
    began = time.perf_counter()

    def tell(what: str) -> None:
        print(f"  {time.perf_counter() - began:4.0f} s  {what}", file=sys.stderr, flush=True)

    report["sizes"] = []
    for keys in options.keys:
        for kept in StorageType:
            tell(f"{keys:,} keys, {kept.value}")
            report["sizes"].append(await at_size(keys, kept, amount))
    tell("the server's loops")
    report["loops"] = await loops(min(100_000, max(options.keys)))
    report["together"] = []
    for clients in options.clients:
        tell(f"{clients} hosts at once")
        report["together"].append(await together(options.together, clients))
    tell("replicas")
    report["replicas"] = await replicas(options.cluster)
    tell("a leaf node")
    report["leaf"] = await leaf(options.cluster)
    tell("done")
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, nargs="+", default=[10_000, 100_000], help="sizes of the lattice")
    parser.add_argument("--runs", type=int, default=5, help="starts of each kind")
    parser.add_argument("--probes", type=int, default=10, help="how often each single request is made")
    parser.add_argument("--together", type=int, default=20_000, help="keys that several hosts read at once")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 8], help="how many hosts read at once")
    parser.add_argument("--cluster", type=int, default=20_000, help="keys on the cluster and the leaf node")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(options)), indent=1))


if __name__ == "__main__":
    main()
