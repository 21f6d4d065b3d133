"""The shell: arguments, time, delivery, ends. What the core decides is tested there."""

import asyncio
import subprocess
import sys

import pytest

import lattice_store_sim
from lattice_store.errors import (
    InvalidArgumentError,
    InvalidHeaderError,
    InvalidSubjectError,
    MessageNotFoundError,
    MessageTooLargeError,
    NoRespondersError,
    ReplayInterruptedError,
    ResetReason,
    StorageClosedError,
    StorageTimeoutError,
    StreamNotFoundError,
)
from lattice_store.limits import Limits
from lattice_store.model import (
    DELIVER_ALL,
    DELIVER_LAST_PER_SUBJECT,
    DeliverNew,
    Expect,
    PubAck,
    Publication,
    StorageType,
)
from lattice_store.storage import Storage
from lattice_store_sim import SimServer, SimStorage, VirtualClock
from tests.unit.sim.helpers import SECOND, config, sequences


async def open_storage(**settings):
    storage = SimStorage(SimServer(clock=VirtualClock()))
    await storage.create_stream(config(**settings))
    return storage


async def fill(storage, tokens):
    for token in tokens:
        await storage.publish(f"s.{token}", b"")


async def next_batch(batches):
    return await asyncio.wait_for(anext(batches), 1)


# -- the package -------------------------------------------------------------------------------------


def test_importing_the_package_loads_neither_asyncio_nor_nats():
    script = "import sys, lattice_store_sim as s; print({'asyncio', 'nats', 'attrs'} & set(sys.modules), dir(s))"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output == f"set() {sorted(lattice_store_sim.__all__)}\n"


def test_using_the_simulator_does_not_load_nats():
    script = "import sys; from lattice_store_sim import SimStorage; SimStorage(); print('nats' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output == "False\n"


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'lattice_store_sim' has no attribute 'Nothing'"):
        lattice_store_sim.Nothing  # noqa: B018  # reading it is the test


# -- servers -----------------------------------------------------------------------------------------


async def test_a_storage_has_its_own_server_unless_it_is_given_one():
    server = SimServer()
    first, second, apart = SimStorage(server), SimStorage(server), SimStorage()
    await first.create_stream(config())
    assert await second.list_streams() == ("S",)
    assert await apart.list_streams() == ()
    assert repr(second) == "SimStorage(SimServer(S))"
    await first.aclose()
    assert await second.list_streams() == ("S",)


async def test_the_default_clock_is_the_machines():
    storage: Storage = SimStorage()
    info = await storage.create_stream(config())
    assert info.created_ns > 1_700_000_000 * SECOND


async def test_a_larger_server_accepts_replicas():
    storage = SimStorage(SimServer(max_replicas=5))
    assert (await storage.create_stream(config(num_replicas=5))).config.num_replicas == 5


async def test_ages_and_windows_come_due_when_the_clock_says_so():
    storage = await open_storage(max_age_ns=60 * SECOND, duplicate_window_ns=30 * SECOND)
    await storage.publish("s.a", b"", message_id="one")
    storage.server.clock.advance(29.9)
    assert (await storage.publish("s.a", b"", message_id="one")).duplicate
    storage.server.clock.advance(0.1)
    assert not (await storage.publish("s.a", b"", message_id="one")).duplicate
    storage.server.clock.advance(30)
    assert (await storage.stream_info("S")).state.messages == 1
    with pytest.raises(MessageNotFoundError):
        await storage.get_message("S", 1)


async def test_a_restart_loses_memory_streams_and_tells_their_replays():
    storage = await open_storage()
    await storage.create_stream(config(name="F", subjects=["f"], storage=StorageType.FILE))
    async with storage.replay("S") as lost, storage.replay("F") as kept:
        storage.server.restart()
        with pytest.raises(ReplayInterruptedError) as caught:
            await next_batch(lost.batches())
        assert (caught.value.stream, caught.value.reason) == ("S", ResetReason.STREAM_DELETED)
        await storage.publish("f", b"")
        assert sequences((await next_batch(kept.batches())).messages) == [1]
    assert await storage.list_streams() == ("F",)


