"""What a stream's configuration meets on each version; each expectation was observed on that version."""

import pytest

from tests.unit.sim.versions import per_version
from tests.unit.sim.wire.wire import Wire

SECOND = 1_000_000_000


def create(version: str, **config) -> str:
    """Return what a server says against a stream, nothing if it takes it."""
    request = {"name": "T", "storage": "memory", "subjects": ["t"], **config}
    return Wire.with_stream(version, subjects=["s"])("STREAM.CREATE.T", request).get("error", {}).get("description", "")


def update(wire: Wire, **config) -> str:
    """Return what a server says against an update of "S", nothing if it does it."""
    request = {"name": "S", "storage": "memory", "subjects": ["s.>"], **config}
    return wire("STREAM.UPDATE.S", request).get("error", {}).get("description", "")


def kept(wire: Wire) -> list[int]:
    return list(wire.api.core.streams["S"].log.messages)


# -- creation ---------------------------------------------------------------------------------------


@pytest.mark.pins("slashes_in_names")
@per_version(
    ("2.9", "2.11", 10059, "stream name is required and can not contain '.', '*', '>'"),
    ("2.12", "2.15", 10052, "stream name is required and can not contain '.', '*', '>', '\\', '/'"),
    names=("slash", "space"),
)
def test_an_update_is_particular_about_slashes_in_names_from_2_12_on(version, slash, space):
    wire = Wire.with_stream(version)
    assert wire.refusal("STREAM.UPDATE.a/b", {"name": "a/b"})[1] == slash
    assert wire.refusal("STREAM.UPDATE.ab", {"name": "a b"})[2] == space
    assert wire.refusal("STREAM.CREATE.a/b", {"name": "a/b"})[1] == 10128


@pytest.mark.pins("negative_limits_kept")
@per_version(("2.9", "2.11", -5), ("2.12", "2.15", -1))
def test_a_limit_below_minus_1_stays_as_it_is_up_to_2_11(version, expected):
    assert Wire.with_stream(version, max_msgs=-5)("STREAM.INFO.S")["config"]["max_msgs"] == expected


@pytest.mark.pins("age_before_window")
@per_version(("2.9", "2.11", "duplicates window can not be negative"), ("2.12", "2.15", "max age can not be negative"))
def test_a_negative_age_is_found_by_the_window_that_follows_it_up_to_2_11(version, expected):
    assert create(version, max_age=-1) == expected


@pytest.mark.pins("pedantic_said_twice")
@per_version(
    ("2.9", "2.10", ""),
    ("2.11", "2.11", "pedantic mode: pedantic mode: duplicate window cannot be bigger than max age"),
    ("2.12", "2.15", "pedantic mode: duplicate window cannot be bigger than max age"),
)
def test_2_11_stammers(version, expected):
    assert create(version, max_age=SECOND, pedantic=True) == expected


RESERVED = "subjects that overlap with jetstream api require no-ack to be true"


@pytest.mark.pins("reserved_subjects")
@per_version(
    ("2.9", "2.9", "subjects overlap with jetstream api", "", ""),
    ("2.10", "2.10", RESERVED, RESERVED, ""),
    ("2.11", "2.15", RESERVED, RESERVED, RESERVED),
    names=("api", "space", "raft"),
)
def test_subjects_that_the_server_needs_itself(version, api, space, raft):
    refusals = [create(version, subjects=[subject]) for subject in ("$JS.API.x", "$JSC.x", "$NRG.x")]
    assert refusals == [api, space, raft]


@pytest.mark.pins("reserved_by_overlap")
@per_version(("2.9", "2.10", ""), ("2.11", "2.15", RESERVED))
def test_a_subject_that_overlaps_reserved_ones_is_refused_from_2_11_on(version, expected):
    assert create(version, subjects=["*.q"]) == expected


@pytest.mark.pins("subjects_in_one_pass")
@per_version(("2.9", "2.11", "duplicate subjects detected"), ("2.12", "2.15", 'subject "a" overlaps with "a"'))
def test_a_repeated_subject_overlaps_itself_from_2_12_on(version, expected):
    assert create(version, subjects=["a", "a"]) == expected


@pytest.mark.pins("schedules_checked")
@per_version(("2.14", "2.15", "message scheduling cannot use discard new"))
def test_schedules_exclude_discard_policy_new_from_2_14_on(version, expected):
    assert create(version, allow_msg_schedules=True, discard="new") == expected


