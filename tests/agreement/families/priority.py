"""Priority groups of pull consumers: who gets what is pending, pins that come, go and end, and every refusal.

A short time is waited for at once, as in the family `pull`. Not drawn: a request to a consumer with pins that names no
group in 2.11 and 2.12, whose server it ends (consumer.go, ``nextWaiting``); several requests on their way at once, which
race with what they get; idle heartbeats, for which a busy server may be late.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from lattice_store.limits import SECOND_NS
from tests.agreement.client import Arrival
from tests.agreement.families._priority_outcomes import EXPECTED, LACKING
from tests.agreement.families.hurried import SHORT_NS, HurriedFamily
from tests.agreement.family import body_of
from tests.agreement.pair import Sending
from tests.agreement.states import compare_states

Settings = dict[str, Any]

_LONG = 30 * SECOND_NS
_PLAIN_REQUESTS_END_IT = ("2.11", "2.12")
_UNREADABLE = b"{"
"""A request that is answered at once: with it, those before have been taken too."""
_OVERFLOW: Settings = {"priority_policy": "overflow", "priority_groups": ["g"]}
_PINNED: Settings = {"priority_policy": "pinned_client", "priority_groups": ["g", "h"]}
_POLICIES: list[Settings] = [
    *(_OVERFLOW, _OVERFLOW, {**_OVERFLOW, "max_ack_pending": 2}),
    *(_PINNED, _PINNED, {**_PINNED, "priority_timeout": 3 * SHORT_NS}, {**_PINNED, "headers_only": True}),
]
_PRIORITIZED: list[Settings] = [{"priority_policy": "prioritized", "priority_groups": ["g"]}] * 3
_LIMITS: list[Settings] = [
    {},
    {},
    {},
    {"max_waiting": 2},
    {"max_batch": 2},
    {"filter_subject": "a"},
    {"max_deliver": 2},
]
_PLAIN = [b"", b"2", b"two", b"{}", b'{"group":1}', _UNREADABLE]
_UNPINS: list[Any] = [
    *({"group": "g"}, {"group": "g"}, {"group": "h"}, {"group": "i"}, {"group": "no group"}),
    *({"group": ""}, b"", b"no", {"group": 1}, {"group": "g", "more": 1}),
]

seldom = st.sampled_from([False, False, False, True])
"""Whether to do what leaves little to go on with."""
groups = st.sampled_from(["g", "g", "g", "g", "g", "g", "h", ""])
pins = st.sampled_from(["", "", "pin", "pin", "earlier", "wrong"])
requests = st.fixed_dictionaries(
    {"batch": st.sampled_from([1, 1, 2, 3]), "group": groups},
    optional={
        "expires": st.sampled_from([SHORT_NS, _LONG, _LONG, _LONG]),
        "no_wait": st.sampled_from([False, False, True]),
        "max_bytes": st.sampled_from([60, 150, 400]),
    },
)
_OF_POLICY: dict[str, st.SearchStrategy[Settings]] = {
    "overflow": st.fixed_dictionaries(
        {}, optional={"min_pending": st.sampled_from([1, 2, 4, -1]), "min_ack_pending": st.sampled_from([1, 2, 3])}
    ),
    "pinned_client": st.fixed_dictionaries({"id": pins}),
    "prioritized": st.fixed_dictionaries({"priority": st.sampled_from([0, 1, 1, 2, 9, 10, -1])}),
}
wishes = st.fixed_dictionaries(_OF_POLICY)
"""What a request may say under each policy; of another it says it seldom."""


class PriorityGroups(HurriedFamily):
    name = "priority"
    expected: ClassVar = EXPECTED
    lacking: ClassVar = LACKING
    weight: ClassVar = 0.3
    bounded_examples: ClassVar = 60
    lateness_ns: ClassVar = 3 * SHORT_NS

    @initialize(
        storage=st.sampled_from(["memory", "file"]),
        before=st.lists(st.sampled_from("aab"), max_size=5),
        config=st.sampled_from([*_POLICIES, *_PRIORITIZED]),
        limits=st.sampled_from(_LIMITS),
        policy=st.sampled_from(["explicit", "explicit", "all", "none"]),
    )
    def begin(self, storage: str, before: list[str], config: Settings, limits: Settings, policy: str) -> None:
        self.configs: dict[str, Settings] = {}
        self.inboxes: list[str] = []
        self.pinned = self.plainly = False
        self.create(0, storage)
        self.publish_many((f"{self.space}.0.{token}", b"before", ()) for token in before)
        if "filter_subject" in limits:
            limits = {"filter_subject": f"{self.space}.0.{limits['filter_subject']}"}
        self.put({**config, **limits, "ack_policy": policy})

    @property
    def config(self) -> Settings:
        return self.configs.get("C", {})

    def put(self, config: Settings) -> None:
        if config["priority_policy"] == "pinned_client":
            if self.plainly:
                return
            self.pinned = True
        request = {"stream_name": self.stream(0), "config": {"durable_name": "C", **config}}
        if "error" not in self.request(f"CONSUMER.CREATE.{self.stream(0)}.C", request):
            self.configs["C"] = config
        self.run_out()

    @rule(
        changes=st.sampled_from([*_POLICIES, *_PRIORITIZED, {"priority_policy": "none", "priority_groups": []}]),
        sure=seldom,
    )
    def update(self, changes: Settings, sure: bool) -> None:
        if self.config and sure:
            kept = {key: value for key, value in self.config.items() if not key.startswith("priority")}
            self.put({**kept, **changes})

    # -- requests ---------------------------------------------------------------------------------

    def pin(self, which: str) -> str:
        """Return the pin of the newest or the oldest message that has one, or one that is none."""
        known = [one for inbox in self.inboxes for one in self.pair.received[inbox] if b"Nats-Pin-Id: " in one.headers]
        if not which or which == "wrong" or not known:
            return which
        bearer = max(known, key=_number) if which == "pin" else min(known, key=_number)
        return bearer.headers.partition(b"Nats-Pin-Id: ")[2].partition(b"\r")[0].decode()

    @rule(
        asked=st.lists(st.tuples(requests, wishes, st.sampled_from([*_OF_POLICY, *[""] * 12])), min_size=2, max_size=4)
    )
    def pulls(self, asked: list[tuple[Settings, dict[str, Settings], str]]) -> None:
        for common, wished, odd in asked:
            request = {**common, **wished.get(odd or self.config.get("priority_policy", ""), {})}
            if "priority_timeout" in self.config and request.get("expires") == SHORT_NS:
                continue
            if "id" in request:
                request["id"] = self.pin(request["id"])
            self.ask(request)

    @rule(body=st.sampled_from(_PLAIN))
    def plain(self, body: bytes) -> None:
        if self.profile in _PLAIN_REQUESTS_END_IT:
            if self.pinned:
                return
            self.plainly = True
        self.ask(body)

    def ask(self, body: object) -> None:
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream(0)}.C"
        self.inboxes.append(self.pair.listen("CONSUMER.MSG.NEXT"))
        self.pair.exchange(
            [
                Sending("CONSUMER.MSG.NEXT", subject, body_of(body), b"", self.inboxes[-1]),
                Sending("CONSUMER.MSG.NEXT", subject, _UNREADABLE, b"", self.pair.inbox()),
            ]
        )
        self.run_out()

    @rule(back=st.integers(0, 5), kind=st.sampled_from([b"", b"", b"-NAK", b"+TERM", b'+NXT {"batch":1,"group":"g"}']))
    def acks(self, back: int, kind: bytes) -> None:
        delivered = [one for inbox in self.inboxes for one in self.pair.received[inbox] if one.reply]
        if not delivered:
            return
        one = delivered[max(-len(delivered), -1 - back)]
        if kind.startswith(b"+NXT"):
            self.inboxes.append(self.pair.listen("+NXT"))
            self.pair.exchange([Sending("+NXT", one.reply, kind, b"", self.inboxes[-1])])
        else:
            self.ack(one, kind)
        self.run_out()

    @rule(index=st.integers(0, 5))
    def leave(self, index: int) -> None:
        """Listen no longer to an inbox, which ends its requests in silence."""
        if self.inboxes:
            self.pair.unsubscribe(self.inboxes.pop(index % len(self.inboxes)))

    @rule(body=st.sampled_from(_UNPINS))
    def unpin(self, body: Any) -> None:
        self.request(f"CONSUMER.UNPIN.{self.stream(0)}.C", body)
        self.run_out()

    @rule(name=st.sampled_from(["none", "C"]), level=st.sampled_from(["", "9"]), sure=seldom)
    def unpin_elsewhere(self, name: str, level: str, sure: bool) -> None:
        if not sure:
            return
        headers = [("Nats-Required-Api-Level", level)] if level else []
        self.request(f"CONSUMER.UNPIN.{self.stream(0)}.{name}", {"group": "i"}, headers=headers)
        self.request("CONSUMER.UNPIN.none.C", {"group": "g"})

    # -- the stream -------------------------------------------------------------------------------

    @rule(tokens=st.lists(st.sampled_from("aab"), min_size=1, max_size=3), payload=st.sampled_from([b"", b"x" * 60]))
    def publishes(self, tokens: list[str], payload: bytes) -> None:
        for token in tokens:
            self.publish(f"{self.space}.0.{token}", payload)
            self.run_out()
        compare_states(self.pair)

    @rule(until=st.sampled_from(["2090-01-01T00:00:00Z", *["2020-01-01T00:00:00Z"] * 3]))
    def pause(self, until: str) -> None:
        self.request(f"CONSUMER.PAUSE.{self.stream(0)}.C", {"pause_until": until})
        self.run_out()

    @rule(sure=seldom, config=st.sampled_from([*_POLICIES, *_PRIORITIZED]))
    def delete(self, sure: bool, config: Settings) -> None:
        if sure:
            self.request(f"CONSUMER.DELETE.{self.stream(0)}.C")
            self.put({**config, "ack_policy": "explicit"})


def _number(arrival: Arrival) -> int:
    """Return the consumer sequence of a delivery."""
    return int(arrival.reply.split(".")[6])
