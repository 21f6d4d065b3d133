"""Push consumers: who gets what and when, deliver groups, flow control, heartbeats, every ack, pauses and changes.

A short time that an operation sets running is waited for at once, and after a change of who listens both sides are
compared until they agree: a server notices such a change a moment later, and what is published meanwhile goes
nowhere. So they are after publishing, of which consumers know behind the publisher's ack (stream.go,
``signalConsumersLoop``). Not drawn: ``replay_policy`` original and rate limits, whose delays are the times of the
messages; two consumers with one deliver subject, whose messages may overtake each other; heartbeats beside other
operations, since each silence begins a little later on a real server; updates that make room for acks, whose answer
may count what is delivered then; purges and rollups, which the family ``pull`` draws: after one that makes room for
acks a server goes on at once or with the next message, by chance; evictions that make room for an ack, which may be
counted late; in 2.9 any removal of messages, after which it miscounts what is pending, new filters, which it goes on
looking for in the old way, a wildcard on file (`Family.counts_twice`), and a backoff, under which once it redelivered in
an order that it did not repeat; what `Family.remove` leaves out.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from lattice_store.limits import SECOND_NS
from tests.agreement.client import Arrival
from tests.agreement.families._delivery_outcomes import PUSH
from tests.agreement.families._spans import lacking, rows
from tests.agreement.families.hurried import BACKOFF, SHORT_NS, HurriedFamily
from tests.agreement.pair import Sending
from tests.agreement.states import compare_states

Settings = dict[str, Any]

_MS = SECOND_NS // 1000
_LONG = 3600 * SECOND_NS
_BEAT = 800 * _MS
_LARGE = b"x" * 700_000
_FLOW_CONTROL = b"NATS/1.0 100 FlowControl Request\r\n\r\n"

_STREAMS: list[Settings] = [{}, {}, {"max_msgs_per_subject": 1}]
_STARTS: list[Settings] = [
    *({"deliver_policy": policy} for policy in ("all", "all", "new", "last")),
    {"deliver_policy": "last_per_subject", "filter_subject": ">"},
    {"deliver_policy": "by_start_sequence", "opt_start_seq": 2},
]
_SETTINGS: list[Settings] = [
    *({"filter_subject": "a"}, {"filter_subject": "*"}, {"filter_subject": "b"}),
    *({"max_deliver": 1}, {"max_deliver": 2}, {"headers_only": True}, {"mem_storage": True}),
]
_ACK_SETTINGS: list[Settings] = [
    *({}, {}, {"max_ack_pending": 1}, {"max_ack_pending": 2}),
    *({"ack_wait": SHORT_NS, "max_deliver": most} for most in (1, 2, 3)),
    {"backoff": BACKOFF, "max_deliver": 3},
]
_HEARD: list[Settings] = [
    *({}, {}, {"deliver_group": "g"}, {"idle_heartbeat": _LONG}),
    *[{"idle_heartbeat": _LONG, "flow_control": True}] * 2,
]
_CHANGES: list[Settings] = [
    *({"filter_subject": "a"}, {"filter_subject": "*"}, {"headers_only": True}),
    *({"deliver_subject": ""}, {"description": "changed"}, {"max_deliver": 5}),
]
_ACKS = [
    *(b"", b"", b"+ACK", b"+OK", b"-NAK", b"-NAK", b"+WPI", b"+TERM", b"+TERM enough", b"what"),
    *(b"+NXT", b"+NXT 2", b"-NAK 40ms", b"-NAK soon", b'-NAK {"delay":40000000}'),
]

seldom = st.sampled_from([False, False, False, True])
"""Whether to do what leaves little to go on with."""
names = st.sampled_from(["C", "C", "C", "D"])
tokens = st.sampled_from(["a", "a", "b", "x.a"])
payloads = st.sampled_from([b"", b"x", b"x" * 50])
configs = st.builds(
    lambda start, policy, settings, acks, heard: {
        **start,
        **(acks if policy != "none" else {}),
        **settings,
        **heard,
        "ack_policy": policy,
    },
    st.sampled_from(_STARTS),
    st.sampled_from(["explicit", "explicit", "all", "none"]),
    st.one_of(st.just({}), st.sampled_from(_SETTINGS)),
    st.sampled_from(_ACK_SETTINGS),
    st.sampled_from(_HEARD),
)


class Push(HurriedFamily):
    name = "push"
    expected: ClassVar = rows(PUSH)
    lacking: ClassVar = lacking(PUSH)
    weight: ClassVar = 0.25
    bounded_examples: ClassVar = 20
    lateness_ns = 50 * _MS

    @initialize(
        storage=st.sampled_from(["memory", "file"]),
        settings=st.sampled_from(_STREAMS),
        before=st.lists(tokens, max_size=5),
        config=configs,
    )
    def begin(self, storage: str, settings: Settings, before: list[str], config: Settings) -> None:
        self.configs: dict[str, Settings] = {}
        self.subjects: dict[str, str] = {}
        self.groups: dict[str, str] = {}  # of who listens, by consumer
        self.used = 0
        self.silence_heard = False
        if self.profile == "2.9":
            settings = {}
        self.evicting = bool(settings)
        self.create(0, storage, **settings)
        self.publish_many((self.subject(token), b"before", ()) for token in before)
        self.create_consumer("C", config, listening=True)

    def subject(self, token: str) -> str:
        return f"{self.space}.0.{token}"

    # -- consumers --------------------------------------------------------------------------------

    def present(self, name: str) -> str:
        """Return the name of a consumer that is there, if one is."""
        return name if name in self.configs else min(self.configs, default=name)

    def put(self, name: str, config: Settings, rule: str) -> Any:
        if "filter_subject" in config and not config["filter_subject"].startswith(self.space):
            config = {**config, "filter_subject": self.subject(config["filter_subject"])}
        request = {"stream_name": self.stream(0), "config": config}
        if self.counts_twice(config):
            return {"error": "not drawn"}
        answer = self.request(f"CONSUMER.CREATE.{self.stream(0)}.{name}", request, rule=rule)
        if "error" not in answer:
            self.configs[name] = config
        self.run_out()
        return answer

    def fresh_subject(self) -> str:
        self.used += 1
        return f"_INBOX.{self.space}.p.{self.used}"

    @rule(name=names, config=configs, listening=st.booleans())
    def create_consumer(self, name: str, config: Settings, listening: bool) -> None:
        if name not in self.configs:
            if self.profile == "2.9" and "backoff" in config:
                return
            if self.evicting:
                config = {key: value for key, value in config.items() if key != "max_ack_pending"}
                if "filter_subject" in config:
                    config["filter_subject"] = ">"
            self.forget(name)
            self.subjects[name] = self.fresh_subject()
            if listening:
                self.subscribe(name, config.get("deliver_group", ""))
            self.put(name, {"durable_name": name, "deliver_subject": self.subjects[name], **config}, "CONSUMER.CREATE")

    @rule(name=names, changes=st.sampled_from(_CHANGES))
    def update(self, name: str, changes: Settings) -> None:
        name = self.present(name)
        if (config := self.configs.get(name)) is None:
            return
        if "filter_subject" in changes and (self.evicting or self.profile == "2.9"):
            return
        if moved := "deliver_subject" in changes:
            changes = {"deliver_subject": self.fresh_subject()}
        answer = self.put(name, {**config, **changes}, "CONSUMER.UPDATE")
        if moved and "error" not in answer:
            self.forget(name)
            self.subjects[name] = changes["deliver_subject"]

    @rule(name=st.sampled_from(["C", "D", "D"]), sure=seldom)
    def delete(self, name: str, sure: bool) -> None:
        if sure:
            self.request(f"CONSUMER.DELETE.{self.stream(0)}.{name}")
            self.configs.pop(name, None)

    @precondition(lambda self: self.profile not in ("2.9", "2.10"))
    @rule(name=names, tokens=st.lists(tokens, max_size=3))
    def pause(self, name: str, tokens: list[str]) -> None:
        """Publish while a consumer is paused, then let it go on."""
        name = self.present(name)
        for until in ("2090-01-01T00:00:00Z", "2020-01-01T00:00:00Z"):
            self.request(f"CONSUMER.PAUSE.{self.stream(0)}.{name}", {"pause_until": until})
            self.run_out()
            for token in tokens:
                self.publish(self.subject(token), b"x")
                self.run_out()
            compare_states(self.pair)

    # -- listeners --------------------------------------------------------------------------------

    def subscribe(self, name: str, group: str) -> None:
        self.groups[name] = group
        self.pair.subscribe(self.subjects[name], group, "delivery")

    def forget(self, name: str) -> None:
        """Listen no longer to a consumer, if somebody does."""
        if name in self.groups:
            compare_states(self.pair)
            self.pair.unsubscribe(self.subjects[name], self.groups.pop(name))

    @rule(name=names, group=st.sampled_from(["", "", "g"]))
    def listen(self, name: str, group: str) -> None:
        """Begin to listen to a consumer's messages, or cease."""
        name = self.present(name)
        if name not in self.configs:
            return
        if name in self.groups:
            self.forget(name)
        else:
            self.subscribe(name, group)
        self.pair.settle()
        compare_states(self.pair)
        self.run_out()

    def delivered(self) -> list[Arrival]:
        came = self.pair.received
        return [one for to in self.subjects.values() for one in came[to] if one.reply.startswith("$JS.ACK.")]

    @rule(choices=st.lists(st.tuples(st.integers(0, 7), st.sampled_from(_ACKS)), min_size=1, max_size=4))
    def acks(self, choices: list[tuple[int, bytes]]) -> None:
        for back, kind in choices:
            if not (delivered := self.delivered()):
                return
            one = delivered[max(-len(delivered), -1 - back)]
            self.ack(one, kind, rule="+NXT" if kind.startswith(b"+NXT") else "ack")
            self.run_out()

    @rule()
    def flow_control(self) -> None:
        """Listen and publish until a consumer asks to be answered, and answer."""
        controlled = [name for name, config in self.configs.items() if config.get("flow_control")]
        if self.hurried or not controlled:
            return
        if (name := controlled[0]) not in self.groups:
            self.listen(name, "")
        for _ in range(2):
            self.publish(self.subject("a"), _LARGE)
        compare_states(self.pair)
        asked = [one for one in self.pair.received[self.subjects[name]] if one.headers == _FLOW_CONTROL]
        for one in asked[-2:]:
            self.pair.exchange([Sending("flow control", one.reply)])
        self.run_out()

    @rule(name=names)
    def pull_in_vain(self, name: str) -> None:
        self.pull(self.stream(0), name)

    @precondition(lambda self: not self.silence_heard)
    @rule(group=st.sampled_from(["", "g"]))
    def heartbeat(self, group: str) -> None:
        """Listen to the silence of a consumer of nothing."""
        self.silence_heard = True
        inbox = self.pair.listen("heartbeat", group)
        config = {"deliver_subject": inbox, "idle_heartbeat": _BEAT, "filter_subject": self.subject("none")}
        put = {"stream_name": self.stream(0), "config": config}
        self.request(f"CONSUMER.CREATE.{self.stream(0)}.silent", put, rule="silent")
        self.pair.let_pass(_BEAT + _BEAT // 8)  # the next is far away then
        self.request(f"CONSUMER.DELETE.{self.stream(0)}.silent")
        self.pair.unsubscribe(inbox, group)

    # -- the stream -------------------------------------------------------------------------------

    @rule(messages=st.lists(st.tuples(tokens, payloads), min_size=1, max_size=4))
    def publishes(self, messages: list[tuple[str, bytes]]) -> None:
        for token, payload in messages:
            self.publish(self.subject(token), payload)
            self.run_out()
        compare_states(self.pair)

    @rule(sequence=st.integers(1, 8))
    def delete_message(self, sequence: int) -> None:
        if self.profile == "2.9":
            return
        self.remove(0, sequence)
        self.run_out()
