import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lattice_store.model import (
    DELIVER_ALL,
    DELIVER_LAST_PER_SUBJECT,
    DeliverAll,
    DeliverFromSequence,
    DeliverFromTime,
    DeliverLast,
    DeliverLastPerSubject,
    DeliverNew,
)
from lattice_store.subjects import matches
from tests.unit.sim.helpers import SECOND, Bench, sequences


def cursor_of(bench, deliver, *filters):
    return bench("open_cursor", "S", filters, deliver)


def stepwise(tokens):
    """One message a second, the first at second 1."""
    bench = Bench.with_stream()
    for token in tokens:
        bench.publish(token)
        bench.now_ns += SECOND
    return bench


@pytest.mark.parametrize(
    ("deliver", "filters", "expected"),
    [
        (DeliverAll(), (), [1, 2, 3, 5]),
        (DeliverAll(), ("s.a",), [1, 3]),
        (DeliverAll(), ("s.a", "s.c"), [1, 3, 5]),
        (DeliverAll(), ("elsewhere",), []),
        (DeliverNew(), (), []),
        (DeliverLast(), (), [5]),
        (DeliverLast(), ("s.a",), [3]),
        (DeliverLast(), ("s.a", "s.b"), [3]),
        (DeliverLast(), ("elsewhere",), []),
        (DeliverLastPerSubject(), (), [2, 3, 5]),
        (DeliverLastPerSubject(), ("s.a", "s.c"), [3, 5]),
        (DeliverFromSequence(3), (), [3, 5]),
        (DeliverFromSequence(4), ("s.a",), []),
        (DeliverFromSequence(100), (), []),
        (DeliverFromTime(2 * SECOND), (), [2, 3, 5]),
        (DeliverFromTime(3 * SECOND + 1), (), [5]),
        (DeliverFromTime(99 * SECOND), (), []),
        (DeliverFromTime(-1), (), [1, 2, 3, 5]),
    ],
)
def test_where_each_policy_begins(deliver, filters, expected):
    bench = stepwise("abacc")
    bench("delete_message", "S", 4)
    cursor = cursor_of(bench, deliver, *filters)
    assert (cursor.pending, cursor.caught_up) == (len(expected), not expected)
    assert sequences(cursor.take(100)) == expected
    assert (cursor.pending, cursor.caught_up) == (0, True)
    assert cursor.sequence == 5


def test_the_last_message_that_was_removed_is_not_replaced_by_an_earlier_one():
    bench = stepwise("ab")
    bench("delete_message", "S", 2)
    cursor = cursor_of(bench, DeliverLast())
    assert (cursor.pending, cursor.take(10)) == (0, [])


@pytest.mark.parametrize("deliver", [DeliverAll(), DeliverNew(), DeliverLast(), DeliverLastPerSubject()])
def test_an_empty_stream_is_caught_up_at_once_and_delivers_what_comes(deliver):
    for bench in (Bench.with_stream(), stepwise("ab")):
        bench("purge", "S")
        cursor = cursor_of(bench, deliver)
        assert (cursor.pending, cursor.caught_up) == (0, True)
        assert cursor.take(10) == []
        published = bench.publish("a").sequence
        assert cursor.pending == 1
        assert sequences(cursor.take(10)) == [published]


def test_a_start_beyond_the_end_waits_for_that_sequence():
    bench = Bench.with_stream().fill("aa")
    cursor = cursor_of(bench, DeliverFromSequence(4))
    bench.fill("a")
    assert (cursor.pending, cursor.take(10), cursor.sequence) == (0, [], 3)
    bench.fill("aa")
    assert cursor.pending == 2
    assert sequences(cursor.take(10)) == [4, 5]


def test_a_limit_leaves_the_rest_pending():
    bench = Bench.with_stream().fill("abcab")
    for deliver, expected in ((DELIVER_ALL, [1, 2, 3, 4, 5]), (DELIVER_LAST_PER_SUBJECT, [3, 4, 5])):
        cursor = cursor_of(bench, deliver)
        taken = []
        while cursor.pending:
            taken += sequences(cursor.take(2))
            assert cursor.pending == len(expected) - len(taken)
            assert cursor.sequence >= taken[-1]
        assert taken == expected


def test_a_snapshot_entry_superseded_before_its_turn_is_still_delivered_if_stored():
    bench = Bench.with_stream().fill("ab")
    cursor = cursor_of(bench, DELIVER_LAST_PER_SUBJECT)
    bench.publish("a")
    assert cursor.pending == 3
    assert sequences(cursor.take(10)) == [1, 2, 3]


