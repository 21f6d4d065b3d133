"""Acks by answers to flow control: when the receiver is asked, which answers ack what, what is removed and goes on then.

Not drawn: ordinary acks of several messages at once, which nobody listens to; windows of bytes, which the family
``push`` draws; removals of messages that await acks, which a server may count later than it makes room; resets, and
updates that make room, while somebody listens: their answers may count what is delivered then;
on file, resets to the first message: of a state that is all zeros infos tell what is on disk, and a reset does not write
that while a delivery is being written (filestore.go, ``writeState``).
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from lattice_store.limits import SECOND_NS
from tests.agreement.client import Arrival
from tests.agreement.families._spans import Span, lacking, rows
from tests.agreement.family import Family, block
from tests.agreement.pair import Sending
from tests.agreement.states import compare_states

Settings = dict[str, Any]

_FLOW_CONTROL = b"NATS/1.0 100 FlowControl Request\r\n\r\n"
_BEAT_NS = SECOND_NS
_SETTINGS: list[Settings] = [
    *[{}] * 3,
    *({"max_ack_pending": most} for most in (1, 2, 2, 3)),
    *({"filter_subject": "a"}, {"headers_only": True}, {"mem_storage": True}, {"deliver_policy": "new"}),
]
_REFUSED: list[Settings] = [
    *({"deliver_subject": ""}, {"max_ack_pending": -1}, {"ack_wait": SECOND_NS}, {"backoff": [SECOND_NS]}),
    *({"max_deliver": 3}, {"idle_heartbeat": 2 * SECOND_NS, "flow_control": True, "pedantic": True}),
    *({"pedantic": True}, {"pedantic": True, "flow_control": True, "idle_heartbeat": SECOND_NS}),
]
_CHANGES: list[Settings] = [
    *({"max_ack_pending": 5}, {"description": "changed"}, {"headers_only": True}, {"ack_policy": "all"}),
    {"ack_policy": "explicit"},
]
_SPANS: list[Span] = [
    ("2.9", "2.12", "CONSUMER.CREATE", ["10025 invalid JSON"]),
    ("2.14", "2.15", "CONSUMER.CREATE", ["ok"]),
    ("2.14", "2.15", "delivery", ["message", "status 100 FlowControl Request", "status 100 Idle Heartbeat"]),
    ("2.14", "2.15", "ack", ["status 503"]),
    ("2.14", "2.15", "CONSUMER.RESET", ["ok"]),
    (
        *("2.14", "2.15", "refused"),
        [
            "10218 flow control ack policy requires a push based consumer",
            "10219 flow control ack policy requires flow control",
            "10220 flow control ack policy requires max ack pending",
            "10221 flow control ack policy requires unset ack wait",
            "10222 flow control ack policy requires unset max deliver",
        ],
    ),
]

settings = st.lists(st.sampled_from(_SETTINGS), max_size=2).map(
    lambda chosen: {name: value for each in chosen for name, value in each.items()}
)
tokens = st.sampled_from(["a", "a", "b"])
places = st.sampled_from([*["last"] * 4, "before", "first", "beyond", "none", "nonsense", "no consumer", "no stream"])
"""Which message an answer names."""


class Answers(Family):
    name = "answers"
    expected: ClassVar = rows(_SPANS)
    lacking: ClassVar = lacking(_SPANS)
    weight: ClassVar = 0.05
    bounded_examples: ClassVar = 5
    lateness_ns = SECOND_NS // 20

    @initialize(
        storage=st.sampled_from(["memory", "file"]),
        retention=st.sampled_from(["limits", "limits", "interest", "workqueue"]),
        settings=settings,
        before=st.lists(tokens, max_size=4),
    )
    def begin(self, storage: str, retention: str, settings: Settings, before: list[str]) -> None:
        self.inbox = f"_INBOX.{self.space}.p.0"
        self.moves = 0
        self.listening = self.present = False
        self.waited = 0
        if retention == "workqueue":
            settings.pop("deliver_policy", None)
        self.config = {"durable_name": "C", "ack_policy": "flow_control", "deliver_subject": self.inbox, **settings}
        if "filter_subject" in settings:
            self.config["filter_subject"] = f"{self.space}.0.{settings['filter_subject']}"
        self.create(0, storage, retention=retention)
        for token in before:
            self.publish(f"{self.space}.0.{token}", b"before")
        self.hear()
        answer = self.put(self.config)
        self.present = "error" not in answer

    def put(self, config: Settings, rule: str = "CONSUMER.CREATE") -> Any:
        name, settings = config.get("durable_name", "C"), dict(config)
        request: Settings = {"stream_name": self.stream(0), "pedantic": settings.pop("pedantic", False)}
        if not request["pedantic"]:
            del request["pedantic"]
        answer = self.request(f"CONSUMER.CREATE.{self.stream(0)}.{name}", {**request, "config": settings}, rule=rule)
        compare_states(self.pair)
        return answer

    @rule(settings=st.sampled_from(_REFUSED))
    def refuses(self, settings: Settings) -> None:
        config = {"durable_name": "R", "ack_policy": "flow_control", "deliver_subject": f"{self.inbox}.r", **settings}
        if "error" not in self.put(config, "refused"):
            self.request(f"CONSUMER.DELETE.{self.stream(0)}.R")

    # -- who listens --------------------------------------------------------------------------------

    def hear(self) -> None:
        self.listening = True
        self.pair.subscribe(self.inbox, "", "delivery")

    def cease(self) -> None:
        compare_states(self.pair)
        if self.listening:
            self.pair.unsubscribe(self.inbox)
            self.listening = False
            compare_states(self.pair)

    @precondition(lambda self: self.present)
    @rule(deaf=st.sampled_from([False, False, True]))
    def listens(self, deaf: bool) -> None:
        """Cease to listen, and begin again but for a change."""
        self.cease()
        if not deaf:
            self.hear()
            self.pair.settle()
            compare_states(self.pair)

    @precondition(lambda self: self.present and not self.waited)
    @rule()
    def is_silent(self) -> None:
        """Listen to the silence, which asks for an answer if acks are awaited."""
        self.waited += 1
        self.pair.let_pass(_BEAT_NS + _BEAT_NS // 8)

    # -- messages -----------------------------------------------------------------------------------

    @rule(chosen=st.lists(st.tuples(tokens, st.sampled_from([b"", b"x"])), min_size=1, max_size=4))
    def publishes(self, chosen: list[tuple[str, bytes]]) -> None:
        for token, payload in chosen:
            self.publish(f"{self.space}.0.{token}", payload)
            compare_states(self.pair)

    def came(self) -> list[Arrival]:
        return [one for one in self.pair.received[self.inbox] if one.reply.startswith("$JS.ACK.")]

    @precondition(lambda self: self.present)
    @rule(place=places, back=st.sampled_from([0, 0, 0, 1]))
    def answers(self, place: str, back: int) -> None:
        asked = [one for one in self.pair.received[self.inbox] if one.headers == _FLOW_CONTROL]
        if len(asked) > back:
            headers = block(self._told(place))
            self.pair.exchange([Sending("flow control", asked[-1 - back].reply, b"", headers, "")])
            compare_states(self.pair)

    def _told(self, place: str) -> list[tuple[str, str]]:
        """Return what an answer tells of a delivery."""
        if place == "none" or not (came := self.came()):
            return []
        at = {"before": -2, "first": 0}.get(place, -1)
        _, _, _, _, _, stream, consumer, *_ = came[max(at, -len(came))].reply.split(".")
        if place == "beyond":
            stream, consumer = str(int(stream) + 2), str(int(consumer) + 2)
        headers = {"Nats-Last-Consumer": consumer, "Nats-Last-Stream": stream}
        if place == "nonsense":
            headers["Nats-Last-Stream"] = "x1"
        missing = {"no consumer": "Nats-Last-Consumer", "no stream": "Nats-Last-Stream"}.get(place)
        return [(name, value) for name, value in headers.items() if name != missing]

    @precondition(lambda self: self.present)
    @rule(kind=st.sampled_from([b"", b"-NAK", b"+TERM"]))
    def acks(self, kind: bytes) -> None:
        if came := self.came():
            self.ack(came[-1], kind)

    # -- administration -----------------------------------------------------------------------------

    @precondition(lambda self: self.present)
    @rule(changes=st.sampled_from(_CHANGES))
    def updates(self, changes: Settings) -> None:
        changed = {**self.config, **changes}
        if "max_ack_pending" in changes:
            self.cease()
        if "error" not in self.put(changed, "CONSUMER.UPDATE"):
            self.config = changed

    @precondition(lambda self: self.present)
    @rule()
    def moves_on(self) -> None:
        """Deliver to elsewhere: what awaits acks is delivered again."""
        self.moves += 1
        moved = {**self.config, "deliver_subject": f"_INBOX.{self.space}.p.{self.moves}"}
        self.cease()
        if "error" in self.put(moved, "CONSUMER.UPDATE"):
            return
        self.config, self.inbox = moved, moved["deliver_subject"]
        self.hear()
        self.pair.settle()
        compare_states(self.pair)

    @precondition(lambda self: self.present)
    @rule(body=st.sampled_from([{}, {}, {"seq": 1}, {"seq": 2}]))
    def resets(self, body: Settings) -> None:
        if self.storages.get(0) == "file":
            body = {"seq": 2}
        self.cease()
        self.request(f"CONSUMER.RESET.{self.stream(0)}.C", body)
        compare_states(self.pair)
