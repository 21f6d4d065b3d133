"""What the frames of an ordered consumer mean. Pure: the shell in ``_replay.py`` sends and waits.

An ordered consumer is a push consumer without acks whose messages are numbered by the server: consumer
sequence 1, 2, 3, … A number left out means that a message was lost on the way; the replay then goes on with a
new consumer, exactly where it stood. Where it stands is `Ordered.sequence`: everything that will ever be
delivered up to that stream sequence has been received.

Two sequences are kept apart because they answer different questions. ``sequence`` is where to go on, and may lie
beyond the stream's end (a replay from sequence 100 of a stream that ends at 10 stands at 99). ``seen`` is the
highest sequence the stream is known to have had: if its last one is lower today, the stream went back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final

from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.model import Batch, DeliverFromSequence, DeliverLastPerSubject, DeliverPolicy, Message
from lattice_store.nats._deliveries import ANY_BYTES, Deliveries, Frame
from lattice_store.nats._translate import ACK_PREFIX, told_by_ack

_CONTROL: Final = b"NATS/1.0 100"


class Ordered:
    """The state of a replay over the consumers it had.

    Args:
        deliver: where the replay began.
        last_sequence: the stream's last sequence, read before the first consumer was created.
    """

    def __init__(self, deliver: DeliverPolicy, last_sequence: int) -> None:
        self._deliver = deliver
        self._target = last_sequence
        self._batches: deque[Batch] = deque()
        self._consumer_sequence = 0
        self._moved = False
        # Servers before 2.11 begin a consumer beyond the stream's end with the next message instead.
        self.sequence = deliver.sequence - 1 if isinstance(deliver, DeliverFromSequence) else 0
        self.delivered = 0
        """Highest stream sequence received as a message."""
        self.pending = 0
        self.caught_up = False
        self.broken = False
        """Whether frames were lost, or the consumer is gone: nothing counts until the next `begin`."""
        self.flow_subject: str | None = None
        """Where the server waits for word that there is room."""
        self.buffered = 0
        """Messages received and not yet taken."""

    @property
    def seen(self) -> int:
        """The highest sequence the stream is known to have had."""
        return max(self._target, self.delivered)

    def resume(self) -> DeliverPolicy:
        """Return where the next consumer must begin. It may send again what was received; `receive` drops that."""
        if not self.caught_up and isinstance(self._deliver, DeliverLastPerSubject):
            return self._deliver
        return DeliverFromSequence(self.sequence + 1)

    def begin(self) -> None:
        """Expect the frames of a new consumer, which may arrive before the answer that it was created."""
        self._consumer_sequence = 0
        self.broken = False
        self.flow_subject = None

    def created(self, *, before: int, pending: int) -> None:
        """Take the answer that the consumer was created.

        Args:
            before: the last stream sequence that it does not look at.
            pending: how many messages it had to deliver at that moment.
        """
        if self._consumer_sequence == 0:
            self.pending = pending
        self._advance(before)
        if pending == 0:
            self._advance(self._target)
            self._catch_up()

    def opened(self) -> None:
        """Take note that the reader knows where the replay stands: only what comes from now on is a batch."""
        self._moved = False

    def receive(self, frames: list[Frame] | Deliveries) -> None:
        """Take frames that arrived together.

        Raises:
            ValueError: a message without a readable ack subject.
        """
        if isinstance(frames, Deliveries):
            if self.broken or self._take_whole(frames):
                return
            frames = list(frames.frames())
        at = 0
        while at < len(frames) and not self.broken:
            at += self._take_messages(frames, at)
            if at < len(frames) and not self.broken:
                _, reply, _, block = frames[at]
                self._control(reply, block)
                at += 1

    def _take_whole(self, deliveries: Deliveries) -> bool:
        """Take messages unread, if first and last show that none is missing among them and none was there before.

        A consumer numbers what it delivers while it holds its lock, and a connection keeps the order: numbers rise.
        """
        first_sequence, first, _, _ = told_by_ack(deliveries.first_reply)
        sequence, last, _, pending = told_by_ack(deliveries.last_reply)
        before = self._consumer_sequence
        if first != before + 1 or last != before + len(deliveries) or first_sequence <= self.sequence:
            return False
        self._delivered(last, sequence, pending, deliveries)
        return True

    def _take_messages(self, frames: list[Frame], at: int) -> int:
        """Take messages from there on, up to the next status; return how many."""
        before = expected = self._consumer_sequence
        newest, pending = self.sequence, 0
        messages: list[Message] = []
        for subject, reply, payload, block in islice(frames, at, None):
            if block and not reply.startswith(ACK_PREFIX):
                break
            sequence, number, time_ns, left = told_by_ack(reply)
            if number != expected + 1:
                self.broken = True  # what is left behind a gap says nothing of what was lost in it
                break
            expected, pending = number, left
            if sequence > newest:
                newest = sequence
                headers = Headers.from_block(block) if block else NO_HEADERS
                messages.append(Message(subject.decode(*ANY_BYTES), sequence, time_ns, headers, payload))
        if expected > before:
            self._delivered(expected, newest, pending, messages)
        return expected - before

    def _delivered(self, consumer_sequence: int, sequence: int, pending: int, messages: Sequence[Message]) -> None:
        """Stand where the last of some messages leads."""
        self._consumer_sequence, self.pending = consumer_sequence, pending
        if sequence > self.sequence:
            self.sequence = self.delivered = sequence
        if not self.caught_up and (self.pending == 0 or sequence >= self._target):
            self._advance(self._target)  # nothing pending: what the stream held above this message has been removed
            self._catch_up()
        if messages:
            self.buffered += len(messages)
            last = self._batches[-1].messages if self._batches else None
            if isinstance(messages, list) and isinstance(last, list):  # nobody has it yet
                last += messages
                self._batches[-1] = self._batch(last)
            else:
                self._batches.append(self._batch(messages))
            self._moved = False

    def _control(self, reply: bytes, block: bytes) -> None:
        """Take a status frame: a flow control request has a reply subject, an idle heartbeat has none."""
        if not block.startswith(_CONTROL):
            self.broken = True  # such as "409 Consumer Deleted"
            return
        if reply:
            self.flow_subject = reply.decode()
            return
        headers = Headers.from_block(block)
        if int(headers.get("Nats-Last-Consumer", 0)) != self._consumer_sequence:
            self.broken = True
            return
        stalled = headers.get("Nats-Consumer-Stalled")
        self.flow_subject = stalled or self.flow_subject
        self._advance(int(headers.get("Nats-Last-Stream", 0)))
        if self.sequence >= self._target:
            self._catch_up()
            if not stalled and self.pending:  # what was pending has been removed from the stream meanwhile
                self.pending = 0
                self._moved = True

    def _advance(self, sequence: int) -> None:
        if sequence > self.sequence:
            self.sequence = sequence
            self._moved = True

    def _catch_up(self) -> None:
        if not self.caught_up:
            self.caught_up = True
            self._moved = True

    def _batch(self, messages: Sequence[Message]) -> Batch:
        return Batch(messages=messages, sequence=self.sequence, pending=self.pending, caught_up=self.caught_up)

    def take(self) -> Batch | None:
        """Return what arrived together and was not taken yet; ``None`` if nothing did, and nothing moved."""
        if self._batches:
            batch = self._batches.popleft()
            self.buffered -= len(batch.messages)
            return batch
        if not self._moved:
            return None
        self._moved = False
        return self._batch(())
