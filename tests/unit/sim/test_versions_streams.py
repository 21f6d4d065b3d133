"""More of what configurations of streams meet on each version, where rules meet each other; all of it was observed."""

import pytest

from lattice_store.errors import NotSimulatedError
from lattice_store.limits import SECOND_NS
from lattice_store_sim._core._profile import PROFILES
from tests.unit.sim.versions import VERSIONS, per_version
from tests.unit.sim.wire.wire import Wire

MARKED = {"subject_delete_marker_ttl": SECOND_NS}
SAME = {"name": "S", "subjects": ["s.>"], "storage": "memory", "allow_direct": True}
CHANGE = "stream configuration update can not change"


def create(version: str, **config):
    """Return the configuration that is shown, or the text of the refusal."""
    return outcome(Wire.with_stream(version)("STREAM.CREATE.T", {"name": "T", "storage": "memory", **config}))


def update(wire: Wire, **config):
    return outcome(wire("STREAM.UPDATE.S", {"name": "S", "subjects": ["s.>"], "storage": "memory", **config}))


def outcome(answer: dict):
    return answer["error"]["description"] if "error" in answer else answer["config"]


# -- limits and ages ---------------------------------------------------------------------------------


@pytest.mark.pins("negative_limits_kept")
@per_version(("2.9", "2.11", (-5, -6, -7, -8, -9)), ("2.12", "2.15", (-1, -1, -1, -1, -1)))
def test_every_limit_below_no_limit(version, expected):
    names = ("max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size", "max_consumers")
    given = dict(zip(names, (-5, -6, -7, -8, -9), strict=True))
    made = create(version, **given)
    assert tuple(made[name] for name in names) == expected
    pedantic = create(version, pedantic=True, **given)
    assert pedantic == ("pedantic mode: max_msgs must be set to -1" if expected[0] == -1 else made)


@pytest.mark.pins("negative_limits_kept")
@per_version(("2.9", "2.11", False), ("2.12", "2.15", True))
def test_a_limit_below_no_limit_is_the_same_configuration_as_none(version, expected):
    again = Wire.with_stream(version)("STREAM.CREATE.S", {**SAME, "max_msgs": -5})
    assert ("error" not in again) is expected


@pytest.mark.pins("age_before_window")
@per_version(
    ("2.9", "2.11", "duplicates window can not be larger then max age"), ("2.12", "2.15", "max age can not be negative")
)
def test_a_negative_age_with_a_window_of_its_own(version, expected):
    assert create(version, max_age=-1, duplicate_window=5) == expected


@pytest.mark.pins("age_before_window", "pedantic_said_twice")
@per_version(
    ("2.9", "2.10", "max age needs to be >= 100ms"),
    ("2.11", "2.11", "pedantic mode: pedantic mode: duplicate window cannot be bigger than max age"),
    ("2.12", "2.15", "max age needs to be >= 100ms"),
)
def test_an_age_that_is_too_short_for_a_pedantic_client(version, expected):
    assert create(version, max_age=5, pedantic=True) == expected


# -- subjects ----------------------------------------------------------------------------------------

API = "subjects that overlap with jetstream api require no-ack to be true"
SYSTEM = "subjects that overlap with system api require no-ack to be true"
ALL = "capturing all subjects requires no-ack to be true"


@pytest.mark.pins("reserved_subjects", "reserved_by_overlap")
@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("$JS.x", (None, API, API)),
        ("$SYS.x", (None, SYSTEM, SYSTEM)),
        (">", (None, ALL, ALL)),
        ("*.>", (None, None, API)),
        ("$JS.*.x", (None, API, API)),
        ("$JS.EVENT.x", (None, None, None)),
        ("$SYS.ACCOUNT.x", (None, None, None)),
        ("$JS", (None, None, None)),
    ],
)
def test_reserved_subjects_in_2_9_in_2_10_and_since(subject, expected):
    for version, refusal in zip(VERSIONS, (*expected, *[expected[-1]] * 3), strict=True):
        wire = Wire.with_stream(version)
        wire("STREAM.DELETE.S")
        made = outcome(wire("STREAM.CREATE.T", {"name": "T", "subjects": [subject]}))
        assert made == refusal or made["subjects"] == [subject], version


@pytest.mark.pins("reserved_subjects")
@per_version(("2.9", "2.9", "subjects overlap with jetstream api"), ("2.10", "2.15", None))
def test_the_api_itself_without_acks(version, expected):
    made = create(version, subjects=["$JS.API.x"], no_ack=True)
    assert made == expected if expected else made["no_ack"]


@pytest.mark.pins("reserved_subjects")
@per_version(
    ("2.9", "2.9", "replicas > 1 not supported in non-clustered mode"),
    ("2.10", "2.15", "capturing all subjects requires replicas of 1"),
)
def test_all_subjects_with_several_replicas(version, expected):
    assert create(version, subjects=[">"], no_ack=True, num_replicas=3) == expected


@pytest.mark.pins("subjects_in_one_pass")
@pytest.mark.parametrize(
    ("subjects", "two_passes"),
    [(["a.*", "a.b", "b c"], "invalid subject"), (["a.*", "a.b", "a.b"], "duplicate subjects detected")],
)
def test_which_of_several_bad_subjects_is_named(subjects, two_passes):
    for version in VERSIONS:
        in_two = version in ("2.9", "2.10", "2.11")
        assert create(version, subjects=subjects) == (two_passes if in_two else 'subject "a.*" overlaps with "a.b"')


# -- settings that came later ------------------------------------------------------------------------