# -- arguments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda one: one.publish("s.*", b""), InvalidSubjectError),
        (lambda one: one.publish("s.a", "text"), InvalidArgumentError),
        (lambda one: one.publish("s.a", b"", headers={"a b": "c"}), InvalidHeaderError),
        (lambda one: one.publish("s.a", b"", message_id=""), InvalidArgumentError),
        (lambda one: one.publish("s.a", b"x" * (1 << 20) + b"x"), MessageTooLargeError),
        (lambda one: one.publish("s.a", b"x" * (1 << 20), message_id="one"), MessageTooLargeError),
        (lambda one: one.get_message("S", 0), InvalidArgumentError),
        (lambda one: one.get_message("a.b", 1), InvalidSubjectError),
        (lambda one: one.get_last_message("S", "a..b"), InvalidSubjectError),
        (lambda one: one.get_last_message("", "a"), InvalidSubjectError),
        (lambda one: one.delete_message("S", -1), InvalidArgumentError),
        (lambda one: one.delete_message("a b", 1), InvalidSubjectError),
        (lambda one: one.purge("S", before_sequence=0), InvalidArgumentError),
        (lambda one: one.purge("S", keep=0), InvalidArgumentError),
        (lambda one: one.purge("S", before_sequence=2, keep=2), InvalidArgumentError),
        (lambda one: one.purge("S", subject=""), InvalidSubjectError),
        (lambda one: one.purge("*"), InvalidSubjectError),
        (lambda one: one.delete_stream(">"), InvalidSubjectError),
        (lambda one: one.stream_info("a/b"), InvalidSubjectError),
        (lambda one: one.list_streams(subject="a b"), InvalidSubjectError),
        (lambda one: one.replay("S", subjects=["a.*", "a.b"]).__aenter__(), InvalidArgumentError),
        (lambda one: one.replay("S", subjects=["a..b"]).__aenter__(), InvalidSubjectError),
        (lambda one: one.replay("S", subjects="s.a").__aenter__(), InvalidArgumentError),
        (lambda one: one.replay("a.b").__aenter__(), InvalidSubjectError),
        (lambda one: one.replay("T").__aenter__(), StreamNotFoundError),
    ],
)
async def test_a_wrong_argument_is_refused_and_nothing_is_changed(call, error):
    storage = await open_storage()
    await fill(storage, "ab")
    before = await storage.stream_info("S")
    with pytest.raises(error):
        await call(storage)
    assert await storage.stream_info("S") == before


async def test_a_mebibyte_is_the_largest_message():
    storage = await open_storage()
    assert (await storage.publish("s.a", b"x" * (1 << 20))).sequence == 1


async def test_publish_passes_headers_message_id_and_expectations_on():
    storage = await open_storage()
    await storage.publish("s.a", b"x", headers={"K": "v"}, message_id="one", expect=Expect(last_sequence=0))
    message = await storage.get_last_message("S", "s.*")
    assert list(message.headers.items()) == [
        ("K", "v"),
        ("Nats-Msg-Id", "one"),
        ("Nats-Expected-Last-Sequence", "0"),
    ]
    assert await storage.publish("s.a", b"", message_id="one") == PubAck("S", 1, duplicate=True)


async def test_a_publish_that_is_never_acknowledged_is_unknown_but_stored():
    storage = await open_storage(no_ack=True)
    async with storage.replay("S") as replay:
        with pytest.raises(StorageTimeoutError):
            await storage.publish("s.a", b"")
        assert sequences((await next_batch(replay.batches())).messages) == [1]


async def test_administration_goes_through():
    storage = await open_storage()
    await fill(storage, "abc")
    assert await storage.purge("S", keep=2) == 1
    await storage.delete_message("S", 3)
    assert (await storage.update_stream(config(max_msgs=5))).config.max_msgs == 5
    assert await storage.list_streams(subject="s.a") == ("S",)
    assert (await storage.stream_info("S")).state.messages == 1
    await storage.delete_stream("S")
    with pytest.raises(NoRespondersError):
        await storage.publish("s.a", b"")


# -- many publications -------------------------------------------------------------------------------


