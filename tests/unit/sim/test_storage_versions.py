"""What a simulated older server is not asked, as the NATS backend does not ask a real one."""

import pytest

from lattice_store.errors import ApiError, NotSupportedError, StorageTimeoutError
from lattice_store.model import Expect, StorageType, StreamConfig
from lattice_store_sim import SimStorage
from tests.unit.sim.helpers import config

OLDER = "needs a server of version {}; this is {}"


@pytest.mark.parametrize(("version", "refused"), [("2.9", True), ("2.10", True), ("2.11", False)])
async def test_an_expectation_with_a_filter_needs_2_11(version, refused):
    async with SimStorage(profile=version) as storage:
        await storage.create_stream(config())
        expect = Expect(last_subject_sequence=0, last_subject_filter="s.>")
        if refused:
            with pytest.raises(NotSupportedError, match=OLDER.format("2.11", version)):
                await storage.publish("s.a", b"", expect=expect)
        else:
            assert (await storage.publish("s.a", b"", expect=expect)).sequence == 1


@pytest.mark.parametrize(("version", "refused"), [("2.9", True), ("2.12", True), ("2.14", False), ("2.15", False)])
async def test_a_purge_below_1_needs_2_14(version, refused):
    async with SimStorage(profile=version) as storage:
        await storage.create_stream(config())
        if refused:
            with pytest.raises(NotSupportedError, match=OLDER.format("2.14", version)):
                await storage.purge("S", before_sequence=1)
        else:
            assert await storage.purge("S", before_sequence=1) == 0


@pytest.mark.parametrize(("version", "refused"), [("2.9", True), ("2.10", False)])
async def test_a_replay_with_several_subjects_needs_2_10(version, refused):
    async with SimStorage(profile=version) as storage:
        await storage.create_stream(config())
        if refused:
            with pytest.raises(NotSupportedError, match=OLDER.format("2.10", version)):
                await storage.replay("S", subjects=("s.a", "s.b")).__aenter__()
        else:
            async with storage.replay("S", subjects=("s.a", "s.b")) as replay:
                assert replay.caught_up


async def test_a_publish_that_an_old_server_ignores_is_not_answered():
    async with SimStorage(profile="2.10") as storage:
        await storage.create_stream(config(allow_rollup=True))
        with pytest.raises(StorageTimeoutError, match="does not answer this publish"):
            await storage.publish("s.a", b"", headers={"Nats-Rollup": "some"})
        assert (await storage.stream_info("S")).state.last_sequence == 0


@pytest.mark.parametrize(("version", "refused"), [("2.9", True), ("2.10", False)])
async def test_a_replay_of_a_subject_outside_the_stream_is_refused_up_to_2_9(version, refused):
    async with SimStorage(profile=version) as storage:
        await storage.create_stream(config())
        if refused:
            with pytest.raises(ApiError, match="consumer filter subject is not a valid subset") as refusal:
                await storage.replay("S", subjects=("other",)).__aenter__()
            assert refusal.value.err_code == 10093
        else:
            async with storage.replay("S", subjects=("other",)) as replay:
                assert replay.caught_up


@pytest.mark.parametrize("version", ["2.10", "2.12", "2.15"])
async def test_an_emptied_stream_has_no_first_time_whatever_a_server_leaves_there(version):
    async with SimStorage(profile=version) as storage:
        await storage.create_stream(StreamConfig(name="S", subjects=("s.>",), storage=StorageType.MEMORY))
        for _ in range(2):
            await storage.publish("s.a", b"x")
        await storage.delete_message("S", 2)
        assert await storage.purge("S", before_sequence=2) == 1
        state = (await storage.stream_info("S")).state
        assert (state.messages, state.first_time_ns) == (0, None)
        assert state.last_time_ns is not None
