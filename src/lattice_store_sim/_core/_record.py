"""What a consumer's state is on record: the server keeps it beside the consumer's own, and tells of it in its infos.

The two differ where one follows what the other does not: a message given up after its last delivery leaves the floor
on record where it is, and a record does not go back (nats-server memstore.go, ``consumerMemStore``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._consumer_info import SequencePair


class Record:
    """Delivered, ack floor and what is pending.

    Args:
        config: ack policy and the most deliveries.
        before: the stream sequence before the first to be delivered.
        floor: the stream sequence of the ack floor.
    """

    def __init__(self, config: ConsumerConfig, before: int, floor: int) -> None:
        self.config = config
        self.delivered = SequencePair(0, before)
        self.floor = SequencePair(0, floor)
        self.pending: dict[int, int] = {}
        """Consumer sequences of first deliveries, by stream sequence."""

    def copy(self) -> Record:
        copied = Record.__new__(Record)
        copied.__dict__.update(self.__dict__, pending=self.pending.copy())
        return copied

    def deliver(self, sequence: int, consumer_sequence: int, count: int) -> None:
        """Note that a message is delivered for the *count*-th time, or is given up with a count above the most."""
        if consumer_sequence <= self.floor.consumer_sequence:
            return
        acks = self.config.ack_policy != "none"
        if acks and sequence > self.delivered.stream_sequence:
            self.pending[sequence] = consumer_sequence
        self.delivered = _later(self.delivered, SequencePair(consumer_sequence, sequence))
        if not acks:
            self.floor = _later(self.floor, self.delivered)
        elif 0 < self.config.max_deliver < count:
            self.pending.pop(sequence, None)

    def ack(self, sequence: int, consumer_sequence: int) -> None:
        """Note an ack; of what is not pending nothing is noted."""
        if consumer_sequence <= self.floor.consumer_sequence or sequence not in self.pending:
            return
        if self.config.ack_policy == "explicit":
            consumer_sequence = min(consumer_sequence, self.pending.pop(sequence))
            self.floor = floor_after(sequence, consumer_sequence, self.floor, self.delivered, self.pending)
        else:
            for each in up_to(sequence, self.pending, after=self.floor.stream_sequence):
                del self.pending[each]
            self.floor = SequencePair(consumer_sequence, sequence)

    def replace(self, delivered: SequencePair, floor: SequencePair, pending: Mapping[int, int]) -> None:
        """Take over the consumer's own state, unless it makes no sense or is older."""
        inside = all(floor.stream_sequence < each <= delivered.stream_sequence for each in pending)
        ahead = all(map(int.__le__, floor, delivered))
        older = (
            delivered.consumer_sequence < self.delivered.consumer_sequence
            or floor.stream_sequence < self.floor.stream_sequence
        )
        if inside and ahead and not older:
            self.delivered, self.floor, self.pending = delivered, floor, dict(pending)

    def reset(self, before: int) -> None:
        """Begin anew behind *before*."""
        self.delivered = self.floor = SequencePair(0, before)
        self.pending.clear()


def _later(one: SequencePair, other: SequencePair) -> SequencePair:
    if one[0] <= other[0] and one[1] <= other[1]:
        return other
    return SequencePair(*map(max, one, other))


def up_to(sequence: int, pending: Mapping[int, object], *, after: int = 0) -> list[int]:
    """Return what is pending behind one sequence and up to another; pending sequences ascend."""
    if sequence - after < len(pending):
        return [each for each in range(after + 1, sequence + 1) if each in pending]
    found = []
    for each in pending:
        if each > sequence:
            break
        found.append(each)
    return found


def floor_after(
    sequence: int,
    consumer_sequence: int,
    floor: SequencePair,
    delivered: SequencePair,
    pending: Mapping[int, int],
) -> SequencePair:
    """Return where an ack of one message moves the floor: as far as all is acked, if the ack was right behind it."""
    if not pending:
        return delivered
    if consumer_sequence != floor.consumer_sequence + 1:
        return floor
    for ahead in range(sequence + 1, delivered.stream_sequence + 1):
        if ahead in pending:
            return SequencePair(pending[ahead] - 1, ahead - 1)
    return SequencePair(consumer_sequence, sequence)


def settled_by_all(
    way: Literal["delivered", "passed", "counted", "all"], sequence: int, floor: int, acked: list[int], pending: int
) -> tuple[Sequence[int], Sequence[int]]:
    """Return what an ack of everything up to a sequence makes a consumer forget, and what it lets go for its part.

    The server walks down from it until nothing is pending any more, or through what is pending if that is shorter.

    Args:
        way: the server's, see `ServerProfile.ack_all_settles`.
        sequence: up to which is acked.
        floor: where all was acked before.
        acked: what was pending from there on.
        pending: how much was pending altogether.
    """
    count, first = sequence - floor, acked[0] if acked else sequence
    walked: Sequence[int] = acked
    if way == "all" or count <= pending:
        first = acked[0] if way != "all" and len(acked) == pending else floor + 1
        walked = range(first, sequence + 1)
    if way == "delivered":
        return walked, acked if acked[-1:] == [sequence] else [*acked, sequence]
    if way == "counted" and count > 1:
        first = min(first, count)
    return walked, range(first, sequence + 1)
