"""What a get finds, against looking at every message; what it costs is in benchmarks/bench_core.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store.headers import NO_HEADERS
from lattice_store.model import Message, StorageType
from lattice_store.subjects import matches
from lattice_store_sim._core import _reads
from lattice_store_sim._core._log import Log
from lattice_store_sim._core._profile import NEWEST, PROFILES
from lattice_store_sim._core._reads import Get, NothingFoundError
from tests.unit.sim.helpers import core_config

SUBJECTS = ["s.a", "s.b", "s.a.x", "s.c"]
FILTERS = [*SUBJECTS, "s.*", "s.a.>", ">", "*.b", "none", ""]
TENTH = 100_000_000


def filled(subjects, removed=(), profile=NEWEST, **settings) -> Log:
    """A log with one message per subject, the n-th at n tenths of a second."""
    log = Log(core_config(**settings), profile)
    for sequence, subject in enumerate(subjects, 1):
        log.append(Message(subject, sequence, sequence * TENTH, NO_HEADERS, b"x" * (sequence % 3)))
    for sequence in removed:
        log.remove(sequence)
    return log


@st.composite
def logs(draw):
    subjects = draw(st.lists(st.sampled_from(SUBJECTS), max_size=80))
    return filled(subjects, draw(st.sets(st.integers(1, 80), max_size=60)))


filters = st.sampled_from(FILTERS)
sequences = st.integers(0, 85)


def wanted(log: Log, filter_: str, sequence: int) -> list[int]:
    return [
        one.sequence
        for one in log.messages.values()
        if one.sequence >= sequence and (not filter_ or matches(filter_, one.subject))
    ]


@given(logs(), filters.filter(bool), sequences)
def test_the_next_message(log, filter_, sequence):
    assert _reads.next_of(log, filter_, sequence) == min(wanted(log, filter_, sequence), default=0)


@given(logs(), filters, sequences)
def test_how_many_are_pending(log, filter_, sequence):
    assert _reads.count_from(log, filter_, sequence) == len(wanted(log, filter_, sequence))


@given(logs(), st.integers(-5, 900))
def test_the_first_message_since_a_time(log, hundredth):
    time_ns = hundredth * TENTH // 10
    since = [one.sequence for one in log.messages.values() if one.time_ns >= time_ns]
    assert log.first_since(time_ns) == min(since, default=log.last_sequence + 1)


@given(logs(), filters, st.integers(1, 85), st.integers(1, 90))
def test_a_batch(log, filter_, sequence, size):
    expected = wanted(log, filter_, sequence)
    get = Get(seq=sequence, next_by_subj=filter_, batch=size)
    if not expected:
        with pytest.raises(NothingFoundError):
            _reads.find_batch(log, get)
        return
    batch = _reads.find_batch(log, get)
    assert [each.message.sequence for each in batch.found] == expected[:size]
    assert [each.pending for each in batch.found] == list(range(len(expected) - 1, -1, -1))[:size]
    assert [each.previous for each in batch.found] == [0, *expected][: len(batch.found)]
    assert (batch.pending, batch.last) == (max(0, len(expected) - size), expected[:size][-1])


@given(logs(), st.lists(filters, min_size=1, max_size=3), sequences, sequences)
def test_the_last_of_each_subject(log, several, sequence, up_to):
    ceiling = up_to or log.last_sequence
    last = {}
    for one in log.messages.values():
        if one.sequence <= ceiling and any(each and matches(each, one.subject) for each in several):
            last[one.subject] = one.sequence
    expected = sorted(last.values())
    get = Get(multi_last=tuple(several), seq=sequence, up_to_seq=up_to)
    if not expected:
        with pytest.raises(NothingFoundError, match="No Results"):
            _reads.find_last_of_each(log, get)
        return
    batch = _reads.find_last_of_each(log, get)
    assert [each.message.sequence for each in batch.found] == [one for one in expected if one >= sequence]
    assert [each.pending for each in batch.found] == list(range(len(batch.found) - 1, -1, -1))
    assert (batch.pending, batch.up_to) == (0, ceiling)


def test_far_ahead_a_wildcard_asks_the_subjects():
    log = filled(["s.a"] * 1000 + ["s.c", "s.b", "s.c"])
    assert _reads.next_of(log, "s.*", 1001) == 1001
    assert _reads.next_of(log, "*.c", 5) == 1001
    assert _reads.next_of(log, "*.c", 1002) == 1003
    assert _reads.next_of(log, "*.z", 5) == 0


# At least two messages are left: 2.10 finds an only one for any later time, which a test of its own holds to.
@given(st.integers(0, 10), st.sampled_from(["2.9", "2.10", "2.11"]), st.sampled_from(StorageType), st.integers(0, 130))
def test_older_versions_find_a_time_where_only_the_beginning_was_removed(removed, version, storage, hundredth):
    leading = range(1, removed + 1)
    log = filled(["s.a"] * 12, leading, PROFILES[version], storage=storage)
    exact = filled(["s.a"] * 12, leading)
    assert log.first_since(hundredth * TENTH // 10) == exact.first_since(hundredth * TENTH // 10)


@pytest.mark.pins("time_search")
@pytest.mark.parametrize(
    ("version", "memory", "file"),
    [
        ("2.9", None, [1, 5, 5, 0, 0]),
        ("2.10", [1, 3, 7, 8, 8], [1, 5, 5, 0, 0]),
        ("2.11", [1, 3, 7, 8, 8], [0, 0, 0, 0, 0]),
        ("2.12", [1, 5, 5, 8, 8], [1, 5, 5, 8, 8]),
        ("2.14", [1, 5, 5, 8, 8], [1, 5, 5, 8, 8]),
        ("2.15", [1, 5, 5, 8, 8], [1, 5, 5, 8, 8]),
    ],
)
def test_where_a_time_leads_among_removed_messages(version, memory, file):
    """As observed at consumers with a start time, where 0 becomes the first sequence; on memory 2.9 falls."""
    for storage, expected in ((StorageType.MEMORY, memory), (StorageType.FILE, file)):
        if expected is None:
            continue
        log = filled(["s.a"] * 7, [2, 3, 4, 6, 7], PROFILES[version], storage=storage)
        assert [log.first_since(sequence * TENTH) for sequence in (1, 2, 5, 6, 7)] == expected
