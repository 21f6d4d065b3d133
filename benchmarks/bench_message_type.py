"""Which type should a `Message` be? Measured on the real read path, with a stub view.

A real nats-server sends 100,000 last values through an ordered push consumer (ack none, flow
control, idle heartbeat) to our own `asyncio.BufferedProtocol`. The same parser builds each candidate
type; a stub view keeps the newest message of each subject. Only the type differs between paths, and
the paths are interleaved in one process, so their ratios hold on a noisy machine.

Run: ``python benchmarks/bench_message_type.py [--keys 100000] [--runs 5]`` (JSON lines on stdout).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import msgspec
import nats

HOST = "127.0.0.1"
STREAM = "LATTICECACHE_bench"
BUFFER_BYTES = 1 << 20


@attrs.define
class Lean:
    subject: str
    sequence: int
    time_ns: int
    headers: object
    payload: bytes


@attrs.frozen
class Frozen:
    subject: str
    sequence: int
    time_ns: int
    headers: object
    payload: bytes


class Tuple(NamedTuple):
    subject: str
    sequence: int
    time_ns: int
    headers: object
    payload: bytes


class Struct(msgspec.Struct, frozen=True):
    subject: str
    sequence: int
    time_ns: int
    headers: object
    payload: bytes


class UntrackedStruct(msgspec.Struct, frozen=True, gc=False):
    subject: str
    sequence: int
    time_ns: int
    headers: object
    payload: bytes


def bare_dict(subject: str, sequence: int, time_ns: int, headers: object, payload: bytes) -> Any:
    """The floor: no message object, a (sequence, payload) pair."""
    return sequence, payload


CANDIDATES: dict[str, Callable[..., Any]] = {
    "pair (no message)": bare_dict,
    "attrs define": Lean,
    "attrs frozen": Frozen,
    "NamedTuple": Tuple,
    "msgspec frozen": Struct,
    "msgspec frozen gc=False": UntrackedStruct,
}


class Reader(asyncio.BufferedProtocol):
    """Reads MSG frames in bulk; resolves `done` when the consumer has nothing pending."""

    def __init__(self, make: Callable[..., Any], inbox: bytes, deliver: bytes) -> None:
        self.make, self.view = make, dict[str, Any]()
        self.inbox, self.deliver = inbox, deliver
        self.buffer, self.end = bytearray(BUFFER_BYTES), 0
        self.expected, self.connected = 0, asyncio.Event()
        self.created: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(
            b'CONNECT {"verbose":false,"headers":true,"lang":"bench","version":"0"}\r\n'
            + b"SUB %s 1\r\nSUB %s 2\r\nPING\r\n" % (self.inbox, self.deliver)
        )

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self.buffer)[self.end :]

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(memoryview(self.buffer)[: self.end + nbytes])
        used = self.parse(data)
        self.end = len(data) - used
        self.buffer[: self.end] = data[used:]

    def parse(self, data: bytes) -> int:
        make, view, find = self.make, self.view, data.find
        at, size, pending = 0, len(data), b"1"
        while (eol := find(b"\r\n", at)) >= 0:
            if data[at] == 77:  # MSG <subject> <sid> <reply> <size>
                line = data[at:eol].split(b" ")
                stop = eol + 2 + int(line[-1])
                if stop + 2 > size:
                    break
                if line[2] == b"2":
                    token = line[3].split(b".")
                    self.expected += 1
                    if int(token[6]) != self.expected:
                        raise RuntimeError("gap")
                    subject, sequence = line[1].decode(), int(token[5])
                    message = make(subject, sequence, int(token[7]), None, data[eol + 2 : stop])
                    view[subject] = message
                    pending = token[8]
                else:
                    self.created.set_result(json.loads(data[eol + 2 : stop]))
                at = stop + 2
            elif data[at] == 72:  # HMSG: flow control or heartbeat, both without payload
                line = data[at:eol].split(b" ")
                stop = eol + 2 + int(line[-1])
                if stop + 2 > size:
                    break
                if len(line) == 6:
                    self.transport.write(b"PUB %s 0\r\n\r\n" % line[3])
                at = stop + 2
            else:
                if data.startswith(b"PING", at):
                    self.transport.write(b"PONG\r\n")
                elif data.startswith(b"PONG", at):
                    self.connected.set()
                at = eol + 2
        if pending == b"0" and not self.done.done():
            self.done.set_result(None)
        return at


async def read_once(port: int, make: Callable[..., Any], keys: int) -> float:
    stamp = str(time.monotonic_ns()).encode()
    inbox, deliver = b"_INBOX.a" + stamp, b"_INBOX.b" + stamp
    request = {
        "stream_name": STREAM,
        "config": {
            "deliver_policy": "last_per_subject", "ack_policy": "none", "filter_subject": "lc.bench.>",
            "deliver_subject": deliver.decode(), "flow_control": True, "idle_heartbeat": 5_000_000_000,
            "mem_storage": True, "num_replicas": 1, "max_deliver": 1, "replay_policy": "instant",
        },
    }  # fmt: skip
    body = json.dumps(request).encode()
    started = time.perf_counter()
    loop = asyncio.get_running_loop()
    _, reader = await loop.create_connection(lambda: Reader(make, inbox, deliver), HOST, port)
    await reader.connected.wait()
    reader.transport.write(
        b"PUB $JS.API.CONSUMER.CREATE.%s %s %d\r\n%s\r\n" % (STREAM.encode(), inbox, len(body), body)
    )
    await reader.done
    took = time.perf_counter() - started
    if len(reader.view) != keys:
        raise RuntimeError(f"read {len(reader.view)} of {keys} keys")
    reader.transport.close()
    return took


async def fill(port: int, keys: int) -> None:
    client = await nats.connect(f"nats://{HOST}:{port}")
    await client.jetstream().add_stream(name=STREAM, subjects=["lc.bench.>"], storage="memory", max_msgs_per_subject=1)
    payload = b'{"filler":"' + b"x" * 279 + b'"}'  # 292 bytes, the mean of real records
    for i in range(keys):
        await client.publish(f"lc.bench.claims.M{i:055d}", payload)
    await client.flush()
    await client.close()


async def measure(port: int, keys: int, runs: int) -> None:
    await fill(port, keys)
    for gc_on in (True, False):
        times: dict[str, list[float]] = {name: [] for name in CANDIDATES}
        for _ in range(runs):
            for name, make in CANDIDATES.items():
                gc.collect()
                (gc.enable if gc_on else gc.disable)()
                times[name].append(await read_once(port, make, keys))
                gc.enable()
        floor = statistics.median(times["pair (no message)"])
        for name, taken in times.items():
            median = statistics.median(taken)
            row = {
                "type": name, "gc": gc_on, "keys": keys, "runs": runs, "median_s": round(median, 4),
                "min_s": round(min(taken), 4), "max_s": round(max(taken), 4),
                "times_floor": round(median / floor, 3),
            }  # fmt: skip
            print(json.dumps(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(json.dumps({"python": platform.python_version(), "msgspec": msgspec.__version__, "attrs": attrs.__version__}))
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [Path(sys.executable).parent / "nats-server", "-js", "-sd", folder, "-a", HOST, "-p", "-1",
             "--ports_file_dir", folder], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            while not (ports := list(Path(folder).glob("*.ports"))) or not ports[0].read_text():
                time.sleep(0.01)
            port = int(json.loads(ports[0].read_text())["nats"][0].rsplit(":", 1)[1])
            asyncio.run(measure(port, options.keys, options.runs))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
