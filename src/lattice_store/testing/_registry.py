"""The list of all checks, and how to run one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from types import ModuleType
from typing import Final

import attrs

from lattice_store.errors import StreamNotFoundError
from lattice_store.model import StorageType
from lattice_store.storage import Storage
from lattice_store.testing import (
    _clocked,
    _expectations,
    _lifecycle,
    _limits,
    _publish,
    _publish_many,
    _reads,
    _removal,
    _replay,
    _replay_ends,
    _streams,
    _updates,
)
from lattice_store.testing._harness import AdvancingClock, Streams


@attrs.frozen
class Check:
    """One statement about every storage, and the coroutine that proves it."""

    name: str
    run: Callable[[Storage, Streams], Awaitable[None]] = attrs.field(repr=False)
    needs_clock: bool = False
    """Whether it can only be run on a storage whose clock can be moved."""


def _checks_of(module: ModuleType, *, needs_clock: bool = False) -> Iterator[Check]:
    for name, function in vars(module).items():
        if name.startswith("check_"):
            yield Check(name.removeprefix("check_"), function, needs_clock)


_MODULES: Final = (
    _streams,
    _updates,
    _publish,
    _expectations,
    _publish_many,
    _limits,
    _reads,
    _removal,
    _replay,
    _replay_ends,
    _lifecycle,
)

CHECKS: Final = tuple(
    [check for module in _MODULES for check in _checks_of(module)] + [*_checks_of(_clocked, needs_clock=True)]
)
"""Every check, in reading order."""


async def run_check(
    check: Check,
    make_storage: Callable[[], Awaitable[Storage]],
    *,
    storage_type: StorageType,
    clock: AdvancingClock | None = None,
) -> None:
    """Run one check on fresh streams, and delete them afterwards.

    Against a real server with file storage keep one file stream of your own alive meanwhile: a server may
    fail to create a file stream just after the last one was deleted.

    Args:
        check: one of `CHECKS`.
        make_storage: opens the storage under test; called twice, for the check may close what it is given.
            Both must reach the same streams.
        storage_type: how the check's streams are kept.
        clock: what the storage takes its time from, if it can be moved; checks with ``needs_clock`` need it.

    Raises:
        AssertionError: the storage is not as the contract says.
        ValueError: the check needs a clock, and none is given.
    """
    if check.needs_clock and clock is None:
        raise ValueError(f"check {check.name} needs a clock that can be moved")
    storage = await make_storage()
    streams = Streams(storage, storage_type=storage_type, clock=clock)
    try:
        await check.run(storage, streams)
    finally:
        await storage.aclose()
        await _delete(await make_storage(), streams.names)


async def _delete(storage: Storage, names: list[str]) -> None:
    for name in names:
        try:
            await storage.delete_stream(name)
        except StreamNotFoundError:
            continue
    await storage.aclose()
