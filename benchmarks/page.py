"""The page about the figures, made of the JSON lines alone: nothing on it is written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]


class Part:
    """One run of a command: the object about the machine, and the rows below it."""

    def __init__(self, head: Row) -> None:
        self.head = head
        self.rows: list[Row] = []

    @property
    def by_path(self) -> dict[str, Row]:
        return {row["path"]: row for row in self.rows}

    @property
    def settings(self) -> Row:
        settings: Row = self.head["settings"]
        return settings


def read(path: Path) -> list[Part]:
    """Read a file of JSON lines; every object with settings begins a part. No file is no part."""
    parts: list[Part] = []
    for line in path.read_text().splitlines() if path.exists() else ():
        found = json.loads(line)
        if "settings" in found or not parts:
            parts.append(Part(found))
        else:
            parts[-1].rows.append(found)
    return parts


class Figures:
    """All that was measured, by step; each look-up is None where it was not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def parts(self, step: str) -> list[Part]:
        return read(self._folder / f"{step}.jsonl")

    def get(self, step: str, path: str, field: str, *, keys: int | None = None) -> float | None:
        for part in self.parts(step):
            if keys is None or part.settings["keys"] == keys:
                value: float | None = part.by_path.get(path, {}).get(field)
                return value
        return None

    def growth(self) -> float | None:
        """Time per key of a million keys, in that of a hundred thousand."""
        small, large = (self.get("rebuild-keys", "cold", "median_s", keys=keys) for keys in (100_000, 1_000_000))
        return None if small is None or large is None else large / small / 10


class Target(NamedTuple):
    """A figure to reach."""

    what: str
    reach: float
    at_least: bool
    measured: Callable[[Figures], float | None]
    shown: Callable[[float], str]

    def is_reached(self, value: float) -> bool:
        return value >= self.reach if self.at_least else value <= self.reach


def times(value: float) -> str:
    return f"{value:.2f} ×"


def percent(value: float) -> str:
    return f"{value:.1%}"


def a_second(value: float) -> str:
    return f"{value:,.0f}/s"


def megabytes(value: float) -> str:
    return f"{value:.0f} MB"


TARGETS = (
    Target("`cold` against watchall", 8, True, lambda it: it.get("rebuild", "cold", "times_watchall"), times),
    Target("`cold`, share of the drain's speed", 0.45, True, lambda it: it.get("rebuild", "cold", "share_of_drain"), percent),
    Target("`cold-ready` against watchall", 5.5, True, lambda it: it.get("rebuild", "cold-ready", "times_watchall"), times),
    Target("`cold-eager` against watchall", 5, True, lambda it: it.get("rebuild", "cold-eager", "times_watchall"), times),
    Target("`fallback` against watchall", 2, True, lambda it: it.get("rebuild", "fallback", "times_watchall"), times),
    Target("`warm` against `cold`", 5, True, lambda it: it.get("rebuild", "warm", "times_cold"), times),
    Target("`warm`, share of `cold`'s bytes", 0.02, False, lambda it: it.get("rebuild", "warm", "share_of_cold_bytes"), percent),
    Target("a key of 1M against one of 100k", 1.15, False, Figures.growth, times),
    Target("memory of 1M keys of 292 bytes", 650, False,
           lambda it: it.get("rebuild-keys", "cold", "rss_mb", keys=1_000_000), megabytes),
    Target("memory of 1M keys of 130 bytes", 350, False, lambda it: it.get("rebuild-smallest", "cold", "rss_mb"), megabytes),
    Target("`publish-many`", 100_000, True, lambda it: it.get("publish", "publish-many", "per_s"), a_second),
    Target("`publish-many-id`", 75_000, True, lambda it: it.get("publish", "publish-many-id", "per_s"), a_second),
    Target("`sim-publish-id`", 250_000, True, lambda it: it.get("sim", "sim-publish-id", "per_s"), a_second),
    Target("`sim-cold`", 600_000, True, lambda it: it.get("sim", "sim-cold", "per_s"), a_second),
)  # fmt: skip

SECTIONS = (
    ("Rebuild", ("rebuild",), ("rebuild-peers",)),
    ("Against the number of keys", ("rebuild-keys", "rebuild-smallest"), ("rebuild-keys", "rebuild-per-key")),
    ("Against the size of a value", ("rebuild-payload",), ("rebuild-payload",)),
    ("Other circumstances", ("rebuild-variants", "rebuild-python-3.13"), ()),
    ("Publish", ("publish",), ("publish-peers",)),
    ("Simulator", ("sim",), ("sim-peers", "operations")),
)
"""Title, steps and pictures."""

USUAL = {"gc": "on", "loop": "asyncio", "storage": "memory", "tls": False}


ABOUT = """\
Made by `make bench` of the JSON lines beside this page, which hold all there is. What is measured stands in the
[reference of the command](../command.md#bench), how and why in [Speed](../../explanation/speed.md)."""


