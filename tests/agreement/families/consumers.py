"""The administration of consumers: every setting, valid and not, in every form of the request; changes and ends.

Not drawn: an offset below zero when consumers are listed, which ends a server before 2.12; ``direct``, ``sourcing``,
priority groups and the ack policy ``flow_control`` where they would be accepted, which are not simulated; empty lists
and times with another offset than UTC, which a server tells from absent and equal ones when it compares
configurations; slashes in a name before 2.12, which a server takes and then cannot store; lists of consumers whose
names the server made up, since they are sorted by name; several requests at once, which workers share.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from lattice_store.limits import SECOND_NS
from tests.agreement.family import Family

_HOUR_NS = 3600 * SECOND_NS
_PAST, _FUTURE = "2020-01-01T00:00:00Z", "2090-01-01T00:00:00.5Z"

_STREAMS: list[dict[str, Any]] = [
    {},
    {"retention": "workqueue"},
    {"retention": "interest"},
    {"max_consumers": 2},
    {"consumer_limits": {"max_ack_pending": 10}},
    {"consumer_limits": {"inactive_threshold": _HOUR_NS}},
]
_VALID: dict[str, list[Any]] = {
    "name": ["a", "other"],
    "description": ["some"],
    "deliver_policy": ["all", "last", "new", "undefined"],
    "ack_policy": ["none", "all", "explicit", "explicit"],
    "ack_wait": [_HOUR_NS],
    "max_deliver": [1, 3, -1],
    "backoff": [[_HOUR_NS], [_HOUR_NS, 2 * _HOUR_NS]],
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
    "idle_heartbeat": [_HOUR_NS],
    "inactive_threshold": [_HOUR_NS, 2 * _HOUR_NS, 5 * SECOND_NS],
    "rate_limit_bps": [1_000_000],
    "num_replicas": [1],
    "mem_storage": [True],
    "metadata": [{"k": "v"}, {"_nats.ver": "1", "_nats.req.level": "7", "_nats.other": "x"}],
    "pause_until": [_PAST, _FUTURE],
}
"""Valid by themselves; together they may break what each alone keeps."""
_DOUBTFUL: dict[str, list[Any]] = {
    "durable_name": ["a", "b", "other"],
    "name": ["a.b"],
    "description": ["x" * 4097],
    "deliver_policy": ["by_start_sequence", "by_start_time", "last_per_subject", "no", None],
    "opt_start_seq": [2, 7, -1],
    "opt_start_time": [_PAST, _FUTURE, "soon"],
    "ack_policy": ["no"],
    "ack_wait": [-SECOND_NS],
    "max_deliver": [2, -5],
    "backoff": [[-1], [_HOUR_NS] * 4],
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
    "metadata": [{"k": "x" * 131073}],
    "priority_timeout": [SECOND_NS],
    "unheard_of": [1],
}
_FIXED: list[tuple[str, Any]] = [
    ("deliver_policy", "new"),
    ("mem_storage", True),
    ("opt_start_seq", 3),
    ("opt_start_time", _FUTURE),
    ("ack_policy", "all"),
    ("replay_policy", "original"),
    ("idle_heartbeat", 2 * _HOUR_NS),
    ("flow_control", False),
    ("max_waiting", 7),
    ("deliver_subject", "{}.to"),
    ("deliver_subject", ""),
]
"""What an update may not change, or only so far."""
_REFUSED: list[dict[str, Any]] = [
    {"direct": True},
    {"direct": True, "deliver_subject": "{}.to", "durable_name": "a"},
    {"ack_policy": "flow_control"},
    {"ack_policy": "flow_control", "deliver_subject": "{}.to", "ack_wait": 1},
    {"ack_policy": "flow_control", "deliver_subject": "{}.to", "max_ack_pending": -1},
    {"ack_policy": "flow_control", "deliver_subject": "{}.to", "max_deliver": 5},
    {"priority_policy": "overflow"},
    {"priority_policy": "overflow", "priority_groups": [""]},
    {"priority_policy": "pinned_client", "priority_groups": ["no group"]},
    {"priority_policy": "overflow", "deliver_subject": "{}.to", "priority_groups": ["g"]},
    {"priority_policy": "prioritized"},
    {"priority_policy": "no"},
]
"""Only what some check refuses: whoever knows these settings at all."""


def _one_of(values: dict[str, list[Any]]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.sampled_from(sorted(values)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(values[name])))


valid, doubtful = _one_of(_VALID), _one_of(_DOUBTFUL)
kinds = st.sampled_from(
    [
        {},
        {"ack_policy": "explicit"},
        {"deliver_subject": "{}.to"},
        {"deliver_subject": "{}.to", "ack_policy": "all", "idle_heartbeat": _HOUR_NS, "flow_control": True},
        {"deliver_policy": "by_start_sequence", "opt_start_seq": 2},
        {"deliver_policy": "by_start_time", "opt_start_time": _PAST},
        {"deliver_policy": "last_per_subject", "filter_subject": "{}.0.>"},
        {"filter_subject": "{}.0.a"},
    ]
)
settings = st.builds(
    lambda kind, few, odd: {**kind, **dict(few), **dict(odd)},
    kinds,
    st.lists(valid, max_size=3),
    st.lists(doubtful, max_size=1),
)
forms = st.sampled_from(  # for which stream and consumer; whether the name is a durable one
    [
        ("CREATE.{0}.{1}", False),
        ("CREATE.{0}.{1}", True),
        ("CREATE.{0}.{1}", True),
        ("CREATE.{0}.{1}.{{}}.0.a", True),
        ("CREATE.{0}.{1}.x", False),
        ("CREATE.{0}.{1}.a..b", False),
        ("DURABLE.CREATE.{0}.{1}", True),
        ("DURABLE.CREATE.{0}.{1}", False),
    ]
)
names = st.sampled_from(["a", "a", "b", "c"])
actions = st.sampled_from([{}, {}, {"action": "create"}, {"action": "update"}, {"action": ""}, {"pedantic": True}])
bodies = st.sampled_from(
    [b"", b"{}", b" { } ", b"no", b"[]", b"{", b'{"offset": 1}', b'{"offset": 9}', b'{"offset": "1"}']
)


class Consumers(Family):
    name = "consumers"
    states_every = 4

    @initialize(storage=st.sampled_from(["memory", "file"]), settings=st.sampled_from(_STREAMS))
    def begin(self, storage: str, settings: dict[str, Any]) -> None:
        self.create(0, storage, **settings)
        self.publish_many((f"{self.space}.0.{token}", b"x", ()) for token in ("a", "b", "a", "a.x"))

    def _asked(self, form: str, settings: dict[str, Any], options: dict[str, Any]) -> tuple[str, Any]:
        config = {name: _placed(value, self.space) for name, value in settings.items()}
        return _placed(f"CONSUMER.{form}", self.space), {"stream_name": self.stream(0), "config": config, **options}

    # -- create and update --------------------------------------------------------------------------

    @rule(puts=st.lists(st.tuples(forms, names, settings, actions), min_size=1, max_size=5))
    def put(self, puts: list[tuple[tuple[str, bool], str, dict[str, Any], dict[str, Any]]]) -> None:
        for (form, durable), name, settings, options in puts:
            named = {"durable_name": name} if durable else {}
            self.request(*self._asked(form.format(self.stream(0), name), {**named, **settings}, options))

    @rule(
        name=names, changes=st.lists(st.one_of(valid, doubtful, st.sampled_from(_FIXED)), max_size=5), options=actions
    )
    def changed(self, name: str, changes: list[tuple[str, Any]], options: dict[str, Any]) -> None:
        """Repeat what the consumer has but for one setting, several times."""
        known = self.request(f"CONSUMER.INFO.{self.stream(0)}.{name}")
        if "config" in known:
            settings = {key: value for key, value in known["config"].items() if key != "metadata"}
            for change in ([], *([one] for one in changes)):
                self.request(*self._asked(f"CREATE.{self.stream(0)}.{name}", {**settings, **dict(change)}, options))

    @rule(settings=settings, options=actions)
    def unnamed(self, settings: dict[str, Any], options: dict[str, Any]) -> None:
        """One without any name gets one by chance, by which it would be sorted: it does not stay."""
        made = self.request(*self._asked(f"CREATE.{self.stream(0)}", settings, options))
        if "config" in made and "name" not in settings:
            self.request(f"CONSUMER.INFO.{self.stream(0)}.{made['name']}")
            self.request(f"CONSUMER.DELETE.{self.stream(0)}.{made['name']}")

    @rule(name=names, settings=st.sampled_from(_REFUSED))
    def refused(self, name: str, settings: dict[str, Any]) -> None:
        if self.profile not in ("2.9", "2.10") or "direct" in settings or "ack_policy" in settings:
            self.request(*self._asked(f"CREATE.{self.stream(0)}.{name}", settings, {}))

    @rule(
        form=st.sampled_from(
            ["CREATE.{}", "CREATE.{}.a", "CREATE.none.a", "CREATE.{}.a\\b", "DURABLE.CREATE.{}.a", "DURABLE.CREATE.{}"]
        ),
        body=st.sampled_from(
            [b"", b"{}", b"no", b"[]", b'{"stream_name": "none"}', b'{"stream_name": "none", "config": 1}']
        ),
        level=st.sampled_from(["", "", "1", "9", "much"]),
    )
    def malformed(self, form: str, body: bytes, level: str) -> None:
        headers = [("Nats-Required-Api-Level", level)] if level else []
        self.request(f"CONSUMER.{form.format(self.stream(0))}", body, headers=headers)

    # -- look at ------------------------------------------------------------------------------------

    @rule(name=names, body=bodies)
    def info(self, name: str, body: bytes) -> None:
        self.request(f"CONSUMER.INFO.{self.stream(0)}.{name}", body)
        self.request(f"CONSUMER.INFO.none.{name}", body)

    @rule(body=bodies, words=st.sampled_from(["NAMES", "LIST"]))
    def list_(self, body: bytes, words: str) -> None:
        for stream in (self.stream(0), "none"):
            self.request(f"CONSUMER.{words}.{stream}", body)

    # -- change and end -----------------------------------------------------------------------------

    @rule(name=names, body=st.sampled_from([b"", b"", b"", b"x"]))
    def delete(self, name: str, body: bytes) -> None:
        self.request(f"CONSUMER.DELETE.{self.stream(0)}.{name}", body)

    @rule(
        name=names,
        body=st.sampled_from(
            [b"", b"no", b"{", b'{"pause_until": "soon"}']
            + [f'{{"pause_until": "{time}"}}'.encode() for time in (_PAST, _FUTURE, "0001-01-01T00:00:00Z")]
        ),
    )
    def pause(self, name: str, body: bytes) -> None:
        if self.profile not in ("2.9", "2.10"):
            self.request(f"CONSUMER.PAUSE.{self.stream(0)}.{name}", body)

    @rule(settings=st.sampled_from([*_STREAMS, {"consumer_limits": {"max_ack_pending": 2000}}]))
    def stream_changed(self, settings: dict[str, Any]) -> None:
        name = self.stream(0)
        if not name.endswith("none"):
            config = {"name": name, "subjects": [f"{self.space}.0.>"], "storage": self.storages[0]}
            self.request(f"STREAM.UPDATE.{name}", {**config, **settings})


def _placed(value: Any, space: str) -> Any:
    if isinstance(value, str):
        return value.replace("{}", space)
    return [_placed(each, space) for each in value] if isinstance(value, list) else value
