from typing import Any

import pytest

from lattice_store.errors import InvalidStreamConfigError
from lattice_store.model import Compression, DiscardPolicy, StorageType, StreamConfig
from lattice_store_sim._core._server import SimCore
from tests.unit.sim.helpers import SECOND, Bench, config

MS = 1_000_000


def refused(max_replicas: int = 1, **settings: Any):
    bench = Bench(core=SimCore(max_replicas=max_replicas))
    return bench.refusal("create_stream", config(**settings))


def test_the_servers_defaults_are_filled_in():
    made = Bench()("create_stream", StreamConfig(name="S")).config
    assert made == StreamConfig(name="S", subjects=("S",), duplicate_window_ns=120 * SECOND)
    assert made.storage is StorageType.FILE


@pytest.mark.parametrize("limit", ["max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size", "max_consumers"])
def test_a_limit_of_0_is_no_limit(limit):
    assert getattr(Bench()("create_stream", config(**{limit: 0})).config, limit) is None


def test_a_maximum_age_of_0_is_none_and_0_replicas_are_1():
    made = Bench()("create_stream", config(max_age_ns=0, num_replicas=0, description="")).config
    assert (made.max_age_ns, made.num_replicas, made.description) == (None, 1, None)


@pytest.mark.parametrize(("max_age", "window"), [(10, 10), (120, 120), (500, 120)])
def test_the_duplicate_window_follows_a_shorter_maximum_age(max_age, window):
    made = Bench()("create_stream", config(max_age_ns=max_age * SECOND, duplicate_window_ns=0)).config
    assert made.duplicate_window_ns == window * SECOND


def test_the_servers_own_metadata_is_left_out():
    made = Bench()("create_stream", config(metadata={"owner": "me", "_nats.ver": "9"})).config
    assert made.metadata == {"owner": "me"}


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"sealed": True}, "stream configuration for create can not be sealed"),
        ({"description": "x" * 4097}, "stream description is too long, maximum allowed is 4096"),
        ({"description": "é" * 2049}, "stream description is too long, maximum allowed is 4096"),
        ({"metadata": {"a": "x" * 131_072}}, "stream metadata exceeds maximum size of 131072 bytes"),
        ({"num_replicas": 6}, "maximum replicas is 5"),
        ({"max_age_ns": 99 * MS}, "max age needs to be >= 100ms"),
        ({"duplicate_window_ns": 99 * MS}, "duplicates window needs to be >= 100ms"),
        (
            {"max_age_ns": SECOND, "duplicate_window_ns": 2 * SECOND},
            "duplicates window can not be larger then max age",
        ),
        ({"deny_purge": True, "allow_rollup": True}, "roll-ups require the purge permission"),
        (
            {"discard_new_per_subject": True, "max_msgs_per_subject": 1},
            "discard new per subject requires discard new policy to be set",
        ),
        (
            {"discard_new_per_subject": True, "discard": DiscardPolicy.NEW},
            "discard new per subject requires max msgs per subject > 0",
        ),
        ({"subjects": [">"]}, "capturing all subjects requires no-ack to be true"),
        ({"subjects": ["$JS.x"]}, "subjects that overlap with jetstream api require no-ack to be true"),
        ({"subjects": ["$JSC.x"]}, "subjects that overlap with jetstream api require no-ack to be true"),
        ({"subjects": ["$NRG.x"]}, "subjects that overlap with jetstream api require no-ack to be true"),
        ({"subjects": ["*.q"]}, "subjects that overlap with jetstream api require no-ack to be true"),
        ({"subjects": ["$SYS.a"]}, "subjects that overlap with system api require no-ack to be true"),
    ],
)
def test_what_the_server_refuses(settings, text):
    assert refused(**settings) == (500, 10052, text)
    with pytest.raises(InvalidStreamConfigError):
        Bench()("create_stream", config(**settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"description": "x" * 4096},
        {"metadata": {"a": "x" * (131_072 - 1 - 16)}},
        {"max_age_ns": 100 * MS},
        {"duplicate_window_ns": 100 * MS},
        {"subjects": ["*"]},
        {"subjects": [">"], "no_ack": True},
        {"subjects": ["$JS.x"], "no_ack": True},
        {"subjects": ["$JS.EVENT.a", "$SYS.ACCOUNT.>", "$KV.x.>"]},
        {"compression": Compression.S2},
        {"discard_new_per_subject": True, "discard": DiscardPolicy.NEW, "max_msgs_per_subject": 1},
    ],
)
def test_what_the_server_accepts(settings):
    assert Bench()("create_stream", config(**settings)).state.messages == 0


