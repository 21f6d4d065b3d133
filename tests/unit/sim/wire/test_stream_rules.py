"""What stream configurations must keep, in the server's order; the expectations were observed on nats-server 2.15.1."""

import pytest

from lattice_store.limits import SECOND_NS
from tests.unit.sim.wire.wire import Wire

MS = SECOND_NS // 1000
MARKED = {"subject_delete_marker_ttl": SECOND_NS}
COUNTER = {"allow_msg_counter": True}
PER_SUBJECT = {"discard_new_per_subject": True}
TAKEN = (400, 10058, "stream name already in use with a different configuration")
NO_REPLICAS = (500, 10074, "replicas > 1 not supported in non-clustered mode")
NAME_RULE = "stream name is required and can not contain '.', '*', '>', '\\', '/'"


def invalid(text: str) -> tuple[int, int, str]:
    return 500, 10052, text


def create(wire: Wire, **config):
    """Return the configuration that is shown, or the error."""
    config = {"name": "T", "subjects": ["t"], "storage": "memory", **config}
    return outcome(wire(f"STREAM.CREATE.{config['name']}", config))


def update(wire: Wire, **config):
    return outcome(wire("STREAM.UPDATE.S", {"name": "S", "subjects": ["s.>"], "storage": "memory", **config}))


def outcome(answer: dict):
    if "error" in answer:
        return answer["error"]["code"], answer["error"]["err_code"], answer["error"]["description"]
    return answer["config"]


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"name": "a*"}, NAME_RULE),
        ({"name": ">a"}, NAME_RULE),
        ({"name": "x" * 256}, "stream name is too long, maximum allowed is 255"),
        ({"sealed": True}, "stream configuration for create can not be sealed"),
        ({"mirror_direct": True}, "stream has no mirror but does have mirror direct"),
        ({"description": "é" * 2049}, "stream description is too long, maximum allowed is 4096"),
        ({"metadata": {"a": "x" * (131_072 - 16)}}, "stream metadata exceeds maximum size of 131072 bytes"),
        ({"num_replicas": 6}, "maximum replicas is 5"),
        ({"max_age": -1}, "max age can not be negative"),
        ({"max_age": 1}, "max age needs to be >= 100ms"),
        ({"duplicate_window": -1}, "duplicates window can not be negative"),
        ({"duplicate_window": 99 * MS}, "duplicates window needs to be >= 100ms"),
        (
            {"max_age": 4 * SECOND_NS, "duplicate_window": 5 * SECOND_NS},
            "duplicates window can not be larger then max age",
        ),
        ({"deny_purge": True, "allow_rollup_hdrs": True}, "roll-ups require the purge permission"),
        ({**COUNTER, "discard": "new"}, "counter stream cannot use discard new"),
        ({**COUNTER, "allow_msg_ttl": True}, "counter stream cannot use message TTLs"),
        ({**COUNTER, "allow_msg_schedules": True}, "counter stream cannot use message schedules"),
        ({**COUNTER, "retention": "interest"}, "counter stream can only use limits retention"),
        (PER_SUBJECT, "discard new per subject requires discard new policy to be set"),
        ({**PER_SUBJECT, "discard": "new"}, "discard new per subject requires max msgs per subject > 0"),
        ({"subject_delete_marker_ttl": 1}, "subject delete marker TTL must be at least 1 second"),
        ({"subject_delete_marker_ttl": -1}, "subject delete marker TTL must not be negative"),
        ({"allow_msg_schedules": True, "discard": "new"}, "message scheduling cannot use discard new"),
        ({"persist_mode": "async"}, "async persist mode is only supported on file storage"),
        (
            {"persist_mode": "async", "storage": "file", "num_replicas": 3},
            "async persist mode is not supported on replicated streams",
        ),
        (
            {"persist_mode": "async", "storage": "file", "allow_atomic": True},
            "async persist mode is not supported with atomic batch publish",
        ),
        ({"subjects": ["a..b"]}, "invalid subject"),
        ({"subjects": [""]}, "invalid subject"),
        ({"subjects": ["a b"]}, "invalid subject"),
        ({"subjects": ["a.>.b"]}, "invalid subject"),
        ({"subjects": ["a", "a"]}, 'subject "a" overlaps with "a"'),
        ({"subjects": ["a.*", "*.b"]}, 'subject "a.*" overlaps with "*.b"'),
        ({"subjects": ["b", "a.*.c", "a.b.>"]}, 'subject "a.*.c" overlaps with "a.b.>"'),
        ({"subjects": [">"]}, "capturing all subjects requires no-ack to be true"),
        ({"subjects": [">"], "no_ack": True, "num_replicas": 3}, "capturing all subjects requires replicas of 1"),
        ({"subjects": ["$JS"]}, None),
        ({"subjects": ["$SYS.ACCOUNT"]}, "subjects that overlap with system api require no-ack to be true"),
        ({"subjects": ["*.*"]}, "subjects that overlap with jetstream api require no-ack to be true"),
        ({"subjects": ["$JS.EVENT.*"]}, None),
        ({"subjects": ["a.>", "a", "a*", "*a", ">a", "é", "a\u00a0b", "a\x0bb"]}, None),
        ({"subjects": ["x" * 3000]}, None),
        ({"metadata": {"a": "x" * (131_072 - 17)}}, None),
        ({"name": "x" * 255}, None),
        ({"name": "é"}, None),
        ({**COUNTER, **MARKED}, None),
    ],
)
def test_a_rule_of_creations(config, text):
    made = create(Wire.with_stream(), **config)
    assert made == invalid(text) if text else isinstance(made, dict)


