"""Pull consumers: where each begins, what each request gets and is told, every ack, redelivery, and what removal does.

A short time that an operation sets running is waited for at once: nothing else happens meanwhile, so that a slow
machine changes no order. Nor does anything else before consumers know of what was published, which is behind the
publisher's ack (stream.go, ``signalConsumersLoop``). Not drawn: several publishes on their way at once while a
request waits, for a server counts what is pending when it gets to it; idle heartbeats, which a busy server may get to
too late; short times that go on without end; a purge or rollup of a single message, of which consumers learn in two
ways at once; evictions while a consumer with filters waits: their acks race with the delivery of what evicts, which
moves its position past what it does not want (consumer.go, ``decStreamPending``); a purge by sequence on file, which
may leave that store in disorder (see the family ``removal``); filters of one consumer with a wildcard where another
has a word, which 2.10 and earlier count wrongly; any removal of messages and change of filters in 2.9, after which it
miscounts what is pending; ``by_start_time`` and ``last_per_subject`` in 2.9, which loses its way, or its life, where
messages were removed, and a wildcard on file there
(`Family.counts_twice`); what `Family.remove` leaves out.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from lattice_store.limits import SECOND_NS
from tests.agreement.client import Arrival
from tests.agreement.families._delivery_outcomes import PULL
from tests.agreement.families._spans import lacking, rows
from tests.agreement.families.hurried import BACKOFF, SHORT_NS, HurriedFamily
from tests.agreement.family import body_of
from tests.agreement.pair import Sending
from tests.agreement.states import compare_states

Settings = dict[str, Any]

_MS = SECOND_NS // 1000
_LONG = 30 * SECOND_NS
_TOLD_SINGLY = ("2.9", "2.10", "2.11", "2.12")
_UNREADABLE = b"{"
"""A request that is answered at once: with it, those before have been taken too."""

_STREAMS: list[Settings] = [
    *({}, {}, {"max_msgs": 4}, {"max_msgs_per_subject": 1}, {"max_msgs_per_subject": 2}),
    {"allow_rollup_hdrs": True},
]
_STARTS: list[Settings] = [
    *({"deliver_policy": policy} for policy in ("all", "all", "new", "last", "last_per_subject")),
    *({"deliver_policy": "by_start_sequence", "opt_start_seq": sequence} for sequence in (1, 3, 9)),
    {"deliver_policy": "by_start_time", "opt_start_time": "2020-01-01T00:00:00Z"},
    {"deliver_policy": "by_start_time", "opt_start_time": "2090-01-01T00:00:00Z"},
]
_SETTINGS: Settings = {
    "filter_subject": ["a", "b", "*", "x.>", ">"],
    "filter_subjects": [["a", "b"], ["b", "x.*"]],
    "max_deliver": [1, 2, 3],
    "max_ack_pending": [1, 2, 3],
    "max_waiting": [1, 2],
    "max_batch": [2],
    "max_bytes": [100],
    "max_expires": [SECOND_NS],
    "headers_only": [True],
    "mem_storage": [True],
}
_LIMITS: list[Settings] = [
    *({}, {}, {"max_waiting": 1}, {"max_waiting": 2}),
    *({"max_batch": 2}, {"max_bytes": 100}, {"max_expires": SECOND_NS}),
]
_REDELIVERIES: list[Settings] = [
    *[dict[str, Any]()] * 8,
    *({"ack_wait": SHORT_NS, "max_deliver": most} for most in (1, 2, 3)),
    {"backoff": BACKOFF, "max_deliver": 3},
]
_CHANGES: Settings = {
    "filter_subject": ["a", "*", ""],
    "max_ack_pending": [1, 5],
    "headers_only": [True],
    "max_batch": [1],
}
_BODIES = [b"", b"2", b"3", b"0", b"-1", b"+2", b"two", _UNREADABLE, b"{}", b'{"batch":"2"}', b'{"batch":1,"more":2}']
_TOO_MUCH: list[Settings] = [
    {"batch": 3},
    *({"batch": 1, "max_bytes": most} for most in (40, 150)),
    {"batch": 1, "expires": SHORT_NS},
    *[{"batch": 1, "expires": _LONG}] * 2,
]
"""Each more than a consumer may allow or have; the last for one that allows two requests at a time."""
_ACKS = [
    *(b"", b"", b"+ACK", b"+OK", b"-NAK", b"-NAK", b"+WPI", b"+TERM", b"+TERM enough", b"what"),
    *(b"-NAK 40ms", b"-NAK soon", b'-NAK {"delay":40000000}', b"-NAK {"),
    *(b"+NXT", b"+NXT 2", b'+NXT {"batch":2,"no_wait":true}', b'+NXT {"no_wait":true}', b"+NXT 3", b"+NXT{"),
]
_PRIORITIES: list[Settings] = [{"min_pending": 1}, {"id": "x"}, {"priority": 11}, {"group": "g"}]
_PURGES: list[Settings] = [{}, {"filter": "a"}, {"filter": "*"}, {"seq": 3}, {"keep": 1}, {"filter": "x.>"}]
_HEARTBEATS: list[Settings] = [
    {"idle_heartbeat": 10 * SECOND_NS, "expires": _LONG},
    {"idle_heartbeat": SHORT_NS, "expires": SHORT_NS},
]


def some_of(values: Settings) -> st.SearchStrategy[Settings]:
    one = st.sampled_from(sorted(values)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(values[name])))
    return st.lists(one, max_size=2).map(dict)


seldom = st.sampled_from([False, False, False, True])
"""Whether to do what leaves little to go on with."""
consumers = st.sampled_from(["C", "C", "C", "D"])
tokens = st.sampled_from(["a", "a", "b", "x.a"])
payloads = st.sampled_from([b"", b"x", b"x" * 50])
configs = st.builds(
    lambda start, limit, settings, redelivery, policy: {
        **start,
        **limit,
        **settings,
        **redelivery,
        "ack_policy": policy,
    },
    st.sampled_from(_STARTS),
    st.sampled_from(_LIMITS),
    some_of(_SETTINGS),
    st.sampled_from(_REDELIVERIES),
    st.sampled_from(["explicit", "explicit", "all", "none"]),
)
batches = st.fixed_dictionaries(
    {"batch": st.sampled_from([1, 1, 2, 3, 5, 0])},
    optional={
        "expires": st.sampled_from([SHORT_NS, _LONG, _LONG]),
        "no_wait": st.booleans(),
        "max_bytes": st.sampled_from([40, 90, 150, 1000]),
    },
)
requests = st.one_of(
    *[batches] * 6,
    st.builds(lambda batch, heartbeat: {**batch, **heartbeat}, batches, st.sampled_from(_HEARTBEATS)),
    st.sampled_from(_BODIES),
    st.sampled_from(_PRIORITIES),
)


class Pull(HurriedFamily):
    name = "pull"
    expected: ClassVar = rows(PULL)
    lacking: ClassVar = lacking(PULL)
    weight: ClassVar = 0.5
    lateness_ns: ClassVar = 120 * _MS

    @initialize(
        storage=st.sampled_from(["memory", "file"]),
        settings=st.sampled_from(_STREAMS),
        before=st.lists(tokens, min_size=2, max_size=6),
        config=configs,
    )
    def begin(self, storage: str, settings: Settings, before: list[str], config: Settings) -> None:
        self.configs: dict[str, Settings] = {}
        self.inboxes: list[str] = []
        if self.profile == "2.9":
            settings = {}
        self.limited = any(key.startswith("max") for key in settings)
        self.create(0, storage, **settings)
        self.publish_many((self.subject(token), b"before", ()) for token in before)
        self.create_consumer("C", config)

    def subject(self, token: str) -> str:
        return f"{self.space}.0.{token}"

    # -- consumers --------------------------------------------------------------------------------

    def present(self, name: str) -> str:
        """Return the name of a consumer that is there, if one is."""
        return name if name in self.configs else min(self.configs, default=name)

    def hurries(self, name: str) -> bool:
        """Return whether its deliveries set a short time running."""
        return bool(self.configs.get(name, {}).keys() & {"ack_wait", "backoff"})

    def put(self, name: str, config: Settings, rule: str) -> None:
        if self.profile == "2.9" and config["deliver_policy"] in ("by_start_time", "last_per_subject"):
            return
        if self.limited:  # an eviction that makes room for another ack races with the message that evicts
            config = {key: value for key, value in config.items() if key != "max_ack_pending"}
        request = {"stream_name": self.stream(0), "config": config}
        if self.counts_twice(config):
            return
        answer = self.request(f"CONSUMER.CREATE.{self.stream(0)}.{name}", request, rule=rule)
        if "error" not in answer:
            self.configs[name] = config
        self.run_out()

    def with_filters(self, config: Settings) -> Settings:
        """Return a configuration with its filters below the stream's subjects."""
        if config["deliver_policy"] == "last_per_subject" and "filter_subjects" not in config:
            config = {"filter_subject": ">", **config}
        if "filter_subjects" in config:
            config = {**config, "filter_subjects": [self.subject(one) for one in config["filter_subjects"]]}
            config.pop("filter_subject", None)
        elif "filter_subject" in config:
            config = {**config, "filter_subject": self.subject(config["filter_subject"])}
        return config

    @rule(name=consumers, config=configs)
    def create_consumer(self, name: str, config: Settings) -> None:
        if name not in self.configs:
            self.put(name, self.with_filters({"durable_name": name, **config}), "CONSUMER.CREATE")

    @rule(name=consumers, changes=some_of(_CHANGES))
    def update(self, name: str, changes: Settings) -> None:
        name = self.present(name)
        if (config := self.configs.get(name)) is None or (self.profile == "2.9" and "filter_subject" in changes):
            return
        if "filter_subject" in changes:
            config = {key: value for key, value in config.items() if not key.startswith("filter")}
            filter_ = changes["filter_subject"]
            changes = {**changes, "filter_subject": self.subject(filter_) if filter_ else ""}
        self.put(name, {**config, **changes}, "CONSUMER.UPDATE")

    @rule(name=consumers, sure=seldom)
    def delete(self, name: str, sure: bool) -> None:
        if sure:
            self.request(f"CONSUMER.DELETE.{self.stream(0)}.{name}")
            self.configs.pop(name, None)

    # -- requests and acks ------------------------------------------------------------------------

    def ask(self, rule: str, subject: str, body: bytes, consumer: str) -> None:
        """Send what is answered with messages, wait until the consumer has taken it, and for what it sets running."""
        self.send(rule, subject, body, consumer)
        self.run_out()

    def send(self, rule: str, subject: str, body: bytes, consumer: str) -> None:
        self.inboxes.append(self.pair.listen(rule))
        unreadable = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream(0)}.{consumer}"
        self.pair.exchange(
            [
                Sending(rule, subject, body, b"", self.inboxes[-1]),
                Sending("CONSUMER.MSG.NEXT", unreadable, _UNREADABLE, b"", self.pair.inbox()),
            ]
        )

    @rule(name=consumers, bodies=st.lists(requests, min_size=1, max_size=3))
    def pulls(self, name: str, bodies: list[Any]) -> None:
        name = self.present(name)
        hurried = self.hurries(name)
        for body in bodies:
            if hurried and isinstance(body, dict) and body.get("expires") == SHORT_NS:
                continue  # two times of the same length end in either order
            self.ask("CONSUMER.MSG.NEXT", f"$JS.API.CONSUMER.MSG.NEXT.{self.stream(0)}.{name}", body_of(body), name)

    @rule(name=consumers)
    def asks_for_too_much(self, name: str) -> None:
        name = self.present(name)
        if self.hurries(name):
            return
        for body in _TOO_MUCH:
            self.ask("CONSUMER.MSG.NEXT", f"$JS.API.CONSUMER.MSG.NEXT.{self.stream(0)}.{name}", body_of(body), name)

    def delivered(self) -> list[Arrival]:
        return [one for inbox in self.inboxes for one in self.pair.received[inbox] if one.reply.startswith("$JS.ACK.")]

    @rule(choices=st.lists(st.tuples(st.integers(0, 7), st.sampled_from(_ACKS)), min_size=1, max_size=4))
    def acks(self, choices: list[tuple[int, bytes]]) -> None:
        if not self.delivered():
            self.pulls("C", [{"batch": len(choices), "no_wait": True}])
        for back, kind in choices:
            if not (delivered := self.delivered()):
                return
            one = delivered[max(-len(delivered), -1 - back)]
            if kind.startswith(b"+NXT"):
                self.ask("+NXT", one.reply, kind, one.reply.split(".")[3])
            else:
                self.ack(one, kind)
                self.run_out()

    @precondition(lambda self: self.inboxes)
    @rule(index=st.integers(0, 5))
    def leave(self, index: int) -> None:
        """Listen no longer to an inbox, which ends its requests in silence."""
        self.pair.unsubscribe(self.inboxes.pop(index % len(self.inboxes)))

    # -- the stream -------------------------------------------------------------------------------

    @rule(messages=st.lists(st.tuples(tokens, payloads, st.sampled_from(["", "", "", "sub"])), min_size=1, max_size=4))
    def publishes(self, messages: list[tuple[str, bytes, str]]) -> None:
        if self.limited and self.waits_for_some():
            return
        for token, payload, rollup in messages:
            rolls_up = rollup and self.stored(token) != 1
            self.publish(self.subject(token), payload, [("Nats-Rollup", rollup)] if rolls_up else ())
            self.run_out()
        compare_states(self.pair)

    def waits_for_some(self) -> bool:
        """Return whether a consumer with filters has open requests."""
        filtered = [
            name for name, config in self.configs.items() if config.keys() & {"filter_subject", "filter_subjects"}
        ]
        return any(self.request(f"CONSUMER.INFO.{self.stream(0)}.{name}")["num_waiting"] for name in filtered)

    def stored(self, token: str) -> int:
        """Return how many messages are stored on matching subjects; "1" means "do not purge them", see above."""
        if self.storages[0] == "memory" and self.profile in _TOLD_SINGLY and self.configs:
            return 1
        info = self.request(f"STREAM.INFO.{self.stream(0)}", {"subjects_filter": self.subject(token)})
        return sum(info["state"].get("subjects", {}).values())

    @rule(sequence=st.integers(1, 8))
    def delete_message(self, sequence: int) -> None:
        if self.profile == "2.9":
            return
        self.remove(0, sequence)
        self.run_out()

    @rule(what=st.sampled_from(_PURGES), sure=seldom)
    def purge(self, what: Settings, sure: bool) -> None:
        if not sure or self.profile == "2.9" or ("seq" in what and self.storages[0] == "file"):
            return
        if what and "seq" not in what and self.stored(what.get("filter", ">")) - what.get("keep", 0) == 1:
            return
        body = {**what, "filter": self.subject(what["filter"])} if "filter" in what else what
        self.request(f"STREAM.PURGE.{self.stream(0)}", body)
        self.run_out()
