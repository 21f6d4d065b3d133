"""Settings of consumers for the family `consumers`: small alphabets, valid and not. ``{}`` is the example's space, ``<n>`` a
text of so many bytes."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from lattice_store.limits import SECOND_NS

Settings = dict[str, Any]

_LONG = re.compile(r"<([0-9]+)>")
HOUR_NS = 3600 * SECOND_NS
PAST, FUTURE = "2020-01-01T00:00:00Z", "2090-01-01T00:00:00.5Z"

STREAMS: list[Settings] = [
    {},
    {"retention": "workqueue"},
    {"retention": "workqueue"},
    {"max_consumers": 2},
    {"consumer_limits": {"max_ack_pending": 10}},
    {"consumer_limits": {"inactive_threshold": HOUR_NS}},
]
_VALID: dict[str, list[Any]] = {
    "name": ["a", "other"],
    "description": ["some"],
    "deliver_policy": ["all", "last", "new", "undefined"],
    "ack_policy": ["none", "all", "explicit", "explicit"],
    "ack_wait": [HOUR_NS],
    "max_deliver": [1, 3, -1],
    "backoff": [[HOUR_NS], [HOUR_NS, 2 * HOUR_NS]],
    "filter_subject": ["{}.0.a", "{}.0.*", "{}.0.>", "elsewhere", ">"],
    "filter_subjects": [["{}.0.a"], ["{}.0.a", "{}.0.b"], ["{}.0.a.*", "{}.0.*.b"]],
    "replay_policy": ["instant", "original"],
    "sample_freq": ["100", "50%", "+5"],
    "max_waiting": [1, 512],
    "max_ack_pending": [5, 20, -1],
    "headers_only": [True],
    "max_batch": [5],
    "max_expires": [SECOND_NS],
    "max_bytes": [100],
    "deliver_subject": ["{}.to", "{}.to", "{}.elsewhere"],
    "deliver_group": ["g"],
    "idle_heartbeat": [HOUR_NS],
    "inactive_threshold": [HOUR_NS, 2 * HOUR_NS, 5 * SECOND_NS],
    "rate_limit_bps": [1_000_000],
    "num_replicas": [1],
    "mem_storage": [True],
    "metadata": [{"k": "v"}, {"_nats.ver": "1", "_nats.req.level": "7", "_nats.other": "x"}],
    "pause_until": [PAST, FUTURE],
    "priority_groups": [["g"], ["g", "h"]],
}
"""Valid by themselves; together they may break what each alone keeps."""
_DOUBTFUL: dict[str, list[Any]] = {
    "durable_name": ["a", "b", "other"],
    "name": ["a.b"],
    "description": ["<4097>"],
    "deliver_policy": ["by_start_sequence", "by_start_time", "last_per_subject", "no", None],
    "opt_start_seq": [2, 7, -1],
    "opt_start_time": [PAST, FUTURE, "soon"],
    "ack_policy": ["no"],
    "ack_wait": [-SECOND_NS],
    "max_deliver": [2, -5],
    "backoff": [[-1], [HOUR_NS] * 4],
    "filter_subject": ["a..b"],
    "filter_subjects": [["{}.0.a", "{}.0.*"], [""], ["a.>.b"]],
    "replay_policy": ["no"],
    "rate_limit_bps": [-1],
    "sample_freq": ["-5", "much", "99999999999999999999"],
    "max_waiting": [-1],
    "max_ack_pending": [-5],
    "flow_control": [True],
    "max_batch": [-1],
    "max_expires": [100, -1],
    "max_bytes": [-1],
    "deliver_subject": ["{}.0.a", "{}.*", "a..b"],
    "idle_heartbeat": [100, -1],
    "inactive_threshold": [-1],
    "num_replicas": [2, -1],
    "metadata": [{"k": "<131073>"}],
    "priority_timeout": [SECOND_NS],
    "unheard_of": [1],
}
_GROUPS = {"priority_policy": "overflow", "priority_groups": ["g"]}
_PUSH = {"deliver_subject": "{}.to"}
_BY_SEQUENCE = {"deliver_policy": "by_start_sequence", "opt_start_seq": 2}
_BY_TIME = {"deliver_policy": "by_start_time", "opt_start_time": PAST}
_HEARD = {**_PUSH, "idle_heartbeat": HOUR_NS, "flow_control": True}
BASES: list[Settings] = [{"ack_policy": "explicit"}, _HEARD, _BY_SEQUENCE, _BY_TIME]
CHANGES: list[Settings] = [
    _GROUPS,
    {"deliver_policy": "new", "opt_start_seq": 0, "opt_start_time": None},
    {"mem_storage": True},
    {"opt_start_seq": 3},
    {"opt_start_time": FUTURE},
    {"ack_policy": "all"},
    {"replay_policy": "original"},
    {"idle_heartbeat": 2 * HOUR_NS},
    {"flow_control": False},
    {"max_waiting": 7},
    {"deliver_subject": "{}.elsewhere"},
    {"deliver_subject": ""},
    {"max_waiting": 0, **_PUSH},
    {"backoff": [HOUR_NS] * 3, "max_deliver": 2},
    {"description": "other"},
    *({"filter_subject": "{}.1.a"}, {"filter_subject": "{}.1.*"}, {"filter_subjects": ["{}.1.b", "{}.1.a"]}),
]
"""What an update may not change, or only so far."""
_EXPLICIT = {"ack_policy": "explicit"}
CROWD: list[Settings] = [
    *(_EXPLICIT, {**_EXPLICIT, "filter_subject": "{}.0.a"}, {**_EXPLICIT, "filter_subject": "{}.0.*"}),
    *({**_EXPLICIT, "max_ack_pending": 20}, {**_EXPLICIT, "inactive_threshold": 2 * HOUR_NS}),
    *({**_EXPLICIT, "deliver_policy": "new"}, {"ack_policy": "all"}),
    *({**_EXPLICIT, "filter_subject": "{}.0.a.*"}, {**_EXPLICIT, "filter_subject": "{}.0.*.x"}),
]
"""Consumers that stand in each other's way on a stream that is particular."""
BROKEN: list[Settings] = [
    *({"durable_name": "d"}, {"num_replicas": -1}, {"num_replicas": 2}, {"backoff": [-1]}, {"ack_wait": -1}),
    *({"backoff": [1, 2], "max_deliver": 1}, {"description": "<4097>"}),
    *({"deliver_subject": "{}.*"}, {"deliver_subject": "a..b"}, {"deliver_subject": "{}.1.a"}),
    *({**_PUSH, "max_waiting": 1}, {**_PUSH, "max_ack_pending": 1}, {**_PUSH, "idle_heartbeat": 1}),
    *({"rate_limit_bps": 1}, {"max_waiting": -1}, {"idle_heartbeat": HOUR_NS}, {"flow_control": True}),
    *({"max_batch": -1}, {"max_expires": 1}, {"direct": True}, {**_PUSH, "direct": True, "durable_name": "c"}),
    {"filter_subject": "{}.1.a", "filter_subjects": ["{}.1.b"]},
    *({"filter_subject": "a..b"}, {"filter_subjects": [""]}, {"filter_subjects": ["a.>.b"]}),
    *({"filter_subjects": ["{}.1.a", "{}.1.*"]}, {"filter_subjects": ["{}.1.a.*", "{}.1.*.b"]}),
    *({"opt_start_seq": 1}, {"opt_start_time": PAST}),
    *({"deliver_policy": "by_start_sequence"}, {**_BY_SEQUENCE, "opt_start_time": PAST}),
    *({"deliver_policy": "by_start_time"}, {**_BY_TIME, "opt_start_seq": 1}),
    *({"deliver_policy": "last_per_subject"}, {"deliver_policy": "last_per_subject", "opt_start_seq": 1}),
    *({"deliver_policy": "last", "opt_start_seq": 1}, {"deliver_policy": "new", "opt_start_time": PAST}),
    *({"sample_freq": "-5"}, {"sample_freq": "much"}, {**_PUSH, "flow_control": True}),
    *({"metadata": {"k": "<131073>"}}, {"priority_timeout": 1}),
    *({"ack_policy": "flow_control"}, {**_PUSH, "ack_policy": "flow_control", "ack_wait": 1}),
    {**_PUSH, "ack_policy": "flow_control", "max_ack_pending": -1},
    {**_PUSH, "ack_policy": "flow_control", "max_deliver": 5},
]
"""Only what some version refuses, most every version; nothing that would not be simulated."""
NO_PRIORITIES: list[Settings] = [
    *({"priority_policy": "overflow"}, {"priority_policy": "prioritized"}, {"priority_policy": "no"}),
    {"priority_policy": "overflow", "priority_groups": [""]},
    {"priority_policy": "pinned_client", "priority_groups": ["no group"]},
    {**_PUSH, "priority_policy": "overflow", "priority_groups": ["g"]},
]
"""The same, for versions that know of priorities."""


