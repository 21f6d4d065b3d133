"""What a consumer holds: where it stands, what awaits acks, who waits; what the stream tells it, and what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from lattice_store.model import Message
from lattice_store_sim._core._acks import Acks
from lattice_store_sim._core._advisories import Advisories
from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._consumer_info import ConsumerInfo
from lattice_store_sim._core._delivery import Delivery, Pace
from lattice_store_sim._core._idleness import Idleness
from lattice_store_sim._core._position import Position
from lattice_store_sim._core._priority import Priority
from lattice_store_sim._core._pulls import Pulls, Waiting
from lattice_store_sim._core._purge_notice import PurgeNotice
from lattice_store_sim._core._push import Push

if TYPE_CHECKING:
    from lattice_store_sim._core._stream import Stream


class Held(NamedTuple):
    """A delivery that has to wait, and the pull request it answers."""

    until_ns: int
    delivery: Delivery
    request: Waiting | None


class ConsumerState:
    """The state of a consumer of one stream; `Consumer` is what it does.

    Args:
        stream: what it reads.
        name: its name, given or made up.
        config: normalised.
        created_ns: now.
    """

    def __init__(self, stream: Stream, name: str, config: ConsumerConfig, *, created_ns: int) -> None:
        context, limits = stream.context, stream.config
        self.name = name
        self.number = 0
        """Which of its stream it is, counted as they were made."""
        self.stirred = False
        """Whether it has a turn to come."""
        self.config = config
        self.created_ns = created_ns
        self.position = Position(stream.log, config, one_per_subject=limits.max_msgs_per_subject == 1)
        self.advisories = Advisories(context, limits.name, name)
        self.acks = Acks(config, self.position, context.profile)
        self.pulls = Pulls(context, by_priority=config.priority_policy == "prioritized")
        self.priority = Priority(config, context, self.advisories)
        self._flow_prefix = f"$JS.FC.{limits.name}.{name}."
        self.push = Push(context, self._flow_prefix, config, created_ns) if config.deliver_subject else None
        self._idleness = Idleness(config.inactive_threshold, None if self._is_bound else created_ns)
        replayed_to = stream.log.last_sequence if config.replay_policy == "original" else 0
        self._pace = Pace(replayed_to, config.rate_limit_bps, limits.max_msg_size, created_ns)
        self._stream = stream
        self._ack_prefix = f"$JS.ACK.{limits.name}.{name}."
        self._signalled = self.push is not None
        self._held: Held | None = None
        self._resume_ns = self._resumes_at(created_ns)
        self._goes_on_ns: int | None = None
        """When it goes on with what the shell did not take at once."""
        self._gone: list[int] = []
        self._delivered_ns: int | None = None
        self._acked_ns: int | None = None

    def copy(self, stream: Stream) -> Self:
        """Return the same consumer of a copy of the stream."""
        copied, position = self.__new__(type(self)), self.position.copy(stream.log)
        copied.__dict__.update(
            self.__dict__,
            _stream=stream,
            position=position,
            acks=self.acks.copy(position),
            pulls=self.pulls.copy(stream.context),
            advisories=(advisories := self.advisories.copy(stream.context)),
            priority=self.priority.copy(stream.context, advisories),
            push=None if self.push is None else self.push.copy(stream.context),
            _idleness=self._idleness.copy(),
            _pace=self._pace.copy(),
            _gone=self._gone.copy(),
        )
        return copied

    # -- what the stream tells ------------------------------------------------------------------

    def wants(self, subject: str) -> bool:
        return self.position.wants(subject)

    def needs(self, message: Message) -> bool:
        """Return whether it is not done with a message (consumer.go, ``needAck``)."""
        return self.wants(message.subject) and self.acks.awaits(message.sequence)

    def looked_through(self, *, beyond_floor: bool) -> int:
        """Return up to where it may be done with messages (consumer.go, ``checkStateForInterestStream``)."""
        record = self.acks.record
        last = record.delivered if beyond_floor and record.pending else record.floor
        return max(last.stream_sequence, record.floor.stream_sequence)

    def removed(self, message: Message) -> bool:
        """Note that the stream lost a message, and return whether there is something to do.

        Of one that its filters no longer want it does not hear.
        """
        told = self.position.is_told_of(message.subject)
        if told:
            self.position.removed(message)
        if told or not self._stream.context.profile.losses_told_by_filter:
            if self.acks.tracks(message.sequence):
                self._gone.append(message.sequence)
                return True
        elif message.sequence in self.acks.pending:
            self.acks.stale.add(message.sequence)
            return True
        return False

    @property
    def is_left(self) -> bool:
        """Whether a run was not the last, though nothing else happens."""
        return self._signalled or bool(self.acks.stale)

    def purged(self, purge: PurgeNotice) -> None:
        """Note that the stream was purged; what it lost was not told one by one (consumer.go, ``purge``)."""
        log, filters = self._stream.log, self.config.filters
        if purge.single is not None:
            if purge.reaches(filters, purge.single):
                self.removed(purge.single)
        elif purge.removed:
            self.position.recount()
            self.acks.forget_redelivered_below(log.first_sequence)
        if purge.covers(filters):
            self.position.skip_to(first := purge.first_left)
            self._gone += self.acks.purged(first)
        elif purge.touches(filters):
            self.position.skip_to(first := log.first_sequence)
            gone = [sequence for sequence in self.acks.pending if first <= sequence not in log.messages]
            self._gone += self.acks.purged(first, gone)
        self.acks.stale.update(sequence for sequence in self.acks.pending if sequence not in log.messages)

    # -- administration -------------------------------------------------------------------------

    def restart(self, now_ns: int) -> None:
        """Forget what the server keeps in memory only: who waits, who is pinned, when something happened last."""
        if self._held is not None:
            self.position.give_back(self._held.delivery.message)
            self._held = None
        self.position.restart()
        context = self._stream.context
        self.pulls = Pulls(context, by_priority=self.pulls.by_priority)
        self.priority.lose()
        if self.push is not None:
            self.push = Push(context, self._flow_prefix, self.config, now_ns)
        self._idleness = Idleness(self.config.inactive_threshold, None if self._is_bound else now_ns)
        self._delivered_ns = self._acked_ns = None
        self._signalled = True

    @property
    def _acked_by_answers(self) -> bool:
        return self.config.ack_policy == "flow_control"

    @property
    def _is_bound(self) -> bool:
        return self.push is not None and self.push.active

    @property
    def _last(self) -> tuple[int, int]:
        """What a heartbeat tells."""
        return self.acks.delivered

    def _resumes_at(self, now_ns: int) -> int | None:
        until = self.config.pause_until
        return until if until is not None and until > now_ns else None

    def info(self, now_ns: int) -> ConsumerInfo:
        """Return how it stands; requests that nobody waits for any more are forgotten on this occasion."""
        self.position.clamp()
        self.pulls.review(now_ns, self._last, dry=False)
        acks = self.acks
        told = acks.told(on_file=self._stream.config.storage == "file" and not self.config.mem_storage)
        return ConsumerInfo(
            stream=self._stream.config.name,
            name=self.name,
            created_ns=self.created_ns,
            config=self.config,
            delivered=told[0],
            delivered_ns=self._delivered_ns,
            ack_floor=told[1],
            acked_ns=self._acked_ns,
            num_ack_pending=len(acks.pending),
            num_redelivered=acks.num_redelivered,
            num_waiting=len(self.pulls),
            num_pending=self.position.pending,
            push_bound=self._is_bound,
            priority=self.priority.told(),
            pause_remaining=None if self._resume_ns is None else self._resume_ns - now_ns,
        )
