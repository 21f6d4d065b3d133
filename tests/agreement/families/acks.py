"""Acks, and nothing but acks: one consumer that has delivered a lot, and what each ack does to its floor and its queue.

Dense where the family ``pull`` is wide. No short times are drawn. A consumer is told of a new message by a queue of its
own, behind the publisher's ack (stream.go, ``signalConsumersLoop``): until then it counts one less as pending, so each
publish waits for that.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.agreement.client import Arrival
from tests.agreement.families._delivery_outcomes import ACKS
from tests.agreement.families._spans import lacking, rows
from tests.agreement.family import Family
from tests.agreement.pair import Sending
from tests.agreement.states import compare_states

_BEFORE = 8
_UNREADABLE = b"{"
"""A pull request that is answered at once: with it, the one before has been taken too."""
_SETTINGS: list[dict[str, Any]] = [
    *({}, {"max_ack_pending": 2}, {"max_ack_pending": 3}, {"max_deliver": 2}, {"max_deliver": 3}),
    {"max_ack_pending": 3, "max_deliver": 2},
]
_KINDS = [b"", b"", b"+ACK", b"-NAK", b"-NAK", b"-NAK", b"+TERM", b"+WPI"]

acks = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(_KINDS)), min_size=1, max_size=4)
configs = st.builds(
    lambda policy, settings: {"durable_name": "C", "ack_policy": policy, **settings},
    st.sampled_from(["explicit", "explicit", "all"]),
    st.sampled_from(_SETTINGS),
)


class Acks(Family):
    name = "acks"
    weight: ClassVar = 0.5
    expected: ClassVar = rows(ACKS)
    lacking: ClassVar = lacking(ACKS)
    states_every: ClassVar = 2

    @initialize(storage=st.sampled_from(["memory", "file"]), config=configs, batch=st.integers(3, _BEFORE))
    def begin(self, storage: str, config: dict[str, Any], batch: int) -> None:
        self.inboxes: list[str] = []
        self.create(0, storage)
        self.publish_many((f"{self.space}.0.a", b"", ()) for _ in range(_BEFORE))
        self.request(f"CONSUMER.CREATE.{self.stream(0)}.C", {"stream_name": self.stream(0), "config": config})
        self.pulls(batch)

    def pulls(self, batch: int) -> None:
        self.inboxes.append(self.pair.listen("CONSUMER.MSG.NEXT"))
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream(0)}.C"
        request = b'{"batch":%d,"no_wait":true}' % batch
        self.pair.exchange(
            [
                Sending("CONSUMER.MSG.NEXT", subject, request, b"", self.inboxes[-1]),
                Sending("CONSUMER.MSG.NEXT", subject, _UNREADABLE, b"", self.pair.inbox()),
            ]
        )

    def delivered(self) -> list[Arrival]:
        return [one for inbox in self.inboxes for one in self.pair.received[inbox] if one.reply]

    @rule(choices=acks)
    def acknowledge(self, choices: list[tuple[int, bytes]]) -> None:
        for back, kind in choices:
            delivered = self.delivered()
            self.ack(delivered[max(-len(delivered), -1 - back)], kind)

    @rule(batch=st.sampled_from([1, 1, 2, 3]))
    def pull_more(self, batch: int) -> None:
        self.pulls(batch)

    @rule()
    def publish_one(self) -> None:
        self.publish(f"{self.space}.0.a")
        compare_states(self.pair)
