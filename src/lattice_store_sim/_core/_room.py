"""How much a server has room for, and what it refuses for want of it.

Streams with a ``max_bytes`` reserve that; what is stored may once go beyond what there is, then nothing more is stored
(nats-server jetstream.go, ``checkBytesLimits``, ``wouldExceedLimits``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import attrs

from lattice_store.errors import api_error
from lattice_store_sim._core._stream_config import StreamConfig

if TYPE_CHECKING:
    from lattice_store_sim._core._stream import Stream

_REFUSALS: Final = {
    "memory": (500, 10028, "insufficient memory resources available"),
    "file": (500, 10047, "insufficient storage resources available"),
}


@attrs.frozen
class Room:
    """The bytes that streams may hold in memory, and on file; None for any number."""

    memory: int | None = None
    file: int | None = None

    def _of(self, storage: str) -> int | None:
        return self.memory if storage == "memory" else self.file

    def check_reservation(self, streams: Iterable[Stream], config: StreamConfig) -> None:
        """Refuse a stream, or its update, that reserves more than is left.

        Raises:
            ApiError: 10028 or 10047.
        """
        room = self._of(config.storage)
        if room is None:
            return
        others = [one.config for one in streams if one.config.name != config.name]
        reserved = sum(max(0, one.max_bytes) for one in others if one.storage == config.storage)
        if reserved > room or (config.max_bytes if config.max_bytes >= 0 else 1) > room - reserved:
            raise api_error(*_REFUSALS[config.storage])

    def check_use(self, streams: Iterable[Stream], stream: Stream) -> None:
        """Refuse to store more in a stream once more is stored than there is room for.

        Raises:
            ApiError: 10023.
        """
        storage = stream.config.storage
        room = self._of(storage)
        if room is not None and sum(one.log.bytes for one in streams if one.config.storage == storage) > room:
            raise api_error(503, 10023, "insufficient resources")