async def test_many_publications_give_one_result_each_in_order():
    storage = await open_storage(max_msg_size=60)
    many = [
        Publication(subject="s.a", payload=b"1", message_id="one"),
        Publication(subject="s.*", payload=b""),
        Publication(subject="t", payload=b""),
        Publication(subject="s.a", payload=b"x" * 61),
        Publication(subject="s.a", payload=b"2", headers={"K": "v"}, expect=Expect(last_sequence=1)),
    ]
    results = [result async for result in storage.publish_many(many)]
    assert [results[0], results[4]] == [PubAck("S", 1), PubAck("S", 2)]
    assert [type(result) for result in results[1:4]] == [InvalidSubjectError, NoRespondersError, MessageTooLargeError]


async def test_a_window_below_1_is_refused_at_once():
    with pytest.raises(InvalidArgumentError, match="window=0"):
        SimStorage().publish_many([], window=0)


async def test_many_publications_that_are_abandoned_send_nothing_more():
    storage = await open_storage()
    sent = []

    def endless():
        while True:
            sent.append(1)
            yield Publication(subject="s.a", payload=b"")

    results = storage.publish_many(endless())
    assert await anext(results) == PubAck("S", 1)
    await results.aclose()
    assert len(sent) == (await storage.stream_info("S")).state.messages == 1


async def test_many_publications_end_with_the_storage():
    storage = await open_storage()
    results = storage.publish_many(Publication(subject="s.a", payload=b"") for _ in range(3))
    await anext(results)
    await storage.aclose()
    with pytest.raises(StorageClosedError):
        await anext(results)


# -- fairness ----------------------------------------------------------------------------------------


async def test_a_loop_of_calls_lets_other_tasks_run():
    storage = await open_storage()
    seen = []

    async def watch():
        while len(seen) < 3:
            seen.append((await storage.stream_info("S")).state.messages)
            await asyncio.sleep(0)

    watcher = asyncio.create_task(watch())
    for _ in range(1000):
        await storage.publish("s.a", b"")
    await watcher
    assert seen[0] < seen[-1] < 1000


async def test_a_loop_of_calls_can_be_cancelled():
    storage = await open_storage()

    async def publish_for_ever():
        while True:
            await storage.publish("s.a", b"")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(publish_for_ever(), 0.01)
    assert (await storage.stream_info("S")).state.messages > 0


# -- replays -----------------------------------------------------------------------------------------


async def test_a_replay_yields_the_snapshot_as_one_batch_and_then_what_comes():
    storage = await open_storage()
    await fill(storage, "aba")
    async with storage.replay("S", deliver=DELIVER_LAST_PER_SUBJECT) as replay:
        assert (replay.pending, replay.caught_up, replay.stream.state.messages) == (2, False, 3)
        batches = replay.batches()
        batch = await next_batch(batches)
        assert (sequences(batch.messages), batch.sequence, batch.pending, batch.caught_up) == ([2, 3], 3, 0, True)
        assert (replay.pending, replay.caught_up) == (0, True)
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        await fill(storage, "cd")
        batch = await asyncio.wait_for(waiting, 1)
        assert (sequences(batch.messages), batch.sequence, batch.caught_up) == ([4, 5], 5, True)


async def test_single_messages_are_the_batches_flattened():
    storage = await open_storage()
    await fill(storage, "ab")
    async with storage.replay("S") as replay:
        found = []
        async for message in replay:
            found.append(message.sequence)
            if message.sequence == 2:
                await fill(storage, "c")
            if message.sequence == 3:
                break
    assert found == [1, 2, 3]


async def test_a_message_superseded_at_once_was_still_handed_over():
    storage = await open_storage(max_msgs_per_subject=1)
    async with storage.replay("S") as replay:
        await fill(storage, "aaa")
        assert sequences((await next_batch(replay.batches())).messages) == [1, 2, 3]


async def test_what_the_buffer_cannot_hold_stays_in_the_stream_and_may_be_gone():
    storage = SimStorage(limits=Limits(replay_buffer=2))
    await storage.create_stream(config(max_msgs=3))
    async with storage.replay("S") as replay:
        await fill(storage, "abcdefg")
        batches = replay.batches()
        batch = await next_batch(batches)
        assert (sequences(batch.messages), batch.pending) == ([1, 2], 3)
        assert sequences((await next_batch(batches)).messages) == [5, 6]
        assert sequences((await next_batch(batches)).messages) == [7]


