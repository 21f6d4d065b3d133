"""What a server tells by itself while pull consumers do what they do in the family `pull`: every advisory and metric.

What several messages that go at once leave to be told is told in any order, since a server does so side by side
(consumer.go, ``decStreamPending``), or as they come out of a map (``checkPending``): a consumer whose ack wait ends
soon has one message pending.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.agreement.families._spans import FIRST, LAST, Span, lacking, rows
from tests.agreement.families.pull import Pull, consumers, seldom

_EVENTS = ("ADVISORY.STREAM.>", "ADVISORY.CONSUMER.>", "METRIC.>")
_SPANS: list[Span] = [
    (
        *(FIRST, LAST, "other"),
        ["stream_action", "consumer_action", "max_deliver", "nak", "terminated", "consumer_ack"],
    ),
    ("2.11", LAST, "other", ["consumer_pause"]),
    (FIRST, LAST, "audit", ["ok"]),
]


class Advisories(Pull):
    name = "advisories"
    expected: ClassVar = rows(_SPANS)
    lacking: ClassVar = lacking(_SPANS)
    weight: ClassVar = 0.3
    bounded_examples: ClassVar = 40

    def __init__(self) -> None:
        super().__init__()
        self.pair.settle()  # until nothing is told any more of how the example began
        for events in _EVENTS:
            self.pair.subscribe(f"$JS.EVENT.{events}")

    def put(self, name: str, config: dict[str, Any], rule: str) -> None:
        if config.keys() & {"ack_wait", "backoff"}:
            one_at_a_time = {"max_ack_pending": 1} if not self.limited else {"ack_wait": 0, "backoff": []}
            config = {**config, **one_at_a_time}
        super().put(name, {"sample_freq": "100", **config}, rule)

    @rule(name=consumers, until=st.sampled_from(["2090-01-01T00:00:00Z", "2020-01-01T00:00:00Z"]), sure=seldom)
    def pauses(self, name: str, until: str, sure: bool) -> None:
        if sure and self.profile not in ("2.9", "2.10"):
            for each in (until, "2020-01-02T00:00:00Z"):
                self.request(f"CONSUMER.PAUSE.{self.stream(0)}.{name}", {"pause_until": each})
                self.run_out()

    @rule(description=st.sampled_from(["a", "b"]), sure=seldom)
    def update_stream(self, description: str, sure: bool) -> None:
        name = self.stream(0)
        info = self.request(f"STREAM.INFO.{name}")
        if sure:
            config = {key: value for key, value in info["config"].items() if key != "metadata"}
            self.request(f"STREAM.UPDATE.{name}", {**config, "description": description})

    @rule(api=st.sampled_from(["STREAM.INFO.{}", "CONSUMER.NAMES.{}", "STREAM.INFO.none", "STREAM.NAMES", "INFO"]))
    def audited(self, api: str) -> None:
        """Listen to what is told of requests for one request: it is told of the next ones side by side."""
        self.pair.settle()  # until all has been told of those before
        self.pair.subscribe("$JS.EVENT.ADVISORY.API", rule="audit")
        self.request(api.format(self.stream(0)), b"" if api != "STREAM.NAMES" else {})
        self.pair.unsubscribe("$JS.EVENT.ADVISORY.API")
