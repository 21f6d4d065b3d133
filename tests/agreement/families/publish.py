"""Publish: every step of the pipeline in the server's order, alone and in conflict; the duplicate window.

Not drawn: TTLs, windows and ages below a minute (family ``time``), and streams filled to their limits (``limits``).
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.agreement.family import Family, block
from tests.agreement.pair import Sending
from tests.agreement.states import compare_states

_MINUTE_NS = 60 * 10**9
_SETTINGS: list[dict[str, Any]] = [
    {},
    {"max_msgs": 2, "discard": "new"},
    {"max_msgs_per_subject": 1},
    {"max_msgs_per_subject": 1, "discard": "new", "discard_new_per_subject": True},
    {"max_msg_size": 90},
    {"allow_rollup_hdrs": True},
    {"deny_purge": True},
    {"allow_msg_ttl": True},
    {"subject_delete_marker_ttl": 90 * _MINUTE_NS},
    {"allow_msg_counter": True},
    {"no_ack": True},
    {"retention": "interest"},
    {"retention": "workqueue"},
]
_ID, _SUBJECT = "Nats-Msg-Id", "Nats-Expected-Last-Subject-Sequence"
_HEADERS: dict[str, list[str]] = {
    "K": ["v", "Nats-Msg-Id: one"],
    "X-Nats-Msg-Id": ["one"],
    "nats-rollup": ["sub"],
    "Nats-Rollup": ["sub", "ALL", "some"],
    "Nats-Expected-Stream": ["OTHER", ""],
    "Nats-Expected-Last-Msg-Id": ["one", "two", ""],
    "Nats-TTL": [
        "never",
        "3600",
        "90m",
        "100m0.5s",
        "1h30m1s",
        "0",
        "00",
        "-1",
        "+5",
        "1.5",
        "999ms",
        "+61s",
        "-2h",
        "soon",
    ],
    "Nats-Incr": ["1", "+7", "-12", "0", "007", "1_0", "1.5", "", "9" * 30],
    "Nats-Batch-Id": ["batch"],
    "Nats-Schedule": ["@every 1m", "x"],
    "Nats-Schedule-Next": ["purge", "x"],
    "Nats-Scheduler": ["a"],
    "Nats-Stream-Source": ["a 1"],
    "Nats-Request-Info": ["x"],
    "Nats-Marker-Reason": ["MaxAge"],
}
_BLOCKS = [
    b"NATS/1.0\r\n\r\n",
    b"NATS/1.0 100 Continue\r\n\r\n",
    b"NATS/1.0 503\r\nNats-Msg-Id: one\r\n\r\n",
    b"NATS/1.0\r\nNats-Msg-Id:one\r\n\r\n",
    b"NATS/1.0\r\nNats-Msg-Id:   one\r\n\r\n",
    b"NATS/1.0\r\nNats-Msg-Id: one \r\n\r\n",
    b"NATS/1.0\r\nNats-Msg-Id: one\r\n",
    b"NATS/1.0\r\nNats-Msg-Id: one",
    b"NATS/1.0\r\nNats-Msg-Id: o\rne\r\n\r\n",
    b"NATS/1.0\r\nNats-Msg-Id: \r\nNats-Msg-Id: one\r\n\r\n",
    b"NATS/1.0\r\nNats-Msg-Id: one\r\nNats-Msg-Id: two\r\n\r\n",
    b"NATS/1.0\r\nNats-Request-Info: a\r\nNats-Request-Info: b\r\n\r\n",
    b"NATS/1.0\r\nK: " + b"v" * 65_530 + b"\r\n\r\n",
]

slots = st.sampled_from([0, 0, 1])
storages = st.sampled_from(["memory", "file"])
tokens = st.sampled_from(["a", "b", "a.x"])
settings = st.lists(st.sampled_from(_SETTINGS), max_size=2).map(
    lambda chosen: {name: value for each in chosen for name, value in each.items()}
)
sequences = st.sampled_from(["0", "1", "2", "3", "4", "-1", "abc", "", "18446744073709551616"])
header = st.one_of(
    st.tuples(st.just(_ID), st.sampled_from(["one", "two", "three", ""])),
    st.tuples(st.sampled_from(["Nats-Expected-Last-Sequence", _SUBJECT]), sequences),
    st.tuples(st.just(f"{_SUBJECT}-Subject"), st.sampled_from(["a", "*", ">", "nowhere", ""])),
    st.sampled_from(sorted(_HEADERS)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(_HEADERS[name]))),
)
blocks = st.one_of(st.lists(header, max_size=3).map(block), st.sampled_from(_BLOCKS))
payloads = st.sampled_from([b"", b"", b"x", b"x" * 100])
messages = st.lists(st.tuples(tokens, payloads, blocks, st.booleans()), min_size=1, max_size=8)


class Publish(Family):
    name = "publish"

    def __init__(self) -> None:
        super().__init__()
        self.silent: dict[int, bool] = {}

    @initialize(storage=storages, settings=settings)
    def begin(self, storage: str, settings: dict[str, Any]) -> None:
        self._create(0, storage, settings)

    @rule(storage=storages, settings=settings)
    def another(self, storage: str, settings: dict[str, Any]) -> None:
        if 1 not in self.streams:
            self._create(1, storage, settings)

    def _create(self, slot: int, storage: str, settings: dict[str, Any]) -> None:
        self.create(slot, storage, **settings)
        self.silent[slot] = settings.get("no_ack", False)

    @rule(slot=slots, messages=messages)
    def publishes(self, slot: int, messages: list[tuple[str, bytes, bytes, bool]]) -> None:
        self._send(slot, messages)

    @rule(slot=slots, payload=payloads, up=st.booleans())
    def count(self, slot: int, payload: bytes, up: bool) -> None:
        self._send(slot, [("a", payload, block([("Nats-Incr", "25" if up else "-25")]), True)])

    @rule(slot=slots)
    def expected_stream(self, slot: int) -> None:
        self._send(slot, [("a", b"", block([("Nats-Expected-Stream", self.stream(slot))]), True)])

    def _send(self, slot: int, messages: list[tuple[str, bytes, bytes, bool]]) -> None:
        own = f"{self.space}.{slot}."
        self.pair.exchange(
            [
                Sending(
                    "publish" if answered else "publish without reply",
                    f"{own}{token}",
                    payload,
                    headers.replace(b"Sequence-Subject: a", f"Sequence-Subject: {own}a".encode()),
                    self.pair.inbox() if answered else "",
                )
                for token, payload, headers, answered in messages
            ]
        )
        compare_states(self.pair)  # a server stores what it does not answer when it gets to it

    @rule(slot=slots, token=tokens)
    def purge(self, slot: int, token: str) -> None:
        self.request(f"STREAM.PURGE.{self.stream(slot)}", {"filter": f"{self.space}.{slot}.{token}"})

    @rule(slot=slots)
    def delete_last(self, slot: int) -> None:
        state = (self.request(f"STREAM.INFO.{self.stream(slot)}") or {}).get("state", {})
        if state.get("messages"):
            self.request(f"STREAM.MSG.DELETE.{self.stream(slot)}", {"seq": state["last_seq"]})

    @rule(slot=slots, settings=settings)
    def update(self, slot: int, settings: dict[str, Any]) -> None:
        if settings.get("no_ack") or self.silent.get(slot):  # a publish before the change might be answered after it
            return
        name, storage = self.stream(slot), self.storages.get(slot, "file")
        config = {"name": name, "storage": storage, "subjects": [f"{self.space}.{slot}.>"], **settings}
        self.request(f"STREAM.UPDATE.{name}", config)
