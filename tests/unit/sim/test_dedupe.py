import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lattice_store.model import PubAck, StorageType
from lattice_store_sim._core._dedupe import Dedupe
from tests.unit.sim.helpers import SECOND, Bench

ID = "Nats-Msg-Id"


def with_id(bench, message_id, token="a"):
    return bench.publish(token, b"", (ID, message_id))


def test_a_duplicate_is_acknowledged_with_the_first_sequence_and_stores_nothing():
    bench = Bench.with_stream()
    with_id(bench, "one")
    bench.publish("a")
    assert with_id(bench, "one") == PubAck("S", 1, duplicate=True)
    assert bench.stored == [1, 2]


@pytest.mark.pins("surprise 3")
def test_the_window_is_the_streams_not_the_subjects():
    bench = Bench.with_stream()
    with_id(bench, "one", "a")
    assert with_id(bench, "one", "b") == PubAck("S", 1, duplicate=True)


def test_message_ids_are_case_sensitive():
    bench = Bench.with_stream()
    with_id(bench, "one")
    assert with_id(bench, "One") == PubAck("S", 2)


@pytest.mark.pins("surprise 2")
def test_an_id_is_forgotten_exactly_when_the_window_ends_and_a_duplicate_does_not_extend_it():
    bench = Bench.with_stream(duplicate_window_ns=10 * SECOND)
    with_id(bench, "one")
    assert bench.deadline_ns == 11 * SECOND
    bench.now_ns = 11 * SECOND - 1
    assert with_id(bench, "one").duplicate
    bench.now_ns = 11 * SECOND
    assert with_id(bench, "one") == PubAck("S", 2)


def test_an_id_that_was_remembered_twice_is_forgotten_with_the_first():
    """As a mirror may do, which takes what its origin has (stream.go, ``purgeMsgIds``)."""
    dedupe = Dedupe(10)
    dedupe.remember(b"one", 1, 1, 1)
    dedupe.remember(b"one", 2, 5, 5)
    dedupe.expire(11)
    assert dedupe.find(b"one") is None
    dedupe.expire(15)
    assert dedupe.deadline_ns is None


@pytest.mark.pins("surprise 2")
def test_an_id_stays_known_after_its_message_was_removed_in_any_way():
    bench = Bench.with_stream(max_msgs=4, max_age_ns=300 * SECOND, max_bytes=1000, allow_rollup=True)
    for number, remove in enumerate(
        (
            lambda: bench("delete_message", "S", 1),
            lambda: bench("purge", "S"),
            lambda: bench.publish("a", b"", ("Nats-Rollup", "all")),
            lambda: bench.fill("abcdabcd"),
        )
    ):
        first = with_id(bench, f"id{number}").sequence
        remove()
        assert first not in bench.stored
        assert with_id(bench, f"id{number}") == PubAck("S", first, duplicate=True)


def test_the_id_of_a_message_that_was_evicted_at_once_is_known():
    bench = Bench.with_stream(max_bytes=30)
    assert bench.publish("a", b"x" * 100, (ID, "one")) == PubAck("S", 1)
    assert bench.stored == []
    assert with_id(bench, "one") == PubAck("S", 1, duplicate=True)


@pytest.mark.pins("surprise 2")
def test_a_refused_publish_leaves_its_id_unknown():
    bench = Bench.with_stream(max_msg_size=50)
    bench.refusal("publish", "a", b"x" * 51, (ID, "one"))
    assert with_id(bench, "one") == PubAck("S", 1)


def test_a_changed_window_judges_all_ids():
    bench = Bench.with_stream(duplicate_window_ns=100 * SECOND)
    with_id(bench, "one")
    bench.now_ns += 10 * SECOND
    with_id(bench, "two")
    bench.update(duplicate_window_ns=5 * SECOND)
    assert with_id(bench, "two").duplicate
    assert not with_id(bench, "one").duplicate
    bench.update(duplicate_window_ns=1000 * SECOND)
    bench.now_ns += 900 * SECOND
    assert with_id(bench, "two").duplicate


@pytest.mark.pins("surprise 4")
def test_a_restart_remembers_only_ids_of_stored_messages_and_of_the_last_one():
    bench = Bench.with_stream(storage=StorageType.FILE)
    with_id(bench, "one")
    with_id(bench, "two")
    with_id(bench, "three")
    bench("delete_message", "S", 1)
    bench("restart")
    assert bench.publish("a", b"", ("Nats-Expected-Last-Msg-Id", "three")).sequence == 4
    assert with_id(bench, "two").duplicate
    assert with_id(bench, "one") == PubAck("S", 5)


def test_a_restart_with_a_removed_tail_forgets_the_last_message_id():
    bench = Bench.with_stream(storage=StorageType.FILE)
    with_id(bench, "one")
    bench("delete_message", "S", 1)
    bench("restart")
    assert bench.refusal("publish", "a", b"", ("Nats-Expected-Last-Msg-Id", "one")) == (
        400,
        10070,
        "wrong last msg ID: ",
    )


def test_a_restart_drops_ids_that_came_due_meanwhile_and_gives_the_others_a_whole_window():
    bench = Bench.with_stream(storage=StorageType.FILE, duplicate_window_ns=10 * SECOND)
    with_id(bench, "one")
    bench.now_ns += 1
    with_id(bench, "two")
    bench.now_ns += 10 * SECOND
    bench("restart")
    assert not with_id(bench, "one").duplicate
    bench.now_ns += 10 * SECOND - 1
    assert with_id(bench, "two").duplicate
    bench.now_ns += 1
    assert not with_id(bench, "two").duplicate


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), max_size=30), st.integers(1, 5))
def test_the_window_is_a_list_of_times(publishes, window):
    dedupe, times, now = Dedupe(window), {}, 0
    for step, message_id in publishes:
        now += step
        dedupe.expire(now)
        times = {one: at for one, at in times.items() if at[0] + window > now}
        key = message_id.encode()
        found = dedupe.find(key)
        assert found == (times[message_id][1] if message_id in times else None)
        if found is None:
            dedupe.remember(key, now + 1, now, now)
            times[message_id] = (now, now + 1)
        assert dedupe.deadline_ns == min(at[0] for at in times.values()) + window
        assert len(dedupe) == len(times)


def test_an_id_without_a_stored_message_is_forgotten_by_the_next_sweep():
    dedupe = Dedupe(10)
    dedupe.remember(b"stored", 1, 3, 3)
    dedupe.remember(b"skipped", 2, 0, 8)
    dedupe.expire(12)
    assert dedupe.find(b"skipped") == 2
    dedupe.expire(13)
    assert dedupe.find(b"skipped") is None
    dedupe.remember(b"skipped", 3, 0, 20)
    assert dedupe.deadline_ns == 30
