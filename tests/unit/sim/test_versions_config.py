"""What configurations and infos of streams do differently on each version; each expectation was observed on that version."""

import pytest

from lattice_store.errors import NotSimulatedError
from lattice_store.limits import SECOND_NS
from lattice_store_sim._core._profile import PROFILES
from tests.unit.sim.wire.wire import Wire

VERSIONS = tuple(PROFILES)
MARKED = {"subject_delete_marker_ttl": SECOND_NS}
TOO_LARGE = (500, 10052, "stream metadata exceeds maximum size of 131072 bytes")
NO_REPLICAS = (500, 10074, "replicas > 1 not supported in non-clustered mode")


def each(**by_last: object):
    """Parametrize by version: under the name of the last version that behaves so, without its dots, what it does."""
    cases, at = [], 0
    for last, expected in by_last.items():
        until = VERSIONS.index(last.removeprefix("v").replace("_", ".")) + 1
        cases += [(version, expected) for version in VERSIONS[at:until]]
        at = until
    assert at == len(VERSIONS)
    return pytest.mark.parametrize(("version", "expected"), cases)


def create(version: str, **config):
    return outcome(Wire.with_stream(version)("STREAM.CREATE.T", {"name": "T", "storage": "memory", **config}))


def update(wire: Wire, **config):
    return outcome(wire("STREAM.UPDATE.S", {"name": "S", "subjects": ["s.>"], "storage": "memory", **config}))


def outcome(answer: dict):
    """Return the configuration, or the error."""
    if "error" in answer:
        return answer["error"]["code"], answer["error"]["err_code"], answer["error"]["description"]
    return answer["config"]


def invalid(text: str) -> tuple[int, int, str]:
    return 500, 10052, text


# -- names, limits, ages -----------------------------------------------------------------------------


@pytest.mark.pins("slashes_in_names")
@each(v2_11="'.', '*', '>'", v2_15="'.', '*', '>', '\\', '/'")
def test_slashes_in_names(version, expected):
    wire = Wire.with_stream(version)
    rule = invalid(f"stream name is required and can not contain {expected}")
    assert wire.refusal("STREAM.CREATE.a*", {"name": "a*"}) == rule
    assert wire.refusal("STREAM.CREATE.a/b", {"name": "a/b"})[1] == 10128
    missing = (404, 10059, "stream not found")
    assert wire.refusal("STREAM.UPDATE.a/b", {"name": "a/b"}) == (rule if "/" in expected else missing)


@pytest.mark.pins("negative_limits_kept")
@each(v2_11=(-5, -6, -7, -8, -9), v2_15=(-1, -1, -1, -1, -1))
def test_limits_below_no_limit(version, expected):
    names = ("max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size", "max_consumers")
    given = dict(zip(names, (-5, -6, -7, -8, -9), strict=True))
    assert {name: create(version, **given)[name] for name in names} == dict(zip(names, expected, strict=True))
    pedantic = create(version, pedantic=True, **given)
    refusal = (400, 10157, "pedantic mode: max_msgs must be set to -1")
    assert pedantic == refusal if expected[0] == -1 else pedantic["max_msgs"] == -5


@pytest.mark.pins("negative_limits_kept")
@each(v2_11=False, v2_15=True)
def test_a_limit_below_no_limit_is_the_same_configuration(version, expected):
    wire = Wire.with_stream(version)
    again = {"name": "S", "subjects": ["s.>"], "storage": "memory", "allow_direct": True, "max_msgs": -5}
    assert ("error" not in wire("STREAM.CREATE.S", again)) is expected


@pytest.mark.pins("age_before_window")
@each(v2_11="duplicates window can not be negative", v2_15="max age can not be negative")
def test_a_negative_age(version, expected):
    assert create(version, max_age=-1) == invalid(expected)


@pytest.mark.pins("age_before_window")
@each(v2_11="duplicates window can not be larger then max age", v2_15="max age can not be negative")
def test_a_negative_age_with_a_window(version, expected):
    assert create(version, max_age=-1, duplicate_window=5) == invalid(expected)


@pytest.mark.pins("age_before_window", "pedantic_said_twice")
@each(
    v2_10=invalid("max age needs to be >= 100ms"),
    v2_11=(400, 10157, "pedantic mode: pedantic mode: duplicate window cannot be bigger than max age"),
    v2_15=invalid("max age needs to be >= 100ms"),
)
def test_a_short_age_in_pedantic_mode(version, expected):
    assert create(version, max_age=5, pedantic=True) == expected


