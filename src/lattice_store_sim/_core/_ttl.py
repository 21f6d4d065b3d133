"""When messages expire: by the stream's maximum age, or by a TTL of their own; and what marks the end of a subject.

Sources: nats-server stream.go ``parseMessageTTL``, memstore.go ``expireMsgs``, sdm.go.
"""

from __future__ import annotations

import heapq
from typing import Final

from lattice_store.headers import Headers
from lattice_store.limits import SECOND_NS
from lattice_store.model import Message
from lattice_store_sim._core._control import MARKER_REASON, TTL, has_header, number_of, read_control
from lattice_store_sim._core._durations import duration_of, duration_text
from lattice_store_sim._core._log import Log

NEVER: Final = -1
"""The TTL of a message that outlives the maximum age too."""
_SLACK: Final = 16


def int64(number: int) -> int:
    """Return what Go makes of a sum that is too large: it wraps."""
    return (number + 2**63) % 2**64 - 2**63


def ttl_of(text: bytes) -> int | None:
    """Return a TTL in seconds: `NEVER`, 0 for none, or None if it is invalid."""
    spelled = text.decode("utf-8", "replace")
    if spelled.lower() == "never":
        return NEVER
    duration_ns = duration_of(spelled)
    if duration_ns:
        return duration_ns // SECOND_NS if duration_ns >= SECOND_NS else None
    if not text.isdigit() or text == b"0":
        return None
    seconds = int64(number_of(text))
    return None if seconds < 0 else seconds


def marker_headers(ttl_ns: int) -> Headers:
    """Return the header block of a subject delete marker that lives for that long."""
    lives = duration_text(ttl_ns // SECOND_NS * SECOND_NS)
    return Headers({"Nats-Marker-Reason": "MaxAge", "Nats-TTL": lives, "Nats-Rollup": "sub"})


def is_marker(message: Message) -> bool:
    """Return whether a message says already that its subject has ended."""
    block = message.headers.block
    return bool(block) and (has_header(block, MARKER_REASON) or has_header(block, b"KV-Operation", b"PURGE"))


class Expiry:
    """Which messages of a log expire next. It observes the log where messages may have TTLs."""

    def __init__(self, log: Log, max_age_ns: int, *, ttls: bool) -> None:
        self._log = log
        self._max_age_ns = max_age_ns
        self._aged_to = 0
        self._heap: list[tuple[int, int]] = []
        self._expires: dict[int, int] = {}
        self._exempt: set[int] = set()
        if ttls:
            for message in log.messages.values():
                self.added(message)

    # -- what the log tells -----------------------------------------------------------------------

    def added(self, message: Message) -> None:
        """Note when a message with a TTL expires."""
        block = message.headers.block
        text = read_control(block).get(TTL) if block else None
        ttl = ttl_of(text) if text else None
        if ttl == NEVER:
            self._exempt.add(message.sequence)
        elif ttl:
            expires_ns = int64(message.time_ns + ttl * SECOND_NS)
            self._expires[message.sequence] = expires_ns
            heapq.heappush(self._heap, (expires_ns, message.sequence))

    def removed(self, message: Message) -> None:
        """Forget a message."""
        self._exempt.discard(message.sequence)
        if self._expires.pop(message.sequence, None) and len(self._heap) > 2 * len(self._expires) + _SLACK:
            self._heap = [(expires_ns, sequence) for sequence, expires_ns in self._expires.items()]
            heapq.heapify(self._heap)

    # -- what is due ------------------------------------------------------------------------------

    @property
    def deadline_ns(self) -> int | None:
        """When the next message expires."""
        oldest = self._oldest()
        by_age = None if oldest is None else oldest.time_ns + self._max_age_ns
        while self._heap and self._heap[0][1] not in self._expires:
            heapq.heappop(self._heap)
        by_ttl = self._heap[0][0] if self._heap else None
        return by_age if by_ttl is None or (by_age is not None and by_age < by_ttl) else by_ttl

    def _oldest(self) -> Message | None:
        """Return the oldest message that the maximum age applies to; no sequence is looked at twice."""
        if not self._max_age_ns:
            return None
        log, exempt = self._log, self._exempt
        sequence, oldest = max(self._aged_to, log.first_sequence), None
        while sequence <= log.last_sequence:
            oldest = log.messages.get(sequence)
            if oldest is not None and sequence not in exempt:
                break
            sequence, oldest = sequence + 1, None
        self._aged_to = sequence
        return oldest

    def due(self, now_ns: int) -> list[int]:
        """Return what expires: first by age, then by TTL, each ascending. It is to be removed or postponed."""
        found: dict[int, None] = {}
        oldest = self._oldest()
        while oldest is not None and oldest.time_ns + self._max_age_ns <= now_ns:
            found[oldest.sequence] = None
            self._aged_to += 1
            oldest = self._oldest()
        by_ttl = []
        while self._heap and self._heap[0][0] <= now_ns:
            by_ttl.append(heapq.heappop(self._heap)[1])
        found.update(dict.fromkeys(sorted(each for each in by_ttl if each in self._expires)))
        return list(found)

    def postpone(self, sequence: int, until_ns: int) -> None:
        """Let a message that was due stay until then."""
        self._exempt.add(sequence)
        self._expires[sequence] = until_ns
        heapq.heappush(self._heap, (until_ns, sequence))

    # -- administration ---------------------------------------------------------------------------

    def change_age(self, max_age_ns: int) -> None:
        self._max_age_ns = max_age_ns

    def copy(self, log: Log) -> Expiry:
        """Return the same for a copy of the log."""
        copied = Expiry(log, self._max_age_ns, ttls=False)
        copied._aged_to = self._aged_to
        copied._heap, copied._expires, copied._exempt = self._heap.copy(), self._expires.copy(), self._exempt.copy()
        return copied
