"""Publish: every check of the pipeline in the server's order, alone and in conflict; the duplicate window.

Not drawn: windows and ages below a minute (family ``time``).
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.agreement.family import Family

_SETTINGS: list[dict[str, Any]] = [
    {},
    {"max_msgs": 3},
    {"max_msgs": 3, "discard": "new"},
    {"max_bytes": 300},
    {"max_bytes": 300, "discard": "new"},
    {"max_msgs_per_subject": 1},
    {"max_msgs_per_subject": 1, "discard": "new", "discard_new_per_subject": True},
    {"max_msg_size": 60},
    {"allow_rollup_hdrs": True},
    {"deny_purge": True},
]
_HEADERS: list[tuple[str, str]] = [
    ("K", "v"),
    ("Nats-Msg-Id", ""),
    ("Nats-Rollup", "sub"),
    ("Nats-Rollup", "ALL"),
    ("Nats-Rollup", "some"),
    ("Nats-Expected-Stream", "OTHER"),
    ("Nats-Expected-Last-Sequence", "-1"),
    ("Nats-Expected-Last-Msg-Id", "one"),
    ("Nats-Expected-Last-Subject-Sequence-Subject", "*"),
]

slots = st.sampled_from([0, 0, 1])
storages = st.sampled_from(["memory", "file"])
tokens = st.sampled_from(["a", "b", "a.x"])
settings = st.lists(st.sampled_from(_SETTINGS), max_size=2).map(
    lambda chosen: {name: value for each in chosen for name, value in each.items()}
)
headers = st.lists(
    st.one_of(
        st.tuples(st.just("Nats-Msg-Id"), st.sampled_from(["one", "two", "three"])),
        st.tuples(
            st.sampled_from(["Nats-Expected-Last-Sequence", "Nats-Expected-Last-Subject-Sequence"]),
            st.sampled_from(["0", "1", "2", "3", "5"]),
        ),
        st.sampled_from(_HEADERS),
    ),
    max_size=2,
)
payloads = st.sampled_from([b"", b"x", b"x" * 40, b"x" * 400])
messages = st.lists(st.tuples(tokens, payloads, headers), min_size=1, max_size=8)


class Publish(Family):
    name = "publish"
    expected = frozenset(
        ("publish", outcome)
        for outcome in (
            "ok",
            "duplicate",
            "10054 message size exceeds maximum allowed",
            "10060 expected stream does not match",
            "10070 wrong last msg ID",
            "10071 wrong last sequence",
            "10077 maximum bytes exceeded",
            "10077 maximum messages exceeded",
            "10077 maximum messages per subject exceeded",
            "10111 rollup not permitted",
            "10111 rollup value invalid",
            "10193 missing sequence for expected last sequence per subject",
            "status 503",
        )
    )
    lacking: ClassVar = {
        version: frozenset({("publish", "10193 missing sequence for expected last sequence per subject")})
        for version in ("2.9", "2.10", "2.11")
    }

    @initialize(storage=storages, settings=settings)
    def begin(self, storage: str, settings: dict[str, Any]) -> None:
        self.create(0, storage, **settings)

    @rule(storage=storages, settings=settings)
    def another(self, storage: str, settings: dict[str, Any]) -> None:
        if 1 not in self.streams:
            self.create(1, storage, **settings)

    @rule(slot=slots, messages=messages)
    def publishes(self, slot: int, messages: list[tuple[str, bytes, list[tuple[str, str]]]]) -> None:
        self.publish_many((f"{self.space}.{slot}.{token}", payload, headers) for token, payload, headers in messages)

    @rule(slot=slots)
    def info(self, slot: int) -> None:
        self.request(f"STREAM.INFO.{self.stream(slot)}", {"subjects_filter": ">"})