@pytest.mark.pins("pedantic_said_twice")
@each(
    v2_10=None,
    v2_11="pedantic mode: pedantic mode: duplicate window cannot be bigger than max age",
    v2_15="pedantic mode: duplicate window cannot be bigger than max age",
)
def test_a_window_that_would_follow_the_age_in_pedantic_mode(version, expected):
    made = create(version, max_age=SECOND_NS, pedantic=True)
    assert made == (400, 10157, expected) if expected else made["duplicate_window"] == SECOND_NS


# -- subjects ----------------------------------------------------------------------------------------

API = "subjects that overlap with jetstream api require no-ack to be true"
SYSTEM = "subjects that overlap with system api require no-ack to be true"
ALL = "capturing all subjects requires no-ack to be true"
API_ITSELF = "subjects overlap with jetstream api"


@pytest.mark.pins("reserved_subjects", "reserved_by_overlap")
@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("$JS.API.x", (API_ITSELF, API, API)),
        ("$JS.x", (None, API, API)),
        ("$JSC.x", (None, API, API)),
        ("$SYS.x", (None, SYSTEM, SYSTEM)),
        (">", (None, ALL, ALL)),
        ("$NRG.x", (None, None, API)),
        ("*.x", (None, None, API)),
        ("*.>", (None, None, API)),
        ("$JS.EVENT.x", (None, None, None)),
        ("$SYS.ACCOUNT.x", (None, None, None)),
    ],
)
def test_reserved_subjects_in_2_9_in_2_10_and_since(subject, expected):
    for version, text in zip(VERSIONS, (*expected, *[expected[-1]] * 3), strict=True):
        wire = Wire.with_stream(version)
        wire("STREAM.DELETE.S")
        made = outcome(wire("STREAM.CREATE.T", {"name": "T", "subjects": [subject]}))
        assert made == invalid(text) if text else made["subjects"] == [subject], version


@pytest.mark.pins("reserved_subjects")
@each(v2_9=invalid(API_ITSELF), v2_15=None)
def test_the_api_itself_without_acks(version, expected):
    made = create(version, subjects=["$JS.API.x"], no_ack=True)
    assert made == expected if expected else made["no_ack"]


@pytest.mark.pins("reserved_subjects")
@each(v2_9=NO_REPLICAS, v2_15=invalid("capturing all subjects requires replicas of 1"))
def test_all_subjects_with_several_replicas(version, expected):
    assert create(version, subjects=[">"], no_ack=True, num_replicas=3) == expected


@pytest.mark.pins("subjects_in_one_pass")
@pytest.mark.parametrize(
    ("subjects", "two_passes", "one_pass"),
    [
        (["a", "a"], "duplicate subjects detected", 'subject "a" overlaps with "a"'),
        (["a.*", "a.b", "b c"], "invalid subject", 'subject "a.*" overlaps with "a.b"'),
        (["a.*", "a.b", "a.b"], "duplicate subjects detected", 'subject "a.*" overlaps with "a.b"'),
    ],
)
def test_subjects_are_checked_in_one_pass_from_2_12_on(subjects, two_passes, one_pass):
    for version in VERSIONS:
        expected = two_passes if version in ("2.9", "2.10", "2.11") else one_pass
        assert create(version, subjects=subjects) == invalid(expected)


# -- settings that came later ------------------------------------------------------------------------


@pytest.mark.pins("later_fields")
@each(
    v2_9=("compression", "consumer_limits", "allow_msg_ttl", "metadata"),
    v2_10=("allow_msg_ttl", "metadata"),
    v2_15=(),
)
def test_what_a_version_does_not_know_is_not_shown(version, expected):
    newest = create("2.15")
    assert newest.keys() - create(version).keys() == set(expected)


@pytest.mark.pins("later_fields")
@each(v2_10=False, v2_15=True)
def test_delete_markers_bring_what_they_need(version, expected):
    made = create(version, deny_purge=True, **MARKED)
    assert (made["allow_rollup_hdrs"], not made["deny_purge"]) == (expected, expected)


@pytest.mark.pins("later_fields")
@each(v2_11=None, v2_15=invalid("counter stream cannot use discard new"))
def test_counters_exclude_discard_policy_new(version, expected):
    made = create(version, allow_msg_counter=True, discard="new")
    assert made == expected if expected else made["discard"] == "new"


