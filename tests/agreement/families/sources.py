"""Mirrors and sources: what is refused, which messages go where under which sequence, what infos say.

A server connects to an origin after 100 to 200 ms and hears of an idle one once a second; whatever makes a connection is
followed by a wait for both sides to say the same. Not drawn, because a server notices it after ten seconds only: origins
that come or go when somebody takes from them, and room that is made where a message found none. Nor what is chance:
which of several gets a message of a work queue, and the order in which messages of several origins come together. Origins
that keep messages by interest are drawn from 2.14 on: before, they wait ten seconds for one who takes no more. Rollups
are drawn from 2.12 on, and discard policy new from 2.11 on: before, a stream that refuses a message asks for it again and
again, and tells by chance how far it is behind. Purges of a part are drawn from 2.10 on: before, memory goes on counting
what such a purge has removed (memstore.go, ``Compact``).
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.agreement.families._spans import Span, lacking, rows
from tests.agreement.family import Family
from tests.agreement.states import compare_states

_PATIENCE_S = 4.0
_STUCK_BY_ROLLUPS = ("2.9", "2.10", "2.11")
_STUCK_WHEN_FULL = ("2.9", "2.10")
_ORIGINS = ("one", "two", "three")
_MIRROR, _SOURCED = 3, 4
_KINDS: list[dict[str, Any]] = [
    *[{}] * 4,
    *({"allow_direct": True}, {"max_msgs_per_subject": 1}, {"max_msgs": 3}, {"first_seq": 5}, {"max_msg_size": 50}),
    *({"allow_rollup_hdrs": True}, {"allow_msg_ttl": True}, {"retention": "interest"}),
]
_SETTINGS: list[dict[str, Any]] = [
    *[{}] * 6,
    *({"max_msgs_per_subject": 1}, {"max_msgs": 2}, {"duplicate_window": 120 * 10**9}, *[{"allow_direct": True}] * 4),
    *({"max_msg_size": 20}, {"max_msgs": 2, "discard": "new"}, {"allow_rollup_hdrs": True}, {"deny_purge": True}),
    *({"max_msgs_per_subject": 1, "discard": "new", "discard_new_per_subject": True}, {"mirror_direct": True}),
    *({"retention": "interest"}, {"subject_delete_marker_ttl": 10**9}, {"first_seq": 3}, {"allow_msg_counter": True}),
    *({"pedantic": True}, {"no_ack": True}, {"allow_msg_ttl": True}),
]
_HEADERS: list[list[tuple[str, str]]] = [
    *[[]] * 4,
    *([("Nats-Msg-Id", "one")], [("Nats-Msg-Id", "two"), ("K", "v")], [("Nats-Rollup", "sub")], [("Nats-TTL", "1h")]),
    *([("Nats-Expected-Last-Sequence", "0")], [("Nats-Expected-Stream", "x")], [("Nats-Expected-Last-Msg-Id", "one")]),
]
_MAPPINGS = (
    *((">", ""), ("*.*.a", "{}.t.$2"), ("*.*.*", "{}.t.{{{{wildcard(3)}}}}.x"), ("*.*.b", "{}.u"), ("", "{}.all.>")),
    *(("*.*.b", ""), ("a..b", "x"), ("*", "$2"), (">", "{}.t"), ("*.*.c.>", "{}.v.>")),
)

tokens = st.sampled_from(["a", "b", "c.x", "a", "b"])
filters = st.sampled_from(["", "", "", "0.a", "0.*", "1.>", "2.b", "none", "0..a", "x y"])
mappings = st.lists(st.sampled_from(_MAPPINGS), max_size=2)
external = st.sampled_from(
    [
        *({"api": "$JS.API", "deliver": ""}, {"api": "$JS.elsewhere.API"}, {"api": "a.*", "deliver": "b"}),
        *({"api": "", "deliver": "d.>"}, {"api": "$JS.elsewhere.API", "deliver": "d"}),
    ]
)
source = st.fixed_dictionaries(
    {"name": st.sampled_from(["one", "one", "two", "three", "nobody", "", "a.b"]), "filter_subject": filters},
    optional={
        "subject_transforms": mappings,
        "opt_start_seq": st.sampled_from([0, 1, 2, 3, 9]),
        "opt_start_time": st.sampled_from(["2020-01-01T00:00:00Z", "2090-01-01T00:00:00Z"]),
    },
)
good = st.fixed_dictionaries(
    {"name": st.sampled_from(["one", "one", "two", "three"])},
    optional={"filter_subject": st.sampled_from(["0.a", "0.*", "1.>"]), "opt_start_seq": st.sampled_from([1, 2, 9])},
)
mapped = st.fixed_dictionaries(
    {"name": st.just("one"), "subject_transforms": st.lists(st.sampled_from(_MAPPINGS[:6]), min_size=1, max_size=2)}
)
elsewhere = st.fixed_dictionaries({"name": st.just("one"), "external": external, "filter_subject": st.just("")})
settings = st.lists(st.sampled_from(_SETTINGS), max_size=2).map(
    lambda chosen: {name: value for each in chosen for name, value in each.items()}
)
storages = st.sampled_from(["memory", "file"])

_CONFIGURED = {
    "ok": "2.9",
    "10021 stream external api prefix $JS.API must not overlap with $JS.API": "2.9",
    "10030 stream mirror must have max message size >= source": "2.9",
    "10031 stream mirrors can not also contain other sources": "2.9",
    "10046 stream source must have max message size >= target": "2.9",
    "10140 duplicate source configuration detected": "2.10",
    "10141 sourced stream name is invalid": "2.10",
    "10142 mirrored stream name is invalid": "2.10",
    "10143 stream mirrors can not have first sequence configured": "2.10",
    "10144 source with multiple subject transforms cannot also have a single subject filter": "2.10",
    "10146 source transform": "2.11",
    "10147 source filters can not overlap": "2.10",
    "10150 mirror with multiple subject transforms cannot also have a single subject filter": "2.10",
    "10152 mirror subject filters can not overlap": "2.10",
    "10154 mirror transform": "2.11",
    "10173 stream mirrors can not also calculate counters": "2.12",
}
_SPANS: list[Span] = [(first, "2.15", "STREAM.CREATE", [outcome]) for outcome, first in _CONFIGURED.items()]
_SPANS += [
    (
        "2.9",
        "2.15",
        "STREAM.UPDATE",
        ["ok", "10052 detected cycle", "10055 stream mirror configuration can not be updated"],
    ),
    ("2.9", "2.15", "publish", ["ok", "duplicate", "status 503"]),
    ("2.9", "2.15", "STREAM.MSG.GET", ["ok", "10037 no message found"]),
    ("2.9", "2.15", "STREAM.PURGE", ["ok"]),
    ("2.9", "2.15", "STREAM.MSG.DELETE", ["ok"]),
    ("2.9", "2.15", "DIRECT.GET", ["message"]),
]


class Sources(Family):
    name = "sources"
    expected = rows(_SPANS)
    lacking: ClassVar = lacking(_SPANS)
    weight = 0.1
    bounded_examples = 6

    def __init__(self) -> None:
        super().__init__()
        self._origins: dict[str, str] = {}
        self._kinds: dict[int, dict[str, Any]] = {}
        self._configs: dict[int, dict[str, Any]] = {}

    # -- what is asked --------------------------------------------------------------------------

    def _below(self, subject: str) -> str:
        return f"{self.space}.{subject}" if subject and subject != "none" else subject

    def _source(self, drawn: dict[str, Any]) -> dict[str, Any]:
        wire = {**drawn, "name": self._origins.get(drawn["name"], drawn["name"])}
        if "filter_subject" in wire:
            wire["filter_subject"] = self._below(wire["filter_subject"])
        if "subject_transforms" in wire:
            wire["subject_transforms"] = [
                {"src": source, "dest": destination.format(self.space)}
                for source, destination in drawn["subject_transforms"]
            ]
        return wire

    def _settled(self) -> None:
        compare_states(self.pair, _PATIENCE_S)

    # -- rules ----------------------------------------------------------------------------------

    @initialize(
        kinds=st.tuples(*[st.sampled_from(_KINDS)] * 3),
        storages=st.tuples(*[storages] * 3),
        chosen=st.lists(tokens, min_size=1, max_size=4),
    )
    def begin(self, kinds: tuple[dict[str, Any], ...], storages: tuple[str, ...], chosen: list[str]) -> None:
        kinds = (*kinds[:2], {**kinds[2], "max_msg_size": 50})
        if self.profile not in ("2.14", "2.15"):
            kinds = tuple({name: value for name, value in kind.items() if name != "retention"} for kind in kinds)
        for slot, called in enumerate(_ORIGINS):
            self.create(slot, storages[slot], **kinds[slot])
            self._origins[called] = self.stream(slot)
            self._kinds[slot] = kinds[slot]
        for token in chosen:
            self.publish(f"{self.space}.0.{token}", b"x")

    @rule(storage=storages, source=st.one_of(good, good, mapped, source, elsewhere), settings=settings)
    def mirrors(self, storage: str, source: dict[str, Any], settings: dict[str, Any]) -> None:
        self._make(_MIRROR, storage, {**settings, "mirror": self._source(source)})

    @rule(
        storage=storages,
        sources=st.lists(st.one_of(good, good, mapped, source, elsewhere), min_size=1, max_size=3),
        settings=settings,
        own=st.booleans(),
    )
    def sources(self, storage: str, sources: list[dict[str, Any]], settings: dict[str, Any], own: bool) -> None:
        subjects = {"subjects": [f"{self.space}.4.>"]} if own else {"subjects": []}
        self._make(_SOURCED, storage, {**settings, **subjects, "sources": self._sources(sources)})

    def _sources(self, drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return sources of which no two have the same messages, nor any if they are several."""
        apart = [
            one
            for at, one in enumerate(drawn)
            if all(one["name"] != each["name"] or one == each for each in drawn[:at])
        ]
        if len(apart) > 1:
            for slot in range(len(_ORIGINS)):
                self.request(f"STREAM.PURGE.{self.stream(slot)}", {})
                self._settled()
        return [self._source(each) for each in apart]

    def _make(self, slot: int, storage: str, config: dict[str, Any]) -> None:
        if slot in self.streams:
            self.request(f"STREAM.DELETE.{self.streams.pop(slot)}")
        if self.profile in _STUCK_WHEN_FULL:
            config = {name: value for name, value in config.items() if not name.startswith("discard")}
        self._configs[slot] = config
        self.create(slot, storage, **config)
        self._settled()

    @rule(source=source, sources=st.lists(good, max_size=1), settings=settings)
    def mixes(self, source: dict[str, Any], sources: list[dict[str, Any]], settings: dict[str, Any]) -> None:
        config = {"mirror": self._source(source), "sources": [self._source(each) for each in sources], **settings}
        if sources:
            self.create(5, "memory", **config)

    @rule(which=st.sampled_from(["mirror", "sources"]), size=st.sampled_from([20, 50]))
    def is_too_small(self, which: str, size: int) -> None:
        source = {"name": self._origins["three"]}
        self.create(5, "memory", max_msg_size=size - 1, **{which: source if which == "mirror" else [source]})

    @rule(back=st.booleans())
    def goes_in_a_circle(self, back: bool) -> None:
        name, origin = self.streams.get(_SOURCED), self._origins["one"]
        taken = self._configs[_SOURCED].get("sources", []) if name else []
        if back and not any(each["name"] == origin and set(each) <= {"name", "opt_start_seq"} for each in taken):
            return  # or it would be none
        config = {"name": origin, "storage": self.storages[0], "subjects": [f"{self.space}.0.>"], **self._kinds[0]}
        self.request(f"STREAM.UPDATE.{origin}", {**config, "sources": [{"name": name if back else origin}]})

    @rule(
        slot=st.sampled_from([0, 0, 0, 1, 2, 4]),
        chosen=st.lists(
            st.tuples(tokens, st.sampled_from([b"", b"x", b"x" * 10]), st.sampled_from(_HEADERS)),
            min_size=1,
            max_size=4,
        ),
    )
    def publishes(self, slot: int, chosen: list[tuple[str, bytes, list[tuple[str, str]]]]) -> None:
        for token, payload, pairs in chosen:
            stuck = self.profile in _STUCK_BY_ROLLUPS and ("Nats-Rollup", "sub") in pairs
            self.publish(f"{self.space}.{slot}.{token}", payload, [] if stuck else pairs)
            self._settled()

    @rule(slot=st.sampled_from([0, 0, 1, 3, 4]), sequence=st.integers(1, 8))
    def deletes(self, slot: int, sequence: int) -> None:
        if not self._is_stuck(slot):
            self.remove(slot, sequence)

    @rule(slot=st.sampled_from([0, 0, 3, 4]), body=st.sampled_from([{}, {"keep": 1}, {"seq": 3}]))
    def purges(self, slot: int, body: dict[str, Any]) -> None:
        if not self._is_stuck(slot):
            self.request(f"STREAM.PURGE.{self.stream(slot)}", {} if self.profile == "2.9" else body)

    def _is_stuck(self, slot: int) -> bool:
        """Whether messages may wait for room, which a server notices seconds later."""
        config = self._configs.get(slot, {})
        return config.get("discard") == "new"

    @rule(sources=st.lists(good, max_size=2))
    def changes_sources(self, sources: list[dict[str, Any]]) -> None:
        if _SOURCED in self.streams and not self._is_stuck(_SOURCED):
            changed = {**self._configs[_SOURCED], "sources": self._sources(sources)}
            self._update(_SOURCED, changed)

    @rule(promoted=st.booleans(), sequence=st.integers(1, 3))
    def changes_the_mirror(self, promoted: bool, sequence: int) -> None:
        if _MIRROR in self.streams:
            changed = {**self._configs[_MIRROR]}
            mirror = changed.pop("mirror")
            if promoted:
                changed["subjects"] = [f"{self.space}.3.>"]
            else:
                changed["mirror"] = {**mirror, "opt_start_seq": sequence}
            self._update(_MIRROR, changed)

    def _update(self, slot: int, config: dict[str, Any]) -> None:
        name = self.streams[slot]
        answer = self.request(f"STREAM.UPDATE.{name}", {"name": name, "storage": self.storages[slot], **config})
        if answer is not None and "error" not in answer:
            self._configs[slot] = config
            if "mirror" not in config and slot == _MIRROR:
                self.request(f"STREAM.DELETE.{self.streams.pop(slot)}")
        self._settled()

    @rule(slot=st.sampled_from([3, 4]), sequence=st.integers(1, 6))
    def gets(self, slot: int, sequence: int) -> None:
        self.request(f"STREAM.MSG.GET.{self.stream(slot)}", {"seq": sequence})

    @rule(slot=st.sampled_from([0, 3, 4]), sequence=st.integers(1, 3))
    def gets_directly(self, slot: int, sequence: int) -> None:
        self.request(f"DIRECT.GET.{self.stream(slot)}", {"seq": sequence})
