"""Which stream takes what is published: a subject is bound to one stream at most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lattice_store_sim._core._stream import Stream
from lattice_store_sim._core._subject_map import SubjectMap

_KNOWN_KEPT: Final = 1 << 18


class Routes(dict[str, Stream]):
    """Streams by the subjects that were published to; the rest is found out when asked.

    Whoever adds, changes or removes a stream clears them.
    """

    def __init__(self) -> None:
        self._bound: SubjectMap[Stream] | None = None

    def clear(self) -> None:
        super().clear()
        self._bound = None

    def find(self, subject: str, streams: Mapping[str, Stream]) -> Stream | None:
        """Return the stream that a literal subject is bound to, None if there is none."""
        known = self.get(subject)
        if known is not None:
            return known
        if self._bound is None:
            self._bound = SubjectMap()
            for stream in streams.values():
                for bound in stream.config.subjects:
                    self._bound.set(bound, stream)
        found = self._bound.match(subject)
        if not found:
            return None
        if len(self) >= _KNOWN_KEPT:
            super().clear()
        self[subject] = found[0]
        return found[0]
