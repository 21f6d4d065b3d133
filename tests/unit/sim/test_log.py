import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lattice_store.headers import NO_HEADERS
from lattice_store.model import DiscardPolicy, Message, StorageType
from lattice_store.subjects import matches
from lattice_store_sim._core._filters import compile_filters
from lattice_store_sim._core._log import Log
from lattice_store_sim._core._ttl import Expiry
from tests.unit.sim.helpers import SECOND, Bench, core_config

# -- sequences ---------------------------------------------------------------------------------------


def test_a_stream_never_used_has_neither_first_nor_last():
    bench = Bench.with_stream()
    assert bench.state == (0, 0, 0, 0)
    state = bench("stream_info", "S").state
    assert (state.first_time_ns, state.last_time_ns) == (None, None)


def test_even_a_purge_of_nothing_makes_the_first_sequence_1():
    bench = Bench.with_stream()
    assert bench("purge", "S") == 0
    assert bench.state == (0, 1, 0, 0)
    assert bench.publish("a").sequence == 1


def test_an_emptied_stream_points_behind_its_last():
    bench = Bench.with_stream().fill("aaa")
    for sequence in (1, 2, 3):
        bench("delete_message", "S", sequence)
    assert bench.state == (0, 4, 3, 0)
    state = bench("stream_info", "S").state
    assert (state.first_time_ns, state.last_time_ns) == (None, SECOND)
    assert bench.publish("a").sequence == 4
    assert bench.state == (1, 4, 4, 0)


def test_removing_the_first_moves_on_to_the_next_that_is_stored():
    bench = Bench.with_stream().fill("aaaaa")
    bench("delete_message", "S", 2)
    bench("delete_message", "S", 3)
    assert bench.state == (3, 1, 5, 2)
    bench("delete_message", "S", 1)
    assert bench.state == (2, 4, 5, 0)


def test_a_removed_tail_is_a_gap_and_its_sequence_is_not_reused():
    bench = Bench.with_stream().fill("aaa")
    bench("delete_message", "S", 3)
    assert bench.state == (2, 1, 3, 1)
    assert bench.publish("a").sequence == 4
    assert bench.state == (3, 1, 4, 1)


# -- bytes -------------------------------------------------------------------------------------------


@pytest.mark.pins("surprise 10")
@pytest.mark.parametrize(
    ("storage", "headers", "size"),
    [
        (StorageType.MEMORY, (), 3 + 10 + 16),
        (StorageType.FILE, (), 3 + 10 + 30),
        (StorageType.MEMORY, (("K", "v"),), 3 + 18 + 10 + 16),
        (StorageType.FILE, (("K", "v"),), 3 + 18 + 10 + 34),
    ],
)
def test_bytes_count_subject_headers_payload_and_the_storages_overhead(storage, headers, size):
    bench = Bench.with_stream(storage=storage)
    bench.publish("a", b"x" * 10, *headers)
    assert bench.bytes == size
    bench.publish("a", b"")
    bench("delete_message", "S", 1)
    assert bench.bytes == (19 if storage is StorageType.MEMORY else 33)


# -- limits ------------------------------------------------------------------------------------------


def test_the_oldest_gives_way_to_max_msgs():
    bench = Bench.with_stream(max_msgs=2).fill("abc")
    assert bench.stored == [2, 3]
    assert bench.state == (2, 2, 3, 0)


def test_the_oldest_give_way_to_max_bytes():
    bench = Bench.with_stream(max_bytes=60).fill("abc")  # 19 bytes each
    assert bench.stored == [1, 2, 3]
    bench.publish("d", b"x" * 10)
    assert bench.stored == [3, 4]


@pytest.mark.pins("surprise 11")
def test_a_message_larger_than_max_bytes_is_acknowledged_and_empties_the_stream():
    bench = Bench.with_stream(max_bytes=60).fill("ab")
    assert bench.publish("c", b"x" * 100).sequence == 3
    assert bench.state == (0, 4, 3, 0)


def test_each_subject_keeps_its_newest():
    bench = Bench.with_stream(max_msgs_per_subject=2).fill("aababa")
    assert bench.stored == [3, 4, 5, 6]


def test_one_message_for_each_subject_leaves_a_gap_where_the_older_was():
    bench = Bench.with_stream(max_msgs_per_subject=1).fill("abcb")
    assert bench.stored == [1, 3, 4]
    assert bench.state == (3, 1, 4, 1)


