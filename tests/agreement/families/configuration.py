"""Stream configuration: what is decoded, filled in, refused, changed by an update, shown and listed.

Not drawn, because of what real servers then do:

- storage ``any``, ``null`` among sources and negative offsets of pages: versions up to 2.11 die of them;
- ``max_bytes`` beyond what the machine has: refused or not by what it has (10028, 10047);
- settings that are not simulated where a server accepts them (mirror, sources, placement, …).
"""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from lattice_store.limits import SECOND_NS
from tests.agreement.family import Family
from tests.agreement.states import compare_states

_VALUES: Final[dict[str, list[Any]]] = {
    "description": ["", "d", "x" * 4097],
    "metadata": [{}, {"k": "v"}, {"_nats.ver": "1", "_nats.req.level": "9"}, {"_nats.x": "y"}],
    "max_msgs": [0, -1, -5, 2],
    "max_bytes": [0, -1, -2, 90, 200],
    "max_msgs_per_subject": [0, -1, -7, 1, 2],
    "max_msg_size": [0, -1, -8, 10],
    "max_consumers": [0, -1, -9, 1, 2],
    "max_age": [0, -1, 5, 60 * SECOND_NS, 300 * SECOND_NS],
    "duplicate_window": [0, -1, 5, 30 * SECOND_NS, 60 * SECOND_NS, 120 * SECOND_NS, 200 * SECOND_NS],
    "discard": ["old", "new", "new"],
    "discard_new_per_subject": [True, False],
    "storage": ["memory", "file"],
    "retention": ["limits", "interest", "workqueue"],
    "num_replicas": [0, 1, -1, 2, 6],
    "no_ack": [True, False],
    "compression": ["none", "s2"],
    "first_seq": [0, 1, 5],
    "allow_direct": [True, False],
    "mirror_direct": [True, False],
    "sealed": [True, False],
    "deny_delete": [True, False],
    "deny_purge": [True, False],
    "allow_rollup_hdrs": [True, False],
    "consumer_limits": [{}, {"max_ack_pending": 5}, {"inactive_threshold": -5}],
    "allow_msg_ttl": [True, False],
    "subject_delete_marker_ttl": [0, -1, 5, SECOND_NS, 10 * SECOND_NS],
    "allow_msg_counter": [True, False],
    "persist_mode": ["", "default"],
    "pedantic": [True, False],
}
_BROKEN: Final[list[dict[str, Any]]] = [
    *({"unheard_of": 1}, {"name": "other"}, {"name": "a.b"}, {"name": ""}, {"name": None}, {"pedantic": 5}),
    *({"max_msgs": "2"}, {"max_msgs": 1.5}, {"max_msgs": 2**63}, {"max_msg_size": 2**31}, {"max_age": "1m"}),
    *({"first_seq": -1}, {"first_seq": 2**64}, {"retention": "x"}, {"discard": None}, {"storage": None}),
    *({"compression": "zip"}, {"persist_mode": "x"}, {"allow_direct": 1}, {"description": 5}, {"metadata": []}),
    *({"consumer_limits": []}, {"consumer_limits": {"x": 1}}, {"consumer_limits": None}, {"metadata": {"k": None}}),
    *({"metadata": {"k": "x" * length}} for length in (131_072 - 17, 131_072 - 16, 131_072 - 1, 131_072)),
]
_REFUSED: Final[list[dict[str, Any]]] = [
    *({"num_replicas": 6}, {"num_replicas": -1}, {"num_replicas": 2}, {"sealed": True}, {"mirror_direct": True}),
    *({"max_age": -1}, {"max_age": 5}, {"duplicate_window": -1}, {"duplicate_window": 5}, {"max_msgs": -5}),
    *({"deny_purge": True, "allow_rollup_hdrs": True}, {"discard_new_per_subject": True}, {"pedantic": True}),
    *({"allow_msg_counter": True, "allow_msg_ttl": True}, {"allow_msg_counter": True, "discard": "new"}),
    *({"subject_delete_marker_ttl": 5}, {"subject_delete_marker_ttl": -1}, {"subject_delete_marker_ttl": SECOND_NS}),
    *({"discard_new_per_subject": True, "discard": "new"}, {"max_age": SECOND_NS, "duplicate_window": 2 * SECOND_NS}),
    *({"subjects": ["a..b"]}, {"subjects": ["$JS.x"]}, {"subjects": ["y", "y"]}, {"description": "x" * 4097}),
    *({"storage": "file"}, {"max_consumers": 2}, {"description": "else"}, {"retention": "workqueue"}),
]
_RESERVED: Final = (
    *(["$JS.x"], ["$JS.API.x"], ["$JS.EVENT.x"], ["$JSC.x"], ["$NRG.x"], ["$SYS.x"], ["$SYS.ACCOUNT.x"]),
    *([">"], ["*.x"], ["a..b"], ["a b"], [""], ["x.>.y"], [None], [5]),
    *(["$JS.x", "b c"], ["y", "y", "$JS.x"], ["y.*", "y.z", "$SYS.x"]),
)
_NAMES: Final = ("{}", "{}/x", "{}\\x", "{}*", ">{}", "{}é", "{:x<255}", "{:x<256}")
_TOKENS: Final = (
    *(["a"], ["b"], ["c"], ["a", "b"], ["b", "a"], ["a.*"], ["*"], [">"], ["a*"], ["b.x", "b.*.>"]),
    *(["a", "a"], ["a", "*"], ["a.x", "b", "a.*"]),
)
_BODIES: Final = (b"", b"{}", b" {} ", b"null", b"junk", b"5", b"[]", b"{junk", b'{"x":1}', b"{} {}")
_INFOS: Final = (
    *(b'{"deleted_details":true}', b'{"subjects_filter":">"}', b'{"deleted_details":true,"subjects_filter":"*.a"}'),
    *(b'{"subjects_filter":">","offset":1}', b'{"subjects_filter":">","offset":9}', b'{"subjects_filter":"x"}'),
    *(b'{"deleted_details":1}', b'{"offset":4}'),
)