@pytest.mark.pins("schedules_checked")
@pytest.mark.parametrize("version", ["2.11", "2.12"])
def test_schedules_go_with_discard_policy_new_before(version):
    assert create(version, allow_msg_schedules=True, discard="new") == ""


# -- update -----------------------------------------------------------------------------------------


@pytest.mark.pins("updated_replicas_checked")
@per_version(("2.9", "2.12", ""), ("2.14", "2.15", "replicas > 1 not supported in non-clustered mode"))
def test_an_update_to_several_replicas_is_refused_from_2_14_on(version, expected):
    assert update(Wire.with_stream(version), num_replicas=3) == expected


@pytest.mark.pins("max_consumers_fixed")
@per_version(("2.9", "2.11", "stream configuration update can not change MaxConsumers"), ("2.12", "2.15", ""))
def test_max_consumers_can_change_from_2_12_on(version, expected):
    assert update(Wire.with_stream(version), max_consumers=5) == expected


@pytest.mark.pins("retention_fixed")
@per_version(("2.9", "2.9", "stream configuration update can not change retention policy"), ("2.10", "2.15", ""))
def test_retention_can_change_from_2_10_on(version, expected):
    assert update(Wire.with_stream(version), retention="interest") == expected


@pytest.mark.pins("new_subject_limit_evicts")
@per_version(("2.9", "2.12", [1, 2, 3]), ("2.14", "2.15", [2, 3]))
def test_a_new_limit_for_each_subject_evicts_from_2_14_on(version, expected):
    wire = Wire.with_stream(version, "aab")
    update(wire, max_msgs_per_subject=1)
    assert kept(wire) == expected


@pytest.mark.pins("discard_new_evicts")
@per_version(("2.9", "2.9", [2]), ("2.10", "2.15", [1, 2]))
def test_a_lowered_total_evicts_also_under_discard_policy_new_up_to_2_9(version, expected):
    wire = Wire.with_stream(version, "ab", discard="new")
    update(wire, discard="new", max_msgs=1)
    assert kept(wire) == expected


@pytest.mark.pins("file_surplus_stays")
@per_version(("2.9", "2.9", [2, 3, 4]), ("2.10", "2.15", [4]))
def test_a_file_stream_drops_one_message_for_each_it_stores_up_to_2_9(version, expected):
    for storage in ("memory", "file"):
        wire = Wire.with_stream(version, "aaa", storage=storage)
        update(wire, max_msgs_per_subject=1, storage=storage)
        wire.publish("a")
        assert kept(wire) == (expected if storage == "file" else [4])


# -- info -------------------------------------------------------------------------------------------


@pytest.mark.pins("unused_file_lists_0")
@per_version(("2.9", "2.9", None), ("2.10", "2.15", [0]))
def test_an_unused_file_stream_lists_sequence_0_as_deleted_from_2_10_on(version, expected):
    assert Wire.with_stream(version, storage="file").state().get("deleted") == expected


@pytest.mark.pins("unused_files_restart_at_1")
@per_version(("2.9", "2.9", 1), ("2.10", "2.15", 0))
def test_an_unused_file_stream_begins_at_1_after_a_restart_up_to_2_9(version, expected):
    wire = Wire.with_stream(version, storage="file")
    wire.api.core.restart(now_ns=wire.api.core.now_ns)
    assert wire.state()["first_seq"] == expected


@pytest.mark.pins("deleted_tail_listed")
@per_version(("2.9", "2.9", [2]), ("2.10", "2.15", [2, 4]))
def test_a_memory_stream_lists_a_deleted_tail_from_2_10_on(version, expected):
    for storage in ("memory", "file"):
        wire = Wire.with_stream(version, "abcd", storage=storage)
        for removed in (2, 4):
            wire("STREAM.MSG.DELETE.S", {"seq": removed})
        assert wire.state()["deleted"] == (expected if storage == "memory" else [2, 4])


@pytest.mark.pins("subjects_offset_clamped")
@per_version(("2.9", "2.9", 2), ("2.10", "2.15", 100))
def test_an_offset_beyond_the_subjects_is_shown_as_it_was_asked_for_from_2_10_on(version, expected):
    info = Wire.with_stream(version, "ab")("STREAM.INFO.S", {"subjects_filter": ">", "offset": 100})
    assert info["offset"] == expected
