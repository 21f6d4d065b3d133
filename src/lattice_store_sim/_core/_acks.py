"""What a consumer has delivered: what awaits an ack, what is delivered again, and up to where all is acked.

The numbers are those that the server's consumer store keeps, since they are what the server tells (nats-server
memstore.go, ``consumerMemStore``, and consumer.go, ``processAckMsg``, ``checkPending``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Literal

import msgspec

from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._consumer_info import SequencePair
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._pulls import PullRequest, Refusal

Kind = Literal["ack", "nak", "progress", "term", "next", "unknown"]


class Ack(msgspec.Struct, frozen=True):
    """What a client says about a delivery; its ack subject says about which."""

    kind: Kind
    stream_sequence: int
    consumer_sequence: int
    delay_ns: int | None = None
    """Of a nak."""
    request: PullRequest | Refusal | None = None
    """Of a next."""


class Pending(msgspec.Struct, frozen=True, gc=False):
    """A message that awaits an ack."""

    consumer_sequence: int
    """Of its first delivery."""
    since_ns: int
    """When its ack wait began."""


class Acks:
    """Deliveries of a consumer with ack policy explicit or all; of one without acks only `delivered` and `floor` move.

    Args:
        config: ack policy, ack wait, backoff and the most deliveries.
        before: the stream sequence before the first to be delivered.
        profile: the server's.
    """

    def __init__(self, config: ConsumerConfig, before: int, profile: ServerProfile) -> None:
        self._config = config
        self._profile = profile
        self._before = before
        self.delivered = SequencePair(0, before)
        self.floor = SequencePair(0, before if profile.ack_floor_at_creation else 0)
        self.pending: dict[int, Pending] = {}
        self.redelivered: dict[int, int] = {}
        """Deliveries after the first, by sequence; kept for a message that has reached the most deliveries."""
        self._queue: OrderedDict[int, None] = OrderedDict()
        self._due: list[tuple[int, int]] = []

    def copy(self) -> Acks:
        copied = Acks.__new__(Acks)
        copied.__dict__.update(
            self.__dict__,
            pending=self.pending.copy(),
            redelivered=self.redelivered.copy(),
            _queue=self._queue.copy(),
            _due=self._due.copy(),
        )
        return copied

    # -- delivering -----------------------------------------------------------------------------

    @property
    def queued(self) -> int:
        """Messages that wait to be delivered again."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether no new message is delivered before an ack."""
        return 0 < self._config.max_ack_pending <= len(self.pending)

    def deliver(self, sequence: int, now_ns: int) -> int:
        """Note a delivery; return its consumer sequence."""
        number = self.delivered.consumer_sequence + 1
        self.delivered = SequencePair(number, max(sequence, self.delivered.stream_sequence))
        if self._config.ack_policy == "none":
            self.floor = SequencePair(number, sequence)
        else:
            earlier = self.pending.get(sequence)
            self._await(sequence, Pending(number if earlier is None else earlier.consumer_sequence, now_ns), now_ns)
        return number

    def next_again(self) -> int:
        """Take the first of the queue, 0 if there is none, and count that it is delivered once more."""
        while self._queue:
            sequence, _ = self._queue.popitem(last=False)
            count = self.redelivered[sequence] = self.redelivered.get(sequence, 0) + 1
            if 0 < self._config.max_deliver <= count:
                self.pending.pop(sequence, None)
                continue
            return sequence
        return 0

    def put_back(self, sequence: int) -> None:
        """Queue again what could not be delivered."""
        self.uncount(sequence)
        self.queue(sequence)

    def uncount(self, sequence: int) -> None:
        """Take back the count of `next_again`."""
        count = self.redelivered.get(sequence, 0) - 1
        if count > 0 or not self._profile.no_redelivery_forgotten:
            self.redelivered[sequence] = count
        else:
            self.redelivered.pop(sequence, None)

    def queue(self, sequence: int) -> None:
        """Deliver again as soon as possible."""
        self._queue.setdefault(sequence)

    # -- time -----------------------------------------------------------------------------------

    def _wait_ns(self, sequence: int) -> int:
        backoff = self._config.backoff
        if not backoff:
            return self._config.ack_wait
        return backoff[min(max(0, self.redelivered.get(sequence, 0)), len(backoff) - 1)]

    def _await(self, sequence: int, pending: Pending, now_ns: int) -> None:
        self.pending[sequence] = pending
        heappush(self._due, (max(now_ns, pending.since_ns + self._wait_ns(sequence)), sequence))

    def _is_due(self, due_ns: int, sequence: int) -> bool:
        pending = self.pending.get(sequence)
        if pending is None or sequence in self._queue:
            return False
        return due_ns >= pending.since_ns + self._wait_ns(sequence)

    @property
    def deadline_ns(self) -> int | None:
        """When the next ack wait ends."""
        while self._due and not self._is_due(*self._due[0]):
            heappop(self._due)
        return self._due[0][0] if self._due else None

    @property
    def last_due_ns(self) -> int | None:
        """When the last ack wait ends."""
        return max((one.since_ns + self._wait_ns(sequence) for sequence, one in self.pending.items()), default=None)

    def expire_all(self, now_ns: int) -> None:
        """Let every ack wait end now."""
        self._queue_again(sorted(self.pending.keys() - self._queue.keys()), now_ns)

    def expire(self, now_ns: int) -> None:
        """Queue what has waited long enough, in the order of the stream."""
        expired: set[int] = set()
        while (deadline := self.deadline_ns) is not None and deadline <= now_ns:
            expired.add(heappop(self._due)[1])
        self._queue_again(sorted(expired), now_ns)

    def _queue_again(self, sequences: list[int], now_ns: int) -> None:
        for sequence in [each for each in sequences if not self._exhausted(each)]:
            pending = self.pending[sequence]
            self.pending[sequence] = Pending(pending.consumer_sequence, now_ns)
            self.queue(sequence)

    def _exhausted(self, sequence: int) -> bool:
        """Give up a message with enough deliveries; the server notices early only if one delivery is enough."""
        count = max(1, self.redelivered.get(sequence, 0))
        if not 0 < self._config.max_deliver <= count:
            return False
        del self.pending[sequence]
        self.redelivered[sequence] = count
        return True

    def reconfigure(self, config: ConsumerConfig, now_ns: int) -> None:
        """Judge what is pending by another ack wait, backoff or number of deliveries."""
        self._config = config
        self._due = [(max(now_ns, one.since_ns + self._wait_ns(each)), each) for each, one in self.pending.items()]
        heapify(self._due)

    # -- acks -----------------------------------------------------------------------------------

    def ack(self, sequence: int, consumer_sequence: int) -> list[int]:
        """Take an ack; return what was pending and is settled by it."""
        if self._config.ack_policy == "all":
            return self._ack_all(sequence, consumer_sequence)
        pending = self._forget(sequence)
        if pending is None:
            return []
        self._move_floor(sequence, pending.consumer_sequence)
        return [sequence]

    def _forget(self, sequence: int) -> Pending | None:
        self.redelivered.pop(sequence, None)
        self._queue.pop(sequence, None)
        return self.pending.pop(sequence, None)

    def _move_floor(self, sequence: int, consumer_sequence: int) -> None:
        if consumer_sequence <= self.floor.consumer_sequence:
            return
        if not self.pending:
            self.floor = self.delivered
        elif consumer_sequence == self.floor.consumer_sequence + 1:
            self.floor = SequencePair(consumer_sequence, sequence)
            for ahead in range(sequence + 1, self.delivered.stream_sequence + 1):
                if (pending := self.pending.get(ahead)) is not None:
                    self.floor = SequencePair(pending.consumer_sequence - 1, ahead - 1)
                    break

    @property
    def done_to(self) -> int:
        """The stream sequence up to which no ack is awaited, also where the floor does not tell."""
        return max(self.floor.stream_sequence, self._before)

    def awaits(self, sequence: int, next_: int) -> bool:
        """Return whether a message is still to be acked, or given up after the most deliveries; *next_* is delivered next."""
        if sequence in self.redelivered:
            return True
        if sequence <= self.done_to:
            return False
        return self._config.ack_policy != "explicit" or sequence >= next_ or sequence in self.pending

    def is_below_floor(self, sequence: int, consumer_sequence: int) -> bool:
        return consumer_sequence <= self.floor.consumer_sequence or sequence <= self.floor.stream_sequence

    def _ack_all(self, sequence: int, consumer_sequence: int) -> list[int]:
        if self.is_below_floor(sequence, consumer_sequence):
            return []
        was_pending = sequence in self.pending
        below = range(self.floor.stream_sequence + 1, sequence + 1)
        settled = [each for each in (below if len(below) < len(self.pending) else self.pending) if each <= sequence]
        settled = [each for each in settled if each in self.pending]
        for each in settled:
            self._forget(each)
        if was_pending:
            self.floor = SequencePair(consumer_sequence, sequence)
        return settled

    def in_progress(self, sequence: int, now_ns: int) -> bool:
        """Begin the ack wait anew; return whether there is one."""
        pending = self.pending.get(sequence)
        if pending is None:
            return False
        self._await(sequence, Pending(pending.consumer_sequence, now_ns), now_ns)
        return True

    def nak(self, sequence: int, consumer_sequence: int, delay_ns: int | None, now_ns: int) -> bool:
        """Deliver again, at once or after a delay; return False for what awaits no ack.

        The delay is put into the beginning of the ack wait, so that a backoff adds to it or takes from it.
        """
        pending = self.pending.get(sequence)
        in_range = self.floor.consumer_sequence < consumer_sequence <= self.delivered.consumer_sequence + 1
        if pending is None or not in_range:
            return False
        if delay_ns is None:
            self.queue(sequence)
            return True
        self._queue.pop(sequence, None)
        since_ns = now_ns - self._config.ack_wait + delay_ns
        self._await(sequence, Pending(pending.consumer_sequence, since_ns), now_ns)
        return True

    # -- what happens to the stream -------------------------------------------------------------

    def tracks(self, sequence: int) -> bool:
        """Return whether anything is known of a delivery of that message."""
        return sequence in self.pending or sequence in self.redelivered

    def dropped(self, sequence: int) -> list[int]:
        """Note that a message left the stream; one that was pending counts as acked."""
        pending = self.pending.get(sequence)
        if pending is not None:
            return self.ack(sequence, pending.consumer_sequence)
        self.redelivered.pop(sequence, None)
        return []

    def forget_redelivered_below(self, sequence: int) -> None:
        """Forget how often messages below were delivered."""
        for each in [each for each in self.redelivered if each < sequence]:
            del self.redelivered[each]
            self._queue.pop(each, None)

    def purged(self, first: int, next_: int, gone: Iterable[int] = ()) -> list[int]:
        """Follow a purge; return what is no longer pending (consumer.go, ``purge``).

        Args:
            first: everything wanted below it has gone.
            next_: the next sequence to be delivered.
            gone: pending sequences from *first* on that have gone too.
        """
        floor, lost = self.floor, list[int]()
        if floor.stream_sequence < first:
            lost = [each for each in self.pending if each < first]
            lost += gone
            highest = max((self.pending[each].consumer_sequence for each in lost), default=0)
            for each in lost:
                del self.pending[each]
                self.redelivered.pop(each, None)
            self.floor = SequencePair(max(highest, floor.consumer_sequence), first - 1)
        self.delivered = SequencePair(self.delivered.consumer_sequence, next_ - 1)
        if not self.pending:
            self.redelivered.clear()
            self.floor = self.delivered
        waiting, self._queue = self._queue, OrderedDict()
        for each in waiting:
            if (pending := self.pending.get(each)) is not None:
                self._await(each, pending, pending.since_ns)
        return lost

    def reset(self, before: int) -> None:
        """Forget all that was delivered; the next to be delivered follows *before*."""
        self.pending.clear()
        self.redelivered.clear()
        self._queue.clear()
        self._due.clear()
        self._before = before
        self.delivered = self.floor = SequencePair(0, before)
