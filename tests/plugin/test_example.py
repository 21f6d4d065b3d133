"""The example project of the docs: its own tests, on both backends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "lattice_host"


@pytest.mark.nats
@pytest.mark.slow
def test_the_example_passes_on_both_backends() -> None:
    done = subprocess.run(
        [*(sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-rs", "--lattice-backend=sim,nats")],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        check=False,
    )
    last_line = done.stdout.rstrip().rpartition("\n")[2]
    assert "12 passed, 2 skipped" in last_line, done.stdout + done.stderr
    assert "uses lattice_sim" in done.stdout