@pytest.mark.pins("schedules_checked")
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"allow_msg_counter": True}, "counter stream cannot use message schedules"),
        ({"discard": "new"}, "message scheduling cannot use discard new"),
    ],
)
def test_schedules_exclude_other_settings_from_2_14_on(settings, text):
    settings = {"allow_msg_schedules": True, **settings}
    for version in ("2.9", "2.10", "2.11"):
        assert "allow_msg_schedules" not in create(version, **settings)
    with pytest.raises(NotSimulatedError, match="allow_msg_schedules"):
        create("2.12", **settings)
    for version in ("2.14", "2.15"):
        assert create(version, **settings) == invalid(text)


# -- metadata and API level --------------------------------------------------------------------------


@pytest.mark.pins("api_level")
@each(v2_10=None, v2_11="1", v2_12="3", v2_14="4", v2_15="5")
def test_metadata_names_the_server(version, expected):
    shown = create(version).get("metadata")
    named = {"_nats.req.level": "0", "_nats.ver": PROFILES[version].version, "_nats.level": expected}
    assert shown == (named if expected else None)


@pytest.mark.pins("api_level")
@each(v2_9=None, v2_10={"_nats.ver": "9", "_nats.req.level": "7", "k": "v"}, v2_15={"k": "v"})
def test_metadata_in_the_servers_names(version, expected):
    shown = create(version, metadata={"_nats.ver": "9", "_nats.req.level": "7", "k": "v"}).get("metadata")
    if PROFILES[version].api_level is not None:
        assert {shown.pop("_nats.req.level"), shown.pop("_nats.ver")} == {"0", PROFILES[version].version}
        del shown["_nats.level"]
    assert shown == expected


@pytest.mark.pins("api_level")
@each(v2_9=True, v2_10=False, v2_15=True)
def test_empty_metadata_is_the_same_configuration_as_none(version, expected):
    wire = Wire.with_stream(version)
    again = {"name": "S", "subjects": ["s.>"], "storage": "memory", "allow_direct": True, "metadata": {}}
    assert ("error" not in wire("STREAM.CREATE.S", again)) is expected


@pytest.mark.pins("api_level")
@each(v2_9=True, v2_10=True, v2_15=False)
def test_metadata_of_all_but_the_limit(version, expected):
    made = create(version, metadata={"a": "x" * (131_072 - 16)})
    assert isinstance(made, dict) if expected else made == TOO_LARGE


@pytest.mark.pins("api_level_checked")
@each(
    v2_11=set(),
    v2_12={"4", "5", "6", "x", "3 ", "1.0"},
    v2_14={"5", "6", "x", "3 ", "1.0"},
    v2_15={"6", "x", "3 ", "1.0"},
)
def test_a_required_api_level(version, expected):
    wire = Wire.with_stream(version)
    refused = set()
    for level in ("", "-1", "0", "+1", " 3", "4", "5", "6", "x", "3 ", "1.0"):
        headers = f"NATS/1.0\r\nNats-Required-Api-Level: {level}\r\n\r\n".encode()
        answer = wire("STREAM.NAMES", b"", headers)
        if "error" in answer:
            assert outcome(answer) == (412, 10185, "JetStream minimum api level required")
            refused.add(level)
    assert refused == expected


# -- updates -----------------------------------------------------------------------------------------


@pytest.mark.pins("updated_replicas_checked")
@each(v2_12=3, v2_15=NO_REPLICAS)
def test_several_replicas_by_update(version, expected):
    made = update(Wire.with_stream(version), num_replicas=3)
    assert made == expected if isinstance(expected, tuple) else made["num_replicas"] == expected


@pytest.mark.pins("max_consumers_fixed")
@each(v2_11=invalid("stream configuration update can not change MaxConsumers"), v2_15=5)
def test_the_most_consumers_by_update(version, expected):
    made = update(Wire.with_stream(version), max_consumers=5)
    assert made == expected if isinstance(expected, tuple) else made["max_consumers"] == expected


@pytest.mark.pins("max_consumers_fixed")
@each(v2_11="change MaxConsumers", v2_15="change storage type")
def test_the_most_consumers_come_before_the_storage(version, expected):
    refusal = invalid(f"stream configuration update can not {expected}")
    assert update(Wire.with_stream(version), max_consumers=5, storage="file") == refusal


