"""What the wrappers share: a replay that forwards to another."""

from __future__ import annotations

from lattice_store.model import StreamInfo
from lattice_store.storage import DerivedReplay, Replay


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