def test_what_is_removed_before_its_turn_is_neither_delivered_nor_pending():
    bench = Bench.with_stream().fill("abcd")
    snapshot, everything = cursor_of(bench, DELIVER_LAST_PER_SUBJECT), cursor_of(bench, DELIVER_ALL)
    assert sequences(snapshot.take(1)) == sequences(everything.take(1)) == [1]
    bench("delete_message", "S", 1)
    bench("delete_message", "S", 3)
    assert snapshot.pending == everything.pending == 2
    assert sequences(snapshot.take(10)) == sequences(everything.take(10)) == [2, 4]


def test_a_message_evicted_as_soon_as_it_was_stored_is_not_pending():
    bench = Bench.with_stream(max_bytes=20)
    cursor = cursor_of(bench, DELIVER_ALL)
    bench.publish("a", b"x" * 100)
    assert (cursor.pending, cursor.take(10)) == (0, [])


def test_a_purge_far_ahead_costs_no_walk_through_the_gap():
    bench = Bench.with_stream().fill("ab")
    cursor = cursor_of(bench, DELIVER_ALL)
    bench("purge", "S", before_sequence=10**15)
    assert cursor.take(10) == []
    assert cursor.sequence == 10**15 - 1
    bench.publish("a")
    assert sequences(cursor.take(10)) == [10**15]


def test_a_cursor_catches_up_under_a_writer_that_is_always_ahead():
    bench = Bench.with_stream().fill("aaa")
    cursor = cursor_of(bench, DELIVER_ALL)
    caught_up = []
    for _ in range(4):
        bench.fill("aa")
        cursor.take(1)
        caught_up.append(cursor.caught_up)
    assert cursor.pending == 7
    assert caught_up == [False, False, True, True]


def test_a_cursor_is_caught_up_when_what_was_ahead_is_gone():
    bench = Bench.with_stream().fill("aa")
    cursor = cursor_of(bench, DELIVER_ALL, "s.a")
    bench("purge", "S")
    assert not cursor.caught_up
    assert cursor.take(10) == []
    assert cursor.caught_up


def test_a_message_that_no_filter_wants_moves_the_position():
    bench = Bench.with_stream()
    cursor = cursor_of(bench, DELIVER_ALL, "s.a")
    bench.fill("bb")
    assert (cursor.pending, cursor.take(10), cursor.sequence) == (0, [], 2)


def test_a_stream_counts_its_cursors_and_allows_no_more_than_max_consumers():
    bench = Bench.with_stream(max_consumers=2)
    first = cursor_of(bench, DELIVER_ALL)
    cursor_of(bench, DELIVER_ALL)
    assert bench("stream_info", "S").state.consumer_count == 2
    assert bench.refusal("open_cursor", "S", (), DELIVER_ALL) == (400, 10026, "maximum consumers limit reached")
    for _ in range(2):
        bench.core.close_cursor("S", first)
    assert bench("stream_info", "S").state.consumer_count == 1
    bench("delete_stream", "S")
    bench.core.close_cursor("S", first)


operations = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from("abc")),
        st.tuples(st.just("delete"), st.integers(1, 12)),
        st.tuples(st.just("purge"), st.sampled_from(["s.a", "s.*", None])),
        st.tuples(st.just("take"), st.integers(1, 3)),
    ),
    max_size=25,
)


@settings(deadline=None)  # a busy machine is no fault
@given(
    before=st.text("abc", max_size=6),
    deliver=st.sampled_from(
        [DeliverAll(), DeliverNew(), DeliverLast(), DeliverLastPerSubject(), DeliverFromSequence(3)]
    ),
    filters=st.sampled_from([(), ("s.a",), ("s.a", "s.b")]),
    operations=operations,
    limit=st.sampled_from([None, 1]),
)
def test_every_message_is_delivered_once_in_order_unless_it_was_removed_before(
    before, deliver, filters, operations, limit
):
    """The invariants recount ``pending`` after every step."""
    bench = Bench.with_stream(max_msgs_per_subject=limit).fill(before)
    cursor = cursor_of(bench, deliver, *filters)
    taken, published = [], []
    for name, argument in operations:
        if name == "publish":
            published.append(bench.publish(argument))
        elif name == "delete" and argument in bench.stored:
            bench("delete_message", "S", argument)
        elif name == "purge":
            bench("purge", "S", filter_=argument)
        elif name == "take":
            taken += cursor.take(argument)
    taken += cursor.take(100)
    delivered = sequences(taken)
    assert delivered == sorted(set(delivered))
    assert all(not filters or any(matches(one, message.subject) for one in filters) for message in taken)
    assert (cursor.pending, cursor.caught_up) == (0, True)
    wanted = {
        one.sequence
        for one in bench.core.streams["S"].log.messages.values()
        if one.sequence in {ack.sequence for ack in published} and (not filters or one.subject in filters)
    }
    if not isinstance(deliver, DeliverFromSequence):
        assert wanted <= set(delivered)
