"""Atomic batches; each expectation was observed on a server."""

import json

import pytest

from tests.unit.sim.versions import per_version
from tests.unit.sim.wire.batches import SECOND, advance, block, refused, staged, stored
from tests.unit.sim.wire.wire import Wire

ABANDONED = "$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.S"


def with_batches(version: str = "2.15", **config: object) -> Wire:
    return Wire.with_stream(version, allow_atomic=True, **config).listen(ABANDONED)


def abandoned(wire: Wire) -> list[tuple[str, str]]:
    """Return which batches were said to be given up, and why."""
    events = [json.loads(each.payload) for each in wire.heard if each.to == ABANDONED]
    wire.heard.clear()
    assert all(event["stream"] == "S" and "account" not in event for event in events)
    assert all(event["type"] == "io.nats.jetstream.advisory.v1.stream_batch_abandoned" for event in events)
    return [(event["batch"], event["reason"]) for event in events]


def test_a_batch_is_stored_with_its_last_message():
    wire = with_batches()
    assert staged(wire, 1) is None
    assert staged(wire, 2, token="b") is None
    assert stored(wire) == []
    assert staged(wire, 3, 1) == {"stream": "S", "seq": 3, "batch": "b", "count": 3}
    assert [subject for subject, _, _ in stored(wire)] == ["s.a", "s.b", "s.a"]
    assert stored(wire)[0][1] == block(batch_id="b", batch_sequence=1)


def test_a_batch_may_end_with_a_message_that_is_not_stored():
    wire = with_batches()
    staged(wire, 1)
    assert staged(wire, 2, "eob") == {"stream": "S", "seq": 1, "batch": "b", "count": 1}
    assert stored(wire) == [("s.a", block(batch_id="b", batch_sequence=1, batch_commit=1), b"")]


@pytest.mark.parametrize(
    ("sequence", "commit", "batch", "more", "err_code", "reason"),
    [
        (2, None, "b" * 65, {}, 10179, None),
        ("", None, "b", {}, 10175, None),
        ("x", None, "b", {}, 10175, None),
        (2**64, None, "b", {}, 10175, None),
        (3, None, "b", {}, 10176, "incomplete"),
        (1, None, "b", {}, 10176, "incomplete"),
        (2, None, "new", {}, 10176, None),
        (1001, None, "new", {}, 10199, None),
        (1001, "eob", "new", {}, 10176, None),
        (2, "x", "b", {}, 10200, None),
        (2, "", "b", {}, 10200, None),
        (2, None, "b", {"required_api_level": 99}, 10185, "unsupported"),
        (1, "eob", "new", {}, 10176, "incomplete"),
        (2, 1, "b", {"expected_last_msg_id": "x"}, 10177, None),
    ],
)
def test_what_ends_a_batch_that_has_begun(sequence, commit, batch, more, err_code, reason):
    wire = with_batches()
    staged(wire, 1)
    assert refused(staged(wire, sequence, commit, batch=batch, **more)) == err_code
    assert abandoned(wire) == ([(batch, reason)] if reason else [])
    went_on = batch == "b" and err_code != 10175
    assert (staged(wire, 2) is None) is not went_on
    assert stored(wire) == []


@pytest.mark.parametrize(
    ("config", "headers", "err_code"),
    [
        ({}, {"expected_stream": "T"}, 10060),
        ({}, {"ttl": "1h"}, 10166),
        ({"allow_msg_ttl": True}, {"ttl": "x"}, 10165),
        ({}, {"msg_id": "staged"}, 10201),
        ({}, {"msg_id": "stored"}, 10201),
        ({}, {"stream_source": "a 1"}, 10227),
        ({}, {"incr": 1}, 10168),
        ({"allow_msg_counter": True}, {}, 10169),
        ({}, {"expected_last_sequence": 1}, 10071),
        ({}, {"expected_last_sequence": 2}, 10164),
        ({}, {"expected_last_subject_sequence": 1}, 10164),
        ({}, {"expected_last_subject_sequence": 5, "expected_last_subject_sequence_subject": "s.x"}, 10071),
        ({}, {"expected_last_subject_sequence_subject": "s.x"}, 10193),
        ({}, {"schedule": "x"}, 10188),
        ({}, {"rollup": "sub"}, 10111),
        ({"allow_rollup_hdrs": True}, {"rollup": "sub"}, 10111),
        ({"allow_rollup_hdrs": True}, {"rollup": "all"}, 10111),
        ({"discard": "new", "max_msgs": 2}, {}, 10077),
    ],
)
def test_what_the_second_message_must_not_say(config, headers, err_code):
    wire = with_batches(**config)
    counts = {"incr": 1} if "allow_msg_counter" in config else {}
    wire.publish("a", b"", block(msg_id="stored", **counts))
    staged(wire, 1, msg_id="staged", **counts)
    assert refused(staged(wire, 2, 1, **headers)) == err_code
    assert len(stored(wire)) == 1