def _one_of(values: dict[str, list[Any]]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.sampled_from(sorted(values)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(values[name])))


_KINDS: list[Settings] = [
    *({}, {"ack_policy": "explicit"}, {"filter_subject": "{}.0.a"}, _PUSH, {**_HEARD, "ack_policy": "all"}),
    *(_BY_SEQUENCE, _BY_TIME, {"deliver_policy": "last_per_subject", "filter_subject": "{}.0.>"}),
    *(_GROUPS, {**_GROUPS, "priority_policy": "pinned_client", "ack_policy": "explicit"}),
    {"ack_policy": "explicit", "filter_subject": "{}.0.a"},
    {"ack_policy": "explicit", "filter_subject": "{}.0.*"},
]
drawn_settings = st.builds(
    lambda kind, few, odd: {**kind, **dict(few), **dict(odd)},
    st.sampled_from(_KINDS),
    st.lists(_one_of(_VALID), max_size=3),
    st.lists(_one_of(_DOUBTFUL), max_size=1),
)


def spelled(value: Any, space: str) -> Any:
    """Write out the example's space and long texts."""
    match value:
        case str():
            long = _LONG.fullmatch(value)
            return "x" * int(long[1]) if long else value.replace("{}", space)
        case list():
            return [spelled(each, space) for each in value]
        case dict():
            return {name: spelled(each, space) for name, each in value.items()}
        case _:
            return value
