"""The layers are enforced: import-linter keeps what stands, and each contract notices when it is broken."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent

LAYERS = "lattice_store layers"
SIMULATOR_LAYERS = "simulator layers"
VOCABULARY = "the simulator imports only the vocabulary, but for its fixtures"
NO_SIMULATOR = "the library never imports the simulator, but for its composition roots"
NATS = "only the NATS backend and its benchmark import nats-py"
PURE = "pure modules do no I/O, read no clock, roll no dice"

VIOLATIONS = [
    (LAYERS, "lattice_store/errors.py", "from lattice_store import limits"),
    (LAYERS, "lattice_store/unlisted.py", ""),
    (SIMULATOR_LAYERS, "lattice_store_sim/_clock.py", "from lattice_store_sim import _storage"),
    (SIMULATOR_LAYERS, "lattice_store_sim/unlisted.py", ""),
    (VOCABULARY, "lattice_store_sim/_core/_log.py", "from lattice_store import _records"),
    (VOCABULARY, "lattice_store_sim/_replay.py", "from lattice_store import testing"),
    (VOCABULARY, "lattice_store_sim/_storage.py", "from lattice_store import nats"),
    (NO_SIMULATOR, "lattice_store/_formats.py", "import lattice_store_sim"),
    (NATS, "lattice_store/_open.py", "import nats"),
    (NATS, "lattice_store/_view.py", "import nats"),
    (NATS, "lattice_store/cli/_app.py", "import nats"),
    (NATS, "lattice_store/cli/_bench/_rebuild.py", "import nats"),
    (NATS, "lattice_store_sim/_per_loop.py", "import nats"),
    (NATS, "lattice_store_sim/_replay.py", "import nats"),
    (PURE, "lattice_store_sim/_core/_log.py", "import time"),
]


def contracts(folder: Path) -> dict[str, str]:
    """Return what import-linter says of each contract: KEPT or BROKEN."""
    done = subprocess.run(
        [BIN / "lint-imports", "--no-cache", "--config", folder / "pyproject.toml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = dict(re.findall(r"^(.+\S) (KEPT|BROKEN)\b", done.stdout, flags=re.MULTILINE))
    assert found, done.stdout + done.stderr
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return tmp_path


def test_every_contract_is_kept_and_each_has_a_violation_below(copy: Path) -> None:
    assert contracts(copy) == {contract: "KEPT" for contract, *_ in VIOLATIONS}


@pytest.mark.parametrize(("contract", "name", "violation"), VIOLATIONS)
def test_a_contract_can_be_broken_and_no_other_with_it(copy: Path, contract: str, name: str, violation: str) -> None:
    module = copy / "src" / name
    former = module.read_text() if violation else ""
    module.write_text(f"{former}\n{violation}\n")
    assert [each for each, verdict in contracts(copy).items() if verdict == "BROKEN"] == [contract]


@pytest.mark.parametrize(
    "call",
    [
        "time.time()",
        "time.time_ns()",
        "time.monotonic()",
        "time.monotonic_ns()",
        "datetime.datetime.now()",
        "datetime.datetime.utcnow()",
        "datetime.date.today()",
        "uuid.uuid1()",
        "uuid.uuid4()",
    ],
)
def test_time_and_chance_are_asked_for_in_one_module_only(call: str) -> None:
    source = f"import {call.partition('.')[0]}\n\n{call}\n"
    assert _complaints(source, "src/lattice_store/_view.py", "TID251") == 1
    if "uuid" not in call:
        assert _complaints(source, "src/lattice_store/clock.py", "TID251") == 0


def test_what_is_private_to_one_package_is_not_imported_by_the_other() -> None:
    source = "from lattice_store.testing._forwarding import ForwardingReplay\n"
    assert _complaints(source, "src/lattice_store_sim/_per_loop.py", "PLC2701") == 1
    assert _complaints(source, "src/lattice_store/testing/_faulty.py", "PLC2701") == 0


def _complaints(source: str, path: str, rule: str) -> int:
    """Return how often ruff, by the project's own settings, would find *rule* broken if *path* held *source*."""
    done = subprocess.run(
        [BIN / "ruff", "check", "--no-cache", "--output-format=json", f"--stdin-filename={ROOT / path}", "-"],
        cwd=ROOT,
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return [each["code"] for each in json.loads(done.stdout)].count(rule)
