"""Splits what a server sends into frames, wherever its reads end. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from lattice_store.nats._deliveries import CRLF, Deliveries, Frame, is_delivery

Sink: TypeAlias = Callable[[list[Frame] | Deliveries], None]
"""Takes messages of one subscription that arrived together, in order. Must neither wait nor raise."""

_MESSAGES: Final = (b"MSG", b"HMSG")
_LONGEST_LINE: Final = 1 << 20
"""Far above any control line: what is longer without an end is no NATS."""


class FrameReader:
    """Hands the messages of each subscription to its sink, and leaves everything else as it came.

    Args:
        sinks: by subscription ID. ``None`` stands for one whose messages are left as they came; messages of a
            subscription that is not listed any more are dropped.
    """

    def __init__(self, sinks: Mapping[bytes, Sink | None]) -> None:
        self._sinks = sinks
        self.rest = b""
        """What is not whole yet."""
        self.needed = 0
        """How long `rest` and what follows must be together before there is more to find in it."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take what was read; return the other frames in it, whole and in order.

        Args:
            data: `rest`, and what follows.

        Raises:
            ValueError: this is not the NATS protocol.
        """
        others: list[bytes] = []
        runs, end = self._split(data, others)
        self.rest = data[end:]
        for sid, run in runs:
            sink = self._sinks.get(sid)
            if sink is not None:
                sink(run)
        if len(self.rest) > _LONGEST_LINE and not self.needed:
            raise ValueError("a line without an end")
        return others

    def _split(self, data: bytes, others: list[bytes]) -> tuple[list[tuple[bytes, list[Frame] | Deliveries]], int]:
        """Return runs of messages of one subscription, and where what is not whole yet begins."""
        at, self.needed = 0, 0
        runs: list[tuple[bytes, list[Frame] | Deliveries]] = []
        current, run = b"", list[Frame]()
        while (line_end := data.find(CRLF, at)) >= 0:
            words, begin = data[at:line_end].split(), line_end + 2
            if not words or words[0] not in _MESSAGES:
                others.append(data[at:begin])
                at = begin
                continue
            subject, sid, reply, block_length, total = _parted(words)
            block_end, end = begin + block_length, begin + total
            if end + 2 > len(data):
                self.needed = end + 2 - at
                break
            if self._sinks.get(sid, run) is None:
                others.append(data[at : end + 2])
                at, current = end + 2, b""
            elif is_delivery(words):
                deliveries = Deliveries(data, at, sid)
                runs.append((sid, deliveries))
                at, current = deliveries.end, b""
            else:
                if sid != current:
                    current, run = sid, []
                    runs.append((sid, run))
                run.append((subject, reply, data[block_end:end], data[begin:block_end]))
                at = end + 2
        return runs, at


def _parted(words: list[bytes]) -> tuple[bytes, bytes, bytes, int, int]:
    """Return subject, subscription, reply or nothing, and lengths of header block and message, of any message's line."""
    numbers = 2 if words[0] == b"HMSG" else 1
    if not 3 + numbers <= len(words) <= 4 + numbers:
        raise ValueError(f"a {words[0].decode()} frame with {len(words)} words")
    reply = words[3] if len(words) == 4 + numbers else b""
    return words[1], words[2], reply, int(words[-2]) if numbers == 2 else 0, int(words[-1])
