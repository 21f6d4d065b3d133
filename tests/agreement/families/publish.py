"""Publish: every step of the pipeline in the server's order, alone and in conflict; the duplicate window.

Not drawn: TTLs, windows and ages below a minute (family ``time``); streams filled to their limits (``limits``);
on 2.9 rollups of the whole stream, which leave the count of subjects behind (see `RemovingFamily`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from lattice_store_sim._core._profile import PROFILES
from tests.agreement.families.removing import RemovingFamily
from tests.agreement.family import block
from tests.agreement.pair import Sending
from tests.agreement.states import compare_states
from tests.agreement.tally import Row

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
_REFUSING: list[dict[str, Any]] = [
    {"max_msg_size": 90},
    {"max_msgs": 2, "discard": "new"},
    *[{"allow_rollup_hdrs": True}] * 2,
]
_ID, _SUBJECT = "Nats-Msg-Id", "Nats-Expected-Last-Subject-Sequence"
_HEADERS: dict[str, list[str]] = {
    "K": ["v", "Nats-Msg-Id: one"],
    "X-Nats-Msg-Id": ["one"],
    "nats-rollup": ["sub"],
    "Nats-Rollup": ["sub", "ALL", "some", "some"],
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

_SPOILING = {
    "2.9": (b"Nats-Rollup: ALL\r",),
}
"""Headers that leave a version in a state that it cannot justify."""

_COUNTERS, _SEALED, _NOWHERE = 2, 3, 4

slots = st.sampled_from([0, 0, 0, 1, 1, _NOWHERE])
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
lone_headers = st.lists(
    st.sampled_from([(name, value) for name in _HEADERS for value in _HEADERS[name]]), min_size=6, max_size=12
)
message = st.tuples(tokens, payloads, blocks, st.booleans())
messages = st.lists(message, min_size=1, max_size=8)
increments = st.sampled_from([*(["25", "-25"] * 3), "1.5", "9" * 30]).map(lambda by: [("Nats-Incr", by)])
counts = st.lists(st.tuples(increments | st.just([]), st.sampled_from([b"", b"", b"", b"x"])), min_size=1, max_size=6)


_OUTCOMES = {
    "ok": "2.9",
    "duplicate": "2.9",
    "status 503": "2.9",
    "10054 message size exceeds maximum allowed": "2.9",
    "10060 expected stream does not match": "2.9",
    "10070 wrong last msg ID": "2.9",
    "10071 wrong last sequence": "2.9",
    "10077 maximum messages exceeded": "2.9",
    "10077 maximum messages per subject exceeded": "2.9",
    "10097 header size exceeds maximum allowed of Nk": "2.9",
    "10109 invalid operation on sealed stream": "2.9",
    "10111 rollup not permitted": "2.9",
    "10111 rollup value invalid": "2.11",
    "10165 invalid per-message TTL": "2.11",
    "10166 per-message TTL is disabled": "2.11",
    "10168 message counters is disabled": "2.12",
    "10169 message counter increment is missing": "2.12",
    "10170 message counter has payload": "2.12",
    "10171 message counter increment is invalid": "2.12",
    "10174 atomic publish is disabled": "2.12",
    "10188 message schedules is disabled": "2.12",
    "10193 missing sequence for expected last sequence per subject": "2.12",
    "10212 message schedules invalid scheduler": "2.14",
    "10227 message stream source header is not allowed": "2.15",
}
"""What a publish can be answered with, and since which version."""


class Publish(RemovingFamily):
    name = "publish"
    expected = frozenset(("publish", outcome) for outcome in _OUTCOMES)
    lacking: ClassVar[Mapping[str, frozenset[Row]]] = {
        profile: frozenset(("publish", outcome) for outcome, since in _OUTCOMES.items() if since in later)
        for at, profile in enumerate(PROFILES)
        for later in [list(PROFILES)[at + 1 :]]
    }

    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[int, dict[str, Any]] = {}

    @initialize(storages=st.tuples(storages, storages), settings=settings, other=st.sampled_from(_SETTINGS + _REFUSING))
    def begin(self, storages: tuple[str, str], settings: dict[str, Any], other: dict[str, Any]) -> None:
        for slot, chosen in enumerate((settings, other)):
            self._create(slot, storages[slot], chosen)

    def _create(self, slot: int, storage: str, settings: dict[str, Any]) -> None:
        self.create(slot, storage, **settings)
        self.settings[slot] = settings

    @rule(slot=slots, messages=messages)
    def publishes(self, slot: int, messages: list[tuple[str, bytes, bytes, bool]]) -> None:
        self._send(slot, messages)

    @rule(slot=slots, chosen=lone_headers)
    def one_header_each(self, slot: int, chosen: list[tuple[str, str]]) -> None:
        self._send(slot, [("a", b"", block([header]), True) for header in chosen])

    @rule(storage=storages, counts=counts)
    def count(self, storage: str, counts: list[tuple[list[tuple[str, str]], bytes]]) -> None:
        if _COUNTERS not in self.streams:
            self._create(_COUNTERS, storage, {"allow_msg_counter": True})
        self._send(_COUNTERS, [("a", payload, block(increment), True) for increment, payload in counts])

    @rule(storage=storages, message=message)
    def publish_to_a_sealed_stream(self, storage: str, message: tuple[str, bytes, bytes, bool]) -> None:
        if _SEALED not in self.streams:
            self._create(_SEALED, storage, {})
            self._send(_SEALED, [("a", b"", b"", True)])
            self.update(_SEALED, {}, {"sealed": True})
        self._send(_SEALED, [message])

    @rule(slot=slots)
    def expected_stream(self, slot: int) -> None:
        self._send(slot, [("a", b"", block([("Nats-Expected-Stream", self.stream(slot))]), True)])

    def _send(self, slot: int, messages: list[tuple[str, bytes, bytes, bool]]) -> None:
        spoiling = _SPOILING.get(self.profile, ())
        messages = [message for message in messages if not any(header in message[2] for header in spoiling)]
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

    @rule(token=tokens)
    def purge_subject(self, token: str) -> None:
        self.purge({"filter": token})

    @rule()
    def delete_last(self) -> None:
        state = (self.request(f"STREAM.INFO.{self.stream(0)}") or {}).get("state", {})
        if state.get("messages"):
            self.delete(state["last_seq"])

    @rule(slot=slots, settings=settings, sealed=st.sampled_from([*[{}] * 9, {"sealed": True}]))
    def update(self, slot: int, settings: dict[str, Any], sealed: dict[str, Any]) -> None:
        if "no_ack" in {**settings, **self.settings.get(slot, {})}:  # what was sent before might be answered after it
            return
        name, storage = self.stream(slot), self.storages.get(slot, "file")
        config = {"name": name, "storage": storage, "subjects": [f"{self.space}.{slot}.>"], **settings, **sealed}
        self.request(f"STREAM.UPDATE.{name}", config)
