"""The layers are enforced: import-linter keeps what stands, and each contract notices when it is broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
VIOLATIONS = {
    "lattice_store/errors.py": "from lattice_store import limits as _limits",
    "lattice_store_sim/_clock.py": "from lattice_store_sim import _storage as _shell",
    "lattice_store/_formats.py": "import lattice_store_sim as _simulator",
    "lattice_store/_view.py": "import nats as _client",
    "lattice_store_sim/_core/_log.py": "import time as _time",
}  # one for each contract, in their order


def contracts(folder: Path) -> dict[str, str]:
    """Return what import-linter says of each contract: KEPT or BROKEN."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--config", folder / "pyproject.toml"],
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
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_every_contract_is_kept_and_each_can_be_broken(copy: Path) -> None:
    kept = contracts(copy)
    assert set(kept.values()) == {"KEPT"}
    for name, violation in VIOLATIONS.items():
        module = copy / "src" / name
        module.write_text(f"{module.read_text()}\n{violation}\n")
    assert contracts(copy) == dict.fromkeys(kept, "BROKEN")
    assert len(kept) == len(VIOLATIONS)