def test_what_the_first_message_says_is_true_of_the_stream_before():
    wire = with_batches(allow_rollup_hdrs=True)
    wire.publish("a")
    expected = {"expected_last_sequence": 1, "expected_last_subject_sequence": 1, "rollup": "all"}
    staged(wire, 1, **expected)
    assert staged(wire, 2, 1, token="b")["seq"] == 3
    assert [subject for subject, _, _ in stored(wire)] == ["s.a", "s.b"]


def test_counters_go_on_within_a_batch():
    wire = with_batches(allow_msg_counter=True)
    wire.publish("a", b"", block(incr=2))
    staged(wire, 1, incr=3)
    assert staged(wire, 2, 1, incr=-4) == {"stream": "S", "seq": 3, "batch": "b", "count": 2}
    assert [payload for _, _, payload in stored(wire)] == [b'{"val":"2"}', b'{"val":"5"}', b'{"val":"1"}']


def test_message_ids_of_a_batch_are_known_afterwards_and_not_before():
    wire = with_batches()
    staged(wire, 1, msg_id="x")
    staged(wire, 3)
    staged(wire, 1, msg_id="x")
    staged(wire, 2, 1)
    [answer] = wire.send("s.a", b"", block(msg_id="x"))
    assert json.loads(answer.payload) == {"stream": "S", "seq": 1, "duplicate": True}


def test_several_batches_may_have_begun_and_an_update_or_a_restart_ends_them():
    wire = with_batches(storage="file")
    for batch in "xyz":
        staged(wire, 1, batch=batch)
    assert staged(wire, 2, 1, batch="y")["count"] == 2
    wire.restart()
    assert refused(staged(wire, 2, 1, batch="x")) == 10176
    staged(wire, 1, batch="z")
    config = {"name": "S", "subjects": ["s.>"], "storage": "file"}
    wire("STREAM.UPDATE.S", config)
    assert refused(staged(wire, 2, batch="z")) == 10174
    wire("STREAM.UPDATE.S", {**config, "allow_atomic": True})
    assert refused(staged(wire, 2, batch="z")) == 10176
    assert abandoned(wire) == []


def test_a_copy_of_the_server_has_batches_of_its_own():
    wire = with_batches()
    staged(wire, 1)
    fork = Wire(type(wire.api)(wire.api.core.copy()), wire.now_ns)
    assert staged(fork, 2, 1)["count"] == 2
    assert stored(wire) == []
    assert staged(wire, 2, 1)["seq"] == 2


def test_nobody_is_answered_where_nobody_is():
    wire = with_batches(no_ack=True)
    assert wire.send("s.a", b"", block(batch_id="b", batch_sequence=1)) == []
    assert wire.send("s.a", b"", block(batch_id="b", batch_sequence=2, batch_commit=1)) == []
    assert len(stored(wire)) == 2


# -- batches that are stored in part ----------------------------------------------------------------


def half_stored(**config: object) -> Wire:
    """Return a server with a batch whose last message finds no room: a header is added to it as it is stored."""
    wire = with_batches(discard="new", **config)
    staged(wire, 1)
    staged(wire, 2)
    assert refused(staged(wire, 3, "eob")) == 10077
    return wire


def test_a_batch_that_finds_no_room_is_stored_up_to_there_and_its_id_is_not_free():
    wire = half_stored(max_bytes=150)
    assert len(stored(wire)) == 1
    advance(wire, 60)
    assert abandoned(wire) == []
    assert refused(staged(wire, 1)) == 10176
    assert abandoned(wire) == [("b", "incomplete")]
    assert staged(wire, 1) is None


