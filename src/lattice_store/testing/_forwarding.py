"""What the wrappers share: a replay that forwards to another, and iterators closed in time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from lattice_store.model import StreamInfo
from lattice_store.storage import DerivedReplay, Replay

_T = TypeVar("_T")


class ForwardingReplay(DerivedReplay):
    """A replay that stands where *inner* stands; subclasses define ``batches``."""

    def __init__(self, inner: Replay) -> None:
        self._inner = inner

    @property
    def stream(self) -> StreamInfo:
        return self._inner.stream

    @property
    def pending(self) -> int:
        return self._inner.pending

    @property
    def caught_up(self) -> bool:
        return self._inner.caught_up


@asynccontextmanager
async def closing(iterator: AsyncIterator[_T]) -> AsyncGenerator[AsyncIterator[_T], None]:
    """Close *iterator* when the block is left, not when the garbage collector finds it."""
    try:
        yield iterator
    finally:
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()
