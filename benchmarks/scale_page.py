"""The figures in docs/explanation/scale.md: each block between ``<!-- figures: NAME -->`` and ``<!-- end -->`` is written here.

They are made of docs/reference/bench/costs.json and restart.jsonl alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from restart_model import Costs, Scenario
from simulate_restart import costs_of

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "explanation" / "scale.md"
FOLDER = ROOT / "docs" / "reference" / "bench"
BLOCK = re.compile(r"(<!-- figures: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
SOON_S = 10
"""Within which a restart that nobody would look at is over."""
TIMEOUT_S = 5
"""The library's usual limit for the answer to a request (limits.py)."""

Row = dict[str, Any]


class Source:
    """What was measured, and what the simulation made of it."""

    def __init__(self, folder: Path) -> None:
        self.measured: Row = json.loads((folder / "costs.json").read_text())
        lines = [json.loads(line) for line in (folder / "restart.jsonl").read_text().splitlines()]
        self.settings: Row = lines[0]["settings"]
        self._rows = lines[1:]

    @property
    def costs(self) -> Costs:
        return costs_of(self.measured)

    def table(self, name: str) -> list[Row]:
        return [row for row in self._rows if row["table"] == name]

    def last(self, scenario: str) -> Row:
        return next(row for row in self.table("scenario") if row["scenario"] == scenario)


def line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def header(names: Sequence[str]) -> Iterator[str]:
    yield line(names)
    yield f"|---|{'---:|' * (len(names) - 1)}"


def span(seconds: float) -> str:
    if seconds >= 100:
        return f"{seconds / 60:.1f} min"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def rounded(number: float) -> str:
    """Return a number with two figures that count."""
    return f"{float(f'{number:.2g}'):,.0f}"


def about(source: Source) -> Iterator[str]:
    measured = source.measured
    machine, versions = measured["machine"], measured["versions"]
    yield (
        f"Measured on {measured['measured'][:10]}: {machine['processor']}, {machine['cores']} cores, nats-server "
        f"{versions['nats-server']}, Python {versions['python']}, records of {measured['settings']['payload_mean']} bytes on "
        f"average, over loopback; load of the machine before: {measured['load_before']}."
    )


def per_key(source: Source) -> Iterator[str]:
    """Yield what a key costs, at each size and on each kind of storage."""
    sizes = source.measured["sizes"]
    yield from header(["of one key", *(f"{each['keys']:,}, {each['storage']}" for each in sizes)])
    wanted: list[tuple[str, Callable[[Row], str]]] = [
        ("written: server CPU", lambda each: f"{each['publish_server_cpu_us']:.1f} µs"),
        ("written with `publish_many`: client CPU", lambda each: f"{each['publish_client_cpu_us']:.1f} µs"),
        ("kept: by the server's own count", lambda each: f"{each['stored_bytes_per_key']:.0f} B"),
        ("kept: what the server's memory grew by", lambda each: f"{each['rss_bytes_per_key']:.0f} B"),
        ("cold start: server CPU", lambda each: f"{each['cold']['server_cpu_s'] / each['keys'] * 1e6:.2f} µs"),
        ("cold start: client CPU", lambda each: f"{each['cold']['client_cpu_s'] / each['keys'] * 1e6:.2f} µs"),
        ("cold start: bytes from the server", lambda each: f"{each['cold']['received_bytes'] / each['keys']:.0f} B"),
        ("first look: client CPU to decode", lambda each: f"{each['decode_client_cpu_s'] / each['keys'] * 1e6:.2f} µs"),
        (
            "warm start, 1 % changed: server CPU",
            lambda each: f"{each['warm']['server_cpu_s'] / each['keys'] * 1e6:.2f} µs",
        ),
        (
            "warm start, 1 % changed: client CPU",
            lambda each: f"{each['warm']['client_cpu_s'] / each['keys'] * 1e6:.2f} µs",
        ),
        (
            "warm start, 1 % changed: bytes from the server",
            lambda each: f"{each['warm']['received_bytes'] / each['keys']:.1f} B",
        ),
        (
            "creating the consumer of a cold start: server CPU",
            lambda each: f"{each['requests']['last_per_subject_ms'] / each['keys'] * 1e3:.3f} µs",
        ),
        (
            "creating that of a warm start: server CPU",
            lambda each: f"{each['requests']['from_sequence_ms'] / each['keys'] * 1e3:.3f} µs",
        ),
    ]
    for name, cell in wanted:
        yield line([name, *map(cell, sizes)])


