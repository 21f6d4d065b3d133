"""The invariants must notice damage; each case breaks one thing."""

import msgspec
import pytest

from lattice_store.headers import NO_HEADERS
from lattice_store.model import DELIVER_ALL, DiscardPolicy, Message
from lattice_store_sim._core._invariants import check
from tests.unit.sim.helpers import SECOND, Bench, config, core_config


def damage(text):
    def mark(breaking):
        CASES[breaking.__name__] = (breaking, text)
        return breaking

    return mark


CASES = {}


@damage("another name")
def renamed(core, stream):
    core.streams["X"] = core.streams.pop("S")


@damage("lacks defaults")
def not_normalised(core, stream):
    stream.config = core_config(max_msgs=0)


@damage("under another sequence")
def moved(core, stream):
    stream.log.messages[9] = stream.log.messages[2]


@damage("out of order")
def shuffled(core, stream):
    stream.log.messages = dict(reversed(stream.log.messages.items()))


@damage("bytes are off")
def miscounted(core, stream):
    stream.log.bytes += 1


@damage("names no message")
def first_off(core, stream):
    stream.log.first_sequence = 0


@damage("went back")
def last_off(core, stream):
    stream.log.last_sequence = 2


@damage("other subjects")
def index_lost(core, stream):
    stream.log.subjects.add("s.z", 9)


@damage("index of s.a")
def index_off(core, stream):
    stream.log.subjects.add("s.a", 9)


@damage("above max_msgs_per_subject")
def over_per_subject(core, stream):
    stream.config = msgspec.structs.replace(stream.config, max_msgs_per_subject=1)


@damage("message IDs that are never forgotten")
def id_lost(core, stream):
    stream.dedupe._sequences.clear()


@damage("two times")
def id_twice(core, stream):
    stream.dedupe._ids.append(stream.dedupe._ids[0])


@damage("message IDs out of order")
def ids_shuffled(core, stream):
    stream.dedupe.remember(b"two", 5, 1, 1)


@damage("never, or always, swept")
def sweep_lost(core, stream):
    stream.dedupe.deadline_ns = None


@damage("sleep through")
def deadline_late(core, stream):
    stream.due_ns = 10**18


@damage("does not see")
def deaf_cursor(core, stream):
    stream.log.observers.clear()


@damage("pending is off")
def pending_off(core, stream):
    stream.cursors[0].pending += 1


@damage("share a creation time")
def twins(core, stream):
    core.streams["T"].created_ns = stream.created_ns


@damage("capture the same subject")
def clash(core, stream):
    core.streams["T"].config = core_config(name="T", subjects=["s.a"], duplicate_window_ns=120 * SECOND)


@damage("routed to")
def stale_route(core, stream):
    core._routes["t.a"] = stream


@pytest.mark.parametrize("case", CASES)
def test_damage_is_noticed(case):
    bench = Bench.with_stream()
    bench("create_stream", config(name="T", subjects=["t"]))
    bench("open_cursor", "S", (), DELIVER_ALL)
    bench.publish("a", b"", ("Nats-Msg-Id", "one"))
    bench.fill("ab")
    check(bench.core)
    breaking, text = CASES[case]
    breaking(bench.core, bench.core.streams["S"])
    with pytest.raises(AssertionError, match=text):
        check(bench.core)


@pytest.mark.parametrize("limit", ["max_msgs", "max_bytes"])
def test_a_stream_above_its_totals_is_noticed_under_discard_old_only(limit):
    for discard in DiscardPolicy:
        bench = Bench.with_stream(discard=DiscardPolicy.NEW).fill("aa")
        stream = bench.core.streams["S"]
        stream.config = core_config(discard=discard, duplicate_window_ns=120 * SECOND, **{limit: 1})
        if discard is DiscardPolicy.OLD:
            with pytest.raises(AssertionError, match=f"above {limit}"):
                check(bench.core)
        else:
            check(bench.core)


def test_the_sequences_of_an_empty_stream_are_checked():
    bench = Bench.with_stream()
    bench.core.streams["S"].log.last_sequence = 7
    with pytest.raises(AssertionError, match="sequences of an empty stream"):
        check(bench.core)


def test_a_message_that_no_verb_stored_is_noticed():
    bench = Bench.with_stream()
    bench.core.streams["S"].log.messages[1] = Message("s.a", 1, 0, NO_HEADERS, b"")
    with pytest.raises(AssertionError):
        check(bench.core)
