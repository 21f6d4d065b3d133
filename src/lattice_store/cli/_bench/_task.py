"""What passes between the command and the processes that measure."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lattice_store.errors import LatticeStoreError

PLACES: Final[dict[str, str]] = {
    "cold": "_rebuild",
    "cold-ready": "_rebuild",
    "cold-eager": "_rebuild",
    "fallback": "_rebuild",
    "warm": "_rebuild",
    "save": "_rebuild",
    "watchall": "_nats_py",
    "ordered": "_nats_py",
    "natsrpy": "_peers",
    "drain": "_drain",
    "js-publish": "_nats_py",
    "js-publish-async": "_nats_py",
    "publish": "_publish",
    "publish-many": "_publish",
    "publish-many-id": "_publish",
    "put-many": "_publish",
    "write": "_publish",
    "sim-publish": "_sim",
    "sim-publish-id": "_sim",
    "sim-cold": "_sim",
    "sim-cold-ready": "_sim",
    "sim-cold-eager": "_sim",
    "fakeredis": "_peers",
    "py-key-value": "_peers",
}
"""The module of this package that knows how to do a task; its function has the task's name, with underscores."""

PEERS: Final = {"natsrpy": "natsrpy", "fakeredis": "fakeredis", "py-key-value": "py-key-value-aio[memory]"}
"""What must be installed for a path to be possible."""

MODULES: Final = {"natsrpy": ("natsrpy",), "fakeredis": ("fakeredis",), "py-key-value": ("key_value", "cachetools")}
"""The modules by which that is seen."""


FOREIGN: Final = frozenset(
    ("watchall", "ordered", "natsrpy", "js-publish", "js-publish-async", "fakeredis", "py-key-value")
)
"""Paths through other libraries: where one fails, the others are still worth knowing."""


class MeasurementError(LatticeStoreError):
    """A process that measured failed, or did not do what it was asked."""


class Where(msgspec.Struct, kw_only=True, frozen=True):
    """A server, and as whom to reach it."""

    url: str
    domain: str | None = None
    options: dict[str, Any] = {}
    """Options of nats-py's ``connect``, but for TLS."""
    tls: dict[str, str | None] | None = None
    """Names of files: ``ca``, ``cert`` and ``key``."""


class Task(msgspec.Struct, kw_only=True, frozen=True):
    """One thing to do by the clock."""

    path: str
    where: Where | None = None
    prefix: str = "default"
    keys: int = 0
    payload: int = 0
    """Mean size of a value, in bytes."""
    number: int = 0
    """Of the run: what must be new in each, such as message IDs, is made of it."""
    snapshot: str = ""
    """File to write or read; the small lattice has one beside it."""
    gc: bool = True
    uvloop: bool = False
    warm_up: bool = True

    @property
    def stream(self) -> str:
        return f"LATTICECACHE_{self.prefix}"

    @property
    def small(self) -> Task:
        """The same on the small lattice."""
        return msgspec.structs.replace(
            self,
            prefix=f"{self.prefix}{SMALL_SUFFIX}",
            keys=SMALL_KEYS,
            snapshot=f"{self.snapshot}{SMALL_SUFFIX}" if self.snapshot else "",
        )


SMALL_SUFFIX: Final = "-small"
SMALL_KEYS: Final = 100


class Measured(msgspec.Struct, kw_only=True, frozen=True):
    """What a task took."""

    records: int
    """How many it read or wrote."""
    seconds: float
    cpu_seconds: float
    """Of the process, all threads."""
    rss_bytes: int
    """The most memory the process had when the clock stopped."""
