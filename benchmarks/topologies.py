"""More than one server: what replicas cost a write and who serves reads then, and a mirror in a leaf node's domain."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import attrs
from servers import PREFIX, cluster, cpu_seconds, free_ports, make_stream, spending, write

from lattice_store import Lattice
from lattice_store._formats import StreamFormat
from lattice_store.cli._bench._data import Records
from lattice_store.errors import LatticeStoreError
from lattice_store.limits import Limits
from lattice_store.model import DELIVER_LAST_PER_SUBJECT
from lattice_store.nats import LocalServer, NatsStorage, connect

REPLICAS = (1, 3, 5)
_PATIENT = Limits(request_timeout_ns=30_000_000_000, connect_timeout_ns=30_000_000_000)
_STREAM = StreamFormat(PREFIX).stream
_PROBES = 30
_DEADLINE_S = 60.0


async def replicas(keys: int) -> list[dict[str, Any]]:
    """Write into streams of 1, 3 and 5 replicas of one cluster; create consumers there, and see which server has them."""
    rows = []
    with cluster(max(REPLICAS)) as servers:
        pids = [server.pid for server in servers]
        async with await connect(servers[0].url, limits=_PATIENT) as storage:
            for count in REPLICAS:
                await _when_ready(storage, count)
                idle = await _idle(pids)
                before = time.perf_counter()
                with spending(*pids) as spent:
                    await write(storage, Records(PREFIX, keys))
                seconds = time.perf_counter() - before
                rows.append(
                    {
                        "replicas": count,
                        "publish_server_cpu_us": _us(spent.seconds - idle * seconds, keys),
                        "consumers": await _placed(storage),
                        "stream_leader": (await _info(storage))["cluster"]["leader"],
                    }
                )
                await storage.delete_stream(_STREAM)
    return rows


async def _when_ready(storage: NatsStorage, count: int) -> None:
    """Create the stream as soon as the cluster can."""
    deadline = time.perf_counter() + _DEADLINE_S
    while True:
        try:
            await make_stream(storage, replicas=count)
        except LatticeStoreError:
            if time.perf_counter() > deadline:
                raise
            await asyncio.sleep(0.2)
        else:
            return


async def _idle(pids: list[int]) -> float:
    """Return the CPU seconds that the cluster takes each second for nothing but itself."""
    before = sum(map(cpu_seconds, pids))
    await asyncio.sleep(2)
    return (sum(map(cpu_seconds, pids)) - before) / 2


async def _placed(storage: NatsStorage) -> dict[str, int]:
    """Open replays as a rebuild does; return how many each server has to serve."""
    async with AsyncExitStack() as stack:
        for _ in range(_PROBES):
            replay = storage.replay(
                _STREAM, subjects=(StreamFormat(PREFIX).subjects,), deliver=DELIVER_LAST_PER_SUBJECT
            )
            await stack.enter_async_context(replay)
        listed = await storage._api.call(f"CONSUMER.LIST.{_STREAM}", {"offset": 0})
    return dict(sorted(Counter(each["cluster"]["leader"] for each in listed["consumers"]).items()))


async def _info(storage: NatsStorage) -> dict[str, Any]:
    return await storage._api.call(f"STREAM.INFO.{_STREAM}")


async def leaf(keys: int) -> dict[str, Any]:
    """Mirror the lattice into the domain of a leaf node, under its own name; read it there, and write through it."""
    (port,) = free_ports(1)
    hub_config = f"server_name: hub\njetstream {{ domain: hub }}\nleafnodes {{ listen: 127.0.0.1:{port} }}"
    leaf_config = f'server_name: leaf\njetstream {{ domain: leaf }}\nleafnodes {{ remotes: [{{ url: "nats://127.0.0.1:{port}" }}] }}'
    with LocalServer(hub_config) as hub, LocalServer(leaf_config) as edge:
        async with await connect(hub.url) as at_hub, await connect(edge.url) as at_leaf:
            await make_stream(at_hub)
            await write(at_hub, Records(PREFIX, keys))
            mirror = {
                "name": _STREAM,
                "storage": "memory",
                "max_msgs_per_subject": 1,
                "mirror": {"name": _STREAM, "external": {"api": "$JS.hub.API"}},
            }
            with spending(hub.pid) as at_the_hub, spending(edge.pid) as at_the_leaf:
                await at_leaf._api.call(f"STREAM.CREATE.{_STREAM}", mirror)
                await _until(at_leaf, keys)
            with spending(hub.pid) as reading_at_hub, spending(edge.pid) as reading_at_leaf:
                view = await Lattice(at_leaf, PREFIX).rebuild()
            record = next(iter(view.links.values())).record
            revision = await Lattice(at_leaf, PREFIX).put(attrs.evolve(record, contract_id="wasmcloud:bench"))
            await _until(at_leaf, keys + 1)
            return {
                "keys": keys,
                "copied_hub_cpu_us": _us(at_the_hub.seconds, keys),
                "copied_leaf_cpu_us": _us(at_the_leaf.seconds, keys),
                "read_records": len(view),
                "read_hub_cpu_us": _us(reading_at_hub.seconds, keys),
                "read_leaf_cpu_us": _us(reading_at_leaf.seconds, keys),
                "written_through_leaf_at_hub": revision == (await _info(at_hub))["state"]["last_seq"],
            }


async def _until(storage: NatsStorage, messages: int) -> None:
    async with asyncio.timeout(_DEADLINE_S):
        while (await _info(storage))["state"]["messages"] < messages:
            await asyncio.sleep(0.02)


def _us(seconds: float, keys: int) -> float:
    return round(seconds / keys * 1e6, 3)
