"""Deadlines of many, against a dictionary that is looked through."""

from hypothesis import given
from hypothesis import strategies as st

from lattice_store_sim._core._agenda import Agenda

puts = st.tuples(st.just("put"), st.integers(0, 4), st.none() | st.integers(0, 9))
takes = st.tuples(st.just("take"), st.integers(0, 9), st.none())


@given(st.lists(puts | takes, max_size=60))
def test_the_first_deadline_is_the_least(steps):
    agenda, deadlines = Agenda(), {}
    for step, number, deadline in steps:
        if step == "put":
            agenda.put(number, deadline)
            deadlines[number] = deadline
        else:
            due = [each for each, at in sorted(deadlines.items()) if at is not None and at <= number]
            assert agenda.take_due(number) == due
            deadlines |= dict.fromkeys(due)
        assert agenda.deadline_ns == min((at for at in deadlines.values() if at is not None), default=None)


def test_what_is_out_of_date_is_cleared_away():
    agenda = Agenda()
    agenda.put(1, 0)
    for deadline in range(1, 10_000):
        agenda.put(2, deadline)
    assert agenda.deadline_ns == 0
    assert len(agenda._heap) < 100
