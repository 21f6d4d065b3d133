"""Time: ages, TTLs, delete markers and the duplicate window, what they leave behind, and a restart in between.

A server is late: its timers come round every quarter of a second, and those of file storage read a clock that ticks
every tenth. No operation happens within that of a deadline (`lateness_ns`). Not drawn for that reason: ages that end one
after the other in less than that, and delete markers that expire within the example. Nor more than one restart of 2.9,
which then loses the last time of an emptied file stream. Nor questions for the last message of a subject on 2.11 where
a TTL may have ended a newer one, which that version then does not find (see `RemovingFamily`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from lattice_store.limits import SECOND_NS
from tests.agreement.family import Family
from tests.agreement.states import compare_states
from tests.agreement.tally import Row

_MS = SECOND_NS // 1000
_MINUTE_NS = 60 * SECOND_NS
_SHORTEST_NS = SECOND_NS // 10
_SETTINGS: list[dict[str, Any]] = [
    {"max_age": 400 * _MS},
    {"max_age": 400 * _MS, "max_msgs_per_subject": 1},
    {"max_age": 400 * _MS, "duplicate_window": 150 * _MS},
    {"duplicate_window": 200 * _MS},
    {"duplicate_window": 200 * _MS, "discard": "new", "max_msgs": 2},
    *[{"max_age": 400 * _MS, "discard": "new", "max_msgs": 2}] * 2,
    {"max_age": _MINUTE_NS, "duplicate_window": 300 * _MS},
]
_TTL_SETTINGS: list[dict[str, Any]] = [
    *[{"allow_msg_ttl": True}] * 3,
    {"allow_msg_ttl": True, "max_age": 400 * _MS},
    {"subject_delete_marker_ttl": _MINUTE_NS, "max_age": 400 * _MS},
    {"subject_delete_marker_ttl": SECOND_NS, "max_msgs_per_subject": 1},
]
_UPDATES: list[dict[str, Any]] = [
    {},
    {"max_age": _SHORTEST_NS, "duplicate_window": _SHORTEST_NS},
    {"max_age": _MINUTE_NS},
    {"duplicate_window": _SHORTEST_NS},
    {"duplicate_window": _MINUTE_NS},
]
_REFUSING: list[dict[str, Any]] = [one for one in _SETTINGS if "discard" in one]
_IF_FIRST: list[tuple[str, str]] = [("Nats-Expected-Last-Subject-Sequence", "0")]
_HEADERS: list[list[tuple[str, str]]] = [
    *([], [], []),
    *([("Nats-Msg-Id", each)] for each in ("one", "one", "two", "three")),
    *[_IF_FIRST] * 2,
    [("Nats-Expected-Last-Msg-Id", "one")],
]
_TTLS: list[list[tuple[str, str]]] = [[("Nats-TTL", ttl)] for ttl in ("1s", "1999ms", "never", "3600")]

Messages = list[tuple[str, list[tuple[str, str]], list[tuple[str, str]]]]

_FIRST_SEQUENCES = range(1, 9)

slots = st.sampled_from([0, 1])
messages: st.SearchStrategy[Messages] = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(_HEADERS), st.sampled_from([[], [], *_TTLS])),
    min_size=4,
    max_size=8,
)


class Time(Family):
    name = "time"
    weight = 0.05
    bounded_examples = 6
    lateness_ns = 500 * _MS
    states_every = 2
    expected: ClassVar[frozenset[Row]] = frozenset(
        {
            ("publish", "ok"),
            ("publish", "duplicate"),
            ("publish", "10071 wrong last sequence"),
            ("publish", "10077 maximum messages exceeded"),
            ("STREAM.UPDATE", "ok"),
            ("STREAM.MSG.GET", "ok"),
            ("STREAM.MSG.GET", "10037 no message found"),
        }
    )
    lacking: ClassVar[Mapping[str, frozenset[Row]]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[int, dict[str, Any]] = {}
        self.restarts = 0

    @property
    def _knows_ttls(self) -> bool:
        return self.profile not in {"2.9", "2.10"}

    @initialize(
        data=st.data(),
        storages=st.tuples(*[st.sampled_from(["memory", "file"])] * 2),
        first=st.tuples(messages, messages),
    )
    def begin(self, data: st.DataObject, storages: tuple[str, str], first: tuple[Messages, Messages]) -> None:
        choices = _TTL_SETTINGS if self._knows_ttls else _SETTINGS, _SETTINGS + _REFUSING * 3
        for slot, storage in enumerate(storages):
            self.settings[slot] = data.draw(st.sampled_from(choices[slot]))
            self.create(slot, storage, **self.settings[slot])
            self.send(slot, first[slot])

    @rule(slot=slots, messages=messages)
    def send(self, slot: int, messages: Messages) -> None:
        self.publish_many(
            (f"{self.space}.{slot}.{token}", b"x", [*one, *two])
            for token, one, two in messages
            if one != _IF_FIRST or not self._loses_last(slot)
        )

    def _loses_last(self, slot: int) -> bool:
        return self.profile == "2.11" and bool(
            self.settings[slot].keys() & {"allow_msg_ttl", "subject_delete_marker_ttl"}
        )

    @rule(milliseconds=st.sampled_from([50, 250, 450, 1600, 1600]))
    def wait(self, milliseconds: int) -> None:
        """Ask what is left right then: states are given time to become equal, in which what is late comes due."""
        self.pair.let_pass(milliseconds * _MS)
        for slot in self.streams:
            self.requests((f"STREAM.MSG.GET.{self.stream(slot)}", {"seq": sequence}) for sequence in _FIRST_SEQUENCES)
        compare_states(self.pair)

    @rule(slot=slots, sequence=st.sampled_from(_FIRST_SEQUENCES))
    def get(self, slot: int, sequence: int) -> None:
        self.request(f"STREAM.MSG.GET.{self.stream(slot)}", {"seq": sequence})
        if not self._loses_last(slot):
            self.request(f"STREAM.MSG.GET.{self.stream(slot)}", {"last_by_subj": f"{self.space}.{slot}.a"})

    @rule(slot=slots, changes=st.sampled_from(_UPDATES))
    def update(self, slot: int, changes: dict[str, Any]) -> None:
        """Let what is there grow older than the shortest age first: whether it is removed at once is no chance then."""
        self.pair.let_pass(2 * _SHORTEST_NS)
        if "subject_delete_marker_ttl" in self.settings[slot]:
            changes = {}  # markers are published behind the answer
        name = self.stream(slot)
        settings = {"name": name, "subjects": [f"{self.space}.{slot}.>"], "storage": self.storages.get(slot, "file")}
        self.request(f"STREAM.UPDATE.{name}", settings | self.settings[slot] | changes)

    @precondition(lambda self: "file" in self.storages.values())
    @rule(sure=st.sampled_from([False] * 4 + [True]))
    def restart(self, sure: bool) -> None:
        """Memory streams are gone; what came due meanwhile is removed on the way up."""
        if sure and (self.profile != "2.9" or not self.restarts):
            self.restarts += 1
            self.pair.restart()
            self.pair.let_pass(_MS)
