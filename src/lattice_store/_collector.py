"""The garbage collector, off for a while.

A rebuild makes some objects for each record and frees none: the collector looks at all of them again and again, and finds
nothing. It is one for the whole process, so it is off for everything else meanwhile too, and on again as soon as the last
rebuild under way ends.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_pauses = 0


@contextmanager
def paused(*, wanted: bool = True) -> Iterator[None]:
    """Keep the collector from running, if *wanted*; one that is off already is left off."""
    if not wanted or not _begin():
        yield
        return
    try:
        yield
    finally:
        _end()


def _begin() -> bool:
    global _pauses  # noqa: PLW0603  # the collector is global as well
    with _lock:
        if not _pauses and not gc.isenabled():
            return False
        _pauses += 1
        gc.disable()
        return True


def _end() -> None:
    global _pauses  # noqa: PLW0603
    with _lock:
        _pauses -= 1
        if not _pauses:
            gc.enable()