slots = st.sampled_from([0, 0, 1, 2])
fields = st.sampled_from(sorted(_VALUES)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(_VALUES[name])))
changes = st.lists(fields, max_size=4, unique_by=lambda field: field[0]).map(dict)
broken = st.sampled_from([*[{}] * len(_BROKEN) * 8, *_BROKEN])
refused = st.lists(st.sampled_from(_REFUSED), min_size=2, max_size=3).map(
    lambda chosen: {name: value for each in chosen for name, value in each.items()}
)
subjects = st.one_of(st.none(), st.none(), st.sampled_from(_TOKENS), st.sampled_from(_RESERVED))
levels = st.sampled_from([*[""] * 20, "0", "1", "3", "4", "5", "6", "-1", "+2", "x", "3 "])
spellings = st.sampled_from([*["plain"] * 8, "shouted", "twice", "split", "followed"])


class Configuration(Family):
    name = "configuration"

    def __init__(self) -> None:
        super().__init__()
        self._generation = {0: 0, 1: 0, 2: 0}
        self._accepted: dict[int, dict[str, Any]] = {}

    # -- what is asked --------------------------------------------------------------------------

    def _name(self, slot: int) -> str:
        """The name of a slot; another one after a deletion, since file streams may come back under theirs."""
        return f"{self.space}_{slot}_{self._generation[slot]}"

    def _config(self, slot: int, changes: dict[str, Any], subjects: list[Any] | None) -> dict[str, Any]:
        given: dict[str, Any] = {"name": self._name(slot), "storage": "memory", "subjects": [f"{self.space}.{slot}"]}
        given |= changes
        if subjects in _RESERVED:
            given |= {"subjects": subjects}
            given.pop("no_ack", None)  # or it would capture what is not its own
        elif isinstance(subjects, list):
            given["subjects"] = [f"{self.space}.{token}" for token in subjects]
        return given

    def _configure(self, verb: str, slot: int, given: dict[str, Any], spelling: str, level: str) -> None:
        headers = [("Nats-Required-Api-Level", level)] if level else []
        name = self._name(slot)
        answer = self.request(f"STREAM.{verb}.{name}", _spelled(given, spelling), headers=headers)
        if "config" in answer:
            self._accepted[slot] = given

    # -- rules ----------------------------------------------------------------------------------

    @initialize(storage=st.sampled_from(["memory", "file"]))
    def begin(self, storage: str) -> None:
        self._configure("CREATE", 0, self._config(0, {"storage": storage}, ["a", "b", "c.>"]), "plain", "")

    @rule(
        verb=st.sampled_from(["CREATE", "UPDATE"]),
        slot=slots,
        changes=st.tuples(changes, broken).map(lambda both: both[0] | both[1]),
        subjects=subjects,
        written=st.tuples(spellings, levels),
    )
    def configures(
        self,
        verb: str,
        slot: int,
        changes: dict[str, Any],
        subjects: list[Any] | None,
        written: tuple[str, str],
    ) -> None:
        self._configure(verb, slot, self._config(slot, changes, subjects), *written)

    @rule(verb=st.sampled_from(["CREATE", "UPDATE"]), slot=slots, changes=refused)
    def is_wrong_in_several_ways(self, verb: str, slot: int, changes: dict[str, Any]) -> None:
        self._configure(verb, slot, self._config(slot, {}, None) | changes, "plain", "")

    @rule(verb=st.sampled_from(["UPDATE", "UPDATE", "CREATE"]), slot=slots, changes=changes, subjects=subjects)
    def goes_on_from_what_is(self, verb: str, slot: int, changes: dict[str, Any], subjects: list[Any] | None) -> None:
        given = self._accepted.get(slot, self._config(slot, {}, None)) | changes
        if subjects is not None and not given.get("no_ack"):
            given["subjects"] = self._config(slot, {}, subjects)["subjects"]
        self._configure(verb, slot, given, "plain", "")

    @rule(verb=st.sampled_from(["CREATE", "UPDATE"]), name=st.sampled_from(_NAMES), changes=changes)
    def names(self, verb: str, name: str, changes: dict[str, Any]) -> None:
        name = name.format(self.space)
        body = {"storage": "memory", "subjects": [f"{self.space}.named"], **changes, "name": name}
        self.request(f"STREAM.{verb}.{name}", body)

    @rule(tokens=st.lists(st.sampled_from(["a", "b", "b", "c.x", "a.x"]), min_size=1, max_size=6))
    def publishes(self, tokens: list[str]) -> None:
        answers = [self.publish(f"{self.space}.{token}", b"x" * 20) for token in tokens]
        if None in answers:  # a stream without acks may not have it yet
            compare_states(self.pair)

    @rule(slot=slots, name=st.sampled_from("cd"), pending=st.sampled_from([0, 3, 9]))
    def is_consumed(self, slot: int, name: str, pending: int) -> None:
        stream = self._name(slot)
        config = {"durable_name": name, "ack_policy": "explicit", "max_ack_pending": pending}
        self.request(f"CONSUMER.CREATE.{stream}.{name}", {"stream_name": stream, "config": config})

    @rule(slot=slots, sequences=st.lists(st.integers(1, 8), min_size=1, max_size=3))
    def removes(self, slot: int, sequences: list[int]) -> None:
        for sequence in sequences:
            self.request(f"STREAM.MSG.DELETE.{self._name(slot)}", {"seq": sequence})

    @rule(slot=slots, body=st.sampled_from(_BODIES))
    def deletes(self, slot: int, body: bytes) -> None:
        answer = self.request(f"STREAM.DELETE.{self._name(slot)}", body)
        if answer.get("success"):
            self._generation[slot] += 1
            self._accepted.pop(slot, None)

    @rule(slot=slots, body=st.sampled_from([*_BODIES, *_INFOS]))
    def looks(self, slot: int, body: bytes) -> None:
        self.request(f"STREAM.INFO.{self._name(slot)}", body)

    @rule(
        verb=st.sampled_from(["NAMES", "LIST"]),
        body=st.sampled_from(
            [*_BODIES, *(b'{"offset":%d}' % offset for offset in (1, 2, 9)), b'{"offset":"1"}', b'{"subject":5}']
        ),
    )
    def lists(self, verb: str, body: bytes) -> None:
        self.request(f"STREAM.{verb}", body)

    @rule(
        verb=st.sampled_from(["NAMES", "LIST"]),
        token=st.sampled_from(["a", "b.x", "*", ">", "none", "a*", "b.*.x"]),
        offset=st.sampled_from([0, 0, 1, 5]),
    )
    def searches(self, verb: str, token: str, offset: int) -> None:
        self.request(f"STREAM.{verb}", {"subject": f"{self.space}.{token}", "offset": offset})

    @rule(body=st.sampled_from(_BODIES))
    def account(self, body: bytes) -> None:
        self.request("INFO", body)


def _spelled(given: dict[str, Any], spelling: str) -> bytes:
    """Return a request in one of the ways to write it that Go reads alike, or does not."""
    if spelling == "shouted":
        given = {name.upper(): value for name, value in given.items()}
    text = json.dumps(given)
    match spelling:
        case "twice":  # the second is the one that counts; of objects, both
            text = text.removesuffix("}") + ', "description": "first", "description": "last", "metadata": {"z": "z"}}'
        case "split":
            text += ' {"description": "more"}'
        case "followed":
            text += " }"
    return text.encode()
