"""Retention by interest and as a work queue: which messages go, as consumers come, settle them and go.

Each pull asks for what is there and no more, so that no request is left waiting. Not drawn up to 2.11: acks out of order,
which leave a server without sight of the older messages of a subject (see `RemovingFamily`). Nor a consumer whose filter
is taken away by an update: it then wants everything, yet a server does not tell it of anything new (stream.go,
``swapSigSubs``). Nor consumers without acks: now and then a server keeps what it has delivered to them, because it looks
before their ack floor is known to have moved (consumer.go, ``deliverMsg``; some 5 of 100 messages on 2.15.1). Nor a change
from interest back to limits: then a server remembers of each consumer how it was, or what of it was looked at before.
Nor purges and rollups while acks of policy all are awaited: of the purge itself and of what it took servers let consumers
know side by side, and only one of the two counts as an ack (consumer.go, ``purge``, ``decStreamPending``). Nor rollups that
take several unacked messages, of which each counts as acked in a goroutine of its own, in any order.
On 2.9 no wildcards on file (`Family.counts_twice`), no rollups, which move its consumers in ways of their own (family
``pull``), and no other filters, after which it may deliver nothing.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.agreement.client import Arrival
from tests.agreement.families._delivery_outcomes import RETENTION
from tests.agreement.families._spans import lacking, rows
from tests.agreement.families.removing import RemovingFamily
from tests.agreement.states import compare_states

Settings = dict[str, Any]

_HOUR_NS = 3600 * 10**9
_CONFIGS: list[Settings] = [
    *({"deliver_policy": policy} for policy in ("all", "all", "new", "last")),
    {"max_deliver": 1},
    {"max_ack_pending": 2},
]
_FILTERS = ["a", "b", "*", "a.>", "nowhere"]

seldom = st.sampled_from([False, False, False, True])
"""Whether to do what leaves little to go on with."""
storages = st.sampled_from(["memory", "file"])
tokens = st.sampled_from(["a", "b", "a.x", "c"])
filters = st.sampled_from(_FILTERS)
names = st.sampled_from(["one", "two", "three"])
headers = st.sampled_from([(), (), (), (("Nats-Msg-Id", "id"),), (("Nats-Rollup", "sub"),)])
messages = st.lists(st.tuples(tokens, headers), min_size=1, max_size=6)
all_or_some = st.sampled_from([None, None, *_FILTERS])
configs = st.builds(
    lambda config, policy: {"ack_policy": policy, "ack_wait": _HOUR_NS, **config},
    st.sampled_from(_CONFIGS),
    st.sampled_from(["explicit", "explicit", "all"]),
)


class Retention(RemovingFamily):
    name = "retention"
    weight: ClassVar[float] = 0.5
    expected: ClassVar = rows(RETENTION)
    lacking: ClassVar = lacking(RETENTION)

    @initialize(
        storage=storages,
        retention=st.sampled_from(["interest", "interest", "limits", "limits", "workqueue", "workqueue"]),
        consumers=st.lists(st.tuples(names, all_or_some, configs), max_size=3),
    )
    def begin(self, storage: str, retention: str, consumers: list[tuple[str, str | None, Settings]]) -> None:
        self.retention = retention
        self.consumers: dict[str, Settings] = {}
        self.delivered: list[Arrival] = []
        self.create(0, storage, retention=retention, allow_rollup_hdrs=True)
        for name, filter_, config in consumers:
            self.create_consumer(name, filter_, config)

    @rule(messages=messages)
    def publishes(self, messages: list[tuple[str, tuple[tuple[str, str], ...]]]) -> None:
        for token, headers in messages:
            rolls_up = ("Nats-Rollup", "sub") in headers
            if rolls_up and not self._tells_of_one_loss(token):
                continue
            self.publish(f"{self.space}.0.{token}", b"x", headers)
            if rolls_up:
                compare_states(self.pair)
        compare_states(self.pair)

    def _tells_of_one_loss(self, token: str) -> bool:
        """Whether a rollup takes one unacked message at most: of several each is acked in a goroutine of its own."""
        unacked = sum(one.subject == f"{self.space}.0.{token}" for one in self.delivered)
        return unacked <= 1 and self.profile != "2.9" and not self._awaits_acks_of_all()

    @rule(name=names, filter_=all_or_some, config=configs)
    def create_consumer(self, name: str, filter_: str | None, config: Settings) -> None:
        if name not in self.consumers:
            self._put(name, filter_, {"durable_name": name, **config})

    @precondition(lambda self: self.consumers and self.profile != "2.9")
    @rule(name=names, filter_=filters)
    def change_filter(self, name: str, filter_: str) -> None:
        name = self.present(name)
        self._put(name, filter_, self.consumers[name])

    def present(self, name: str) -> str:
        """Return the name of a consumer that is there."""
        return name if name in self.consumers else min(self.consumers)

    def _put(self, name: str, filter_: str | None, config: Settings) -> None:
        spelled = {} if filter_ is None else {"filter_subject": f"{self.space}.0.{filter_}"}
        stream = self.stream(0)
        if self.counts_twice(spelled):
            return
        request = {"stream_name": stream, "config": {**config, **spelled}}
        answer = self.request(f"CONSUMER.DURABLE.CREATE.{stream}.{name}", request, rule="CONSUMER.CREATE")
        if "error" not in answer:
            self.consumers[name] = config

    @rule(name=names, sure=seldom)
    def delete_consumer(self, name: str, sure: bool) -> None:
        if not sure:
            return
        self.request(f"CONSUMER.DELETE.{self.stream(0)}.{name}")
        self.consumers.pop(name, None)
        for late in [one for one in self.delivered if one.reply.split(".")[3] == name][:1]:
            self.ack(late)
        compare_states(self.pair)

    @precondition(lambda self: self.consumers)
    @rule(name=names, batch=st.integers(1, 4))
    def pulls(self, name: str, batch: int) -> None:
        name = self.present(name)
        info = self.request(f"CONSUMER.INFO.{self.stream(0)}.{name}")
        room = self.consumers[name].get("max_ack_pending") or 1000
        batch = min(batch, info["num_pending"], room - info["num_ack_pending"])
        if batch > 0:
            arrived = self.pull(self.stream(0), name, {"batch": batch, "no_wait": True})
            self.delivered += [one for one in arrived if one.reply]
            compare_states(self.pair)

    @rule(kind=st.sampled_from([b"", b"", b"+TERM"]), back=st.integers(0, 3))
    def ack_one(self, kind: bytes, back: int) -> None:
        if self.delivered:
            index = 0 if self.profile in ("2.9", "2.10", "2.11") else -1 - back % len(self.delivered)
            self.ack(self.delivered.pop(index), kind)
            compare_states(self.pair)

    @precondition(lambda self: self.retention == "limits" and self.consumers)
    @rule()
    def change_to_interest(self) -> None:
        self.retention = "interest"
        config = {"name": self.stream(0), "storage": self.storages[0], "subjects": [f"{self.space}.0.>"]}
        self.request(f"STREAM.UPDATE.{self.stream(0)}", {**config, "allow_rollup_hdrs": True, "retention": "interest"})

    @rule(token=tokens, sure=seldom)
    def purge_subject(self, token: str, sure: bool) -> None:
        if sure and not self._awaits_acks_of_all():
            self.purge({"filter": token})

    def _awaits_acks_of_all(self) -> bool:
        asked = {one.reply.split(".")[3] for one in self.delivered}
        return any(self.consumers[name]["ack_policy"] == "all" for name in asked & self.consumers.keys())