def creations(source: Source) -> Iterator[str]:
    """Yield how long it takes until a consumer is there, alone and beside others."""
    sizes = source.measured["sizes"]
    at_once = sizes[0]["requests"]["at_once"]
    yield from header(["until they are there", *(f"{each['keys']:,}, {each['storage']}" for each in sizes)])
    for name, field in (
        ("one consumer of a cold start", "last_per_subject_wall_ms"),
        (f"{at_once} of them, asked for at once", "last_per_subject_at_once_wall_ms"),
        ("any other request", "info_wall_ms"),
    ):
        yield line([name, *(span(each["requests"][field] / 1e3) for each in sizes)])
    given_up = (str(each["requests"]["at_once_timed_out"]) for each in sizes)
    yield line([f"of the {at_once}, not answered within the usual {TIMEOUT_S} s", *given_up])


def whole_starts(source: Source) -> Iterator[str]:
    """Yield how many requests and bytes a start takes."""
    yield from header(["start", "keys, storage", "requests", "bytes to the server", "bytes from it", "of cold's bytes"])
    for each in source.measured["sizes"]:
        for path in ("cold", "warm"):
            start = each[path]
            yield line(
                [
                    path,
                    f"{each['keys']:,}, {each['storage']}",
                    str(sum(start["requests"].values())),
                    f"{start['sent_bytes']:,}",
                    f"{start['received_bytes']:,}",
                    f"{start['received_bytes'] / each['cold']['received_bytes']:.2%}",
                ]
            )


def loops(source: Source) -> Iterator[str]:
    """Yield where the server's CPU time for a message goes."""
    found = source.measured["loops"]
    what = {
        "stream": "the stream's one loop, which delivers for all consumers",
        "store": "reading the message under the store's lock",
        "consumers": "the consumers' own loops, one each",
        "writers": "writing to the clients' sockets, one loop each",
        "readers": "reading from them",
        "collector": "Go's garbage collector",
        "other": "the rest",
    }
    yield from header(["loop of the server", "share", "of one message"])
    for name, words in what.items():
        share = found["shares"][name]
        yield line([words, f"{share:.0%}", f"{share * source.costs.message * 1e6:.2f} µs"])


def replicas(source: Source) -> Iterator[str]:
    yield from header(["replicas", "server CPU to write a key, all servers", "of 30 consumers, each server had"])
    for each in source.measured["replicas"]:
        placed = ", ".join(
            f"{count} (the stream's leader)" if name == each["stream_leader"] else str(count)
            for name, count in each["consumers"].items()
        )
        yield line([f"R{each['replicas']}", f"{each['publish_server_cpu_us']:.0f} µs", placed])


def leaf(source: Source) -> Iterator[str]:
    found = source.measured["leaf"]
    yield from header(["mirror in a leaf node's domain, of one key", "hub", "leaf node"])
    yield line(
        ["copying it, once: CPU", f"{found['copied_hub_cpu_us']:.1f} µs", f"{found['copied_leaf_cpu_us']:.1f} µs"]
    )
    yield line(
        [
            "a cold start at the leaf node: CPU",
            f"{found['read_hub_cpu_us']:.1f} µs",
            f"{found['read_leaf_cpu_us']:.1f} µs",
        ]
    )


def scenarios(source: Source) -> Iterator[str]:
    names = [
        "restart of all hosts",
        "median",
        "99 %",
        "last",
        "longest wait",
        "peak CPU",
        "peak Gbit/s",
        "sent",
        "on the way",
    ]
    yield from header(names)
    for row in source.table("scenario"):
        yield line(
            [
                row["scenario"],
                *(span(row[name]) for name in ("median_s", "p99_s", "last_s", "longest_wait_s")),
                f"{row['peak_cores']:.1f} cores",
                f"{row['peak_gbit']:.1f}",
                f"{row['sent_gb']:.1f} GB",
                f"{row['on_the_way_mb'] / 1000:.1f} GB",
            ]
        )


