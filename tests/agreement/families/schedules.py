"""Schedules: what is taken for one, what is refused and in which order, what is stored. None comes due meanwhile.

What comes of schedules is left to the family ``scheduled``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from lattice_store.clock import SystemClock
from lattice_store.limits import SECOND_NS
from tests.agreement.families._spans import FIRST, LAST, Span, lacking, rows
from tests.agreement.family import Family
from tests.agreement.states import compare_states

_SETTINGS: list[dict[str, Any]] = [
    *[{}] * 3,
    *[{"allow_msg_ttl": True}] * 3,
    {"max_msgs_per_subject": 1},
    {"max_msgs": 3},
    {"max_msg_size": 130},
    {"discard": "new", "max_msgs": 3},
    {"allow_msg_counter": True},
    {"retention": "interest"},
    {"retention": "workqueue"},
    {"deny_purge": True},
    {"deny_purge": True, "allow_rollup_hdrs": True},
    {"allow_rollup_hdrs": True},
]
_FAR = (datetime.fromtimestamp(SystemClock().now_ns() // SECOND_NS, UTC).month + 5) % 12 + 1
"""A month that does not begin while this runs."""
_SOMETIME = [
    *("@at 2190-01-01T00:00:00Z", "@at 2190-01-01T00:00:00.123456789Z", "@at 2190-01-01T00:00:00,5Z"),
    *("@at 2190-01-01T00:00:00+05:30", "@at 2190-01-01T0:00:00-23:59", "@at 2190-01-01T00:00:00+24:60"),
    *("@every 1h", "@every 1h1m1.5s", "@every 90000s", "@yearly", "@annually"),
    *(f"0 0 0 1 {_FAR} *", f"0 0 0 1 {_FAR} ?", f"1-5,7 */2 3-9/2 5/3 {_FAR} mon-FRI", f"* * * 1 {_FAR} *"),
]
_NEVER = [
    *("@at", "@at ", "@at x", "@at 2190-01-01", "@at 2190-13-01T00:00:00Z", "@at 2190-02-29T00:00:00Z"),
    *("@at 2190-01-01T24:00:00Z", "@at 2190-01-01T00:60:00Z", "@at 2190-01-01T00:00:60Z", "@at 2190-1-1T00:00:00Z"),
    *("@at 2190-01-01t00:00:00Z", "@at 2190-01-01T00:00:00z", "@at 2190-01-01T00:00:00", "@at 2190-01-01T00:00:00.Z"),
    *("@at 2190-01-01T00:00:00+25:00", "@at 2190-01-01T00:00:00+00:61", "@at  2190-01-01T00:00:00Z"),
    *("@every", "@every x", "@every 999ms", "@every 0", "@every -1h", "@every 1", "@Every 1h", "@reboot", "x"),
    *("0 0 0 1 1", "0 0 0 1 1 * *", "0 0 0 30 2 *", "0 0 0 0 1 *", "0 0 0 32 1 *", "60 0 0 1 1 *", "0 60 0 1 1 *"),
    *("0 0 24 1 1 *", "0 0 0 1 13 *", "0 0 0 1 0 *", "0 0 0 1 1 7", "0 0 0 1 sun *", "0 0 0 1 1 jan", "-1 0 0 1 1 *"),
    *("0 0 0 1 1 5-1", "0 0 0 1/0 1 *", "0 0 0 1/2/3 1 *", "0 0 0 1-2-3 1 *", "0 0 0 1/x 1 *", "0 0 0 1- 1 *"),
]
_ODD = [
    *("@at 0001-01-01T00:00:00Z", f"0 0 0 +1 {_FAR} *", f"0 0 0 1,,2 {_FAR} *", f"0 0 0 1 {_FAR},{_FAR} *"),
    *(f"0 0 0 1/40 {_FAR} *", f"0 0 0 *-x {_FAR} *", f"0 0 0 ?/99 {_FAR} ,", f"  0  0 0 1 {_FAR} *  ", ""),
    *(f"0 0 0 1 {_FAR} sun-2", f"0 0 0 , {_FAR} mon", f"00 00 00 01 {_FAR} 01"),
]
_TARGETS = ["b", "b", "b", "b", "a", "other", "*", ">", "", "..", "b.c", "b c"]

Headers = list[tuple[str, str]]


def _maybe(name: str, values: list[str], often: int = 1) -> st.SearchStrategy[Headers]:
    chosen = st.sampled_from([[(name, value)] for value in values])
    return st.one_of(*[st.just([])] * (4 - often), *[chosen] * often)


schedule = st.tuples(
    st.sampled_from([*_SOMETIME * 3, *_NEVER, *_ODD]).map(lambda pattern: [("Nats-Schedule", pattern)]),
    _maybe("Nats-Schedule-Target", _TARGETS, 3),
    st.one_of(
        *[st.just([])] * 6,
        _maybe("Nats-Schedule-Source", ["c", "c", "b", "a", "other", "*", "", "c c"], 3),
        _maybe("Nats-Schedule-TTL", ["1h", "soon", "0", "3600", "never", "", "10"], 3),
        _maybe("Nats-Schedule-Rollup", ["sub", "all", "x", "", "SUB"], 3),
        _maybe("Nats-Rollup", ["sub", "SUB", "all", "x"], 3),
        _maybe("Nats-Schedule-Time-Zone", ["UTC", "Europe/Berlin", "Europe/Nowhere", "", "Local", "../UTC", "/UTC"], 3),
        _maybe("Nats-TTL", ["1h", "soon"], 3),
        _maybe("Nats-Expected-Last-Sequence", ["0", "1"], 3),
        _maybe("Nats-Msg-Id", ["one", "two"], 3),
        _maybe("Nats-Expected-Last-Subject-Sequence", ["0", "1"], 3),
        _maybe("Nats-Incr", ["1"], 3),
    ),
).map(lambda parts: [header for part in parts for header in part])
loose = st.one_of(
    _maybe("Nats-Schedule-Time-Zone", ["UTC", "Europe/Nowhere", ""], 3),
    _maybe("Nats-Schedule-Target", ["b"], 3),
    _maybe("Nats-Schedule-TTL", ["soon"], 3),
    _maybe("Nats-Scheduler", ["a", "b", "*", "", "other"], 3),
    _maybe("Nats-Schedule-Next", ["purge", "2190-01-01T00:00:00Z", "x", ""], 3),
    st.tuples(
        _maybe("Nats-Schedule-Next", ["purge", "purge", "purge", "2190-01-01T00:00:00Z", ""], 3),
        _maybe("Nats-Scheduler", ["a", "a", "b", "c", "*", "none", "", "a b"], 3),
        _maybe("Nats-Rollup", ["sub", "all"], 1),
    ).map(lambda parts: [header for part in parts for header in part]),
)
tokens = st.sampled_from(["a", "a", "b", "c"])
_RELATIVE = frozenset({"Nats-Schedule-Target", "Nats-Schedule-Source", "Nats-Scheduler"})
_SPANS: list[Span] = [
    (FIRST, LAST, "publish", ["ok"]),
    (
        *("2.12", LAST, "publish"),
        [
            *("10166 per-message TTL is disabled", "10071 wrong last sequence", "10188 message schedules is disabled"),
            *("10189 message schedules pattern is invalid", "10190 message schedules target is invalid"),
            *("10191 message schedules invalid per-message TTL", "10192 message schedules invalid rollup"),
            *("10111 rollup value invalid", "duplicate"),
        ],
    ),
    (
        *("2.14", LAST, "publish"),
        [
            *("10203 message schedules source is invalid", "10212 message schedules invalid scheduler"),
            "10223 message schedules time zone is invalid",
        ],
    ),
    (FIRST, LAST, "STREAM.CREATE", ["ok"]),
    (FIRST, LAST, "STREAM.UPDATE", ["ok"]),
    ("2.12", LAST, "STREAM.UPDATE", ["10052 message schedules can not be disabled"]),
]


class Schedules(Family):
    name = "schedules"
    weight: ClassVar = 0.5
    bounded_examples: ClassVar = 60
    expected: ClassVar = rows(_SPANS)
    lacking: ClassVar = lacking(_SPANS)

    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {}

    @initialize(
        storage=st.sampled_from(["memory", "file"]),
        settings=st.sampled_from(_SETTINGS),
        leave=st.sampled_from([*[True] * 6, False]),
        narrow=st.booleans(),
    )
    def begin(self, storage: str, settings: dict[str, Any], leave: bool, narrow: bool) -> None:
        subjects = [f"{self.space}.0.{token}" for token in (["a", "b", "c"] if narrow else [">"])]
        self.settings = {"subjects": subjects, **settings, "allow_msg_schedules": leave}
        self.create(0, storage, **self.settings)

    def _headers(self, own: Headers) -> Headers:
        return [(name, f"{self.space}.0.{value}" if name in _RELATIVE and value else value) for name, value in own]

    @rule(messages=st.lists(st.tuples(tokens, st.one_of(schedule, schedule, loose)), min_size=1, max_size=6))
    def send(self, messages: list[tuple[str, Headers]]) -> None:
        self.publish_many((f"{self.space}.0.{token}", b"x", self._headers(own)) for token, own in messages)

    @rule(token=tokens)
    def end(self, token: str) -> None:
        """End a schedule as a client does."""
        headers = [("Nats-Schedule-Next", "purge"), ("Nats-Scheduler", token)]
        self.publish(f"{self.space}.0.b", b"x", self._headers(headers))

    @rule(leave=st.sampled_from([*[True] * 4, False]), settings=st.sampled_from([{}, {"allow_msg_ttl": True}]))
    def update(self, leave: bool, settings: dict[str, Any]) -> None:
        name = self.stream(0)
        config = {**self.settings, **settings, "allow_msg_schedules": leave}
        self.request(f"STREAM.UPDATE.{name}", {"name": name, "storage": self.storages.get(0, "file"), **config})

    @rule(sequence=st.integers(1, 8))
    def delete(self, sequence: int) -> None:
        self.remove(0, sequence)

    @precondition(lambda self: self.storages.get(0) == "file")
    @rule(sure=st.sampled_from([*[False] * 19, True]))
    def restart(self, sure: bool) -> None:
        if sure:
            self.pair.restart()
            compare_states(self.pair)
