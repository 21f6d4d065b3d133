"""Fast batches; each expectation was observed on a server."""

import pytest

from tests.unit.sim.versions import per_version
from tests.unit.sim.wire.batches import advance, fast, fast_to, refused, staged, stored
from tests.unit.sim.wire.wire import Wire

START, APPEND, COMMIT, COMMIT_APART, PING = range(5)
UNKNOWN = {
    "error": {"code": 400, "err_code": 10208, "description": "batch publish ID unknown"},
    "stream": "S",
    "seq": 0,
}


def with_batches(version: str = "2.15", **config: object) -> Wire:
    return Wire.with_stream(version, allow_batched=True, **config)


def flow(seq: int, msgs: int) -> dict[str, object]:
    return {"type": "ack", "seq": seq, "msgs": msgs}


def gap(last_seq: int, seq: int) -> dict[str, object]:
    return {"type": "gap", "last_seq": last_seq, "seq": seq}


def done(seq: int, count: int) -> dict[str, object]:
    return {"stream": "S", "seq": seq, "batch": "f", "count": count}


def test_messages_are_stored_as_they_come_and_every_so_many_are_answered():
    wire = with_batches()
    answers = [fast(wire, sequence, min(sequence - 1, 1), flow=2) for sequence in range(1, 7)]
    assert answers == [[flow(0, 2)], [flow(2, 2)], [], [flow(4, 2)], [], [flow(6, 2)]]
    assert len(stored(wire)) == 6
    assert fast(wire, 7, COMMIT, flow=2) == [done(7, 7)]
    assert fast(wire, 8, APPEND) == [UNKNOWN]


def test_a_batch_may_end_with_a_message_that_is_not_stored():
    wire = with_batches()
    fast(wire, 1, START)
    assert fast(wire, 2, COMMIT_APART) == [done(1, 1)]
    assert fast(wire, 1, COMMIT) == [done(2, 1)]


def test_a_second_batch_is_answered_often_at_first():
    wire = with_batches()
    fast(wire, 1, START, "other")
    assert fast(wire, 1, START) == [flow(0, 1), flow(1, 2)]
    assert fast(wire, 2, APPEND) == []
    assert fast(wire, 3, APPEND) == [flow(3, 4)]


def test_a_gap_ends_a_batch_or_is_told():
    wire = with_batches()
    fast(wire, 1, START)
    assert fast(wire, 3, APPEND) == [gap(2, 3), done(1, 1)]
    fast(wire, 1, START, gaps="ok")
    assert fast(wire, 3, APPEND, gaps="ok") == [gap(2, 3)]
    assert fast(wire, 5, COMMIT, gaps="ok") == [gap(4, 5), done(4, 5)]


def test_a_question_is_answered_with_how_far_it_has_come():
    wire = with_batches()
    fast(wire, 1, START)
    assert fast(wire, 1, PING) == [flow(0, 10)]
    assert fast(wire, 2, PING) == [gap(2, 3), done(1, 1)]
    fast(wire, 1, START, gaps="ok")
    assert fast(wire, 3, PING, gaps="ok") == [gap(2, 4), flow(0, 10)]
    assert fast(wire, 4, COMMIT, gaps="ok") == [done(3, 4)]


def test_an_error_ends_a_batch_or_is_told():
    wrong = {"code": 400, "err_code": 10071, "description": "wrong last sequence: 1"}
    wire = with_batches()
    fast(wire, 1, START)
    told = {"type": "err", "seq": 2, "error": wrong}
    assert fast(wire, 2, APPEND, expected_last_sequence=9) == [told, done(1, 1)]
    assert fast(wire, 1, START, expected_last_sequence=9) == [
        flow(0, 10),
        {"error": wrong, "stream": "S", "seq": 0},
    ]
    fast(wire, 1, START, gaps="ok")
    told["error"] = wrong | {"description": "wrong last sequence: 2"}
    assert fast(wire, 2, APPEND, gaps="ok", expected_last_sequence=9) == [told]
    assert fast(wire, 3, COMMIT, gaps="ok") == [done(3, 3)]


