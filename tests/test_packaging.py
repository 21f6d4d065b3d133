"""The wheel holds what it should, and works where the source tree is not."""

from __future__ import annotations

import configparser
import email
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as pip builds it, without asking any index."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [*(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel"),
         *("--no-index", "--no-build-isolation", "--no-deps", "--wheel-dir", folder, ROOT)],
        check=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(contents: dict[str, bytes]) -> dict[str, bytes]:
    """The files of the distribution's own folder, by their path in it."""
    return {name.partition(".dist-info/")[2]: content for name, content in contents.items() if ".dist-info/" in name}


def test_it_holds_the_source_tree_and_nothing_else(contents: dict[str, bytes]) -> None:
    expected = {
        path.as_posix()
        for path in (found.relative_to(SRC) for found in SRC.rglob("*") if found.is_file())
        if not any(part.startswith(".") or part == "__pycache__" for part in path.parts)  # caches of tools
    }
    packaged = {name for name in contents if ".dist-info/" not in name}
    assert packaged == expected
    assert {name.partition("/")[0] for name in packaged} == {"lattice_store", "lattice_store_sim"}
    assert {"lattice_store/py.typed", "lattice_store_sim/py.typed"} <= packaged


def test_its_metadata(metadata: dict[str, bytes]) -> None:
    said = email.message_from_bytes(metadata["METADATA"])
    assert said["Name"] == "lattice-store"
    assert said["Requires-Python"] == ">=3.11"
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Description-Content-Type"] == "text/markdown"
    needed = {line for line in said.get_all("Requires-Dist") if "extra" not in line}
    assert {line.partition(">")[0] for line in needed} == {"attrs", "msgspec", "nats-py"}
    assert b"Apache License" in metadata["licenses/LICENSE"]


def test_its_entry_points(metadata: dict[str, bytes]) -> None:
    entry_points = configparser.ConfigParser()
    entry_points.read_string(metadata["entry_points.txt"].decode())
    assert {section: dict(entry_points[section]) for section in entry_points.sections()} == {
        "console_scripts": {"lattice-store": "lattice_store.cli:main"},
        "pytest11": {"lattice_store": "lattice_store_sim.pytest_plugin"},
    }


ROUND_TRIP = """
import asyncio
from importlib.metadata import version
import lattice_store, lattice_store_sim
from lattice_store import Lattice, OciReference
from lattice_store_sim import SimStorage

async def main():
    lattice = Lattice(SimStorage())
    await lattice.ensure()
    reference = OciReference(oci_url="registry.example/echo:1", public_key="MECHO")
    revision = await lattice.put(reference)
    entry = await lattice.get(reference.key)
    assert entry.record == reference
    return revision

print(lattice_store.__file__, lattice_store_sim.__file__, version("lattice-store"), asyncio.run(main()), sep="\\n")
"""


def test_it_works_without_the_source_tree(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    subprocess.run(
        [*(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"),
         *("--no-index", "--no-deps", "--target", target, wheel)],
        check=True,
    )  # fmt: skip
    # -S: the editable installation that these tests run on is not seen.
    dependencies = dict.fromkeys(sysconfig.get_paths()[name] for name in ("purelib", "platlib"))
    done = subprocess.run(
        [sys.executable, "-S", "-c", ROUND_TRIP],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(target), *dependencies])},
        check=True,
        capture_output=True,
        text=True,
    )
    library, simulator, version, revision = done.stdout.split("\n")[:4]
    assert Path(library) == target / "lattice_store" / "__init__.py"
    assert Path(simulator) == target / "lattice_store_sim" / "__init__.py"
    assert wheel.name == f"lattice_store-{version}-py3-none-any.whl"
    assert revision == "1"
