"""The administration of consumers: every setting, valid and not, in every form of the request; changes and ends.

Not drawn: an offset below zero when consumers are listed, which ends a server before 2.12; ``direct``, ``sourcing``,
priority groups and the ack policy ``flow_control`` where they would be accepted, which are not simulated; empty lists
and times with another offset than UTC, which a server tells from absent and equal ones when it compares
configurations; slashes in a name before 2.12, which a server takes and then cannot store; lists of consumers whose
names the server made up, since they are sorted by name.
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
    # {"retention": "workqueue"},
    # {"retention": "interest"},
    {"max_consumers": 2},
    {"consumer_limits": {"max_ack_pending": 10}},
    {"consumer_limits": {"inactive_threshold": _HOUR_NS}},
]
_VALUES: dict[str, list[Any]] = {
    "durable_name": ["a", "b", "other"],
    "name": ["a", "other", "a.b"],
    "description": ["some", "x" * 4097],
    "deliver_policy": [
        *("all", "last", "new", "by_start_sequence", "by_start_time", "last_per_subject"),
        *("undefined", "no", None),
    ],
    "opt_start_seq": [2, 7, -1],
    "opt_start_time": [_PAST, _FUTURE, "soon"],
    "ack_policy": ["none", "all", "explicit", "explicit", "explicit", "no"],
    "ack_wait": [_HOUR_NS, -SECOND_NS],
    "max_deliver": [1, 2, 3, -1, -5],
    "backoff": [[_HOUR_NS], [_HOUR_NS, 2 * _HOUR_NS], [-1]],
    "filter_subject": ["{}.0.a", "{}.0.*", "{}.0.>", "elsewhere", "a..b", ">"],
    "filter_subjects": [
        ["{}.0.a"],
        ["{}.0.a", "{}.0.b"],
        ["{}.0.a", "{}.0.*"],
        ["{}.0.a.*", "{}.0.*.b"],
        [""],
        ["a.>.b"],
    ],
    "replay_policy": ["instant", "original", "no"],
    "rate_limit_bps": [1_000_000, -1],
    "sample_freq": ["100", "50%", "+5", "-5", "much", "99999999999999999999"],
    "max_waiting": [1, 512, -1],
    "max_ack_pending": [5, 10, 20, -1, -5],
    "flow_control": [True],
    "headers_only": [True],
    "max_batch": [5, -1],
    "max_expires": [SECOND_NS, 100, -1],
    "max_bytes": [100, -1],
    "deliver_subject": ["{}.to", "{}.to", "{}.elsewhere", "{}.0.a", "{}.*", "a..b"],
    "deliver_group": ["g"],
    "idle_heartbeat": [_HOUR_NS, 100, -1],
    "inactive_threshold": [_HOUR_NS, 2 * _HOUR_NS, 5 * SECOND_NS, -1],
    "num_replicas": [1, 2, -1],
    "mem_storage": [True],
    "metadata": [{"k": "v"}, {"_nats.ver": "1", "_nats.req.level": "7", "_nats.other": "x"}, {"k": "x" * 131073}],
    "pause_until": [_PAST, _FUTURE],
    "priority_timeout": [SECOND_NS],
    "unheard_of": [1],
}
"""By themselves most are valid; together they break what each alone keeps."""
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

_setting = st.sampled_from(sorted(_VALUES)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(_VALUES[name]))
)
settings = st.one_of(
    st.lists(_setting, max_size=4).map(dict),
    st.lists(_setting, max_size=2).map(lambda chosen: {"ack_policy": "explicit", **dict(chosen)}),
    st.lists(_setting, max_size=2).map(lambda chosen: {"deliver_subject": "{}.to", **dict(chosen)}),
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

    def _placed(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Put subjects below the example's own space."""
        return {name: _placed(value, self.space) for name, value in settings.items()}

    def _put(self, form: str, settings: dict[str, Any], options: dict[str, Any], **headers: Any) -> Any:
        body = {"stream_name": self.stream(0), "config": self._placed(settings), **options}
        return self.request(f"CONSUMER.{form}", body, **headers)

    # -- create and update --------------------------------------------------------------------------

    @rule(name=names, settings=settings, options=actions)
    def named(self, name: str, settings: dict[str, Any], options: dict[str, Any]) -> None:
        self._put(f"CREATE.{self.stream(0)}.{name}", settings, options)

    @rule(name=names, settings=settings, options=actions)
    def durable(self, name: str, settings: dict[str, Any], options: dict[str, Any]) -> None:
        self._put(f"CREATE.{self.stream(0)}.{name}", {"durable_name": name, **settings}, options)

    @rule(name=names, chosen=st.lists(_setting, min_size=1, max_size=1), options=actions)
    def changed_a_little(self, name: str, chosen: list[tuple[str, Any]], options: dict[str, Any]) -> None:
        """Repeat what the consumer has but for one setting: most changes are accepted."""
        known = self.request(f"CONSUMER.INFO.{self.stream(0)}.{name}")
        if "config" in known:
            settings = {key: value for key, value in known["config"].items() if key != "metadata"}
            self._put(f"CREATE.{self.stream(0)}.{name}", {**settings, **dict(chosen)}, options)

    @rule(name=names, filter_=st.sampled_from(["{}.0.a", "{}.0.b", "x", "a..b"]), settings=settings)
    def filtered(self, name: str, filter_: str, settings: dict[str, Any]) -> None:
        filter_ = _placed(filter_, self.space)
        self._put(f"CREATE.{self.stream(0)}.{name}.{filter_}", {"filter_subject": "{}.0.a", **settings}, {})

    @rule(settings=settings, options=actions)
    def unnamed(self, settings: dict[str, Any], options: dict[str, Any]) -> None:
        """One without any name gets one by chance, by which it would be sorted: it does not stay."""
        made = self._put(f"CREATE.{self.stream(0)}", settings, options)
        if "config" in made and "name" not in settings:
            self.request(f"CONSUMER.INFO.{self.stream(0)}.{made['name']}")
            self.request(f"CONSUMER.DELETE.{self.stream(0)}.{made['name']}")

    @rule(name=names, settings=settings)
    def legacy_durable(self, name: str, settings: dict[str, Any]) -> None:
        self._put(f"DURABLE.CREATE.{self.stream(0)}.{name}", {"durable_name": name, **settings}, {})

    @rule(name=names, settings=st.sampled_from(_REFUSED))
    def refused(self, name: str, settings: dict[str, Any]) -> None:
        if self.profile not in ("2.9", "2.10") or "direct" in settings or "ack_policy" in settings:
            self._put(f"CREATE.{self.stream(0)}.{name}", settings, {})

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