def test_a_lone_server_refuses_replicas_and_a_larger_one_takes_as_many_as_it_has():
    assert refused(num_replicas=2) == (500, 10074, "replicas > 1 not supported in non-clustered mode")
    assert refused(num_replicas=-1) == (400, 10133, "replicas count cannot be negative")
    assert refused(max_replicas=5, num_replicas=6) == (500, 10052, "maximum replicas is 5")
    large = Bench(core=SimCore(max_replicas=5))
    assert large("create_stream", config(num_replicas=5)).config.num_replicas == 5


def test_a_setting_that_is_off_is_nothing_to_simulate():
    made = Bench()("create_stream", config(other={"allow_msg_ttl": False, "consumer_limits": {}})).config
    assert made.other == {}


# -- names and subjects ------------------------------------------------------------------------------


def test_creating_again_with_an_equal_configuration_confirms_and_changes_nothing():
    bench = Bench.with_stream().fill("a")
    made = bench("stream_info", "S")
    bench.now_ns += SECOND
    assert bench("create_stream", config(duplicate_window_ns=120 * SECOND, max_msgs=0)) == made


def test_creating_again_with_another_configuration_is_refused_after_it_was_validated():
    bench = Bench.with_stream()
    taken = (400, 10058, "stream name already in use with a different configuration")
    assert bench.refusal("create_stream", config(description="x")) == taken
    assert bench.refusal("create_stream", config(num_replicas=6))[1] == 10052


def test_no_two_streams_capture_the_same_subject():
    bench = Bench.with_stream()
    overlap = (400, 10065, "subjects overlap with an existing stream")
    assert bench.refusal("create_stream", config(name="T", subjects=["s.*.x", "u"])) == overlap
    bench("create_stream", config(name="T", subjects=["t"]))
    assert bench.refusal("update_stream", config(name="T", subjects=["s.a"])) == overlap


# -- updates -----------------------------------------------------------------------------------------


def test_an_update_replaces_the_whole_configuration():
    bench = Bench.with_stream(max_msgs=5, description="x", metadata={"a": "b"})
    created = bench("stream_info", "S").created_ns
    bench.now_ns += SECOND
    info = bench("update_stream", StreamConfig(name="S", storage=StorageType.MEMORY))
    assert (info.config.max_msgs, info.config.description, info.config.metadata) == (None, None, {})
    assert info.config.subjects == ("S",)
    assert info.created_ns == created


def test_a_bad_configuration_is_reported_before_a_missing_stream():
    bench = Bench()
    assert bench.refusal("update_stream", config(num_replicas=6))[1] == 10052
    assert bench.refusal("update_stream", config()) == (404, 10059, "stream not found")


@pytest.mark.parametrize(
    ("made", "changed", "what"),
    [
        ({}, {"storage": StorageType.FILE}, "change storage type"),
        ({"deny_delete": True}, {}, "cancel deny message deletes"),
        ({"deny_purge": True}, {}, "cancel deny purge"),
    ],
)
def test_what_an_update_cannot_do(made, changed, what):
    bench = Bench.with_stream(**made)
    refusal = (500, 10052, f"stream configuration update can not {what}")
    assert bench.refusal("update_stream", config(**changed)) == refusal


def test_sealing_forbids_every_change_and_cannot_be_undone():
    bench = Bench.with_stream(max_age_ns=SECOND, allow_rollup=True).fill("a")
    sealed = bench.update(max_age_ns=SECOND, allow_rollup=True, sealed=True).config
    assert (sealed.sealed, sealed.deny_delete, sealed.deny_purge) == (True, True, True)
    assert (sealed.max_age_ns, sealed.discard, sealed.allow_rollup) == (None, DiscardPolicy.NEW, False)
    assert sealed.duplicate_window_ns == SECOND
    refusal = (400, 10109, "invalid operation on sealed stream")
    assert bench.refusal("delete_message", "S", 1) == refusal
    assert bench.refusal("purge", "S") == refusal
    assert bench("get_message", "S", 1).subject == "s.a"
    assert bench.refusal("update_stream", config())[2] == "stream configuration update can not unseal a sealed stream"
    bench("delete_stream", "S")


def test_subjects_given_up_are_no_longer_captured_but_their_messages_stay():
    bench = Bench.with_stream().fill("a")
    bench.update(subjects=["t"])
    assert bench.core.bound_stream("s.a") is None
    assert bench.stored == [1]
