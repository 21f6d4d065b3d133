import attrs
import pytest

from lattice_store import Difference, EnsureOutcome, Lattice, StreamConfig
from lattice_store._ensure import warnings
from lattice_store._formats import StreamFormat
from lattice_store.errors import (
    ConnectionLostError,
    InvalidPrefixError,
    JetStreamDisabledError,
    NoRespondersError,
    PermissionDeniedError,
    StorageTimeoutError,
    SubjectsOverlapError,
    UnexpectedAnswerError,
    api_error,
)
from lattice_store.model import DiscardPolicy, RetentionPolicy, StorageType
from lattice_store_sim import SimStorage


async def test_a_lattice_without_a_stream_gets_the_default_one(storage, prefix):
    ensured = await Lattice(storage, prefix).ensure()
    assert ensured.outcome is EnsureOutcome.CREATED
    assert ensured.usable
    assert ensured.info.config.name == f"LATTICECACHE_{prefix}"
    assert (ensured.differences, ensured.warnings) == ((), ())
    again = await Lattice(storage, prefix).ensure()
    assert again.outcome is EnsureOutcome.IDENTICAL
    assert again.info.created_ns == ensured.info.created_ns


async def test_a_custom_stream_is_used_as_it_is_and_every_difference_is_told(storage, prefix):
    custom = StreamConfig(
        name=f"LATTICECACHE_{prefix}",
        subjects=[f"lc.{prefix}.>"],
        description="made by hand",
        storage=StorageType.FILE,
        max_msgs_per_subject=5,
        max_age_ns=3600 * 10**9,
        max_msgs=1000,
        discard=DiscardPolicy.NEW,
        metadata={"owner": "ops"},
    )
    before = await storage.create_stream(custom)
    ensured = await Lattice(storage, prefix).ensure()
    assert ensured.outcome is EnsureOutcome.CUSTOM
    assert ensured.usable
    assert list(ensured.differences) == [
        Difference("description", None, "made by hand"),
        Difference("storage", StorageType.MEMORY, StorageType.FILE),
        Difference("discard", DiscardPolicy.OLD, DiscardPolicy.NEW),
        Difference("max_msgs", None, 1000),
        Difference("max_age_ns", None, 3600 * 10**9),
        Difference("max_msgs_per_subject", 1, 5),
        Difference("metadata", {}, {"owner": "ops"}),
    ]
    assert [warning.setting for warning in ensured.warnings] == ["max_msgs_per_subject", "max_age_ns", "max_msgs"]
    assert "3600 s" in ensured.warnings[1].consequence
    assert "refused" in ensured.warnings[2].consequence
    after = await storage.stream_info(custom.name)
    assert after.config == before.config
    assert after.created_ns == before.created_ns


async def test_a_stream_that_misses_subjects_is_warned_about(storage, prefix):
    await storage.create_stream(StreamConfig(name=f"LATTICECACHE_{prefix}", subjects=[f"lc.{prefix}.claims.*"]))
    ensured = await Lattice(storage, prefix).ensure()
    assert ensured.warnings[0].setting == "subjects"
    assert f"lc.{prefix}.>" in ensured.warnings[0].consequence


@pytest.mark.parametrize(
    ("settings", "setting", "words"),
    [
        ({"retention": RetentionPolicy.INTEREST}, "retention", "acknowledged and not kept"),
        ({"retention": RetentionPolicy.WORK_QUEUE}, "retention", "rebuild and watch are refused"),
        ({"discard": DiscardPolicy.NEW, "discard_new_per_subject": True}, "discard_new_per_subject", "neither changed"),
        ({"sealed": True}, "sealed", "nothing can be written"),
        ({"no_ack": True}, "no_ack", "every put times out"),
        ({"max_consumers": 2}, "max_consumers", "only 2 hosts"),
        ({"max_msg_size": 99}, "max_msg_size", "over 99 bytes"),
        ({"max_bytes": 99}, "max_bytes", "oldest records disappear"),
        ({"other": {"mirror": {"name": "X"}}}, "other", "cannot be written"),
        ({"other": {"allow_msg_counter": True}}, "other", "takes counters only"),
        ({"other": {"persist_mode": "async"}}, "other", "may be lost"),
    ],
)
def test_what_endangers_a_cache_is_said_in_words(settings, setting, words):
    config = attrs.evolve(StreamFormat("default").config(), **settings)
    (warning,) = warnings(config, StreamFormat("default"))
    assert warning.setting == setting
    assert words in warning.consequence


async def test_a_wider_stream_covers_the_lattice(storage, prefix):
    name = f"LATTICECACHE_{prefix}"
    await storage.create_stream(
        StreamConfig(name=name, subjects=[f"x.{prefix}", f"lc.{prefix}.>"], max_msgs_per_subject=1)
    )
    assert (await Lattice(storage, prefix).ensure()).warnings == ()


async def test_subjects_held_by_another_stream_are_named(storage, prefix):
    await storage.create_stream(StreamConfig(name=f"other-{prefix}", subjects=[f"lc.{prefix}.claims.>"]))
    ensured = await Lattice(storage, prefix).ensure()
    assert ensured.outcome is EnsureOutcome.OVERLAPPED
    assert ensured.overlapping == (f"other-{prefix}",)
    assert isinstance(ensured.error, SubjectsOverlapError)
    assert not ensured.usable


async def test_an_odd_prefix_may_be_opened_but_not_created(storage, prefix):
    odd = f"{prefix}+odd"
    with pytest.raises(InvalidPrefixError, match="1-64 characters"):
        await Lattice(storage, odd).ensure()
    await storage.create_stream(StreamConfig(name=f"LATTICECACHE_{odd}", subjects=[f"lc.{odd}.>"]))
    assert (await Lattice(storage, odd).ensure()).outcome is EnsureOutcome.CUSTOM


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (PermissionDeniedError("no"), EnsureOutcome.DENIED),
        (NoRespondersError("nobody"), EnsureOutcome.UNAVAILABLE),
        (StorageTimeoutError("late"), EnsureOutcome.UNAVAILABLE),
        (ConnectionLostError("cut"), EnsureOutcome.UNAVAILABLE),
        (UnexpectedAnswerError("somebody else"), EnsureOutcome.UNAVAILABLE),
        (api_error(503, 10008, "JetStream system temporarily unavailable"), EnsureOutcome.UNAVAILABLE),
        (api_error(400, 10027, "maximum number of streams reached"), EnsureOutcome.DENIED),
        (api_error(503, 10076, "JetStream not enabled"), EnsureOutcome.UNAVAILABLE),
    ],
)
async def test_what_stands_in_the_way_is_an_outcome_too(error, outcome):
    class Refusing(SimStorage):
        async def stream_info(self, stream):
            raise error

    ensured = await Lattice(Refusing()).ensure()
    assert (ensured.outcome, ensured.error, ensured.usable) == (outcome, error, False)
    assert isinstance(error, JetStreamDisabledError) == (getattr(error, "err_code", 0) == 10076)


async def test_two_hosts_that_race_both_find_a_stream(prefix):
    class Late(SimStorage):
        """Looks before the other host made its custom stream, creates after."""

        async def create_stream(self, config):
            await super().create_stream(attrs.evolve(config, description="the other host's"))
            return await super().create_stream(config)

    ensured = await Lattice(Late(), prefix).ensure()
    assert ensured.outcome is EnsureOutcome.CUSTOM
    assert [difference.setting for difference in ensured.differences] == ["description"]