def test_lowering_max_msgs_and_max_bytes_evicts_at_once_under_discard_old():
    bench = Bench.with_stream().fill("abcde")
    assert bench.update(max_msgs=3).state.messages == 3
    assert bench.update(max_bytes=38).state.messages == 2
    assert bench.stored == [4, 5]


def test_lowering_max_msgs_under_discard_new_evicts_nothing():
    bench = Bench.with_stream(discard=DiscardPolicy.NEW).fill("abcde")
    bench.update(discard=DiscardPolicy.NEW, max_msgs=3, max_bytes=1)
    assert bench.stored == [1, 2, 3, 4, 5]


def test_lowering_max_msgs_per_subject_evicts_under_either_policy():
    for discard in DiscardPolicy:
        bench = Bench.with_stream(discard=discard).fill("aabba")
        bench.update(discard=discard, max_msgs_per_subject=1)
        assert bench.stored == [4, 5]


def test_an_update_enforces_the_totals_before_each_subject():
    bench = Bench.with_stream().fill("baa")
    bench.update(max_msgs=2, max_msgs_per_subject=1)
    assert bench.stored == [3]  # by subject first, it would be [1, 3]


# -- age ---------------------------------------------------------------------------------------------


@pytest.mark.pins("surprise 26")
def test_a_message_is_removed_exactly_when_it_reaches_the_maximum_age():
    bench = Bench.with_stream(max_age_ns=10 * SECOND)
    bench.publish("a")
    bench.now_ns += SECOND
    bench.publish("b")
    assert bench.deadline_ns == 11 * SECOND
    bench.now_ns = 11 * SECOND - 1
    assert bench.state == (2, 1, 2, 0)
    bench.now_ns = 11 * SECOND
    assert bench.state == (1, 2, 2, 0)
    assert bench.deadline_ns == 12 * SECOND
    bench.now_ns = 12 * SECOND
    assert bench.state == (0, 3, 2, 0)


def test_lowering_the_maximum_age_removes_at_once():
    bench = Bench.with_stream().fill("a")
    bench.now_ns += 5 * SECOND
    bench.publish("b")
    assert bench.update(max_age_ns=5 * SECOND).state.messages == 1


def test_an_aged_message_no_longer_counts_for_an_expectation():
    bench = Bench.with_stream(max_age_ns=SECOND).fill("a")
    bench.now_ns += SECOND
    assert bench.publish("a", b"", ("Nats-Expected-Last-Subject-Sequence", "0")).sequence == 2


# -- purge -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("filter_", [None, ">"])
def test_a_full_purge_keeps_the_last_sequence(filter_):
    bench = Bench.with_stream().fill("abc")
    assert bench("purge", "S", filter_=filter_) == 3
    assert bench.state == (0, 4, 3, 0)


def test_purge_before_1_does_nothing_with_or_without_a_filter():
    bench = Bench.with_stream().fill("ab")
    assert bench("purge", "S", before_sequence=1) == 0
    assert bench("purge", "S", before_sequence=1, filter_="s.a") == 0
    assert bench.state == (2, 1, 2, 0)


@pytest.mark.parametrize(
    ("before", "purged", "state"),
    [(2, 1, (4, 2, 5, 0)), (4, 3, (2, 4, 5, 0)), (5, 4, (1, 5, 5, 0)), (6, 5, (0, 6, 5, 0)), (9, 5, (0, 9, 8, 0))],
)
def test_purge_before_a_sequence(before, purged, state):
    bench = Bench.with_stream().fill("aaaaa")
    assert bench("purge", "S", before_sequence=before) == purged
    assert bench.state == state


def test_a_purge_beyond_the_end_moves_the_last_sequence_forward_even_on_an_empty_stream():
    bench = Bench.with_stream()
    assert bench("purge", "S", before_sequence=10**15) == 0
    assert bench.state == (0, 10**15, 10**15 - 1, 0)
    assert bench.publish("a").sequence == 10**15


def test_a_purge_beyond_the_end_with_a_filter_moves_nothing():
    bench = Bench.with_stream().fill("ab")
    assert bench("purge", "S", filter_="s.a", before_sequence=50) == 1
    assert bench.state == (1, 2, 2, 0)