@pytest.mark.parametrize(
    ("config", "refusal"),
    [
        ({"name": "a/b"}, (400, 10128, "Stream name can not contain path separators")),
        ({"name": "a\\b", "sealed": True}, (400, 10128, "Stream name can not contain path separators")),
        ({"num_replicas": -1}, (400, 10133, "replicas count cannot be negative")),
        ({"num_replicas": 3}, NO_REPLICAS),
        ({"name": "S", "num_replicas": 3}, NO_REPLICAS),
        ({"name": "S"}, TAKEN),
        ({"name": "S", "subjects": ["s.>"]}, TAKEN),
        ({"subjects": ["s.a"]}, (400, 10065, "subjects overlap with an existing stream")),
    ],
)
def test_a_refusal_of_its_own(config, refusal):
    assert create(Wire.with_stream(), **config) == refusal


BROKEN = [
    ({"sealed": True}, "create can not be sealed"),
    ({"mirror_direct": True}, "mirror direct"),
    ({"description": "x" * 4097}, "description"),
    ({"num_replicas": 6}, "maximum replicas"),
    ({"max_age": 1}, "max age"),
    ({"duplicate_window": -1}, "duplicates window"),
    ({"deny_purge": True, "allow_rollup_hdrs": True}, "roll-ups"),
    ({**COUNTER, "allow_msg_ttl": True}, "counter stream"),
    (PER_SUBJECT, "discard new per subject"),
    ({"subject_delete_marker_ttl": 1}, "marker TTL"),
    ({"persist_mode": "async"}, "async"),
    ({"subjects": ["a..b"]}, "invalid subject"),
]


@pytest.mark.parametrize(("first", "second"), [(at, at + 1) for at in range(len(BROKEN) - 1)])
def test_the_first_broken_rule_is_named(first, second):
    (broken, named), (also_broken, _) = BROKEN[first], BROKEN[second]
    assert named in create(Wire.with_stream(), **also_broken, **broken)[2]


