"""Stream configuration: what is decoded, filled in, refused, changed by an update, shown and listed.

Not drawn, because of what real servers then do:

- storage ``any``, ``null`` among sources and negative offsets of pages: versions up to 2.11 die of them;
- ``max_bytes`` beyond what the machine has: refused or not by what it has (10028, 10047);
- consumers of streams that an update gave several replicas, which versions up to 2.12 let a lone server do;
- the account's sums on 2.9, which keep bytes of streams that are gone;
- settings that are not simulated where a server accepts them (mirror, sources, …).
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from lattice_store.limits import SECOND_NS
from tests.agreement.family import Family
from tests.agreement.states import compare_states

_VALUES: Final[dict[str, list[Any]]] = {
    "description": ["", "d", "x" * 4097],
    "metadata": [{}, {"k": "v"}, {"_nats.ver": "1", "_nats.req.level": "9"}, {"_nats.x": "y"}, {"k": "x" * 131_072}],
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
    "persist_mode": ["", "default", "async"],
    "placement": [
        {},
        {"cluster": "c"},
        {"tags": []},
        {"tags": ["a", "b"]},
        {"cluster": "c", "preferred": "s"},
        {"x": 1},
    ],
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
    *({"allow_msg_counter": True, **also} for also in ({"allow_msg_ttl": True}, {"discard": "new"})),
    {"allow_msg_counter": True, "retention": "interest"},
    *({"subject_delete_marker_ttl": 5}, {"subject_delete_marker_ttl": -1}, {"subject_delete_marker_ttl": SECOND_NS}),
    *({"discard_new_per_subject": True, "discard": "new"}, {"max_age": SECOND_NS, "duplicate_window": 2 * SECOND_NS}),
    *({"subjects": subjects} for subjects in (["a..b"], ["y", "y"], ["$JS.x"], ["$SYS.x"], [">"])),
    {"description": "x" * 4097},
    *({"storage": "file"}, {"max_consumers": 2}, {"description": "else"}, {"retention": "workqueue"}),
    *({"pedantic": True, **also} for also in ({"max_msgs": -5}, {"max_age": SECOND_NS})),
    *({"pedantic": True, "subject_delete_marker_ttl": SECOND_NS, "allow_msg_ttl": on} for on in (True, False)),
]
_BEGINNINGS: Final[list[dict[str, Any]]] = [
    *({}, {}, {"deny_delete": True}, {"deny_purge": True}, {"allow_msg_ttl": True}, {"allow_msg_counter": True}),
    *({"subject_delete_marker_ttl": SECOND_NS}, {"max_consumers": 1}, {"retention": "workqueue"}),
]
_TURNS: Final[list[dict[str, Any]]] = [
    *({"deny_delete": False}, {"deny_purge": False}, {"sealed": False}, {"sealed": True}, {"max_consumers": 2}),
    *({"allow_msg_ttl": False, "subject_delete_marker_ttl": 0}, {"allow_msg_counter": True}),
    *({"allow_msg_counter": False}, {"retention": "limits"}, {"retention": "interest"}, {"num_replicas": 2}),
    *({"consumer_limits": {"max_ack_pending": most}} for most in (0, 2, 5)),
    *({"max_msgs": 1}, {"max_bytes": 90}, {"max_msgs_per_subject": 1}, {"max_msgs_per_subject": 2}),
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

_VERSIONS: Final = ("2.9", "2.10", "2.11", "2.12", "2.14", "2.15")
_RULES: Final[dict[str, str]] = {
    "10025 invalid JSON": "",
    "10052 capturing all subjects requires no-ack to be true": "2.10-",
    "10052 counter stream can only use limits retention": "2.12-",
    "10052 counter stream cannot use discard new": "2.12-",
    "10052 counter stream cannot use message TTLs": "2.12-",
    "10052 discard new per subject requires discard new policy to be set": "",
    "10052 discard new per subject requires max msgs per subject > N": "",
    "10052 duplicate subjects detected": "-2.11",
    "10052 duplicates window can not be larger then max age": "",
    "10052 duplicates window can not be negative": "",
    "10052 duplicates window needs to be >= Nms": "",
    "10052 invalid subject": "",
    "10052 max age can not be negative": "2.12-",
    "10052 max age needs to be >= Nms": "",
    "10052 maximum replicas is N": "",
    "10052 roll-ups require the purge permission": "",
    "10052 stream description is too long, maximum allowed is N": "",
    "10052 stream metadata exceeds maximum size of N bytes": "2.10-",
    "10052 stream name is required and can not contain '.', '*', '>'": "-2.11",
    "10052 stream name is required and can not contain '.', '*', '>', '\\', '/'": "2.12-",
    "10052 stream name is too long, maximum allowed is N": "",
    '10052 subject "…" overlaps with "…"': "",
    "10052 subject delete marker TTL must be at least N second": "2.11-",
    "10052 subject delete marker TTL must not be negative": "2.11-",
    "10052 subject delete marker cannot be set if message TTLs are disabled": "2.11-",
    "10052 subject delete marker cannot be set if roll-ups are disabled": "2.11-",
    "10052 subjects overlap with jetstream api": "-2.9",
    "10052 subjects that overlap with jetstream api require no-ack to be true": "2.10-",
    "10052 subjects that overlap with system api require no-ack to be true": "2.10-",
    "10056 stream name in subject does not match request": "",
    "10065 subjects overlap with an existing stream": "",
    "10133 replicas count cannot be negative": "",
    "10157 pedantic mode": "2.11-",
    "10185 JetStream minimum api level required": "2.12-",
    "ok": "",
}
_RULES_OF: Final[dict[str, dict[str, str]]] = {
    "STREAM.CREATE": {
        **_RULES,
        "10052 stream configuration for create can not be sealed": "",
        "10052 stream has no mirror but does have mirror direct": "",
        "10058 stream name already in use with a different configuration": "",
        "10074 replicas > N not supported in non-clustered mode": "",
        "10128 Stream name can not contain path separators": "",
    },
    "STREAM.UPDATE": {
        **_RULES,
        "10052 message TTL status can not be disabled": "2.11-",
        "10052 stream configuration update can not cancel deny message deletes": "",
        "10052 stream configuration update can not cancel deny purge": "",
        "10052 stream configuration update can not change MaxConsumers": "-2.11",
        "10052 stream configuration update can not change message counter setting": "2.12-",
        "10052 stream configuration update can not change retention policy": "-2.9",
        "10052 stream configuration update can not change retention policy to/from workqueue": "2.10-",
        "10052 stream configuration update can not change storage type": "",
        "10052 stream configuration update can not unseal a sealed stream": "",
        "10059 stream not found": "",
        "10069 change to limits violates consumers": "2.10-",
        "10074 replicas > N not supported in non-clustered mode": "2.14-",
    },
    "STREAM.DELETE": {"ok": "", "10038 expected an empty request payload": "", "10059 stream not found": ""},
    "STREAM.INFO": {"ok": "", "10025 invalid JSON": "", "10059 stream not found": ""},
    "STREAM.NAMES": {"ok": "", "10025 invalid JSON": ""},
    "STREAM.LIST": {"ok": "", "10025 invalid JSON": ""},
    "INFO": {"ok": "2.10-"},
}


def _between(versions: str) -> tuple[int, int]:
    """Return from which to which version something is so; "2.12-" since then, "-2.11" until then."""
    first, _, last = versions.partition("-")
    return _VERSIONS.index(first or _VERSIONS[0]), _VERSIONS.index(last or _VERSIONS[-1])


_ROWS: Final = [
    ((rule_, outcome), *_between(versions))
    for rule_, outcomes in _RULES_OF.items()
    for outcome, versions in outcomes.items()
]

slots = st.sampled_from([0, 0, 1, 2])
fields = st.sampled_from(sorted(_VALUES)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(_VALUES[name])))
changes = st.lists(fields, max_size=4, unique_by=lambda field: field[0]).map(dict)
broken = st.sampled_from([*[{}] * len(_BROKEN) * 8, *_BROKEN])
refused = st.lists(st.sampled_from(_REFUSED), min_size=1, max_size=3).map(
    lambda chosen: {name: value for each in chosen for name, value in each.items()}
)
subjects = st.one_of(st.none(), st.none(), st.sampled_from(_TOKENS), st.sampled_from(_RESERVED))
levels = st.sampled_from([*[""] * 20, "0", "1", "3", "4", "5", "6", "-1", "+2", "x", "3 "])
spellings = st.sampled_from([*["plain"] * 8, "shouted", "twice", "split", "followed"])


class Configuration(Family):
    name = "configuration"
    expected = frozenset(row for row, _, _ in _ROWS)
    lacking: ClassVar = {
        version: frozenset(row for row, first, last in _ROWS if not first <= at <= last)
        for at, version in enumerate(_VERSIONS)
    }

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

    @initialize(storage=st.sampled_from(["memory", "file"]), beginning=st.sampled_from(_BEGINNINGS))
    def begin(self, storage: str, beginning: dict[str, Any]) -> None:
        given = self._config(0, {"storage": storage, **beginning}, ["a", "b", "c.>"])
        self._configure("CREATE", 0, given, "plain", "")

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

    @rule(
        verb=st.sampled_from(["CREATE", "UPDATE"]),
        slot=st.sampled_from([1, 2]),
        token=st.sampled_from(["a", "b", "c.x"]),
    )
    def wants_what_another_has(self, verb: str, slot: int, token: str) -> None:
        self._configure(verb, slot, self._config(slot, {}, [token]), "plain", "")

    @rule(
        verb=st.sampled_from(["UPDATE", "UPDATE", "CREATE"]),
        slot=slots,
        changes=changes,
        subjects=st.one_of(st.none(), st.none(), subjects),
    )
    def goes_on_from_what_is(self, verb: str, slot: int, changes: dict[str, Any], subjects: list[Any] | None) -> None:
        given = self._accepted.get(slot, self._config(slot, {}, None)) | changes
        if subjects is not None and not given.get("no_ack"):
            given["subjects"] = self._config(slot, {}, subjects)["subjects"]
        self._configure(verb, slot, given, "plain", "")

    @rule(slot=st.sampled_from([0, 0, 0, 1]), turn=st.sampled_from(_TURNS))
    def turns(self, slot: int, turn: dict[str, Any]) -> None:
        self._configure("UPDATE", slot, self._accepted.get(slot, self._config(slot, {}, None)) | turn, "plain", "")

    @rule(
        verb=st.sampled_from(["CREATE", "UPDATE"]),
        name=st.sampled_from(_NAMES),
        called=st.one_of(st.none(), st.none(), st.sampled_from(["other", "a.b"])),
        changes=changes,
    )
    def names(self, verb: str, name: str, called: str | None, changes: dict[str, Any]) -> None:
        name = name.format(self.space)
        body = {"storage": "memory", "subjects": [f"{self.space}.named"], **changes, "name": called or name}
        self.request(f"STREAM.{verb}.{name}", body)

    @rule(tokens=st.lists(st.sampled_from(["a", "b", "b", "c.x", "a.x"]), min_size=1, max_size=6))
    def publishes(self, tokens: list[str]) -> None:
        answers = [self.publish(f"{self.space}.{token}", b"x" * 20) for token in tokens]
        if None in answers:  # a stream without acks may not have it yet
            compare_states(self.pair)

    @rule(slot=slots, name=st.sampled_from("cd"), pending=st.sampled_from([0, 3, 9]))
    def is_consumed(self, slot: int, name: str, pending: int) -> None:
        if self._accepted.get(slot, {}).get("num_replicas", 1) > 1:
            return
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
        if self.profile != "2.9":
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
