"""The plots of the docs, from the JSON lines that ``python benchmarks`` wrote. SVG and PNG, each drawn twice alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt  # once the backend is chosen
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator
from page import Part, Row, read  # beside this file

OURS, OUR_SHADES = "#1f5fa8", {"cold": "#12427a", "cold-ready": "#1f6fc4", "cold-eager": "#4fa0e8", "fallback": "#8fc1ee",
                               "warm": "#1a9a7a"}  # fmt: skip
PEERS = {"natsrpy": "#d98a1f", "ordered": "#b5563c", "watchall": "#8c2d2d", "drain": "#7a7a7a"}
MARKS = {"cold": "o", "cold-ready": "s", "cold-eager": "^", "fallback": "v", "warm": "D", "natsrpy": "P", "ordered": "X",
         "watchall": "*", "drain": "."}  # fmt: skip
STYLE = {
    "font.size": 10, "font.family": "DejaVu Sans", "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.8, "axes.axisbelow": True,
    "legend.frameon": False, "svg.hashsalt": "lattice-store", "figure.constrained_layout.use": True,
}  # fmt: skip


def colour(path: str) -> str:
    return OUR_SHADES.get(path) or PEERS.get(path) or OURS


def duration(seconds: float, _: object = None) -> str:
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size * 0.9999:
            return f"{seconds / size:g} {unit}"
    return f"{seconds * 1e9:g} ns"


def halves(seconds: float, _: object = None) -> str:
    """Name 2 and 5 of the steps between powers of ten."""
    text = duration(seconds)
    return text if text[0] in "25" else ""


def count(number: float, _: object = None) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


def subtitle(head: Row) -> str:
    versions = head["versions"]
    peers = ["nats-server", "nats-py", "natsrpy"] if "nats-server" in versions else ["fakeredis", "py-key-value-aio"]
    shown = [f"Python {versions['python']}", *(f"{name} {versions[name]}" for name in peers if name in versions)]
    machine = f"{head['machine']['processor']}, {head['machine']['cores']} cores"
    return f"{machine} · {', '.join(shown)} · {head['measured'][:10]}"


def titled(axes: Axes, title: str, below: str) -> None:
    axes.set_title(f"{title}\n", loc="left", fontweight="bold", fontsize=11)
    axes.text(0, 1.02, below, transform=axes.transAxes, fontsize=8, color="#666666", va="bottom")


def lines(axes: Axes, parts: list[Part], along: Callable[[Part], float], *, per_key: bool = False) -> None:
    """Draw one line for each path, with its range."""
    paths = dict.fromkeys(row["path"] for part in parts for row in part.rows)
    for path in [name for name in MARKS if name in paths]:
        found = [(along(part), part.by_path[path]) for part in parts if path in part.by_path]
        at = [place for place, _ in found]
        parted = [row["keys"] if per_key else 1 for _, row in found]
        medians, least, most = (
            [row[field] / by for (_, row), by in zip(found, parted, strict=True)]
            for field in ("median_s", "min_s", "max_s")
        )
        ranges = [
            [middle - low for middle, low in zip(medians, least, strict=True)],
            [high - middle for middle, high in zip(medians, most, strict=True)],
        ]
        axes.errorbar(at, medians, yerr=ranges, label=path, color=colour(path), marker=MARKS[path], markersize=5,
                      linewidth=1.6, linestyle="--" if path in PEERS else "-", capsize=2, elinewidth=0.8)  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(duration))
    axes.yaxis.set_minor_formatter(FuncFormatter(halves) if per_key else NullFormatter())
    axes.set_ylabel("time for one key" if per_key else "time until the cache is there")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)


def rebuild_against_keys(parts: list[Part]) -> Figure:
    figure, axes = plt.subplots(figsize=(8, 5))
    lines(axes, parts, lambda part: part.settings["keys"])
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(count))
    axes.set_xlabel("keys")
    titled(axes, "Rebuild time against keys", subtitle(parts[-1].head))
    return figure


def cost_of_a_key(parts: list[Part]) -> Figure:
    """The same as cost of one key, of our own paths and the limit: flat, if the time grows as the keys do."""
    figure, axes = plt.subplots(figsize=(8, 5))
    lines(axes, parts, lambda part: part.settings["keys"], per_key=True)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(count))
    axes.set_xlabel("keys")
    titled(axes, "Rebuild time of one key against the number of keys", subtitle(parts[-1].head))
    return figure


def rebuild_against_payload(parts: list[Part]) -> Figure:
    figure, axes = plt.subplots(figsize=(8, 5))
    lines(axes, parts, lambda part: part.settings["payload_mean"])
    sizes = [part.settings["payload_mean"] for part in parts]
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("mean size of a value, bytes")
    titled(axes, f"Rebuild time of {count(parts[0].settings['keys'])} keys against their size",
           subtitle(parts[0].head))  # fmt: skip
    return figure


def rebuild_against_peers(parts: list[Part]) -> Figure:
    return bars(parts[0], "Records read a second", lambda row: f"{row['times_watchall']:.1f} × watchall"
                if row.get("times_watchall") else "")  # fmt: skip


def publish_against_peers(parts: list[Part]) -> Figure:
    return bars(parts[0], "Acknowledged publishes a second", lambda row: f"{row['times_js_publish']:.1f} × js-publish"
                if row.get("times_js_publish") else "")  # fmt: skip


def sim_against_peers(parts: list[Part]) -> Figure:
    writes = Part(parts[0].head)
    writes.rows = [row for row in parts[0].rows if "cold" not in row["path"]]
    return bars(writes, "Awaited writes a second, in memory", lambda row: f"{row['times_fakeredis']:.0f} × fakeredis"
                if row.get("times_fakeredis") else "")  # fmt: skip


def bars(part: Part, title: str, remark: Callable[[Row], str]) -> Figure:
    """Draw the rates as bars with their range, fastest on top."""
    rows = sorted(part.rows, key=lambda row: row["per_s"])
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(rows) + 1.4))
    rates = [row["per_s"] for row in rows]
    slowest = [row["keys"] / row["max_s"] for row in rows]
    fastest = [row["keys"] / row["min_s"] for row in rows]
    ranges = [[max(0, rate - low) for rate, low in zip(rates, slowest, strict=True)],
              [max(0, high - rate) for rate, high in zip(rates, fastest, strict=True)]]  # fmt: skip
    names = [row["path"] for row in rows]
    axes.barh(names, rates, color=[colour(name) if name not in OTHERS else "#b9a48a" for name in names], height=0.66,
              xerr=ranges, error_kw={"elinewidth": 0.9, "capsize": 2, "ecolor": "#333333"})  # fmt: skip
    for place, (row, high) in enumerate(zip(rows, fastest, strict=True)):
        words = f"  {row['per_s']:,}/s   {remark(row)}".rstrip()
        axes.text(high, place, words, va="center", fontsize=8.5, color="#333333")
    axes.set_xlim(0, max(fastest) * 1.42)
    axes.xaxis.set_major_formatter(FuncFormatter(count))
    axes.grid(axis="y", visible=False)
    keys = max(row["keys"] for row in rows)
    titled(axes, f"{title}, {count(keys)} keys", subtitle(part.head))
    return figure


OTHERS = frozenset(("js-publish", "js-publish-async", "py-key-value", "fakeredis"))


def cost_of_operations(parts: list[Part]) -> Figure:
    """Nanoseconds of each operation of the simulator's core, against the messages it holds."""
    rows = [row for part in parts for row in part.rows if row.get("table") == "operation"]
    figure, axes = plt.subplots(figsize=(8, 5))
    for number, row in enumerate(rows):
        axes.plot(row["messages"], row["ns"], marker="os^vDPX*"[number % 8], markersize=5, linewidth=1.6, label=row["case"],
                  color=plt.get_cmap("tab10")(number % 10))  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(count))
    least, most = min(min(row["ns"]) for row in rows), max(max(row["ns"]) for row in rows)
    axes.set_ylim(least / 4, most * 4)  # wide enough for what is flat to look flat
    axes.yaxis.set_major_formatter(FuncFormatter(lambda ns, _: duration(ns / 1e9)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("messages in the stream")
    axes.set_ylabel("CPU time of one operation")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)
    titled(
        axes,
        "Cost of an operation against the size of the stream",
        f"simulator's core, Python {parts[0].head['python']}",
    )
    return figure


Plots = dict[str, tuple[str, Callable[[list[Part]], Figure]]]
PLOTS: Plots = {
    "rebuild-keys": ("rebuild-keys", rebuild_against_keys),
    "rebuild-per-key": ("rebuild-keys", cost_of_a_key),
    "rebuild-payload": ("rebuild-payload", rebuild_against_payload),
    "rebuild-peers": ("rebuild", rebuild_against_peers),
    "publish-peers": ("publish", publish_against_peers),
    "sim-peers": ("sim", sim_against_peers),
    "operations": ("core", cost_of_operations),
}
"""By the name of the picture: the file it is made of, and how."""


def draw_all(folder: Path, plots: Plots) -> Iterator[Path]:
    """Draw every plot whose figures are there; yield the files."""
    with mpl.rc_context(STYLE):
        for name, (source, draw) in plots.items():
            if not (folder / f"{source}.jsonl").exists():
                continue
            figure = draw(read(folder / f"{source}.jsonl"))
            for ending, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
                path = folder / f"{name}.{ending}"
                figure.savefig(path, dpi=150, metadata=metadata)
                yield path
            plt.close(figure)
