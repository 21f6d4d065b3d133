"""Pull consumers: where each begins, what each request gets and is told, every ack, redelivery, and what removal does.

Not drawn: several publishes on their way at once while a request waits, for a server counts what is pending when it
gets to it; waits so short that the order of two timers is chance.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from lattice_store.limits import SECOND_NS
from tests.agreement.client import Arrival
from tests.agreement.family import Family
from tests.agreement.pair import Sending

_MS = SECOND_NS // 1000
_SHORT, _LONG = 60 * _MS, 20 * SECOND_NS
_STREAMS: list[dict[str, Any]] = [
    {},
    {},
    {"max_msgs": 4},
    {"max_msgs_per_subject": 1},
    {"max_msgs_per_subject": 2},
    {"allow_rollup_hdrs": True},
]
_STARTS: list[dict[str, Any]] = [
    *({"deliver_policy": policy} for policy in ("all", "all", "new", "last", "last_per_subject")),
    *({"deliver_policy": "by_start_sequence", "opt_start_seq": sequence} for sequence in (1, 3, 9)),
    {"deliver_policy": "by_start_time", "opt_start_time": "2020-01-01T00:00:00Z"},
    {"deliver_policy": "by_start_time", "opt_start_time": "2090-01-01T00:00:00Z"},
]
_SETTINGS: dict[str, list[Any]] = {
    "filter_subject": ["a", "b", "*", "x.>", ">"],
    "filter_subjects": [["a", "b"], ["b", "x.*"]],
    "ack_wait": [_SHORT],
    "max_deliver": [1, 2, 3],
    "max_ack_pending": [1, 2, 3],
    "max_waiting": [1, 2],
    "max_batch": [2],
    "max_bytes": [100],
    "max_expires": [SECOND_NS],
    "headers_only": [True],
    "mem_storage": [True],
}
_CHANGES: dict[str, list[Any]] = {
    "filter_subject": ["a", "*"],
    "max_deliver": [2, 5],
    "max_ack_pending": [1, 5],
    "headers_only": [True],
    "max_batch": [1],
}
_BODIES: list[bytes] = [b"", b"2", b"3", b"0", b"-1", b"+2", b"two", b"{", b"{}", b'{"batch":"2"}', b'{"batch":1,"more":2}']
_ACKS: list[bytes] = [
    *(b"", b"", b"+ACK", b"+OK", b"-NAK", b"-NAK", b"+WPI", b"+TERM", b"+TERM enough", b"+NXT", b"+NXT 2", b"what"),
    *(b'+NXT {"batch":2,"no_wait":true}', b"+NXT{", b"-NAK 60ms", b"-NAK soon", b'-NAK {"delay":60000000}', b"-NAK {"),
]
_PRIORITIES: list[dict[str, Any]] = [{"min_pending": 1}, {"id": "x"}, {"priority": 11}, {"group": "g"}]

consumers = st.sampled_from(["C", "C", "D"])
tokens = st.sampled_from(["a", "a", "b", "x.a"])
starts = st.sampled_from(_STARTS)


def some_of(values: dict[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    drawn = st.sampled_from(sorted(values)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(values[name])))
    return st.lists(drawn, max_size=2).map(dict)


requests = st.one_of(
    st.sampled_from(_BODIES),
    st.fixed_dictionaries(
        {"batch": st.sampled_from([1, 1, 2, 3, 5, 0])},
        optional={
            "expires": st.sampled_from([_SHORT, _LONG, _LONG]),
            "no_wait": st.booleans(),
            "max_bytes": st.sampled_from([40, 90, 150, 1000]),
            "idle_heartbeat": st.sampled_from([25 * _MS, 10 * SECOND_NS]),
        },
    ),
    st.sampled_from(_PRIORITIES),
)
configs = st.tuples(
    starts, st.sampled_from(["explicit", "explicit", "all", "none"]), some_of(_SETTINGS), st.sampled_from([{}, {}, {"backoff": [_SHORT, 2 * _SHORT]}])
).map(lambda parts: {**parts[0], "ack_policy": parts[1], **parts[2], **parts[3]})


class Pull(Family):
    name = "pull"
    weight: ClassVar = 0.5
    expected = frozenset()

    @initialize(storage=st.sampled_from(["memory", "file"]), settings=st.sampled_from(_STREAMS), before=st.lists(tokens, max_size=6), config=configs)
    def begin(self, storage: str, settings: dict[str, Any], before: list[str], config: dict[str, Any]) -> None:
        self.configs: dict[str, dict[str, Any]] = {}
        self.inboxes: list[str] = []
        self.create(0, storage, **settings)
        self.publish_many((f"{self.space}.0.{token}", b"before", ()) for token in before)
        self.consumer("C", config)

    def filtered(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return a configuration with filters below the stream's subjects."""
        config = dict(config)
        prefix = f"{self.space}.0."
        if "filter_subjects" in config:
            config.pop("filter_subject", None)
            config["filter_subjects"] = [prefix + one for one in config["filter_subjects"]]
        elif "filter_subject" in config:
            config["filter_subject"] = prefix + config["filter_subject"]
        if len(config.get("backoff", ())) > config.get("max_deliver", 9):
            del config["backoff"]
        if config["deliver_policy"] == "last_per_subject" and not config.keys() & {"filter_subject", "filter_subjects"}:
            config["filter_subject"] = prefix + ">"
        return config

    @rule(name=consumers, config=configs)
    def create_consumer(self, name: str, config: dict[str, Any]) -> None:
        self.consumer(name, config)

    def consumer(self, name: str, config: dict[str, Any]) -> None:
        if name in self.configs:
            return
        config = self.filtered({"durable_name": name, **config})
        answer = self.request(
            f"CONSUMER.CREATE.{self.stream(0)}.{name}", {"stream_name": self.stream(0), "config": config}
        )
        if "error" not in answer:
            self.configs[name] = config

    @precondition(lambda self: self.configs)
    @rule(name=consumers, changes=some_of(_CHANGES))
    def update(self, name: str, changes: dict[str, Any]) -> None:
        if name not in self.configs or "backoff" in self.configs[name]:
            return
        config = self.filtered({**self.configs[name], **changes}) if "filter_subject" in changes else {**self.configs[name], **changes}
        answer = self.request(
            f"CONSUMER.CREATE.{self.stream(0)}.{name}", {"stream_name": self.stream(0), "config": config}, rule="CONSUMER.UPDATE"
        )
        if "error" not in answer:
            self.configs[name] = config

    @rule(name=consumers, bodies=st.lists(requests, min_size=1, max_size=3))
    def pulls(self, name: str, bodies: list[Any]) -> None:
        for body in bodies:
            inbox = self.pair.listen("CONSUMER.MSG.NEXT")
            self.inboxes.append(inbox)
            self.pull(self.stream(0), name, body, inbox)

    @rule(messages=st.lists(st.tuples(tokens, st.sampled_from([b"", b"x", b"x" * 50])), min_size=1, max_size=4))
    def publishes(self, messages: list[tuple[str, bytes]]) -> None:
        for token, payload in messages:
            self.publish(f"{self.space}.0.{token}", payload)

    def delivered(self) -> list[Arrival]:
        return [one for inbox in self.inboxes for one in self.pair.received[inbox] if one.reply.startswith("$JS.ACK.")]

    @rule(choices=st.lists(st.tuples(st.integers(0, 7), st.sampled_from(_ACKS)), min_size=1, max_size=4))
    def acks(self, choices: list[tuple[int, bytes]]) -> None:
        for back, kind in choices:
            delivered = self.delivered()
            if not delivered:
                return
            one = delivered[max(-len(delivered), -1 - back)]
            if kind.startswith(b"+NXT"):
                self.inboxes.append(self.pair.listen("+NXT"))
                self.pair.exchange([Sending("+NXT", one.reply, kind, b"", self.inboxes[-1])])
            else:
                self.ack(one, kind)

    @rule(sequence=st.integers(1, 8))
    def delete_message(self, sequence: int) -> None:
        self.request(f"STREAM.MSG.DELETE.{self.stream(0)}", {"seq": sequence})

    @rule(what=st.sampled_from([{}, {"filter": "a"}, {"filter": "*"}, {"seq": 3}, {"keep": 1}, {"filter": "x.>"}]))
    def purge(self, what: dict[str, Any]) -> None:
        body = {**what, "filter": f"{self.space}.0.{what['filter']}"} if "filter" in what else what
        self.request(f"STREAM.PURGE.{self.stream(0)}", body)

    @precondition(lambda self: self.inboxes)
    @rule(index=st.integers(0, 5))
    def leave(self, index: int) -> None:
        """Listen no longer to an inbox, which ends its requests in silence."""
        inbox = self.inboxes.pop(index % len(self.inboxes))
        self.pair.unsubscribe(inbox)

    @rule(name=consumers)
    def delete(self, name: str) -> None:
        self.request(f"CONSUMER.DELETE.{self.stream(0)}.{name}")
        self.configs.pop(name, None)

    @rule()
    def wait(self) -> None:
        self.pair.let_pass(75 * _MS)
