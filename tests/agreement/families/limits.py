"""Limits: what a stream evicts and what it refuses, byte by byte, and what changed limits do at once.

Not drawn: ages (family ``time``); on 2.9 rollups of the whole stream (see family ``publish``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.agreement.families.removing import RemovingFamily
from tests.agreement.tally import Row

Settings = dict[str, Any]
Drawn = tuple[str, int, tuple[tuple[str, str], ...]]

_LIMITS: list[Settings] = [
    *({"max_msgs": most} for most in (1, 2, 3, 5)),
    *({"max_bytes": most} for most in (60, 100, 130, 200, 300)),
    *({"max_msgs_per_subject": most} for most in (1, 2, 3)),
    *({"max_msg_size": most} for most in (10, 40)),
    {"max_msgs": 0, "max_bytes": 0, "max_msgs_per_subject": 0},
]
_NEW: list[Settings] = [
    *({}, {"discard": "old"}, {"discard": "new"}, {"discard": "new"}),
    *({"discard": "new", "discard_new_per_subject": True, "max_msgs_per_subject": most} for most in (1, 2)),
]
_HEADERS = [(), (), (), (("K", "v"),), (("Nats-Rollup", "sub"),), (("Nats-Rollup", "all"),)]

tokens = st.sampled_from(["a", "b", "c", "long.subject.of.five.tokens"])
limits = st.lists(st.sampled_from(_LIMITS), max_size=3)
settings = st.builds(
    lambda chosen, discard: {name: value for each in [*chosen, discard] for name, value in each.items()},
    limits,
    st.sampled_from(_NEW),
)
sizes = st.one_of(st.integers(0, 40), st.sampled_from([0, 0, 10, 40, 41, 60, 150, 300]))
messages = st.lists(st.tuples(tokens, sizes, st.sampled_from(_HEADERS)), min_size=1, max_size=8)


class Limits(RemovingFamily):
    name = "limits"
    expected = frozenset(
        ("publish", outcome)
        for outcome in (
            "ok",
            "10054 message size exceeds maximum allowed",
            "10077 maximum bytes exceeded",
            "10077 maximum messages exceeded",
            "10077 maximum messages per subject exceeded",
        )
    ) | {("STREAM.UPDATE", "ok"), ("STREAM.PURGE", "ok"), ("STREAM.MSG.DELETE", "ok")}
    lacking: ClassVar[Mapping[str, frozenset[Row]]] = {}

    @initialize(storage=st.sampled_from(["memory", "file"]), settings=settings)
    def begin(self, storage: str, settings: Settings) -> None:
        self.create(0, storage, allow_rollup_hdrs=True, **settings)
        if 0 not in self.streams:  # refused: the settings contradict each other
            self.create(0, storage, allow_rollup_hdrs=True)

    @rule(messages=messages)
    def publishes(self, messages: list[Drawn]) -> None:
        self.publish_many(
            (f"{self.space}.0.{token}", b"x" * size, headers)
            for token, size, headers in messages
            if self.profile != "2.9" or ("Nats-Rollup", "all") not in headers
        )

    @rule(token=tokens, over=st.sampled_from([0, 1]))
    def fill(self, token: str, over: int) -> None:
        """Publish what fits to the byte, or is one too large."""
        info = self.request(f"STREAM.INFO.{self.stream(0)}")
        subject = f"{self.space}.0.{token}"
        overhead = 16 if self.storages[0] == "memory" else 30
        size = info["config"]["max_bytes"] - info["state"]["bytes"] - len(subject) - overhead + over
        if size >= 0:
            self.publish(subject, b"x" * size)

    @rule(settings=settings)
    def update(self, settings: Settings) -> None:
        subjects = [f"{self.space}.0.>"]
        config = {"name": self.stream(0), "storage": self.storages[0], "subjects": subjects, "allow_rollup_hdrs": True}
        self.request(f"STREAM.UPDATE.{self.stream(0)}", {**config, **settings})

    @rule(back=st.integers(0, 4))
    def remove(self, back: int) -> None:
        last = self.request(f"STREAM.INFO.{self.stream(0)}")["state"]["last_seq"]
        if last > back:
            self.delete(last - back)

    @rule(token=tokens)
    def purge_subject(self, token: str) -> None:
        self.purge({"filter": token})