def test_duplicates_are_passed_over():
    wire = with_batches()
    fast(wire, 1, START, msg_id="x")
    assert fast(wire, 2, APPEND, msg_id="x") == []
    assert fast(wire, 3, COMMIT, msg_id="x") == [done(1, 3)]
    assert fast(wire, 1, COMMIT, msg_id="x") == [{**done(1, 1), "duplicate": True}]


def test_a_level_that_the_server_has_not_ends_a_batch():
    wire = with_batches()
    fast(wire, 1, START)
    assert [refused(each) for each in fast(wire, 2, APPEND, required_api_level=99)] == [10185]
    assert fast(wire, 2, APPEND) == [UNKNOWN]


@pytest.mark.parametrize(
    ("reply", "err_code"),
    [
        ("$FI.$FI", 10206),
        ("x.f.10.fail.1.5.$FI", 10206),
        ("x.f.10.fail.1.x.$FI", 10206),
        ("x.f.10.fail.0.0.$FI", 10206),
        ("x.f.10.fail.2.0.$FI", 10206),
        ("x.f.10.fail.1.1.$FI", 10206),
        ("x.f.10.fail.1.3.$FI", 10206),
        ("x.f.10.some.1.0.$FI", 10206),
        ("f.10.fail.1.0.$FI", 10206),
        (f"x.f.10.fail.{2**64 - 1}.1.$FI", 10206),
        (f"x.{'f' * 65}.10.fail.1.0.$FI", 10207),
        ("x.f.10.fail.2.1.$FI", 10208),
    ],
)
def test_replies_that_make_no_sense(reply, err_code):
    assert [refused(each) for each in fast_to(with_batches(), reply)] == [err_code]


def test_a_batch_is_forgotten_after_ten_seconds_without_a_word():
    wire = with_batches().listen("$JS.EVENT.>")
    fast(wire, 1, START)
    advance(wire, 6)
    fast(wire, 2, APPEND)
    advance(wire, 9)
    fast(wire, 3, APPEND)
    advance(wire, 10)
    assert wire.heard == []
    assert fast(wire, 4, APPEND) == [UNKNOWN]


def test_a_refused_atomic_batch_confuses_what_a_fast_one_expects():
    """The server's own slip: it goes on from where the atomic batch would have come."""
    wire = with_batches(allow_atomic=True)
    staged(wire, 1)
    staged(wire, 2, 1, expected_last_sequence=9)
    [_, answer] = fast(wire, 1, START, expected_last_sequence=0)
    assert answer["error"]["description"] == "wrong last sequence: 1"
    assert fast(wire, 1, COMMIT) == [done(1, 1)]
    assert fast(wire, 1, COMMIT, expected_last_sequence=1) == [done(2, 1)]


@pytest.mark.pins("fast_batches")
@per_version(("2.9", "2.12", None), ("2.14", "2.15", 10205))
def test_a_reply_subject_tells_of_a_fast_batch_from_2_14_on(version, expected):
    [answer] = fast(Wire.with_stream(version), 1, START)
    assert answer.get("error", {}).get("err_code") == expected


@pytest.mark.pins("pings_begin_batches")
@per_version(("2.14", "2.14", [gap(1, 2), flow(0, 10)]), ("2.15", "2.15", [UNKNOWN]))
def test_a_question_for_an_unknown_batch_begins_it_in_2_14(version, expected):
    assert fast(with_batches(version), 1, PING, gaps="ok") == expected


@pytest.mark.pins("backward_gaps_told")
@per_version(("2.14", "2.14", []), ("2.15", "2.15", [gap(3, 2)]))
def test_a_message_that_has_come_before_is_told_of_from_2_15_on(version, expected):
    wire = with_batches(version)
    fast(wire, 1, START)
    fast(wire, 2, APPEND)
    assert fast(wire, 2, APPEND) == [*expected, done(2, 2)]
