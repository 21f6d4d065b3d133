"""How fast is the simulator on TCP, against a real server and with the same clients?

Each server is a process of its own; the paths are interleaved between the two, so that their ratio holds on a machine
that others use too. As JSON lines on stdout, the medians of all runs and the median of the ratios:

- ``publish``: ``js.publish`` of nats-py, each awaited, per second.
- ``publish_many``: our own pipeline of publishes, per second.
- ``rebuild``: keys a second of a cold ``Lattice.rebuild``.
- ``request``: requests a second between two clients of nats-py.
- ``beside``: the same while a third client has stopped reading what a fourth publishes.
- ``connections``: how many clients of nats-py connect in a second, all of them staying.
- ``start``: milliseconds until a server listens, within a process that runs already.

Run: ``python benchmarks/bench_serve.py [--keys 100000] [--runs 5]``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from servers import PREFIX, make_stream, memory_bytes, write

from lattice_store import Lattice
from lattice_store.cli._bench._data import Records
from lattice_store.nats import LocalServer, connect
from lattice_store_sim import serve

PAYLOAD = b"x" * 292  # the mean of real records
WANTED = {"publish": 0.5, "publish_many": 0.3, "rebuild": 0.4, "request": 0.5}
"""What the simulator is to reach of a real server's rate."""
_CONNECTIONS = 300


async def _serve() -> None:
    async with serve() as server:
        print(server.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def simulated() -> Iterator[tuple[str, int]]:
    """Start a simulated server as a process; it ends with its standard input."""
    command = [sys.executable, __file__, "--serve"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


# -- what is measured, each on a server that holds nothing else --------------------------------------


@asynccontextmanager
async def _clients(url: str, count: int) -> AsyncIterator[list[Client]]:
    clients = [await nats.connect(url) for _ in range(count)]
    try:
        yield clients
    finally:
        for client in clients:
            await client.close()


async def publish(url: str, keys: int) -> float:
    async with _clients(url, 1) as (client,):
        jetstream, count = client.jetstream(), keys // 20
        await jetstream.add_stream(name="BENCH", subjects=["bench.>"], storage="memory")
        began = time.perf_counter()
        for number in range(count):
            await jetstream.publish(f"bench.{number}", PAYLOAD)
        took = time.perf_counter() - began
        await jetstream.delete_stream("BENCH")
    return count / took


async def publish_many(url: str, keys: int) -> float:
    async with await connect(url) as storage:
        await make_stream(storage)
        began = time.perf_counter()
        await write(storage, Records(PREFIX, keys))
        return keys / (time.perf_counter() - began)


async def rebuild(url: str, keys: int) -> float:
    """Read what `publish_many` has stored, which is gone then."""
    async with await connect(url) as storage:
        lattice = Lattice(storage, PREFIX)
        began = time.perf_counter()
        view = await lattice.rebuild()
        took = time.perf_counter() - began
        assert len(view) == keys
        await storage.delete_stream(f"LATTICECACHE_{PREFIX}")
    return keys / took


async def request(url: str, keys: int) -> float:
    async with _clients(url, 2) as clients:
        return await _round_trips(clients, keys // 20)


async def _round_trips(clients: list[Client], count: int) -> float:
    asking, answering = clients

    async def answer(message: Msg) -> None:
        await message.respond(message.data)

    await answering.subscribe("echo", cb=answer)
    await answering.flush()
    began = time.perf_counter()
    for _ in range(count):
        await asking.request("echo", PAYLOAD, timeout=10)
    return count / (time.perf_counter() - began)


async def beside(url: str, keys: int) -> float:
    """Measure as `request`, with sixteen megabytes waiting for somebody."""
    port = int(url.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b'CONNECT {"verbose":false}\r\nSUB flood 1\r\nPING\r\n')
    while b"PONG" not in await reader.readline():
        pass
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.pause_reading()
    async with _clients(url, 3) as (flooding, *clients):
        for _ in range(160):
            await flooding.publish("flood", PAYLOAD * 350)
        await flooding.flush()
        rate = await _round_trips(clients, keys // 20)
    writer.transport.abort()
    return rate


async def connections(url: str, keys: int) -> float:
    count = min(_CONNECTIONS, keys)
    began = time.perf_counter()
    async with _clients(url, count):
        return count / (time.perf_counter() - began)


PATHS: dict[str, Callable[[str, int], Awaitable[float]]] = {
    each.__name__: each for each in (publish, publish_many, rebuild, request, beside, connections)
}


async def _measured(path: str, url: str, keys: int) -> float:
    return await PATHS[path](url, keys)


def compare(keys: int, runs: int) -> Iterator[dict[str, object]]:
    found: dict[tuple[str, str], list[float]] = {}
    with LocalServer() as server, simulated() as (url, pid):
        for _ in range(runs):
            for path in PATHS:
                for name, where in (("real", server.url), ("simulated", url)):
                    found.setdefault((path, name), []).append(asyncio.run(_measured(path, where, keys)))
        held = memory_bytes(pid, peak=True)
    for path in PATHS:
        real, sim = found[path, "real"], found[path, "simulated"]
        yield {
            "path": path,
            "keys": keys,
            "runs": runs,
            "real_per_s": round(statistics.median(real)),
            "simulated_per_s": round(statistics.median(sim)),
            "ratio": round(statistics.median(b / a for a, b in zip(real, sim, strict=True)), 2),
            "wanted": WANTED.get(path),
        }
    yield {"path": "memory", "keys": keys, "simulated_peak_bytes": held}


# -- beginning ---------------------------------------------------------------------------------------


async def _starts(count: int) -> list[float]:
    took = []
    for _ in range(count):
        began = time.perf_counter()
        async with serve():
            took.append((time.perf_counter() - began) * 1000)
    return took


def start(count: int) -> Iterator[dict[str, object]]:
    took = asyncio.run(_starts(count))
    yield {"path": "start", "runs": count, "median_ms": round(statistics.median(took), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--serve", action="store_true", help="be the simulated server, until standard input ends")
    options = parser.parse_args()
    if options.serve:
        asyncio.run(_serve())
        return
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
    print(json.dumps({**machine, "settings": {"keys": options.keys, "runs": options.runs}}), flush=True)
    for row in start(options.starts):
        print(json.dumps(row), flush=True)
    for row in compare(options.keys, options.runs):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
