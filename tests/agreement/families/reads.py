"""Reads: STREAM.MSG.GET and DIRECT.GET in all their forms, on streams with gaps and a removed tail.

Times asked for lie between the steps of an example, so that both sides have stored the same before them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from lattice_store.wire import ns_to_time
from tests.agreement.families.removing import RemovingFamily
from tests.agreement.tally import Row

Asked = dict[str, Any]
Stored = tuple[str, bytes, tuple[tuple[str, str], ...]]

_MOST_RESULTS = 1024
_ODDITIES = [*[""] * 48, "closed", "closed", "crowded"]
_WHOLE_BODIES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"x",
    b'{"seq":"1"}',
    b'{"seq":-1}',
    b'{"SEQ":2}',
    b'{"seq":1,"foo":1}',
    b'{"seq":1}{"seq":2}',
]
_NO_OPTIONS = [b"", b"{}", b'{"no_hdr":true}', b"x", b'{"seq":1}', b'{"batch":-1}', b'{"up_to_seq":1}', b'{"foo":1}']

apis = st.sampled_from(["STREAM.MSG.GET", "DIRECT.GET"])
storages = st.sampled_from(["memory", "file"])
tokens = st.sampled_from(["a", "b", "a.x"])
headers = st.sampled_from([(), (), (("K", "v"),), (("Nats-Msg-Id", "one"), ("K", ""))])
payloads = st.sampled_from([b"x", b"", b"x" * 40])
messages = st.tuples(tokens, payloads, headers)
sequences = st.integers(0, 14)
filters = st.sampled_from(["a", "b", "a.x", "*", "a.>", ">", "a.*", "none", "..", ""])
moments = st.sampled_from(
    [0, 1, 2, 3, -1, -2, "1970-01-01T00:00:00Z", "2100-01-01T00:00:00+01:00", "0001-01-01T00:00:00Z"]
)
fields = {
    "seq": sequences,
    "last_by_subj": filters,
    "next_by_subj": filters,
    "start_time": moments,
    "batch": st.sampled_from([1, 2, 3, 20, 0, -1]),
    "max_bytes": st.sampled_from([1, 90, 0, -1]),
    "multi_last": st.lists(filters, max_size=3),
    "up_to_seq": sequences,
    "up_to_time": moments,
    "no_hdr": st.booleans(),
}


def _asking(*names: str, optional: tuple[str, ...] = ()) -> st.SearchStrategy[Asked]:
    chosen = {name: fields[name] for name in names}
    return st.fixed_dictionaries(chosen, optional={name: fields[name] for name in optional})


def _several(forms: dict[str, st.SearchStrategy[Asked]]) -> st.SearchStrategy[tuple[str, list[Asked]]]:
    """Draw several requests of one form, and its name."""
    return st.one_of(
        [st.tuples(st.just(form), st.lists(asked, min_size=2, max_size=8)) for form, asked in forms.items()]
    )


_FORMS = {
    "seq": _asking("seq", optional=("no_hdr",)),
    "last_by_subj": _asking("last_by_subj"),
    "next_by_subj": _asking("next_by_subj", optional=("seq",)),
    "start_time": _asking("start_time", optional=("next_by_subj",)),
    "any": _asking(optional=tuple(fields)),
}
_BATCHES = {
    "batch": _asking("seq", "batch", optional=("next_by_subj", "max_bytes", "no_hdr")),
    "batch since": _asking("start_time", "batch", optional=("next_by_subj", "max_bytes")),
    "multi_last": _asking("multi_last", optional=("seq", "batch", "max_bytes", "up_to_seq")),
    "multi_last until": _asking("multi_last", "up_to_time", optional=("batch",)),
}
gets, direct_gets = _several(_FORMS), _several(_FORMS | _BATCHES)


_FOUND_OR_NOT = ("ok", "10037 no message found")
_MESSAGE_OR_NOT = ("message", "status 404 Message Not Found")
_LAST_OR_NOT = ("message", "status 204 EOB", "status 404 No Results")
_EXPECTED = {
    "STREAM.MSG.GET": (
        *("ok", "10003 bad request", "10025 invalid JSON", "10059 stream not found"),
        "10185 JetStream minimum api level required",
    ),
    "STREAM.MSG.GET seq": _FOUND_OR_NOT,
    "STREAM.MSG.GET last_by_subj": _FOUND_OR_NOT,
    "STREAM.MSG.GET next_by_subj": _FOUND_OR_NOT,
    "STREAM.MSG.GET start_time": _FOUND_OR_NOT,
    "STREAM.MSG.GET any": (*_FOUND_OR_NOT, "10003 bad request"),
    "DIRECT.GET": (
        *("message", "status 408 Empty Request", "status 408 Malformed Request", "status 412 Required Api Level"),
        "status 503",
    ),
    "DIRECT.GET subject": (
        *(*_MESSAGE_OR_NOT, "empty", "status 408 Bad Request", "status 408 Malformed Request", "status 503"),
    ),
    "DIRECT.GET seq": _MESSAGE_OR_NOT,
    "DIRECT.GET last_by_subj": _MESSAGE_OR_NOT,
    "DIRECT.GET next_by_subj": _MESSAGE_OR_NOT,
    "DIRECT.GET start_time": _MESSAGE_OR_NOT,
    "DIRECT.GET any": (*_MESSAGE_OR_NOT, "status 204 EOB", "status 408 Bad Request", "status 408 Empty Request"),
    "DIRECT.GET batch": (*_MESSAGE_OR_NOT, "status 204 EOB"),
    "DIRECT.GET batch since": (*_MESSAGE_OR_NOT, "status 204 EOB"),
    "DIRECT.GET multi_last": (*_LAST_OR_NOT, "status 408 Empty Request", "status 413 Too Many Results"),
    "DIRECT.GET multi_last until": _LAST_OR_NOT,
}


def _ending_in(*outcomes: str) -> frozenset[Row]:
    return frozenset((rule_, outcome) for rule_ in _EXPECTED for outcome in _EXPECTED[rule_] if outcome in outcomes)


_UNTIL_2_10 = _ending_in("status 204 EOB", "status 404 No Results", "status 413 Too Many Results") | {
    ("DIRECT.GET multi_last until", "message")
}
_UNTIL_2_11 = _ending_in("10185 JetStream minimum api level required", "status 412 Required Api Level", "empty") | {
    ("DIRECT.GET subject", "status 408 Malformed Request")
}


class Reads(RemovingFamily):
    name = "reads"
    expected = frozenset((rule_, outcome) for rule_, outcomes in _EXPECTED.items() for outcome in outcomes)
    lacking: ClassVar = {
        "2.9": _UNTIL_2_11 | _UNTIL_2_10 | _ending_in("status 503"),
        "2.10": _UNTIL_2_11 | _UNTIL_2_10,
        "2.11": _UNTIL_2_11,
    }

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[int] = []

    @initialize(storage=storages, first=st.lists(messages, min_size=3, max_size=8), odd=st.sampled_from(_ODDITIES))
    def begin(self, storage: str, first: list[Stored], odd: str) -> None:
        self.create(0, storage, allow_direct=odd != "closed")
        self.moments.append(self.pair.now_ns())
        self.publishes(first)
        if odd == "crowded":
            self.publish_many((f"{self.space}.0.crowd.{each}", b"", ()) for each in range(_MOST_RESULTS + 1))
            self.request(f"DIRECT.GET.{self.stream(0)}", {"multi_last": [">"]}, rule="DIRECT.GET multi_last")

    # -- what there is to read --------------------------------------------------------------------

    @rule(several=st.lists(messages, min_size=1, max_size=5))
    def publishes(self, several: list[Stored]) -> None:
        self.publish_many((f"{self.space}.0.{token}", payload, headers) for token, payload, headers in several)
        self.moments.append(self.pair.now_ns())

    @rule(removed=st.lists(sequences, min_size=1, max_size=3))
    def removes(self, removed: list[int]) -> None:
        for sequence in removed:
            self.delete(sequence)

    @rule(token=tokens)
    def purges(self, token: str) -> None:
        self.request(f"STREAM.PURGE.{self.stream(0)}", {"filter": f"{self.space}.0.{token}"})

    # -- reading ----------------------------------------------------------------------------------

    @rule(several=gets)
    def gets_by_api(self, several: tuple[str, list[Asked]]) -> None:
        form, asked = several
        requests = [(f"STREAM.MSG.GET.{self.stream(0)}", self._spelled(each)) for each in asked]
        self.requests(requests, rule=f"STREAM.MSG.GET {form}")

    @rule(several=direct_gets)
    def gets_directly(self, several: tuple[str, list[Asked]]) -> None:
        form, asked = several
        requests = [(f"DIRECT.GET.{self.stream(0)}", self._spelled(each)) for each in asked]
        self.requests(requests, rule=f"DIRECT.GET {form}")

    @rule(filter_=filters.filter(bool), body=st.sampled_from(_NO_OPTIONS))
    def gets_directly_by_subject(self, filter_: str, body: bytes) -> None:
        self.request(f"DIRECT.GET.{self.stream(0)}.{self.filter(filter_)}", body, rule="DIRECT.GET subject")

    @rule(api=apis, slot=st.sampled_from([0, 0, 1]), body=st.sampled_from(_WHOLE_BODIES))
    def bodies(self, api: str, slot: int, body: bytes) -> None:
        """Also of a stream that does not exist."""
        self.request(f"{api}.{self.stream(slot)}", body)

    @rule(api=apis, level=st.sampled_from(["0", "1", "99", "x", ""]))
    def requires_a_level(self, api: str, level: str) -> None:
        self.request(f"{api}.{self.stream(0)}", {"seq": 1}, headers=[("Nats-Required-Api-Level", level)])

    def _moment(self, drawn: int | str) -> str:
        if isinstance(drawn, str):
            return drawn
        return ns_to_time(self.moments[max(-len(self.moments), min(drawn, len(self.moments) - 1))])

    def _spelled(self, asked: Asked) -> Asked:
        """Return the request with this example's subjects and times."""
        spelled = dict(asked)
        for name in {"last_by_subj", "next_by_subj"} & set(asked):
            spelled[name] = self.filter(asked[name])
        if "multi_last" in asked:
            spelled["multi_last"] = [self.filter(each) for each in asked["multi_last"]]
        for name in {"start_time", "up_to_time"} & set(asked):
            spelled[name] = self._moment(asked[name])
        return spelled
