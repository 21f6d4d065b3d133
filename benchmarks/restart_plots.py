"""The plots of docs/explanation/scale.md, from the JSON lines of ``simulate_restart.py``."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from page import Part, Row  # beside this file
from plots import Plots, count

COLD, WARM = "#1f5fa8", "#1a9a7a"
SHADES = {"": "#12427a", "jitter 600 s": "#4fa0e8", "R3": "#1a9a7a", "4 mirrors": "#d98a1f", "16 mirrors": "#b5563c"}
"""What is shown over time, each with its colour."""
SPANS = (0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36000)
TIMEOUT_S = 5
"""The library's usual limit for the answer to a request (limits.py)."""


def span(seconds: float, _: object = None) -> str:
    for unit, size in (("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1000:.3g} ms"


def timed(axis: Axis) -> None:
    """Mark times as people say them, on a logarithmic axis."""
    axis.set_major_locator(FixedLocator(SPANS))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(span))


def headed(figure: Figure, part: Part, title: str) -> None:
    settings, versions = part.settings, part.head["versions"]
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=11)
    figure.supxlabel(
        f"simulated: {settings['cores']} cores and {settings['gbit']:g} Gbit/s a server unless said · costs measured with "
        f"nats-server {versions['nats-server']}, {part.head['machine']['processor']}, {part.head['measured'][:10]}",
        x=0.01,
        ha="left",
        fontsize=8,
        color="#666666",
    )


def what(part: Part) -> str:
    return f"{part.settings['hosts']:,} hosts restart against {count(part.settings['keys'])} keys"


def rows(part: Part, table: str) -> list[Row]:
    return [row for row in part.rows if row.get("table") == table]


def ready_over_time(parts: list[Part]) -> Figure:
    """Draw how many hosts are ready against time, cold and warm side by side."""
    (part,) = parts
    named = {row["scenario"]: row for row in rows(part, "scenario")}
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.4), sharey=True)
    for axes, start in zip(panels, ("cold", "warm"), strict=True):
        for variant, colour in SHADES.items():
            row = named[f"{start}, {variant}" if variant else start]
            times, shares = zip(*row["ready"], strict=True)
            axes.step([0, *(time / 60 for time in times)], [0, *(share * 100 for share in shares)], where="post",
                      linewidth=1.8, label=variant or "all at once, one server", color=colour)  # fmt: skip
        axes.set_xlim(0)
        axes.set_xlabel("minutes after the first host began")
        axes.set_title(start, loc="left", fontsize=10)
    panels[0].set_ylabel("hosts that are ready, %")
    panels[1].legend(fontsize=9, loc="center left", bbox_to_anchor=(1.01, 0.5))
    headed(figure, part, what(part))
    return figure


def last_of_each(parts: list[Part]) -> Figure:
    """Draw when the last host was ready, and what the busiest server had to do, as bars."""
    (part,) = parts
    shown = rows(part, "scenario")[::-1]
    figure, axes = plt.subplots(figsize=(9, 0.32 * len(shown) + 1.4))
    axes.barh([row["scenario"] for row in shown], [row["last_s"] for row in shown], height=0.66,
              color=[COLD if row["changed"] is None else WARM for row in shown])  # fmt: skip
    for place, row in enumerate(shown):
        words = f"  {span(row['last_s'])}   peak {row['peak_cores']:.1f} cores, {row['peak_gbit']:.1f} Gbit/s"
        axes.text(row["last_s"], place, words, va="center", fontsize=8.5, color="#333333")
    axes.set_xscale("log")
    axes.set_xlim(min(row["last_s"] for row in shown) / 4, max(row["last_s"] for row in shown) * 20)
    timed(axes.xaxis)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("until the last host is ready")
    headed(figure, part, what(part))
    return figure


def last_by_size(parts: list[Part]) -> Figure:
    """Draw until when the last host is ready, and the longest wait for an answer, for several sizes."""
    (part,) = parts
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.4), sharey=True)
    for axes, field, title in zip(panels, ("last_s", "longest_wait_s"), TITLES, strict=True):
        _by_size(axes, rows(part, "size"), field)
        axes.set_title(title, loc="left", fontsize=10)
    panels[1].axhline(TIMEOUT_S, color="#8c2d2d", linewidth=1.2, linestyle=":")
    panels[1].text(1e3, TIMEOUT_S * 1.2, "usual request timeout", fontsize=8.5, color="#8c2d2d")
    panels[1].legend(fontsize=9, loc="center left", bbox_to_anchor=(1.01, 0.5))
    headed(figure, part, "All hosts at once, one server")
    return figure


TITLES = ("until the last host is ready", "the longest wait for the answer to a request")


def _by_size(axes: Axes, shown: list[Row], field: str) -> None:
    hosts = sorted({row["hosts"] for row in shown}, reverse=True)
    for start, colour, style in (("cold", COLD, "-"), ("warm", WARM, "--")):
        for number, amount in enumerate(hosts):
            line = [(row["keys"], row[field]) for row in shown if (row["scenario"], row["hosts"]) == (start, amount)]
            axes.plot(*zip(*line, strict=True), color=colour, linestyle=style, linewidth=1.6, marker="Dso"[number % 3],
                      markersize=5, label=f"{amount:,} hosts, {start}", alpha=1 - 0.5 * number / len(hosts))  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(count))
    axes.xaxis.set_minor_locator(NullLocator())
    timed(axes.yaxis)
    axes.set_xlabel("keys")


PLOTS: Plots = {
    "restart-ready": ("restart", ready_over_time),
    "restart-last": ("restart", last_of_each),
    "restart-size": ("restart", last_by_size),
}