@pytest.mark.pins("later_fields")
@per_version(
    ("2.9", "2.9", {"compression", "consumer_limits", "allow_msg_ttl", "metadata"}),
    ("2.10", "2.10", {"allow_msg_ttl", "metadata"}),
    ("2.11", "2.15", set()),
)
def test_what_a_version_does_not_know_is_not_shown(version, expected):
    assert create("2.15").keys() - create(version).keys() == expected


@pytest.mark.pins("later_fields")
@per_version(("2.9", "2.10", False), ("2.11", "2.15", True))
def test_delete_markers_bring_what_they_need(version, expected):
    made = create(version, deny_purge=True, **MARKED)
    assert (made["allow_rollup_hdrs"], not made["deny_purge"]) == (expected, expected)


@pytest.mark.pins("later_fields")
@per_version(("2.9", "2.11", None), ("2.12", "2.15", "counter stream cannot use discard new"))
def test_counters_exclude_discard_policy_new(version, expected):
    made = create(version, allow_msg_counter=True, discard="new")
    assert made == expected if expected else made["discard"] == "new"


# -- metadata ----------------------------------------------------------------------------------------


@pytest.mark.pins("api_level")
@per_version(
    ("2.9", "2.9", None),
    ("2.10", "2.10", {"_nats.ver": "9", "_nats.req.level": "7", "k": "v"}),
    ("2.11", "2.15", {"_nats.req.level": "0", "k": "v"}),
)
def test_metadata_in_the_servers_names(version, expected):
    shown = create(version, metadata={"_nats.ver": "9", "_nats.req.level": "7", "k": "v"}).get("metadata")
    profile = PROFILES[version]
    if profile.api_level is not None:
        expected = {**expected, "_nats.ver": profile.version, "_nats.level": str(profile.api_level)}
    assert shown == expected


@pytest.mark.pins("api_level")
@per_version(("2.9", "2.9", True), ("2.10", "2.10", False), ("2.11", "2.15", True))
def test_empty_metadata_is_the_same_configuration_as_none(version, expected):
    again = Wire.with_stream(version)("STREAM.CREATE.S", {**SAME, "metadata": {}})
    assert ("error" not in again) is expected


@pytest.mark.pins("api_level")
@per_version(("2.9", "2.10", True), ("2.11", "2.15", False))
def test_what_the_server_notes_counts_towards_the_limit_of_metadata(version, expected):
    made = create(version, metadata={"a": "x" * (131_072 - 16)})
    assert isinstance(made, dict) if expected else made == "stream metadata exceeds maximum size of 131072 bytes"


# -- updates -----------------------------------------------------------------------------------------


@pytest.mark.pins("max_consumers_fixed")
@per_version(("2.9", "2.11", f"{CHANGE} MaxConsumers"), ("2.12", "2.15", f"{CHANGE} storage type"))
def test_the_most_consumers_come_before_the_storage(version, expected):
    assert update(Wire.with_stream(version), max_consumers=5, storage="file") == expected


@pytest.mark.pins("updated_replicas_checked")
@per_version(
    ("2.9", "2.12", f"{CHANGE} storage type"), ("2.14", "2.15", "replicas > 1 not supported in non-clustered mode")
)
def test_replicas_come_before_the_storage(version, expected):
    assert update(Wire.with_stream(version), num_replicas=2, storage="file") == expected


@pytest.mark.pins("new_subject_limit_evicts")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_lowered_limit_of_each_subject_evicts_on_every_version(version):
    wire = Wire.with_stream(version, "aabaa", max_msgs_per_subject=3)
    update(wire, max_msgs_per_subject=1)
    assert list(wire.api.core.streams["S"].log.messages) == [3, 5]


@pytest.mark.parametrize(
    ("placement", "shown"),
    [
        ({"cluster": "c"}, {"cluster": "c"}),
        ({"tags": ["a", "b"]}, {"tags": ["a", "b"]}),
        ({"cluster": "", "tags": []}, {}),
        (None, None),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_lone_server_keeps_where_a_stream_is_to_be(version, placement, shown):
    wire = Wire.with_stream(version, placement=placement)
    assert wire("STREAM.INFO.S")["config"].get("placement") == shown


@pytest.mark.pins("empty_placement_kept")
@per_version(("2.9", "2.10", {}), ("2.11", "2.15", None))
def test_a_placement_that_says_nothing(version, expected):
    assert Wire.with_stream(version, placement={})("STREAM.INFO.S")["config"].get("placement") == expected


@per_version(("2.9", "2.10", None), ("2.11", "2.15", "preferred server not permitted in placement"))
def test_a_preferred_server(version, expected):
    wire = Wire.with_stream(version)
    answer = wire("STREAM.CREATE.T", {"name": "T", "placement": {"cluster": "c", "preferred": "s"}})
    assert answer.get("error", {}).get("description") == expected


# -- infos -------------------------------------------------------------------------------------------


@pytest.mark.pins("negative_offsets_raised")
@per_version(("2.9", "2.11", False), ("2.12", "2.15", True))
def test_a_page_of_subjects_from_a_negative_offset(version, expected):
    wire = Wire.with_stream(version, "ab")
    asked = {"subjects_filter": ">", "offset": -1}
    if expected:
        assert wire("STREAM.INFO.S", asked)["state"]["subjects"] == {"s.a": 1, "s.b": 1}
    else:
        with pytest.raises(NotSimulatedError, match="negative offset ends nats-server"):
            wire("STREAM.INFO.S", asked)


# -- the account -------------------------------------------------------------------------------------


@pytest.mark.pins("reservations")
def test_unlimited_streams_reserve_nearly_everything_in_2_10():
    assert Wire.with_stream("2.10")("INFO")["reserved_memory"] == 2**64 - 1