@pytest.mark.pins("retention_fixed")
@each(v2_9=invalid("stream configuration update can not change retention policy"), v2_15="interest")
def test_another_retention_by_update(version, expected):
    made = update(Wire.with_stream(version), retention="interest")
    assert made == expected if isinstance(expected, tuple) else made["retention"] == expected


@pytest.mark.pins("new_subject_limit_evicts")
@each(v2_12=[1, 2, 3, 4], v2_15=[3, 4])
def test_a_new_limit_of_each_subject(version, expected):
    wire = Wire.with_stream(version, "aaba")
    update(wire, max_msgs_per_subject=1)
    assert kept(wire) == expected


@pytest.mark.pins("new_subject_limit_evicts")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_lowered_limit_of_each_subject_evicts_on_every_version(version):
    wire = Wire.with_stream(version, "aabaa", max_msgs_per_subject=3)
    update(wire, max_msgs_per_subject=1)
    assert kept(wire) == [3, 5]


@pytest.mark.pins("file_surplus_stays", "new_subject_limit_evicts")
@each(v2_9=([5], [2, 3, 4, 5]), v2_12=([5], [5]), v2_15=([5], [5]))
def test_messages_beyond_a_new_limit_of_their_subject_go_with_the_next(version, expected):
    for storage, left in zip(("memory", "file"), expected, strict=True):
        wire = Wire.with_stream(version, "aaaa", storage=storage)
        update(wire, max_msgs_per_subject=1, storage=storage)
        wire.publish("a")
        assert kept(wire) == left


@pytest.mark.pins("update_evicts_anyway")
@each(v2_9=[3, 4], v2_15=[1, 2, 3, 4])
def test_lowered_totals_under_discard_policy_new(version, expected):
    for limit in ({"max_msgs": 2}, {"max_bytes": 40}):
        wire = Wire.with_stream(version, "aaaa")
        update(wire, discard="new", **limit)
        assert kept(wire) == expected


def kept(wire: Wire) -> list[int]:
    return list(wire.api.core.streams["S"].log.messages)


# -- infos -------------------------------------------------------------------------------------------


@pytest.mark.pins("info_origin")
@each(v2_9=set(), v2_15={"ts", "cluster"})
def test_where_an_info_comes_from(version, expected):
    wire = Wire.with_stream(version)
    assert wire("STREAM.INFO.S").keys() & {"ts", "cluster"} == expected
    assert wire("STREAM.LIST")["streams"][0].keys() & {"ts", "cluster"} == expected - {"cluster"}


@pytest.mark.pins("unused_file_lists_0")
@each(v2_9=None, v2_15=[0])
def test_details_of_an_unused_file_stream(version, expected):
    assert Wire.with_stream(version, storage="file").state().get("deleted") == expected


@pytest.mark.pins("deleted_tail_listed")
@each(v2_9=([2], [2, 4]), v2_15=([2, 4], [2, 4]))
def test_details_of_a_deleted_tail(version, expected):
    for storage, deleted in zip(("memory", "file"), expected, strict=True):
        wire = Wire.with_stream(version, "abab", storage=storage)
        wire("STREAM.MSG.DELETE.S", {"seq": 2})
        wire("STREAM.MSG.DELETE.S", {"seq": 4})
        state = wire.state()
        assert (state["deleted"], state["num_deleted"]) == (deleted, 2)


@pytest.mark.pins("subjects_offset_clamped")
@each(v2_9=2, v2_15=9)
def test_an_offset_beyond_the_subjects(version, expected):
    info = Wire.with_stream(version, "ab")("STREAM.INFO.S", {"subjects_filter": ">", "offset": 9})
    assert (info["total"], info["offset"], "subjects" in info["state"]) == (2, expected, False)


@pytest.mark.pins("reservations")
@each(v2_9=(None, None), v2_10=(1000, 499), v2_15=(1000, 500))
def test_what_the_account_reserves(version, expected):
    wire = Wire.with_stream(version, max_bytes=1000)
    wire("STREAM.CREATE.B", {"name": "B", "max_bytes": 500})
    wire("STREAM.CREATE.C", {"name": "C"})
    account = wire("INFO")
    assert (account.get("reserved_memory"), account.get("reserved_storage")) == expected


@pytest.mark.pins("reservations")
def test_unlimited_streams_reserve_nearly_everything_in_2_10():
    assert Wire.with_stream("2.10")("INFO")["reserved_memory"] == 2**64 - 1
