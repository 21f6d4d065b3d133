"""One consumer at run time: what it delivers next, to whom, and what it does with acks.

A consumer runs when it is signalled, as the server's does: by a message it wants, a pull request, an ack that makes
room, a redelivery that is due, interest that came. A run delivers all it can (nats-server consumer.go,
``loopAndGatherMsgs``); the stream lets signalled consumers run at the end of each verb.
"""

from __future__ import annotations

from collections.abc import Sequence

from lattice_store.model import Message
from lattice_store_sim._core._ack import Ack
from lattice_store_sim._core._advisories import DELETED, share_of
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._consumer_state import ConsumerState, Held
from lattice_store_sim._core._delivery import Delivery
from lattice_store_sim._core._idleness import Idleness
from lattice_store_sim._core._outbox import Outgoing, status
from lattice_store_sim._core._pull_rules import judged
from lattice_store_sim._core._pulls import PullRequest, Refusal
from lattice_store_sim._core._push import Push
from lattice_store_sim._core._straight import deliver_straight, may_go_straight


class Consumer(ConsumerState):
    """A consumer at run time. Arguments as for its state."""

    # -- what the stream tells ------------------------------------------------------------------

    def added(self, message: Message) -> bool:
        """Note that the stream grew; return whether there is something to do."""
        if self.position.added(message) and self._may_deliver:
            self._signalled = True
            return True
        return False

    # -- time -----------------------------------------------------------------------------------

    @property
    def deadline_ns(self) -> int | None:
        """When something comes due."""
        due = [
            self.acks.deadline_ns,
            self._resume_ns,
            self._idleness.due_ns,
            self.priority.deadline_ns,
            self._goes_on_ns,
        ]
        if self._held is not None:
            due.append(self._held.until_ns)
        else:
            due += [self.pulls.deadline_ns, self.push.deadline_ns if self.push is not None else None]
        return min((one for one in due if one is not None), default=None)

    def advance(self, now_ns: int) -> None:
        """Do all that is due by *now_ns*."""
        if self._held is not None and self._held.until_ns <= now_ns:
            self._release(now_ns)
            self._signalled = True
        if _has_come(self.acks.deadline_ns, now_ns):
            self.acks.expire(now_ns, self._stream.log.first_sequence)
            self._tell_given_up(now_ns)
            self._signalled = True
        if _has_come(self._resume_ns, now_ns):
            self._resume_ns = None
            self.advisories.paused(self.config.pause_until, now_ns)
            self._signalled = True
        if _has_come(self.priority.deadline_ns, now_ns):
            self.priority.expire(now_ns)
            self._signalled = True
        if self._held is None:
            self._advance_clients(now_ns)
        if _has_come(self._idleness.due_ns, now_ns):
            self._look_at_idleness(now_ns)

    def _advance_clients(self, now_ns: int) -> None:
        if _has_come(self.pulls.deadline_ns, now_ns):
            self.pulls.review(now_ns, self._last, dry=True)
            self._signalled = True
        if self.push is not None and _has_come(self.push.deadline_ns, now_ns):
            must_answer = self._acked_by_answers and bool(self.acks.pending)
            self.push.beat(now_ns, self._last, must_answer=must_answer)

    def _look_at_idleness(self, now_ns: int) -> None:
        self.pulls.review(now_ns, self._last, dry=True)
        in_use = self.push is None and self._idleness.put_off(
            now_ns, self.pulls, self.acks, acks_awaited=self._stream.context.profile.idle_awaits_acks
        )
        if not in_use:
            self._stream.remove_consumer(self, now_ns)

    # -- delivering -----------------------------------------------------------------------------

    @property
    def _may_deliver(self) -> bool:
        """Whether somebody would take a message."""
        return self.push.active and not self.push.stalled if self.push is not None else len(self.pulls) > 0

    def run(self, now_ns: int) -> bool:
        """Deliver all that can be delivered, if signalled; return whether that or a loss may have changed something."""
        lost = self._note_losses(now_ns)
        if not self._signalled:
            return lost
        self._signalled = False
        if self._held is None:
            paused = self._resume_ns is not None
            if not paused and self._may_deliver and self.push is not None and self._goes_straight:
                if self._deliver_straight(self.push, now_ns):
                    return lost
            else:
                while not paused and self._may_deliver and self._deliver_next(now_ns):
                    pass
            if self._held is None:
                self._pace.rest(self.position.next)
                self.pulls.review(now_ns, self._last, dry=paused or not self.acks.full)
        self._schedule(now_ns)
        return True

    @property
    def _goes_straight(self) -> bool:
        return may_go_straight(self.config, self._pace, self._stream.config.retention)

    def _deliver_straight(self, push: Push, now_ns: int) -> bool:
        """Deliver all that can be delivered, or as much as the shell takes at once; return whether more is to come."""
        context = self._stream.context
        delivered, more = deliver_straight(
            push, self.position, self.acks, self._ack_prefix, most=context.burst, now_ns=now_ns
        )
        if delivered:
            self._delivered_ns = now_ns
        if more:
            self._signalled = True
            context.unfinished[self._stream.config.name] = None
        return more

    def _note_losses(self, now_ns: int) -> bool:
        """Take what has left the stream for acked, which is a signal only if it makes room; return whether there was any."""
        gone, self._gone = self._gone, []
        for sequence in gone:
            full, awaited = self.acks.full, sequence in self.acks.pending
            settled = self._drop(sequence, now_ns)
            self._settle(settled)
            self._signalled |= full and not self.acks.full
            if settled or not awaited:  # an ack of all below the floor is none
                self._acked_ns = now_ns
        if gone or self.acks.unqueued or self.acks.stale:
            self.acks.await_unqueued(now_ns)
            self._schedule(now_ns)
        return bool(gone)

    def _drop(self, sequence: int, now_ns: int) -> Sequence[int]:
        """Take a message that has gone for acked; return what may be done with now."""
        place = self.acks.pending.get(sequence), max(1, self.acks.redelivered.get(sequence, 0))
        settled = self.acks.dropped(sequence)
        if place[0] is not None:
            self.advisories.terminated((place[0], sequence), place[1], DELETED, now_ns)
        return settled

    def _tell_given_up(self, now_ns: int) -> None:
        given_up, self.acks.given_up = self.acks.given_up, []
        for sequence, deliveries in given_up:
            self.advisories.given_up(sequence, deliveries, now_ns)

    def _schedule(self, now_ns: int) -> None:
        """Let the stream know when something comes due here."""
        self.acks.plan_round(self._stream.log.first_sequence, now_ns)
        if (deadline := self.deadline_ns) is not None:
            self._stream.due_by(deadline)

    def _deliver_next(self, now_ns: int) -> bool:
        """Deliver one message; return False if there is none, nobody to take it, or it has to wait."""
        taken = self._take(now_ns)
        self._tell_given_up(now_ns)
        if taken is None:
            return False
        message, count = taken
        delivery = self._delivery(message, count)
        request = None
        if self.push is None:
            offer = self.priority.offer(self.position.pending, len(self.acks.pending), now_ns)
            request = self.pulls.next(delivery.size, now_ns, offer)
            if request is None:
                self._give_back(message, count)
                return False
            if self.priority.pins:
                delivery = delivery.with_header(b"Nats-Pin-Id", self.priority.pin.encode())
        delay = self._pace.delay(delivery, now_ns)
        self._held = Held(now_ns + delay, delivery, request)
        if not delay:
            self._release(now_ns)
        return not delay

    def _take(self, now_ns: int) -> tuple[Message, int] | None:
        """Return the next message and how often it will have been delivered: what is redelivered comes first."""
        messages = self._stream.log.messages
        while sequence := self.acks.next_again():
            if (message := messages.get(sequence)) is not None:
                return message, self.acks.redelivered[sequence] + 1
            self.acks.uncount(sequence)
            if self._stream.context.profile.gone_redeliveries_settled:
                self._settle(self._drop(sequence, now_ns))
        if self.acks.full:
            return None
        fresh = self.position.take()
        return None if fresh is None else (fresh, 1)

    def _give_back(self, message: Message, count: int) -> None:
        if count == 1 and self.position.give_back(message):
            return
        if self._stream.context.profile.undelivered_steps_back:
            self.position.step_back()
        else:
            self.acks.put_back(message.sequence)

    def _delivery(self, message: Message, count: int) -> Delivery:
        number, pending = self.acks.deliveries + 1, self.position.pending
        subject = f"{self._ack_prefix}{count}.{message.sequence}.{number}.{message.time_ns}.{pending}"
        return Delivery.of(message, count, subject, headers_only=self.config.headers_only)

    def _release(self, now_ns: int) -> None:
        """Send what is held."""
        assert self._held is not None
        delivery, request = self._held.delivery, self._held.request
        self._held = None
        context, sequence = self._stream.context, delivery.message.sequence
        self.acks.deliver(sequence, delivery.count, now_ns)
        self._delivered_ns = now_ns
        if request is not None:
            context.send(delivery.to(request.reply))
            self._idleness.used(now_ns)
            if request.left <= 0 < request.bytes_left and context.profile.full_batches_told:
                context.send(request.status(409, "Batch Completed"))
        elif self.push is not None:
            self.push.send(delivery, now_ns, must_answer=self._acked_by_answers and self.acks.full)
        if self.config.ack_policy == "none":
            self._settle([sequence])

    def _settle(self, sequences: Sequence[int]) -> None:
        if sequences:
            self._stream.settled(self, sequences)

    # -- clients --------------------------------------------------------------------------------

    def pull(self, request: PullRequest | Refusal, reply: str, now_ns: int) -> None:
        """Take a pull request, or what was made of one that cannot be read; what it gets goes to *reply*."""
        context, config = self._stream.context, self.config
        refusals, wanted = judged(request, config, context.profile)
        if wanted is not None and (refusal := self.priority.heard(wanted, now_ns)) is not None:
            refusals, wanted = [*refusals, refusal], None
        for each in refusals:
            context.send(status(reply, *each))
        if wanted is None:
            return
        pending = self.position.pending + self.acks.queued
        becomes = self.pulls.ask(
            wanted, reply, most=config.max_waiting, pending=pending, last=self._last, now_ns=now_ns
        )
        if becomes != "refused":
            self._idleness.used(now_ns)
        if becomes == "waiting":
            self._signalled = True

    def unpin(self, group: str, now_ns: int) -> None:
        """Take the pin of a priority group from whoever has it."""
        self.priority.unpin(group, now_ns)
        if self._stream.context.profile.unpinning_wakes:
            self._signalled = True

    def ack(self, ack: Ack, reply: str, now_ns: int) -> None:
        """Take an ack of any kind; it is confirmed to *reply* if that is given."""
        self._idleness.acked(now_ns)
        confirmed = ack.stream_sequence > 0
        if ack.kind in ("ack", "term", "next"):
            confirmed = self._take_ack(ack, now_ns)
            if ack.kind == "term":
                place = ack.consumer_sequence, ack.stream_sequence
                self.advisories.terminated(place, ack.deliveries, ack.reason, now_ns)
        elif ack.kind == "nak":
            self._take_nak(ack, now_ns)
        elif ack.kind == "progress" and self.acks.in_progress(ack.stream_sequence, now_ns):
            self._delivered_ns = now_ns
        if ack.kind == "next" and ack.request is not None:
            self.pull(ack.request, reply, now_ns)
        elif reply and confirmed:
            self._stream.context.send(Outgoing(reply))
        self._schedule(now_ns)

    def _take_ack(self, ack: Ack, now_ns: int) -> bool:
        """Return whether the ack is confirmed; one of what was not delivered yet is not."""
        sequence, consumer_sequence = ack.stream_sequence, ack.consumer_sequence
        early = sequence >= self.position.next and not self.config.flow_control
        if early and self._stream.context.profile.early_acks_ignored:
            return False
        if self.config.ack_policy == "none":
            return sequence > 0
        if self.config.ack_policy == "all" and self.acks.is_below_floor(sequence, consumer_sequence):
            return sequence > 0
        if self.config.ack_policy == "explicit" and ack.kind != "term":
            self._sample(ack, now_ns)
        full = self.acks.full
        self._settle(self.acks.ack(sequence, consumer_sequence))
        self._acked_ns = now_ns
        if full:
            self._signalled = True
        return True

    def _sample(self, ack: Ack, now_ns: int) -> None:
        """Tell how long an ack took, of as many as are to be told of."""
        share = share_of(self.config.sample_freq)
        if share > 0 and (waited := self.acks.waited_ns(ack.stream_sequence, now_ns)) is not None:
            place = ack.consumer_sequence, ack.stream_sequence
            self.advisories.acked(place, ack.deliveries, waited, now_ns, share=share)

    def _take_nak(self, ack: Ack, now_ns: int) -> None:
        if self.acks.nak(ack.stream_sequence, ack.consumer_sequence, ack.delay_ns, now_ns):
            self.advisories.naked((ack.consumer_sequence, ack.stream_sequence), ack.deliveries, now_ns)
            if ack.delay_ns is None:
                self._signalled = True
            else:
                self._delivered_ns = now_ns

    def answer_flow_control(self, subject: str, last: tuple[int, int], now_ns: int) -> None:
        """Take a client's answer to a flow control request.

        Args:
            subject: what the request asked for.
            last: consumer and stream sequence of the last message it has, up to which it acks them all, 0 for none.
            now_ns: the time.
        """
        if self.push is None or not self.push.answered(subject):
            return
        self._signalled = True
        consumer_sequence, sequence = last
        if self._acked_by_answers and sequence > 0 and not self.acks.is_below_floor(sequence, consumer_sequence):
            self._settle(self.acks.ack(sequence, consumer_sequence))
            self._acked_ns = now_ns

    def interest_changed(self, now_ns: int) -> None:
        """Look whether anybody listens to the deliver subject."""
        if self.push is None or self.push.active == self.push.has_interest:
            return
        self.push.active = not self.push.active
        if self.push.active:
            self._signalled = True
            self._idleness.end()
        else:
            self._idleness.begin(now_ns)
            self._schedule(now_ns)
            self._stream.due_ns = 0

    # -- administration -------------------------------------------------------------------------

    def update(self, config: ConsumerConfig, now_ns: int) -> None:
        """Take over an accepted configuration (consumer.go, ``updateConfig``)."""
        old, self.config = self.config, config
        self._stream.consumers.index.put(self)
        if self.push is not None:
            self.push.config = config
            if config.deliver_subject != old.deliver_subject:
                self.acks.expire_all(now_ns)
                self._signalled = True
                self.interest_changed(now_ns)
        self.acks.reconfigure(config, now_ns)
        self.priority.reconfigure(config)
        self.pulls.by_priority = config.priority_policy == "prioritized"
        if config.max_ack_pending != old.max_ack_pending:
            self._signalled = True
        if config.rate_limit_bps != old.rate_limit_bps:
            self._pace.change_rate(config.rate_limit_bps, now_ns)
        if config.inactive_threshold != old.inactive_threshold:
            self._idleness = Idleness(config.inactive_threshold, now_ns)
        if config.pause_until != old.pause_until:
            self._resume_ns = self._resumes_at(now_ns)
            self.advisories.paused(config.pause_until, now_ns)
        self.position.change_filters(config.filters)
        every_time = self._stream.context.profile.updates_recount
        if every_time:
            self.position.recount()
        if every_time or config.filters != old.filters:
            self._stream.interest_changed(self)
        self._schedule(now_ns)

    def reset(self, sequence: int) -> None:
        """Begin anew at *sequence*."""
        self.acks.reset(sequence - 1)
        self.position.rewind(sequence)
        self._delivered_ns = self._acked_ns = None
        self._signalled = True

    def close(self, description: str) -> None:
        """End: open pull requests are told why."""
        self.pulls.close(description)


def _has_come(deadline_ns: int | None, now_ns: int) -> bool:
    return deadline_ns is not None and deadline_ns <= now_ns