# -- defaults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        ({"max_msgs": 0, "max_bytes": -6, "max_msg_size": 0}, {"max_msgs": -1, "max_bytes": -1, "max_msg_size": -1}),
        ({"max_msgs_per_subject": -7, "max_consumers": -9}, {"max_msgs_per_subject": -1, "max_consumers": -1}),
        ({"num_replicas": 0, "subjects": []}, {"num_replicas": 1, "subjects": ["T"]}),
        ({"subjects": None, "max_age": 0}, {"subjects": ["T"], "duplicate_window": 120 * SECOND_NS}),
        ({"max_age": 4 * SECOND_NS}, {"duplicate_window": 4 * SECOND_NS}),
        ({"max_age": 500 * SECOND_NS}, {"duplicate_window": 120 * SECOND_NS}),
        ({**MARKED, "deny_purge": True}, {"allow_msg_ttl": True, "allow_rollup_hdrs": True, "deny_purge": False}),
        ({"compression": "s2", "allow_direct": True}, {"compression": "s2", "allow_direct": True}),
    ],
)
def test_what_the_server_makes_of_a_configuration(config, shown):
    assert shown.items() <= create(Wire.with_stream(), **config).items()


@pytest.mark.parametrize(
    ("config", "refusal"),
    [
        ({"max_msgs": -2}, (400, 10157, "pedantic mode: max_msgs must be set to -1")),
        ({"max_consumers": -2}, (400, 10157, "pedantic mode: max_consumers must be set to -1")),
        ({"max_age": SECOND_NS}, (400, 10157, "pedantic mode: duplicate window cannot be bigger than max age")),
        (MARKED, invalid("subject delete marker cannot be set if message TTLs are disabled")),
        (
            {**MARKED, "allow_msg_ttl": True},
            invalid("subject delete marker cannot be set if roll-ups are disabled"),
        ),
        ({"allow_msg_schedules": True}, invalid("message scheduling cannot be set if roll-ups are disabled")),
    ],
)
def test_a_pedantic_client_is_told_instead(config, refusal):
    assert create(Wire.with_stream(), pedantic=True, **config) == refusal


def test_a_pedantic_client_need_not_set_everything():
    assert (
        create(Wire.with_stream(), pedantic=True, max_msgs=0, max_bytes=-1, max_age=500 * SECOND_NS)["max_msgs"] == -1
    )


# -- updates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "changed", "text"),
    [
        ({}, {"storage": "file"}, "stream configuration update can not change storage type"),
        (
            {},
            {"retention": "workqueue"},
            "stream configuration update can not change retention policy to/from workqueue",
        ),
        (
            {"retention": "workqueue"},
            {},
            "stream configuration update can not change retention policy to/from workqueue",
        ),
        ({"deny_delete": True}, {}, "stream configuration update can not cancel deny message deletes"),
        (
            {"deny_delete": True, "deny_purge": True},
            {},
            "stream configuration update can not cancel deny message deletes",
        ),
        ({"deny_purge": True}, {}, "stream configuration update can not cancel deny purge"),
        ({"deny_purge": True}, {"deny_purge": True, **MARKED}, "stream configuration update can not cancel deny purge"),
        ({"allow_msg_ttl": True}, {}, "message TTL status can not be disabled"),
        (MARKED, {}, "message TTL status can not be disabled"),
        ({}, COUNTER, "stream configuration update can not change message counter setting"),
        (COUNTER, {}, "stream configuration update can not change message counter setting"),
        ({**COUNTER, **MARKED}, {**COUNTER, **MARKED}, "counter stream cannot use message TTLs"),
        ({}, {"allow_msg_schedules": True, "discard": "new"}, "message scheduling cannot use discard new"),
        (
            {"storage": "file"},
            {"storage": "file", "persist_mode": "async"},
            "stream configuration update can not change persist mode",
        ),
        ({}, {"sealed": True, **PER_SUBJECT}, "discard new per subject requires discard new policy to be set"),
    ],
)
def test_a_rule_of_updates(made, changed, text):
    assert update(Wire.with_stream(**made), **changed) == invalid(text)


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"num_replicas": 3, "storage": "file"}, NO_REPLICAS),
        ({"num_replicas": 6}, invalid("maximum replicas is 5")),
        ({"subjects": ["t.x"]}, (400, 10065, "subjects overlap with an existing stream")),
    ],
)
def test_a_refusal_of_an_update(changed, refusal):
    wire = Wire.with_stream()
    create(wire, subjects=["t.>"])
    assert update(wire, **changed) == refusal


