"""A message on its way to a consumer's client, and when it may go (nats-server consumer.go, ``deliverMsg``)."""

from __future__ import annotations

import copy
from typing import Final

import msgspec

from lattice_store.limits import SECOND_NS
from lattice_store.model import Message
from lattice_store_sim._core._outbox import Outgoing

_NEVER: Final = 1 << 63
_NOT_REPLAYED_NS: Final = SECOND_NS // 1000
"""Gaps up to this are not replayed."""
_PAYLOAD: Final = 1 << 20
"""What a server takes as a payload unless it is configured otherwise."""


class Delivery(msgspec.Struct, frozen=True):
    """A message, how often it has been delivered with this time, and the subject its ack comes on."""

    message: Message
    count: int
    ack_subject: str
    headers: bytes
    payload: bytes

    @classmethod
    def of(cls, message: Message, count: int, ack_subject: str, *, headers_only: bool) -> Delivery:
        block = message.headers.block
        if not headers_only:
            return cls(message, count, ack_subject, block, message.payload)
        size = b"Nats-Msg-Size: %d\r\n\r\n" % len(message.payload)
        return cls(message, count, ack_subject, (block[:-2] if block else b"NATS/1.0\r\n") + size, b"")

    def with_header(self, name: bytes, value: bytes) -> Delivery:
        """Return it with one header more, at the end."""
        block = (self.headers[:-2] if self.headers else b"NATS/1.0\r\n") + b"%b: %b\r\n\r\n" % (name, value)
        return msgspec.structs.replace(self, headers=block)

    @property
    def size(self) -> int:
        """Bytes that count towards a pull request's limit."""
        return len(self.message.subject) + len(self.ack_subject) + len(self.headers) + len(self.payload)

    def to(self, subject: str) -> Outgoing:
        return Outgoing(subject, self.payload, self.headers, self.message.subject, self.ack_subject)


class Pace:
    """How long a delivery has to wait: as long as at its first time, or until a rate allows it.

    Args:
        replayed_to: the last sequence that is replayed with its original gaps; 0 for none.
        bits_per_second: 0 for no limit.
        burst: bytes that may go at once.
        now_ns: since when.
    """

    def __init__(self, replayed_to: int, bits_per_second: int, burst: int, now_ns: int) -> None:
        self._replayed_to = replayed_to
        self._last_ns = 0
        self._burst = burst if burst > 0 else _PAYLOAD
        self.change_rate(bits_per_second, now_ns)

    def copy(self) -> Pace:
        return copy.copy(self)

    @property
    def free(self) -> bool:
        """Whether nothing has to wait."""
        return not self._replayed_to and not self._limited

    def delay(self, delivery: Delivery, now_ns: int) -> int:
        """Return how many nanoseconds the delivery has to wait; it is counted as sent."""
        delay, stored_ns = 0, delivery.message.time_ns
        if self._replayed_to and self._last_ns and stored_ns - self._last_ns > _NOT_REPLAYED_NS:
            delay = stored_ns - self._last_ns
        self._last_ns = stored_ns
        return delay + self._rate_delay(delivery.size, now_ns + delay) if self._limited else delay

    def change_rate(self, bits_per_second: int, now_ns: int) -> None:
        """Limit to another rate, with the whole burst free."""
        self._limited = bits_per_second > 0
        self._rate = bits_per_second // 8
        self._credit = self._burst * SECOND_NS  # bytes in billionths: the rate gives so many of them each nanosecond
        self._credited_ns = now_ns

    def rest(self, next_: int) -> None:
        """Note that nothing is left to deliver before *next_*: once that is new, nothing is replayed any more."""
        if next_ > self._replayed_to:
            self._replayed_to = 0

    def _rate_delay(self, size: int, now_ns: int) -> int:
        if size > self._burst or not self._rate:
            return _NEVER  # the server waits for a credit it never gives
        credit = self._credit + (now_ns - self._credited_ns) * self._rate
        self._credit = min(credit, self._burst * SECOND_NS) - size * SECOND_NS
        self._credited_ns = now_ns
        return max(0, -self._credit // self._rate)
