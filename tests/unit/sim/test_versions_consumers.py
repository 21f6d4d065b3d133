"""How consumers run on each version; each expectation was observed on that version."""

import pytest

from tests.unit.sim.versions import per_version
from tests.unit.sim.wire.consumers import put
from tests.unit.sim.wire.wire import Wire

SECOND = 1_000_000_000


def with_consumer(version: str, tokens: str = "ab", storage: str = "memory", **config) -> Wire:
    wire = Wire.with_stream(version, tokens, storage=storage)
    put(wire, "CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit", **config})
    return wire


def statuses(answers) -> list[str]:
    """Return the status of each answer, nothing for a message."""
    return [answer.headers.split(b"\r\n")[0].decode().removeprefix("NATS/1.0 ") for answer in answers]


def info(wire: Wire) -> dict:
    return wire("CONSUMER.INFO.S.C")


@pytest.mark.pins("ack_floor_at_creation")
@per_version(("2.9", "2.12", 0), ("2.14", "2.15", 2))
def test_the_ack_floor_of_a_new_consumer_is_where_it_begins_from_2_14_on(version, expected):
    told = info(with_consumer(version, deliver_policy="new"))
    assert told["delivered"]["stream_seq"] == 2
    assert told["ack_floor"]["stream_seq"] == expected


@pytest.mark.pins("start_beyond_end_waits")
@per_version(("2.9", "2.10", 2), ("2.11", "2.15", 8))
def test_a_consumer_that_begins_beyond_the_end_waits_for_its_sequence_from_2_11_on(version, expected):
    told = info(with_consumer(version, deliver_policy="by_start_sequence", opt_start_seq=9))
    assert told["delivered"]["stream_seq"] == expected


@pytest.mark.pins("no_redelivery_forgotten")
@per_version(("2.9", "2.12", 1), ("2.14", "2.15", 0))
def test_a_redelivery_that_nobody_could_take_counts_as_one_up_to_2_12(version, expected):
    wire = with_consumer(version)
    [delivery] = wire.ask("CONSUMER.MSG.NEXT.S.C")
    wire.send(delivery.reply, b"-NAK")
    assert wire.statuses("CONSUMER.MSG.NEXT.S.C", {"max_bytes": 1}) == ["409 Message Size Exceeds MaxBytes"]
    assert info(wire)["num_redelivered"] == expected


@pytest.mark.pins("idle_awaits_acks")
@per_version(("2.9", "2.10", False), ("2.11", "2.15", True))
def test_an_inactive_consumer_awaits_its_last_ack_from_2_11_on(version, expected):
    wire = with_consumer(version, inactive_threshold=SECOND, ack_wait=10 * SECOND)
    assert len(wire.ask("CONSUMER.MSG.NEXT.S.C")) == 1
    wire.now_ns += 3 * SECOND
    assert ("error" not in info(wire)) is expected


@pytest.mark.pins("purges_cover_wider")
@per_version(("2.9", "2.9", 0, 3), ("2.10", "2.15", 1, 2), names=("pending", "looked_at"))
def test_a_purge_by_filter_moves_a_consumer_without_filters_up_to_2_9(version, pending, looked_at):
    wire = with_consumer(version, "aab")
    assert len(wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 2})) == 2
    wire("STREAM.PURGE.S", {"filter": "s.a"})
    told = info(wire)
    assert (told["num_pending"], told["delivered"]["stream_seq"]) == (pending, looked_at)


@pytest.mark.pins("purges_cover_every_filter")
@per_version(("2.10", "2.14", 3), ("2.15", "2.15", 2))
def test_a_purge_of_one_filter_moves_a_consumer_with_several_up_to_2_14(version, expected):
    wire = with_consumer(version, "aab", filter_subjects=["s.a", "s.b"])
    wire("STREAM.PURGE.S", {"filter": "s.a"})
    assert info(wire)["delivered"]["stream_seq"] == expected


@pytest.mark.pins("no_redeliveries_after_one")
@per_version(("2.9", "2.10", 0, 1), ("2.11", "2.15", 0, 0), names=("floor", "redelivered"))
def test_what_is_told_of_a_message_that_was_given_up(version, floor, redelivered):
    wire = with_consumer(version, max_deliver=1)
    [delivery] = wire.ask("CONSUMER.MSG.NEXT.S.C")
    wire.send(delivery.reply, b"-NAK")
    assert len(wire.ask("CONSUMER.MSG.NEXT.S.C")) == 1  # the second message
    told = info(wire)
    assert (told["ack_floor"]["stream_seq"], told["num_redelivered"]) == (floor, redelivered)


@pytest.mark.pins("told_from_record")
@per_version(("2.9", "2.10", 3), ("2.11", "2.15", 2))
def test_a_removed_message_that_was_passed_over_is_told_as_looked_at_up_to_2_10(version, expected):
    wire = with_consumer(version, "abc")
    wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 2})
    wire("STREAM.MSG.DELETE.S", {"seq": 3})
    wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 1, "expires": SECOND // 10})
    assert info(wire)["delivered"]["stream_seq"] == expected