@pytest.mark.parametrize(
    "changed",
    [
        {"max_consumers": 5},
        {"retention": "interest"},
        {"compression": "s2"},
        {"first_seq": 9},
        {"mirror_direct": True},
        {"allow_msg_ttl": True},
        {"no_ack": True},
        {"discard": "new", "description": "d", "duplicate_window": SECOND_NS},
    ],
)
def test_what_an_update_changes(changed):
    assert changed.items() <= update(Wire.with_stream(), **changed).items()


def test_a_bad_configuration_is_reported_before_the_name_and_before_a_missing_stream():
    wire = Wire.with_stream()
    assert wire.refusal("STREAM.UPDATE.T", {"name": "S", "num_replicas": 6}) == invalid("maximum replicas is 5")
    assert wire.refusal("STREAM.UPDATE.T", {"name": "T", "num_replicas": 6}) == invalid("maximum replicas is 5")
    assert wire.refusal("STREAM.UPDATE.T", {"name": "S", "num_replicas": 3})[1] == 10056
    assert wire.refusal("STREAM.UPDATE.T", {"name": "T", "num_replicas": 3, "sealed": True})[1] == 10059
    assert wire.refusal("STREAM.UPDATE.T") == invalid(NAME_RULE)


def test_metadata_may_be_as_large_as_the_limit_only_without_what_the_server_adds():
    wire = Wire.with_stream()
    too_large = invalid("stream metadata exceeds maximum size of 131072 bytes")
    assert update(wire, metadata={"_nats.ver": "x" * 131_072}) == too_large
    assert update(wire, metadata={"a": "x" * (131_072 - 1)}) == too_large
    assert wire.refusal("STREAM.UPDATE.T", {"name": "T", "metadata": {"a": "x" * (131_072 - 1)}})[1] == 10059
    assert isinstance(update(wire, metadata={"_nats.ver": "x" * 131_063}), dict)


def test_sealing_sets_what_goes_with_it():
    wire = Wire.with_stream(max_age=SECOND_NS, allow_rollup_hdrs=True)
    sealed = update(wire, max_age=SECOND_NS, allow_rollup_hdrs=True, sealed=True)
    expected = {"sealed": True, "deny_delete": True, "deny_purge": True, "allow_rollup_hdrs": False}
    assert (expected | {"max_age": 0, "discard": "new", "duplicate_window": SECOND_NS}).items() <= sealed.items()
    assert update(wire, sealed=True) == invalid("stream configuration update can not cancel deny message deletes")
    assert update(wire) == invalid("stream configuration update can not unseal a sealed stream")
    assert update(wire, sealed=True, deny_delete=True, deny_purge=True)["sealed"]


@pytest.mark.pins("surprise 14")
@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({"max_msgs": 2}, [5, 6]),
        ({"max_msgs": 2, "discard": "new"}, [1, 2, 3, 4, 5, 6]),
        ({"max_bytes": 40}, [5, 6]),
        ({"max_bytes": 40, "discard": "new"}, [1, 2, 3, 4, 5, 6]),
        ({"max_msgs_per_subject": 1}, [4, 6]),
        ({"max_msgs_per_subject": 1, "discard": "new"}, [4, 6]),
        ({"max_age": SECOND_NS}, []),
    ],
)
def test_lowered_limits_evict_at_once(limits, kept):
    wire = Wire.with_stream(tokens="aaabaa")
    wire.now_ns += 2 * SECOND_NS
    update(wire, **limits)
    assert list(wire.api.core.streams["S"].log.messages) == kept