def page(folder: Path) -> str:
    """Return the page about the files in *folder*, as Markdown."""
    figures = Figures(folder)
    lines = [
        "# Figures",
        "",
        ABOUT,
        "",
        *_targets(figures),
    ]
    for title, step_names, pictures in SECTIONS:
        parts = [part for name in step_names for part in figures.parts(name)]
        drawn = [name for name in pictures if (folder / f"{name}.svg").exists()]
        if not parts and not drawn:
            continue
        lines += [f"## {title}", ""]
        for name in drawn:
            lines += [f"![{name.replace('-', ' ')}]({name}.svg)", ""]
        for part in parts:
            lines += [*_about(part), "", *_table(part), ""]
    lines += _served(folder / "serve.jsonl")
    return "\n".join(lines).rstrip() + "\n"


def _targets(figures: Figures) -> Iterator[str]:
    found = [(target, target.measured(figures)) for target in TARGETS]
    if all(value is None for _, value in found):
        return
    yield "## Figures to reach"
    yield ""
    yield "| | to reach | measured | |"
    yield "|---|---:|---:|---|"
    for target, value in found:
        bound = f"{'≥' if target.at_least else '≤'} {target.shown(target.reach)}"
        if value is None:
            yield f"| {target.what} | {bound} | - | not measured |"
        else:
            yield f"| {target.what} | {bound} | {target.shown(value)} | {'' if target.is_reached(value) else 'not '}reached |"
    yield ""


def _about(part: Part) -> Iterator[str]:
    head, settings = part.head, part.settings
    machine = head["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in head["versions"].items())
    unusual = [f"{name} {_word(value)}" for name, value in settings.items() if name not in ("keys", "payload_mean")
               and USUAL.get(name) != value]  # fmt: skip
    what = ", ".join([f"{settings['keys']:,} keys, {settings['payload_mean']} bytes each on average", *unusual])
    yield f"**{what}**: {machine['processor']}, {machine['cores']} cores; {versions}; {head['measured'][:10]}."


def _word(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


RATIOS: dict[str, tuple[str, Callable[[float], str]]] = {
    "times_watchall": ("× watchall", lambda value: f"{value:.1f}"),
    "times_watchall_cpu": ("CPU × watchall", lambda value: f"{value:.1f}"),
    "share_of_drain": ("of the drain", lambda value: f"{value:.0%}"),
    "times_js_publish": ("× js-publish", lambda value: f"{value:.1f}"),
    "times_js_publish_async": ("× js-publish-async", lambda value: f"{value:.1f}"),
    "times_fakeredis": ("× fakeredis", lambda value: f"{value:.1f}"),
    "times_py_key_value": ("× py-key-value", lambda value: f"{value:.1f}"),
}


def _table(part: Part) -> Iterator[str]:
    ratios = [name for name in RATIOS if any(row.get(name) is not None for row in part.rows)]
    yield _line(
        ["path", "runs", "median ms", "range ms", "a second", "CPU s", "MB", *(RATIOS[name][0] for name in ratios)]
    )
    yield f"|---|{'---:|' * (6 + len(ratios))}"
    for row in part.rows:
        cells = [
            f"`{row['path']}`",
            str(row["runs"]),
            f"{row['median_s'] * 1000:.1f}",
            f"{row['min_s'] * 1000:.1f}-{row['max_s'] * 1000:.1f}",
            f"{row['per_s']:,}",
            f"{row['cpu_s']:.3f}",
            f"{row['rss_mb']:.0f}",
        ]
        shown = (RATIOS[name][1](row[name]) if row.get(name) is not None else "-" for name in ratios)
        yield _line([*cells, *shown])


def _served(path: Path) -> Iterator[str]:
    """Tell how the simulator on TCP compares with a real server, if that was measured."""
    if not path.exists():
        return
    settings, *rows = map(json.loads, path.read_text().splitlines())
    by_path = {row["path"]: row for row in rows}
    yield from ("## The simulator on TCP, beside a real server", "")
    yield (
        f"Medians of {settings['settings']['runs']} runs in turns, {settings['settings']['keys']:,} keys, CPython {settings['python']}, "
        f"{settings['cpus']} cores. It listens {by_path['start']['median_ms']} ms after `serve()`, and took "
        f"{by_path['memory']['simulated_peak_bytes'] / 1e6:.0f} MB at most."
    )
    yield from ("", "| path | real, a second | simulated, a second | ratio | to reach |", "|---|---:|---:|---:|---:|")
    for row in rows:
        if "ratio" in row:
            wanted = "-" if row["wanted"] is None else f"≥ {row['wanted']}"
            yield _line(
                [f"`{row['path']}`", f"{row['real_per_s']:,}", f"{row['simulated_per_s']:,}", str(row["ratio"]), wanted]
            )
    yield ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