def test_keep_counts_messages_over_the_whole_filter_not_for_each_subject():
    bench = Bench.with_stream().fill("ababc")
    assert bench("purge", "S", filter_="s.*", keep=2) == 3
    assert bench.stored == [4, 5]
    assert bench("purge", "S", keep=7) == 0
    assert bench("purge", "S", keep=1) == 1


def test_a_filter_that_matches_nothing_purges_nothing():
    bench = Bench.with_stream().fill("ab")
    assert bench("purge", "S", filter_="x") == 0


# -- looking up --------------------------------------------------------------------------------------


def test_the_last_message_of_everything_is_looked_for_at_the_last_sequence_only():
    bench = Bench.with_stream().fill("ab")
    assert bench("get_last_message", "S", ">").sequence == 2
    bench("delete_message", "S", 2)
    assert bench.refusal("get_last_message", "S", ">") == (404, 10037, "no message found")
    assert bench("get_last_message", "S", "s.*").sequence == 1
    assert bench("get_last_message", "S", "s.>").sequence == 1


def test_the_last_message_of_a_wildcard_is_found_near_and_far():
    bench = Bench.with_stream(subjects=("s.>", "t.*")).fill("ab" + 400 * "c")
    assert bench("get_last_message", "S", "*.b").sequence == 2
    assert bench("get_last_message", "S", "s.*").sequence == 402
    assert bench.refusal("get_last_message", "S", "t.*") == (404, 10037, "no message found")
    assert bench.refusal("get_last_message", "S", "s.x") == (404, 10037, "no message found")


# -- costs -------------------------------------------------------------------------------------------


class CountingDict(dict):
    """Counts look-ups, so that a cost can be stated without a stopwatch."""

    looked_up = 0

    def __contains__(self, key):
        self.looked_up += 1
        return super().__contains__(key)


def test_evicting_the_oldest_looks_at_each_sequence_once():
    log = Log(core_config(max_msgs=1000))
    log.messages = CountingDict()
    for sequence in range(1, 20_001):
        log.append(Message(f"s.{sequence}", sequence, 0, NO_HEADERS, b""))
    assert len(log.messages) == 1000
    assert log.messages.looked_up <= 20_000


def test_a_subject_with_a_long_history_does_not_hoard_removed_sequences():
    log = Log(core_config(max_msgs_per_subject=100))
    for sequence in range(1, 10_001):
        log.append(Message("s.a", sequence, 0, NO_HEADERS, b""))
    entry = log.subjects._entries["s.a"]
    assert len(entry) == 100
    assert len(entry._items) <= 217


def test_both_ends_of_a_subject_are_known_whatever_is_removed_first():
    for order in ((2, 3, 1), (3, 2, 4), (2, 1, 3)):
        bench = Bench.with_stream().fill("aaaa")
        for sequence in order:
            bench("delete_message", "S", sequence)
        assert bench("get_last_message", "S", "s.a").sequence == 10 - sum(order)


def test_a_subject_whose_middle_is_always_removed_does_not_hoard_either():
    log = Log(core_config())
    for sequence in range(1, 2001):
        log.append(Message("s.a", sequence, 0, NO_HEADERS, b""))
        if sequence > 40:
            assert log.remove(sequence - 1)
    entry = log.subjects._entries["s.a"]
    assert list(entry) == [*range(1, 40), 2000]
    assert len(entry._items) <= 96


# -- filters -----------------------------------------------------------------------------------------

tokens = st.sampled_from(["a", "b", "*", ">", "a*"])


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.lists(st.lists(tokens, min_size=1, max_size=3).map(".".join), max_size=3),
    st.lists(st.sampled_from(["a", "b", "a*"]), min_size=1, max_size=3).map(".".join),
)
def test_a_compiled_filter_says_what_matches_says(filters, subject):
    assert compile_filters(filters)(subject) == (not filters or any(matches(one, subject) for one in filters))


# -- against a list ----------------------------------------------------------------------------------