@pytest.mark.pins("snapshot_moves_position")
@per_version(("2.9", "2.9", 3), ("2.10", "2.10", 2), ("2.11", "2.15", 3))
def test_the_last_message_of_each_subject_moves_the_position_to_it_but_in_2_10(version, expected):
    wire = with_consumer(version, "baca", deliver_policy="last_per_subject", filter_subject="s.*")
    assert len(wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 2})) == 2
    assert info(wire)["delivered"]["stream_seq"] == expected


@pytest.mark.pins("lost_redeliveries_forgotten")
@per_version(("2.9", "2.12", 1), ("2.14", "2.15", 0))
def test_redeliveries_of_a_message_are_forgotten_with_it_from_2_14_on(version, expected):
    wire = with_consumer(version, max_deliver=2)
    for _ in range(2):
        [delivery] = wire.ask("CONSUMER.MSG.NEXT.S.C")
        wire.send(delivery.reply, b"-NAK")
    assert len(wire.ask("CONSUMER.MSG.NEXT.S.C")) == 1  # the first message is given up
    wire("STREAM.MSG.DELETE.S", {"seq": 1})
    assert info(wire)["num_redelivered"] == expected


@pytest.mark.pins("memory_purges_told_singly")
@per_version(("2.10", "2.12", 1), ("2.14", "2.15", 3))
def test_a_purge_of_several_messages_ends_their_waits_for_acks_in_memory_up_to_2_12(version, expected):
    for storage in ("memory", "file"):
        wire = with_consumer(version, "baab", storage=storage)
        first, *_ = wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 4})
        wire.send(first.reply)
        wire("STREAM.PURGE.S", {"filter": "s.a"})
        assert info(wire)["num_ack_pending"] == (expected if storage == "memory" else 3)


@pytest.mark.pins("single_file_purges_told")
@per_version(("2.10", "2.10", 1), ("2.11", "2.15", 0))
def test_a_purge_of_the_only_message_ends_its_wait_for_an_ack_on_file_from_2_11_on(version, expected):
    for storage in ("memory", "file"):
        wire = with_consumer(version, "ba", storage=storage)
        first, _ = wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 2})
        wire.send(first.reply)
        wire("STREAM.PURGE.S", {"filter": "s.a"})
        assert info(wire)["num_ack_pending"] == (expected if storage == "file" else 0)


@pytest.mark.pins("dry_pulls_told_apart")
@per_version(("2.9", "2.10", "408 Request Timeout"), ("2.11", "2.15", "404 No Messages"))
def test_a_pull_that_does_not_wait_is_told_that_messages_ran_out_from_2_11_on(version, expected):
    answers = with_consumer(version).ask("CONSUMER.MSG.NEXT.S.C", {"batch": 5, "no_wait": True})
    assert statuses(answers) == ["", "", expected]


OVERFLOW = "400 Bad Request - Not a Overflow Priority consumer"
PINNED = "400 Bad Request - Not a Pinned Client Priority consumer"
RANGE = "400 Bad Request - Priority must be between 0 and 9"


@pytest.mark.pins("refused_priorities_served", "later_fields")
@pytest.mark.parametrize(
    ("asked", "refusals"),
    [
        ({"min_pending": 1}, [OVERFLOW]),
        ({"min_ack_pending": 1}, [OVERFLOW]),
        ({"id": "x"}, [PINNED]),
        ({"id": "x", "min_pending": 1}, [OVERFLOW, PINNED]),
    ],
)
@per_version(
    ("2.9", "2.10", 0, True), ("2.11", "2.12", None, True), ("2.14", "2.15", 1, False), names=("said", "served")
)
def test_a_pull_that_asks_for_priorities_the_consumer_has_not(version, said, served, asked, refusals):
    answers = with_consumer(version).ask("CONSUMER.MSG.NEXT.S.C", asked)
    assert statuses(answers) == refusals[:said] + [""] * served


@pytest.mark.pins("later_fields")
@pytest.mark.parametrize("priority", [-1, 10])
@per_version(("2.9", "2.11", [""]), ("2.12", "2.15", [RANGE]))
def test_a_priority_is_looked_at_from_2_12_on(version, expected, priority):
    answers = with_consumer(version).ask("CONSUMER.MSG.NEXT.S.C", {"priority": priority})
    assert statuses(answers) == expected


@pytest.mark.pins("later_fields")
@per_version(("2.9", "2.10", False), ("2.11", "2.15", True))
def test_a_pull_may_name_a_group_from_2_11_on(version, expected):
    [answer] = with_consumer(version).ask("CONSUMER.MSG.NEXT.S.C", {"group": 1})
    assert answer.headers.startswith(b"NATS/1.0 400 Bad Request - json: ") is expected


def test_a_pull_that_names_no_batch_gets_one_message_but_is_told_otherwise():
    for asked, pending in (({}, -1), ({"batch": 1}, 0), ({"batch": 0}, -1)):
        _, done = with_consumer("2.15").ask("CONSUMER.MSG.NEXT.S.C", {"max_bytes": 1000, **asked})
        assert b"409 Batch Completed\r\nNats-Pending-Messages: %d\r\n" % pending in done.headers