def found(source: Source) -> Iterator[str]:
    """Yield the sentences that the scenarios lead to."""
    cold, warm, replicas = (source.last(name) for name in ("cold", "warm", "cold, R3"))
    mirrored, slow, slower = (source.last(f"cold, {name}") for name in ("16 mirrors", "jitter 600 s", "jitter 1800 s"))
    cores, narrow = source.last("cold, 16 cores"), source.last("cold, 1 Gbit/s")
    yield (
        f"- The last of {source.settings['hosts']:,} hosts is ready after {span(cold['last_s'])} when all start cold, and after "
        f"{span(warm['last_s'])} when all start warm. The server sends {cold['sent_gb']:.0f} GB and {warm['sent_gb']:.1f} GB, and works "
        f"{span(cold['server_cpu_s'])} and {span(warm['server_cpu_s'])} of CPU time."
    )
    yield (
        f"- Jitter takes away the peak, not the work: spread over ten minutes, the last cold host is ready after {span(slow['last_s'])}, spread over half an "
        f"hour after {span(slower['last_s'])}. The longest wait for an answer falls from {span(cold['longest_wait_s'])} to "
        f"{span(slow['longest_wait_s'])}, and with half an hour the median host is ready after {span(slower['median_s'])}, its own wait included."
    )
    yield (
        f"- Fan-out helps in proportion: three replicas end after {span(replicas['last_s'])}, sixteen mirrors after {span(mirrored['last_s'])}."
    )
    yield (
        f"- A larger machine is no fan-out: sixteen cores instead of four end after {span(cores['last_s'])}, for what is serial stays so. With one "
        f"Gbit/s the network decides: {span(narrow['last_s'])}."
    )
    yield (
        f"- Flow control bounds each host, not their sum: up to {cold['on_the_way_mb'] / 1000:.1f} GB may be on the way from one server at once, "
        "which it has to hold in memory."
    )


def by_size(source: Source) -> Iterator[str]:
    rows = source.table("size")
    keys = sorted({row["keys"] for row in rows})
    yield from header(["all hosts at once, last one ready", *(f"{each:,} keys" for each in keys)])
    for start in ("cold", "warm"):
        for hosts in sorted({row["hosts"] for row in rows}):
            times = {row["keys"]: row["last_s"] for row in rows if (row["scenario"], row["hosts"]) == (start, hosts)}
            yield line([f"{hosts:,} hosts, {start}", *(span(times[each]) for each in keys)])


def thresholds(source: Source) -> Iterator[str]:
    """Yield from which size on something has to be done, as products of hosts and keys."""
    costs, usual = source.costs, Scenario(name="usual")
    a_message = costs.seconds_a_message(usual.cores, usual.nic)
    cold = SOON_S / (a_message + costs.count_all)
    yield line(["hosts × keys", "what happens when all hosts start at once, on one server", "what to do"])
    yield "|---:|---|---|"
    yield line([f"up to {rounded(cold)}", f"cold starts are over within {SOON_S} s", "nothing"])
    yield line([f"from {rounded(cold)}", "the last cold host waits longer than that", "start warm; spread the starts"])
    yield line(
        [
            f"from {rounded(TIMEOUT_S / costs.count_all)}",
            f"the server takes longer than {TIMEOUT_S} s to create all consumers, cold or warm: requests time out",
            "spread the starts, or raise `request_timeout_ns`; replicas or mirrors",
        ]
    )
    spread = costs.count_all + costs.count_new + a_message * source.settings["changed"]
    yield ""
    yield (
        f"A jitter is long enough when the server is not busy all the time: for each million keys and each host that shares a server, "
        f"{(a_message + costs.count_all) * 1e6:.1f} s of starts cold, {spread * 1e6:.2f} s warm."
    )


def check(source: Source) -> Iterator[str]:
    names = [
        "hosts at once, keys",
        "model",
        "measured",
        "measured / model",
        "on the way by the model",
        "server grew",
        "load before",
    ]
    yield from header(names)
    for row in source.table("check"):
        yield line(
            [
                f"{row['hosts']}, {row['keys']:,}",
                span(row["last_s"]),
                span(row["measured_last_s"]),
                f"{row['measured_in_the_model']:.2f}",
                f"{row['on_the_way_mb']:.0f} MB",
                f"{row['server_grew_mb']:.0f} MB",
                f"{row['load_before']}",
            ]
        )


BLOCKS: dict[str, Callable[[Source], Iterator[str]]] = {
    "about": about,
    "per-key": per_key,
    "starts": whole_starts,
    "creations": creations,
    "loops": loops,
    "replicas": replicas,
    "leaf": leaf,
    "scenarios": scenarios,
    "found": found,
    "by-size": by_size,
    "thresholds": thresholds,
    "check": check,
}


def filled(page: str, folder: Path = FOLDER) -> str:
    """Return the page with the figures that are in *folder*.

    Raises:
        KeyError: the page asks for a block that there is not.
    """
    source = Source(folder)
    return BLOCK.sub(lambda found: f"{found[1]}{chr(10).join(BLOCKS[found['name']](source))}\n{found[3]}", page)


def write() -> None:
    """Write the figures of today into the page."""
    PAGE.write_text(filled(PAGE.read_text()))