class ListLog:
    """The same stream as a plain list, without index, cursor or cleverness."""

    def __init__(self, max_msgs, max_bytes, per_subject, max_age):
        self.max_msgs, self.max_bytes, self.per_subject, self.max_age = max_msgs, max_bytes, per_subject, max_age
        self.kept, self.first, self.last = [], 0, 0

    def settle(self):
        if self.kept:
            self.first = self.kept[0][0]
        elif self.last:
            self.first = max(self.first, self.last + 1)

    def append(self, subject, time, payload):
        self.last += 1
        self.kept.append((self.last, subject, time, payload))
        if self.per_subject:
            own = [one for one in self.kept if one[1] == subject]
            self.kept = [one for one in self.kept if one not in own[: -self.per_subject]]
        while self.max_msgs and len(self.kept) > self.max_msgs:
            self.kept.pop(0)
        while self.max_bytes and self.bytes() > self.max_bytes:
            self.kept.pop(0)
        self.settle()

    def bytes(self):
        return sum(len(subject) + len(payload) + 16 for _, subject, _, payload in self.kept)

    def expire(self, now):
        if self.max_age:
            self.kept = [one for one in self.kept if one[2] + self.max_age > now]
        self.settle()

    def purge(self, filter_, before, keep):
        total, count = filter_ in (None, ">"), len(self.kept)
        if before == 1:
            return 0
        chosen = [one for one in self.kept if total or matches(filter_, one[1])]
        if before is not None:
            chosen = [one for one in chosen if one[0] < before]
        if keep is not None:
            chosen = chosen[:-keep]
        self.kept = [one for one in self.kept if one not in chosen]
        if total and before is None and keep is None:
            self.first = self.last + 1
        if total and before is not None and before > self.last and before > self.first:
            self.first, self.last = before, before - 1
        self.settle()
        return count - len(self.kept)


subjects = st.sampled_from(["s.a", "s.b", "s.c.d"])
purge_filters = st.sampled_from([None, ">", "s.a", "s.*", "s.>", "x"])


class LogAgainstList(RuleBasedStateMachine):
    @initialize(
        max_msgs=st.sampled_from([None, 1, 3]),
        max_bytes=st.sampled_from([None, 40, 90]),
        per_subject=st.sampled_from([None, 1, 2]),
        max_age=st.sampled_from([None, 5]),
    )
    def begin(self, max_msgs, max_bytes, per_subject, max_age):
        settings = {"max_msgs": max_msgs, "max_bytes": max_bytes, "max_msgs_per_subject": per_subject}
        self.log = Log(core_config(**settings))
        self.expiry = Expiry(self.log, max_age or 0, ttls=False)
        self.list = ListLog(max_msgs, max_bytes, per_subject, max_age)
        self.now = 0

    @rule(subject=subjects, payload=st.sampled_from([b"", b"xxxxxxxx"]), step=st.integers(0, 3))
    def append(self, subject, payload, step):
        self.advance(step)
        self.log.append(Message(subject, self.log.last_sequence + 1, self.now, NO_HEADERS, payload))
        self.list.append(subject, self.now, payload)

    @rule(step=st.integers(1, 4))
    def advance(self, step):
        self.now += step
        self.log.remove_all(self.expiry.due(self.now))
        self.list.expire(self.now)

    @rule(data=st.data())
    def remove(self, data):
        sequence = data.draw(st.integers(1, self.log.last_sequence + 1))
        known = [one for one in self.list.kept if one[0] == sequence]
        assert self.log.remove(sequence) == bool(known)
        self.list.kept = [one for one in self.list.kept if one not in known]
        self.list.settle()

    @rule(
        filter_=purge_filters,
        how=st.one_of(
            st.just({}),
            st.integers(1, 12).map(lambda before: {"before": before}),
            st.integers(1, 3).map(lambda keep: {"keep": keep}),
        ),
    )
    def purge(self, filter_, how):
        expected = self.list.purge(filter_, how.get("before"), how.get("keep"))
        assert self.log.purge(filter_ or "", **how) == expected

    @rule(filter_=purge_filters.filter(lambda one: one not in (None, ">")))
    def last(self, filter_):
        found = [one[0] for one in self.list.kept if matches(filter_, one[1])]
        assert self.log.last_of(filter_) == max(found, default=0)

    @invariant()
    def same_state(self):
        if hasattr(self, "log"):
            log, kept = self.log, self.list.kept
            assert [(m.sequence, m.subject, m.time_ns, m.payload) for m in log.messages.values()] == kept
            assert (log.first_sequence, log.last_sequence) == (self.list.first, self.list.last)
            assert log.bytes == self.list.bytes()
            state = log.state(0)
            assert state.num_subjects == len({one[1] for one in kept})
            assert state.num_deleted == (self.list.last - self.list.first + 1 - len(kept) if kept else 0)


test_the_log_is_a_list_with_limits = pytest.mark.slow(LogAgainstList.TestCase)
test_the_log_is_a_list_with_limits.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)