@pytest.mark.parametrize("more", [False, True])
def test_a_restart_stores_the_rest_of_a_batch_if_nothing_has_come_since(more):
    wire = half_stored(storage="file", max_bytes=200)
    wire("STREAM.UPDATE.S", {**wire("STREAM.INFO.S")["config"], "max_bytes": 1000})
    if more:
        wire.publish("b")
    wire.restart()
    commits = [b"Nats-Batch-Commit: 1" in headers for _, headers, _ in stored(wire)]
    assert commits == ([False, False] if more else [False, True])
    assert staged(wire, 1) is None


@pytest.mark.pins("half_stored_batches_stick")
@per_version(("2.12", "2.12", True), ("2.14", "2.15", False))
def test_a_batch_goes_on_behind_a_message_without_room_up_to_2_12(version, expected):
    """Fourteen messages grow as their TTLs are raised, and there is no room for the last of them."""
    config = {"allow_msg_ttl": True, "subject_delete_marker_ttl": 7_000_000_000 * SECOND}
    wire = with_batches(version, discard="new", max_bytes=1319, **config)
    for sequence in range(1, 15):
        assert staged(wire, sequence, ttl="1s") is None
    answers = wire.send("s.a", b"", block(batch_id="b", batch_sequence=15, batch_commit=1))
    assert [refused(json.loads(each.payload)) for each in answers] == ([10077] if expected else [])
    assert (staged(wire, 1) is None) is expected


# -- versions ---------------------------------------------------------------------------------------


@pytest.mark.pins("batch_timeout_renewed")
@per_version(("2.12", "2.12", False), ("2.14", "2.15", True))
def test_a_batch_waits_for_ten_seconds_from_its_last_message_on_from_2_14_on(version, expected):
    wire = with_batches(version)
    staged(wire, 1)
    advance(wire, 6)
    staged(wire, 2)
    advance(wire, 6)
    assert abandoned(wire) == ([] if expected else [("b", "timeout")])
    assert (staged(wire, 3, 1).get("count") == 3) is expected


def test_a_batch_that_waits_in_vain_is_told_of_at_its_time():
    wire = with_batches()
    staged(wire, 1)
    assert wire.api.core.next_deadline_ns == wire.now_ns + 10 * SECOND
    advance(wire, 10)
    assert abandoned(wire) == [("b", "timeout")]
    assert wire.api.core.next_deadline_ns is None


@pytest.mark.pins("crowded_batches_named")
@per_version(("2.12", "2.12", 10176), ("2.14", "2.15", 10210))
def test_more_than_fifty_batches_of_a_stream_are_too_many(version, expected):
    wire = with_batches(version)
    for batch in range(50):
        assert staged(wire, 1, batch=str(batch)) is None
    assert refused(staged(wire, 1, batch="one more")) == expected
    assert staged(wire, 2, 1, batch="7")["count"] == 2
    assert staged(wire, 1, batch="one more") is None


@pytest.mark.pins("batches_end_apart")
@per_version(("2.12", "2.12", 10200), ("2.14", "2.15", None))
def test_a_batch_may_end_without_a_message_from_2_14_on(version, expected):
    wire = with_batches(version)
    staged(wire, 1)
    assert staged(wire, 2, "eob").get("error", {}).get("err_code") == expected


@pytest.mark.pins("odd_batch_sequences_missing")
@per_version(("2.12", "2.12", 10199), ("2.14", "2.15", 10175))
def test_a_sequence_that_is_no_number_is_a_large_one_up_to_2_12(version, expected):
    assert refused(staged(with_batches(version), "x")) == expected


@pytest.mark.pins("unmet_batches_told")
@per_version(("2.12", "2.12", []), ("2.14", "2.15", [("b", "unsupported")]))
def test_it_is_told_of_a_batch_that_requires_too_much_from_2_14_on(version, expected):
    wire = with_batches(version)
    assert refused(staged(wire, 1, required_api_level=99)) == 10185
    assert abandoned(wire) == expected


@pytest.mark.pins("staged_messages_rewritten")
@per_version(("2.12", "2.12", b"", 10172), ("2.14", "2.15", b'{"val":"3"}', None), names=("payload", "next_code"))
def test_the_counters_of_a_batch_lose_their_sums_up_to_2_12(version, payload, next_code):
    wire = with_batches(version, allow_msg_counter=True)
    assert staged(wire, 1, 1, incr=3)["count"] == 1
    assert stored(wire)[0][2] == payload
    [answer] = wire.send("s.a", b"", block(incr=1))
    assert json.loads(answer.payload).get("error", {}).get("err_code") == next_code