async def test_a_replay_of_other_subjects_still_learns_the_position():
    storage = await open_storage()
    async with storage.replay("S", subjects=["s.a"], deliver=DeliverNew()) as replay:
        batches = replay.batches()
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        await fill(storage, "bb")
        batch = await asyncio.wait_for(waiting, 1)
        assert (batch.messages, batch.sequence, batch.caught_up) == ([], 2, True)


async def test_replays_of_two_storages_see_the_same_stream():
    storage = await open_storage()
    other = SimStorage(storage.server)
    async with storage.replay("S") as one, other.replay("S", subjects=["s.b", "s.c", "t.*"]) as two:
        assert (await other.stream_info("S")).state.consumer_count == 2
        await fill(storage, "ab")
        assert sequences((await next_batch(one.batches())).messages) == [1, 2]
        assert sequences((await next_batch(two.batches())).messages) == [2]
    assert (await storage.stream_info("S")).state.consumer_count == 0
    assert storage.server._replays == {}


async def test_a_deleted_stream_ends_the_replay_after_what_was_handed_over():
    storage = await open_storage()
    async with storage.replay("S") as replay:
        await fill(storage, "ab")
        await storage.delete_stream("S")
        batches = replay.batches()
        assert sequences((await next_batch(batches)).messages) == [1, 2]
        with pytest.raises(ReplayInterruptedError) as caught:
            await next_batch(batches)
        assert (caught.value.reason, caught.value.last_sequence) == (ResetReason.STREAM_DELETED, 2)


async def test_a_re_created_stream_is_another_one_and_its_own_replays_go_on():
    storage = await open_storage()
    async with storage.replay("S") as old:
        await storage.delete_stream("S")
        await storage.create_stream(config())
        async with storage.replay("S") as new:
            await storage.create_stream(config())  # confirms, and says nothing new to anybody
            await fill(storage, "a")
            assert sequences((await next_batch(new.batches())).messages) == [1]
            with pytest.raises(ReplayInterruptedError) as caught:
                await next_batch(old.batches())
    assert (caught.value.reason, caught.value.last_sequence) == (ResetReason.STREAM_RECREATED, 0)


async def test_a_waiting_replay_can_be_cancelled_and_goes_on_afterwards():
    storage = await open_storage()
    async with storage.replay("S") as replay:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(replay.batches()), 0.001)
        await fill(storage, "a")
        assert sequences((await next_batch(replay.batches())).messages) == [1]


async def test_a_replay_that_was_left_is_closed():
    storage = await open_storage()
    async with storage.replay("S", deliver=DELIVER_ALL) as replay:
        pass
    with pytest.raises(StorageClosedError, match="the replay of S is closed"):
        await next_batch(replay.batches())


# -- the end -----------------------------------------------------------------------------------------


async def test_closing_ends_waiting_replays_and_refuses_every_call():
    async with await open_storage() as storage:
        async with storage.replay("S") as replay:
            waiting = asyncio.ensure_future(anext(replay.batches()))
            await asyncio.sleep(0)
            await storage.aclose()
            with pytest.raises(StorageClosedError):
                await asyncio.wait_for(waiting, 1)
        await storage.aclose()
    calls = [
        storage.create_stream(config()),
        storage.update_stream(config()),
        storage.delete_stream("S"),
        storage.stream_info("S"),
        storage.list_streams(),
        storage.publish("s.a", b""),
        anext(storage.publish_many([Publication(subject="s.a", payload=b"")])),
        storage.get_message("S", 1),
        storage.get_last_message("S", "s.a"),
        storage.delete_message("S", 1),
        storage.purge("S"),
        storage.replay("S").__aenter__(),
    ]
    for call in calls:
        with pytest.raises(StorageClosedError):
            await call


async def test_a_loop_over_messages_that_was_left_is_taken_up_where_it_was_left():
    async with SimStorage() as storage:
        await storage.create_stream(config())
        for number in range(5):
            await storage.publish("s.a", b"%d" % number)
        async with storage.replay("S") as replay:
            seen = []
            while len(seen) < 5:
                async for message in replay:
                    seen.append(message.payload)
                    break
            assert seen == [b"0", b"1", b"2", b"3", b"4"]
