"""How a push consumer sends: to whom, how much at a time, and what while it is silent.

Flow control: when half of the window is under way the receiver is asked to answer; until it does, no more than the
window is sent. Each answer doubles the window (nats-server consumer.go, ``needFlowControl``, ``processFlowControl``).
Where answers are acks, the receiver is also asked when no more may be delivered without one, and when it is silent.
"""

from __future__ import annotations

from typing import Final

from lattice_store_sim._core._consumer_config import ConsumerConfig
from lattice_store_sim._core._context import Context
from lattice_store_sim._core._delivery import Delivery
from lattice_store_sim._core._outbox import Outgoing, idle_heartbeat

_WIDEST: Final = 32 * 1024 * 1024
_NARROWEST: Final = _WIDEST // 16


class Push:
    """The sending side of one push consumer.

    Args:
        context: where it sends to, and who listens.
        prefix: of the subjects that answers to flow control requests come on.
        config: deliver subject and group, idle heartbeat and flow control.
        now_ns: when the first silence begins.
    """

    def __init__(self, context: Context, prefix: str, config: ConsumerConfig, now_ns: int) -> None:
        self.context = context
        self._prefix = prefix
        self.config = config
        self._window = _NARROWEST if config.flow_control else 0
        self._under_way = 0
        self._asked = ""
        self._asked_bytes = 0
        self._questions = 0
        self._silent_since_ns = now_ns
        self.active = self.has_interest

    def copy(self, context: Context) -> Push:
        copied = Push.__new__(Push)
        copied.__dict__.update(self.__dict__, context=context)
        return copied

    @property
    def has_interest(self) -> bool:
        """Whether anybody is subscribed to the deliver subject."""
        return self.context.interest.names(self.config.deliver_subject, self.config.deliver_group or None)

    @property
    def stalled(self) -> bool:
        """Whether the receiver has to answer first."""
        return 0 < self._window < self._under_way

    # -- sending --------------------------------------------------------------------------------

    def send(self, delivery: Delivery, now_ns: int, *, must_answer: bool = False) -> None:
        """Send a message; ask the receiver to answer if much is under way, or if nothing more comes before it does."""
        outgoing = delivery.to(self.config.deliver_subject)
        self.context.send(outgoing)
        self.spoke(now_ns)
        if self.windowed:
            self.note_sent(outgoing)
            if must_answer and not self._asked:
                self._ask()

    def spoke(self, now_ns: int) -> None:
        """Note that the silence begins anew."""
        self._silent_since_ns = now_ns

    @property
    def windowed(self) -> bool:
        """Whether there is flow control."""
        return self._window > 0

    def note_sent(self, outgoing: Outgoing) -> bool:
        """Count what is under way, and ask the receiver to answer if that is much; return whether it has to first."""
        size = len(outgoing.to) + len(outgoing.reply) + len(outgoing.headers) + len(outgoing.payload)
        self._under_way += size
        if not self._asked:
            if self._under_way > self._window // 2:
                self._ask()
        elif self._under_way - self._asked_bytes >= self._window:
            self._asked_bytes += size
        return self._under_way > self._window

    def _ask(self) -> None:
        self._questions += 1
        self._asked, self._asked_bytes = f"{self._prefix}{self._questions:04d}", self._under_way
        headers = b"NATS/1.0 100 FlowControl Request\r\n\r\n"
        self.context.send(Outgoing(self.config.deliver_subject, headers=headers, reply=self._asked))

    def answered(self, subject: str) -> bool:
        """Take an answer; return whether it was the one waited for."""
        if not self._asked or subject != self._asked:
            return False
        self._window = min(2 * self._window, _WIDEST)
        self._under_way = max(0, self._under_way - self._asked_bytes)
        self._asked, self._asked_bytes = "", 0
        return True

    # -- silence --------------------------------------------------------------------------------

    @property
    def deadline_ns(self) -> int | None:
        """When the silence has lasted for an idle heartbeat."""
        beat_ns = (
            self.config.idle_heartbeat
        )  # negative where versions up to 2.11 accept that: no beat, and no end of them
        return self._silent_since_ns + beat_ns if beat_ns > 0 else None

    def beat(self, now_ns: int, last: tuple[int, int], *, must_answer: bool = False) -> None:
        """Break the silence, if anybody listens; ask for an answer if acks are awaited that only come with one."""
        self._silent_since_ns = now_ns
        if self.active:
            to = self.config.deliver_subject
            self.context.send(idle_heartbeat(to, *last, self._asked))
            if must_answer and not self._asked:
                self._ask()
