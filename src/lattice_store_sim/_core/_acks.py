"""What a consumer has delivered and awaits acks of, what it delivers again, and up to where all is acked.

Source: nats-server consumer.go, ``processAckMsg``, ``processNak``, ``checkPending``, ``getNextMsg``, ``purge``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._consumer_info import SequencePair
from lattice_store_sim._core._position import Position
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._record import Record, floor_after, settled_by_all, up_to


class Acks:
    """Deliveries of a consumer; without acks nothing is pending, and the floor is the last delivery.

    Args:
        config: ack policy, ack wait, backoff and the most deliveries.
        position: where the consumer stands.
        profile: the server's.
    """

    def __init__(self, config: ConsumerConfig, position: Position, profile: ServerProfile) -> None:
        before = position.next - 1
        self._config = config
        self._position = position
        self._profile = profile
        self.record = Record(config, before, before if profile.ack_floor_at_creation else 0)
        self.deliveries = 0
        """How many there were: the consumer sequence of the last."""
        self.floor = self.record.floor
        self.pending: dict[int, int] = {}
        """Consumer sequences of first deliveries, by stream sequence; ascending."""
        self.redelivered: dict[int, int] = {}
        """Deliveries after the first, by sequence; kept for a message that has reached the most deliveries."""
        self.unqueued: list[int] = []
        """What a purge took from the queue though it is still stored."""
        self.stale: set[int] = set()
        """What may be pending though its message is gone; it is found out once everything below it is gone too."""
        self.given_up: list[tuple[int, int]] = []
        """Messages given up, with the number of their deliveries, until somebody is told."""
        self._rounds = False
        """Whether the server looks through what is pending, time and again: from a delivery until it finds nothing."""
        self._round_ns: int | None = None
        """When it will find something to correct."""
        self._since_ns: dict[int, int] = {}
        """When the ack wait of what is pending began."""
        self._queue: OrderedDict[int, None] = OrderedDict()
        self._due: list[tuple[int, int]] = []

    def copy(self, position: Position) -> Acks:
        """Return the same state for a copy of the position."""
        copied = Acks.__new__(Acks)
        copied.__dict__.update(
            self.__dict__,
            _position=position,
            record=self.record.copy(),
            pending=self.pending.copy(),
            redelivered=self.redelivered.copy(),
            given_up=self.given_up.copy(),
            unqueued=self.unqueued.copy(),
            stale=self.stale.copy(),
            _since_ns=self._since_ns.copy(),
            _queue=self._queue.copy(),
            _due=self._due.copy(),
        )
        return copied

    @property
    def delivered(self) -> SequencePair:
        """The last delivery, and the last message looked at."""
        return SequencePair(self.deliveries, self._position.next - 1)

    def told(self, *, on_file: bool) -> tuple[SequencePair, SequencePair]:
        """Return what an info tells as delivered and as ack floor.

        A record on file is there from the beginning; in memory one that says nothing does not count.
        """
        if not self._profile.told_from_record:
            return self.delivered, self.floor
        record = self.record
        return record.delivered if on_file or any(record.delivered) else self.delivered, record.floor

    @property
    def num_redelivered(self) -> int:
        """How many messages an info tells to have been delivered again."""
        delivers_once = self._config.max_deliver == 1 and self._profile.no_redeliveries_after_one
        return 0 if delivers_once else len(self.redelivered)

    # -- delivering -----------------------------------------------------------------------------

    @property
    def queued(self) -> int:
        """Messages that wait to be delivered again."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether no new message is delivered before an ack."""
        return 0 < self._config.max_ack_pending <= len(self.pending)

    def deliver(self, sequence: int, count: int, now_ns: int) -> None:
        """Note a delivery, the *count*-th of this message."""
        self.deliveries += 1
        self.record.deliver(sequence, self.deliveries, count)
        if self._config.ack_policy == "none":
            self.floor = SequencePair(self.deliveries, sequence)
        else:
            self.pending.setdefault(sequence, self.deliveries)
            self._await(sequence, now_ns, now_ns)

    def deliver_unacked(self, last_sequence: int, count: int) -> None:
        """Note *count* first deliveries up to *last_sequence*, none of which awaits an ack."""
        self.deliveries += count
        self.record.deliver(last_sequence, self.deliveries, 1)
        self.floor = SequencePair(self.deliveries, last_sequence)

    def next_again(self) -> int:
        """Take the first of the queue, 0 if there is none, and count that it is delivered once more."""
        while self._queue:
            sequence, _ = self._queue.popitem(last=False)
            count = self.redelivered[sequence] = self.redelivered.get(sequence, 0) + 1
            if not 0 < self._config.max_deliver <= count:
                return sequence
            if count == self._config.max_deliver:
                self.given_up.append((sequence, count))
            self._give_up(sequence, count + 1)
        return 0

    def put_back(self, sequence: int) -> None:
        """Queue again what could not be delivered."""
        self.uncount(sequence)
        self._queue.setdefault(sequence)

    def uncount(self, sequence: int) -> None:
        """Take back the count of `next_again`."""
        count = self.redelivered.get(sequence, 0) - 1
        if count > 0 or not self._profile.no_redelivery_forgotten:
            self.redelivered[sequence] = count
        else:
            self.redelivered.pop(sequence, None)

    def _give_up(self, sequence: int, count: int) -> None:
        """Await no ack any more; the record moves its floor only later."""
        consumer_sequence = self._await_no_more(sequence)
        if consumer_sequence is not None:
            self.record.deliver(sequence, consumer_sequence, count)
            if self._profile.giving_up_moves_floor:
                self._move_floor(sequence, consumer_sequence)

    # -- time -----------------------------------------------------------------------------------

    def _wait_ns(self, sequence: int) -> int:
        backoff = self._config.backoff
        if not backoff:
            return self._config.ack_wait
        return backoff[min(max(0, self.redelivered.get(sequence, 0)), len(backoff) - 1)]

    @property
    def _longest_wait_ns(self) -> int:
        return max([*self._config.backoff, self._config.ack_wait])

    @property
    def _waits_for_ever(self) -> bool:
        """Whether no ack wait ever ends, and the server never looks through what is pending."""
        return self._config.ack_policy == "flow_control"

    def _await(self, sequence: int, since_ns: int, now_ns: int) -> None:
        self._since_ns[sequence] = since_ns
        if self._waits_for_ever:
            return
        self._rounds = True
        heappush(self._due, (max(now_ns, since_ns + self._wait_ns(sequence)), sequence))

    def await_unqueued(self, now_ns: int) -> None:
        """Queue what a purge took from the queue when the server looks at it again: after the longest wait."""
        unqueued, self.unqueued = self.unqueued, []
        if self._waits_for_ever:
            return
        for sequence in unqueued:
            if sequence in self.pending:
                heappush(self._due, (max(now_ns, self._since_ns[sequence] + self._longest_wait_ns), sequence))

    def _is_due(self, due_ns: int, sequence: int) -> bool:
        if sequence not in self.pending or sequence in self._queue:
            return False
        return due_ns >= self._since_ns[sequence] + self._wait_ns(sequence)

    @property
    def deadline_ns(self) -> int | None:
        """When the next ack wait ends."""
        while self._due and not self._is_due(*self._due[0]):
            heappop(self._due)
        due = [self._due[0][0]] if self._due else []
        return min(due if self._round_ns is None else [*due, self._round_ns], default=None)

    @property
    def last_due_ns(self) -> int | None:
        """When the last ack wait ends."""
        return max((self._since_ns[sequence] + self._wait_ns(sequence) for sequence in self.pending), default=None)

    def expire_all(self, now_ns: int) -> None:
        """Let every ack wait end now."""
        self._queue_again(sorted(self.pending.keys() - self._queue.keys()), now_ns)

    def expire(self, now_ns: int, first: int) -> None:
        """Queue what has waited long enough, in the order of the stream, but for what is gone below *first*."""
        self._drop_below(first)
        self._round_ns = None
        expired: set[int] = set()
        while (deadline := self.deadline_ns) is not None and deadline <= now_ns:
            expired.add(heappop(self._due)[1])
        self._queue_again(sorted(expired), now_ns)
        if not self.pending and self._profile.last_round_moves_floor:
            self.floor, self._rounds = self.delivered, False

    def _queue_again(self, sequences: list[int], now_ns: int) -> None:
        for sequence in sequences:
            # The server looks at the count here, but counts one delivery less: it gives up early only after one.
            count = max(1, self.redelivered.get(sequence, 0))
            if 0 < self._config.max_deliver <= count and self._profile.gives_up_at_timeout:
                if count == self._config.max_deliver:
                    self.given_up.append((sequence, count))
                self._give_up(sequence, count + self._profile.given_up_off_record)
                self.redelivered[sequence] = count
            else:
                self._since_ns[sequence] = now_ns
                self._queue.setdefault(sequence)

    def plan_round(self, first: int, now_ns: int) -> None:
        """Let the next round find out what is pending and gone, and set the floor when nothing is pending."""
        self.stale &= self.pending.keys()
        if self._waits_for_ever:
            return
        shows = self._profile.last_round_moves_floor and not self._profile.giving_up_moves_floor
        last_round = shows and self._rounds and not self.pending
        if self._round_ns is None and (last_round or any(sequence < first for sequence in self.stale)):
            self._round_ns = now_ns + self._longest_wait_ns

    def _drop_below(self, first: int) -> None:
        """Forget what is gone or below the floor and yet pending, as acks of policy all may leave it behind."""
        stale = up_to(max(first - 1, self.floor.stream_sequence), self.pending)
        for sequence in stale:
            consumer_sequence = self.pending[sequence]
            self._forget(sequence)
            self.floor = SequencePair(*map(max, self.floor, (consumer_sequence, sequence)))
        if stale:
            if not self.pending:
                self.floor = self.delivered
            self.record.replace(self.delivered, self.floor, self.pending)

    def reconfigure(self, config: ConsumerConfig, now_ns: int) -> None:
        """Judge what is pending by another ack wait, backoff or number of deliveries."""
        self._config = self.record.config = config
        waiting = () if self._waits_for_ever else self.pending
        self._due = [(max(now_ns, self._since_ns[each] + self._wait_ns(each)), each) for each in waiting]
        heapify(self._due)

    # -- acks -----------------------------------------------------------------------------------

    def ack(self, sequence: int, consumer_sequence: int) -> Sequence[int]:
        """Take an ack; return what the consumer may be done with now."""
        if self._config.ack_policy in ("all", "flow_control"):
            return self._ack_all(sequence, consumer_sequence)
        first_delivery = self._forget(sequence)
        if first_delivery is not None:
            consumer_sequence = first_delivery
        if first_delivery is not None or self._profile.late_acks_move_floor:
            self._move_floor(sequence, consumer_sequence)
        self.record.ack(sequence, consumer_sequence)
        return [sequence]

    def _forget(self, sequence: int) -> int | None:
        self.redelivered.pop(sequence, None)
        self._queue.pop(sequence, None)
        return self._await_no_more(sequence)

    def _await_no_more(self, sequence: int) -> int | None:
        self._since_ns.pop(sequence, None)
        return self.pending.pop(sequence, None)

    def _move_floor(self, sequence: int, consumer_sequence: int) -> None:
        self.floor = floor_after(sequence, consumer_sequence, self.floor, self.delivered, self.pending)

    def is_below_floor(self, sequence: int, consumer_sequence: int) -> bool:
        return consumer_sequence <= self.floor.consumer_sequence or sequence <= self.floor.stream_sequence

    def _ack_all(self, sequence: int, consumer_sequence: int) -> Sequence[int]:
        if self.is_below_floor(sequence, consumer_sequence):
            return []
        acked = up_to(sequence, self.pending, after=self.floor.stream_sequence)
        walked, settled = settled_by_all(
            self._profile.ack_all_settles, sequence, self.floor.stream_sequence, acked, len(self.pending)
        )
        for each in walked:
            self._forget(each)
        self.floor = SequencePair(consumer_sequence, sequence)
        self.record.ack(sequence, consumer_sequence)
        return settled

    def in_progress(self, sequence: int, now_ns: int) -> bool:
        """Begin the ack wait anew; return whether there is one."""
        if sequence not in self.pending:
            return False
        self._await(sequence, now_ns, now_ns)
        return True

    def nak(self, sequence: int, consumer_sequence: int, delay_ns: int | None, now_ns: int) -> bool:
        """Deliver again, at once or after a delay; return False for what awaits no ack.

        The delay is put into the beginning of the ack wait, so that a backoff adds to it or takes from it.
        """
        in_range = self.floor.consumer_sequence < consumer_sequence <= self.deliveries + 1
        anything = not self.pending and self._profile.idle_naks_taken and delay_ns is None
        if not in_range or not (sequence in self.pending or anything):
            return False
        if delay_ns is None:
            self._queue.setdefault(sequence)
        else:
            self._queue.pop(sequence, None)
            self._await(sequence, now_ns - self._config.ack_wait + delay_ns, now_ns)
        return True

    def waited_ns(self, sequence: int, now_ns: int) -> int | None:
        """Return for how long an ack has been awaited, None if it is not."""
        return now_ns - self._since_ns[sequence] if sequence in self.pending else None

    def awaits(self, sequence: int) -> bool:
        """Return whether a message is still to be acked, or was given up after the most deliveries."""
        if sequence in self.redelivered:
            return True
        if sequence <= self.floor.stream_sequence:
            return False
        explicit = self._config.ack_policy == "explicit"
        return not explicit or sequence >= self._position.next or sequence in self.pending

    # -- what happens to the stream -------------------------------------------------------------

    def tracks(self, sequence: int) -> bool:
        """Return whether anything is to be done when that message leaves the stream."""
        return sequence in self.pending or (self._profile.lost_redeliveries_forgotten and sequence in self.redelivered)

    def dropped(self, sequence: int) -> Sequence[int]:
        """Take a message that has left the stream for acked; return what the consumer may be done with now."""
        consumer_sequence = self.pending.get(sequence)
        if consumer_sequence is None:
            self.redelivered.pop(sequence, None)
            return []
        settled = self.ack(sequence, consumer_sequence)
        if sequence in self.pending:  # acks of policy all below their floor do nothing
            self.stale.add(sequence)
        return settled

    def forget_redelivered_below(self, sequence: int) -> None:
        """Forget how often messages below were delivered, as a purge does."""
        if not self._profile.purges_forget_redeliveries:
            return
        for each in [each for each in self.redelivered if each < sequence]:
            del self.redelivered[each]
            self._queue.pop(each, None)

    def purged(self, first: int, gone: Iterable[int] = ()) -> list[int]:
        """Follow a purge, which may have moved the position; return what counts as acked by it.

        Args:
            first: everything wanted below it has gone.
            gone: pending sequences from *first* on that have gone too.
        """
        lost = list[int]()
        if self.floor.stream_sequence < first:
            lost = [*up_to(first - 1, self.pending), *gone]
            reached = self.floor.consumer_sequence
            for each in lost:
                reached = max(reached, self.pending[each])
                if self._profile.purges_ack:
                    self.record.ack(each, self.pending[each])
                if self._profile.purges_forget_redeliveries:
                    self.redelivered.pop(each, None)
                self._await_no_more(each)
            self.floor = SequencePair(reached, first - 1)
        if not self.pending:
            if self._profile.purges_forget_redeliveries:
                self.redelivered.clear()
            self.floor = self.delivered
        self.unqueued += self._queue
        self._queue.clear()
        self.record.replace(self.delivered, self.floor, self.pending)
        return lost if self._profile.purges_ack else []

    def reset(self, before: int) -> None:
        """Forget all that was delivered; the next to be delivered follows *before*."""
        for held in (self.pending, self.redelivered, self._queue, self._due, self._since_ns, self.unqueued):
            held.clear()
        self.deliveries = 0
        self.floor = SequencePair(0, before)
        self.record.reset(before)
