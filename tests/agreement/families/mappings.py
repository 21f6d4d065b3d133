"""Subject transforms and republishing: what is refused, what becomes of subjects, what is sent on to whom.

Not drawn: ``random`` of more than one number; on 2.10 and 2.11 partitions of 0, which end the server; in 2.10 transforms
in updates, which leave half a change behind if they are refused; a republish
without a destination, which an update makes one to where the messages come from (stream.go, ``updateWithAdvisory``);
a republish to where a stream's one literal subject is found only by a function, which goes round
until the headers are full;
streams that store what is republished, with a time in a header whose length, and with it the stream's, is chance.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.agreement.families._spans import Span, lacking, rows
from tests.agreement.family import Family
from tests.agreement.states import compare_states

_FUNCTIONS = (
    *(
        "{{wildcard(1)}}",
        "{{wildcard(2)}}",
        "{{ Wildcard( 1 ) }}",
        "{{wildcard()}}",
        "{{wildcard(0)}}",
        "{{wildcard(1,2)}}",
    ),
    *("$1", "$2", "$0", "$x", "{{partition(3,1)}}", "{{partition(4,1,2)}}", "{{partition(5)}}", "{{partition(x,1)}}"),
    *("{{Partition(10,2,1)}}", "{{partition(-3,1)}}", "{{partition()}}", "{{partition(2147483648,1)}}"),
    *("{{split(1,-)}}", "{{split(2,-)}}", "{{split(1,)}}", "{{split(1, )}}", "{{split(1)}}", "{{Split(1,-,2)}}"),
    *("{{splitfromleft(1,2)}}", "{{SplitFromRight(1,1)}}", "{{splitFromLeft(1,9)}}", "{{splitfromleft(1,x)}}"),
    *("{{slicefromleft(1,2)}}", "{{SliceFromRight(1,2)}}", "{{slicefromleft(1,3)}}", "{{slicefromright(1,0)}}"),
    *("{{left(1,2)}}", "{{Right(1,2)}}", "{{random(1)}}", "{{random(1,2)}}", "{{unheard(1)}}", "{{}}", "{{x}}"),
    *("{wildcard(1)}", "a{{wildcard(1)}}", "{{wildcard(1)}}b", "{{slicefromleft(1)}}", "{{random(x)}}"),
)
_PLAIN = ("a", "b", "c.d", "*", "", "a b", "..", "a*")
_SOURCES = ("*", "*.*", ">", "*.>", "a", "a.*", "b.>", "", "*.b", "x y", "a..b", "*-*")
_GOOD = (
    *(("*", "{{wildcard(1)}}"), ("*.*", "{{wildcard(2)}}.{{wildcard(1)}}"), (">", "t.>"), ("a", "b"), ("a.*", "$1")),
    *(("*", "{{split(1,-)}}"), ("*", "{{partition(3,1)}}"), ("*.>", "$1.x.>"), ("*", "{{slicefromleft(1,2)}}.e")),
    *(
        ("", "r.>"),
        ("*", "{{left(1,1)}}"),
        ("*.*", "{{partition(7,1,2)}}.{{splitfromright(2,1)}}"),
        ("a", "{{partition(5)}}"),
    ),
)

tokens = st.sampled_from(["a", "b", "c-d", "a.b", "b.a", "ab-c-d", "a.b.c", "-x-y-", "t", "abcde", "abc.de", "a--b"])
destination = st.one_of(
    st.tuples(
        st.lists(st.sampled_from(_FUNCTIONS + _PLAIN), min_size=1, max_size=3).map(".".join),
        st.sampled_from(["", "", ".>"]),
    ).map("".join),
    st.sampled_from(_FUNCTIONS),
)
mapping = st.one_of(st.sampled_from(_GOOD), st.tuples(st.sampled_from(_SOURCES), destination), st.sampled_from(_GOOD))
transform = st.tuples(
    st.sampled_from(["", "0.", "0.", "0.", "other."]), st.sampled_from(["0.", "0.", "out.", ""]), mapping
)
republish = st.tuples(
    st.sampled_from(["0.", "0.", "0.", ""]), st.sampled_from(["out.", "out.", "out.", "0."]), mapping, st.booleans()
)
subjects = st.sampled_from([["0.>"], ["0.>"], ["0.>"], ["0.*", "0.*.*"], ["0.a"], ["0.a", "other.>"]])
settings = st.sampled_from(
    [
        *[{}] * 4,
        *({"max_msgs_per_subject": 1}, {"max_msgs": 2}, {"max_msgs": 1, "discard": "new"}, {"allow_rollup_hdrs": True}),
        *({"retention": "interest"}, {"no_ack": True}, {"max_msgs_per_subject": 1, "discard": "new"}),
        {"max_msgs_per_subject": 1, "discard": "new", "discard_new_per_subject": True},
    ]
)
headers = st.sampled_from(
    [
        *[[]] * 4,
        *([("Nats-Msg-Id", "one")], [("Nats-Msg-Id", "two")], [("K", "v")], [("Nats-Rollup", "sub")]),
        *([("Nats-Expected-Last-Subject-Sequence", "1")], [("Nats-Expected-Last-Sequence", "2")]),
    ]
)
_SPANS: list[Span] = [
    (first, "2.15", verb, [outcome])
    for verb in ("STREAM.CREATE", "STREAM.UPDATE")
    for outcome, first in {
        "ok": "2.9",
        "10052 stream configuration for republish destination forms a cycle": "2.9",
        "10052 stream configuration for republish with transform from …": "2.10",
        "10155 stream transform source": "2.11",
        "10156 stream transform": "2.11",
        "10157 pedantic mode": "2.11",
    }.items()
]
_SPANS += [
    ("2.9", "2.15", "other", ["message"]),
    (
        *("2.9", "2.9", "STREAM.CREATE"),
        [
            "10052 stream configuration for republish source is not valid subset of subjects",
            "10052 stream configuration for republish not valid",
        ],
    ),
    ("2.9", "2.9", "STREAM.UPDATE", ["10052 stream configuration update can not change RePublish"]),
    (
        *("2.9", "2.15", "publish"),
        [
            *("ok", "duplicate", "status 503", "10071 wrong last sequence", "10077 maximum messages exceeded"),
            *("10077 maximum messages per subject exceeded", "10111 rollup not permitted"),
        ],
    ),
    ("2.9", "2.15", "STREAM.MSG.GET", ["ok", "10037 no message found"]),
]


class Mappings(Family):
    name = "mappings"
    expected = rows(_SPANS)
    lacking: ClassVar = lacking(_SPANS)

    def __init__(self) -> None:
        super().__init__()
        self._no_ack = False

    # -- what is asked --------------------------------------------------------------------------

    def _below(self, subject: str) -> str:
        return f"{self.space}.{subject}" if subject else ""

    def _config(self, drawn: dict[str, Any]) -> dict[str, Any]:
        config = {**drawn["settings"], "subjects": [self._below(each) for each in drawn["subjects"]]}
        if drawn["transform"] is not None:
            source, destination, (src, dest) = drawn["transform"]
            config["subject_transform"] = {
                "src": self._below(source + src) if source else src,
                "dest": self._below(destination + dest) if destination else dest,
            }
        if drawn["republish"] is not None:  # to where it comes from it must be refused, or it would go round for ever
            source, destination, (src, dest), headers_only = drawn["republish"]
            if drawn["subjects"] not in (["0.>"], ["0.*", "0.*.*"]):
                destination = "out."
            config["republish"] = {
                "src": self._below(source + src) if source else src,
                "dest": self._below(destination + dest),
            }
            if headers_only:
                config["republish"]["headers_only"] = True
        if drawn["pedantic"]:
            config["pedantic"] = True
        return config

    # -- rules ----------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.pair.subscribe(f"{self.space}.out.>")
        self.create(0, "memory", subject_transform={"src": f"{self.space}.0.*.*", "dest": f"{self.space}.0.$2.$1"})

    drawn = st.fixed_dictionaries(
        {
            "transform": st.one_of(st.none(), transform),
            "republish": st.one_of(st.none(), republish),
            "subjects": subjects,
            "settings": settings,
            "pedantic": st.sampled_from([False] * 4 + [True]),
        }
    )

    @rule(storage=st.sampled_from(["memory", "file"]), drawn=drawn)
    def creates(self, storage: str, drawn: dict[str, Any]) -> None:
        if 0 in self.streams:
            self.request(f"STREAM.DELETE.{self.streams.pop(0)}")
        self._no_ack = "no_ack" in drawn["settings"]
        answer = self.create(0, storage, **self._config(drawn))
        if answer is not None and "error" in answer:
            self._no_ack = False
            self.create(0, storage, republish={"src": ">", "dest": f"{self.space}.out.>"})

    @rule(drawn=drawn)
    def updates(self, drawn: dict[str, Any]) -> None:
        if 0 not in self.streams or self._no_ack or "no_ack" in drawn["settings"]:
            return
        if self.profile == "2.10":
            drawn = {**drawn, "transform": None}
        name, storage = self.streams[0], self.storages[0]
        self.request(f"STREAM.UPDATE.{name}", {"name": name, "storage": storage, **self._config(drawn)})

    @rule(chosen=st.lists(st.tuples(tokens, st.sampled_from([b"", b"x", b"yy"]), headers), min_size=1, max_size=6))
    def publishes(self, chosen: list[tuple[str, bytes, list[tuple[str, str]]]]) -> None:
        for token, payload, pairs in chosen:
            answer = self.publish(f"{self.space}.0.{token}", payload, pairs)
            if answer is None:
                compare_states(self.pair)

    @rule(token=tokens)
    def gets(self, token: str) -> None:
        self.request(f"STREAM.MSG.GET.{self.stream(0)}", {"last_by_subj": f"{self.space}.0.{token}"})
