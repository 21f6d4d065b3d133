"""What consumers make of acks, losses and waits on each version; each expectation was observed on that version."""

import pytest

from tests.unit.sim.versions import per_version
from tests.unit.sim.wire.consumers import FAR_AHEAD, put
from tests.unit.sim.wire.wire import Wire

SECOND = 1_000_000_000


def with_consumer(version: str, tokens: str = "ab", **config) -> Wire:
    wire = Wire.with_stream(version, tokens)
    configure(wire, **config)
    return wire


def configure(wire: Wire, **config) -> None:
    put(wire, "DURABLE.CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit", **config})


def pull(wire: Wire, **asked) -> list[str]:
    """Return where to ack what was delivered."""
    return [answer.reply for answer in wire.ask("CONSUMER.MSG.NEXT.S.C", asked) if answer.reply]


def info(wire: Wire) -> dict:
    return wire("CONSUMER.INFO.S.C")


@pytest.mark.pins("lone_message_never_early")
@per_version(("2.9", "2.9", 0), ("2.10", "2.10", 1), ("2.11", "2.15", 0))
def test_2_10_finds_the_only_message_for_any_later_time(version, expected):
    wire = with_consumer(version, "a", deliver_policy="by_start_time", opt_start_time=FAR_AHEAD)
    assert info(wire)["num_pending"] == expected


@pytest.mark.pins("last_may_have_gone")
@per_version(("2.9", "2.9", 2), ("2.10", "2.10", 1), ("2.11", "2.15", 2))
def test_2_10_begins_at_the_last_message_though_it_has_gone(version, expected):
    wire = Wire.with_stream(version, "ab")
    wire("STREAM.PURGE.S")
    configure(wire, deliver_policy="last")
    assert info(wire)["delivered"]["stream_seq"] == expected


@pytest.mark.pins("infos_recount")
@per_version(("2.9", "2.9", 2), ("2.10", "2.15", 3))
def test_only_last_messages_are_pending_of_a_snapshot_up_to_2_9(version, expected):
    wire = with_consumer(version, "aba", deliver_policy="last_per_subject", filter_subject="s.*")
    wire.publish("a")
    assert info(wire)["num_pending"] == expected


@pytest.mark.pins("surplus_recounted")
@per_version(("2.11", "2.11", 3), ("2.12", "2.15", 1))
def test_what_was_published_before_the_start_is_pending_up_to_2_11(version, expected):
    wire = with_consumer(version, "", deliver_policy="by_start_sequence", opt_start_seq=3)
    for token in "aaa":
        wire.publish(token)
    assert info(wire)["num_pending"] == expected


@pytest.mark.pins("full_batches_told")
@per_version(("2.9", "2.9", []), ("2.10", "2.15", ["409 Batch Completed"]))
def test_a_full_batch_with_bytes_left_is_told_from_2_10_on(version, expected):
    wire = with_consumer(version)
    _, *told = wire.statuses("CONSUMER.MSG.NEXT.S.C", {"batch": 1, "max_bytes": 1000})
    assert told == expected


@pytest.mark.pins("last_round_moves_floor")
@per_version(("2.9", "2.9", 0), ("2.10", "2.10", 1), ("2.11", "2.15", 0))
def test_2_10_tells_that_the_floor_follows_when_an_ack_wait_ends_with_nothing_pending(version, expected):
    wire = with_consumer(version, "a", max_deliver=1, ack_wait=SECOND)
    [reply] = pull(wire)
    wire.send(reply, b"-NAK")
    assert pull(wire, no_wait=True) == []
    wire.now_ns += 3 * SECOND
    assert info(wire)["ack_floor"]["stream_seq"] == expected


@pytest.mark.pins("ack_all_settles")
@per_version(("2.9", "2.9", 0, 0), ("2.10", "2.15", 1, 0), names=("of_all", "of_some"))
def test_an_ack_of_all_forgets_what_was_given_up_on_its_way_but_not_on_the_short_one(version, of_all, of_some):
    for acked, expected in ((4, of_all), (3, of_some)):
        wire = with_consumer(version, "abcd", ack_policy="all", max_deliver=2)
        delivered = pull(wire, batch=4)
        wire.send(delivered[1], b"-NAK")
        [again] = pull(wire, no_wait=True)
        wire.send(again, b"-NAK")
        assert pull(wire, no_wait=True) == []
        assert info(wire)["num_redelivered"] == 1
        wire.send(delivered[acked - 1])
        assert info(wire)["num_redelivered"] == expected


@pytest.mark.pins("unserved_pulls_end")
@per_version(("2.9", "2.10", 1), ("2.11", "2.15", 0))
def test_a_pull_that_does_not_wait_stays_open_when_all_is_given_up_up_to_2_10(version, expected):
    wire = with_consumer(version, "a", max_deliver=1)
    [reply] = pull(wire)
    wire.send(reply, b"-NAK")
    assert pull(wire, batch=1, no_wait=True) == []
    assert info(wire)["num_waiting"] == expected


@pytest.mark.pins("ack_all_settles")
@per_version(("2.9", "2.9", 0, 0), ("2.10", "2.15", 1, 0), names=("all_acked", "part_acked"))
def test_an_ack_of_all_leaves_what_was_given_up_if_less_is_pending_from_2_10_on(version, all_acked, part_acked):
    told = []
    for tokens, given_up, acked in (("aaa", 2, 3), ("aaaaaa", 2, 3)):
        wire = with_consumer(version, tokens, ack_policy="all", max_deliver=2)
        replies = pull(wire, batch=len(tokens))
        for _ in range(2):
            wire.send(replies[given_up - 1], b"-NAK")
            pull(wire, batch=1, no_wait=True)
        wire.send(replies[acked - 1])
        told.append(info(wire)["num_redelivered"])
    assert told == [all_acked, part_acked]


@pytest.mark.pins("late_acks_move_floor")
@per_version(("2.9", "2.9", 1), ("2.10", "2.15", 0))
def test_an_ack_of_what_was_given_up_moves_the_floor_up_to_2_9(version, expected):
    wire = with_consumer(version, max_deliver=1)
    [reply] = pull(wire)
    wire.send(reply, b"-NAK")
    assert len(pull(wire)) == 1
    wire.send(reply)
    assert info(wire)["ack_floor"]["stream_seq"] == expected


@pytest.mark.pins("terms_have_reasons")
@per_version(("2.9", "2.9", 1), ("2.10", "2.15", 0))
def test_a_reason_may_be_given_for_a_term_from_2_10_on(version, expected):
    wire = with_consumer(version)
    [reply] = pull(wire)
    wire.send(reply, b"+TERM because")
    assert info(wire)["num_ack_pending"] == expected


@pytest.mark.pins("acks_always_taken")
@per_version(("2.9", "2.9", False), ("2.10", "2.15", True))
def test_nobody_responds_to_an_ack_where_none_is_wanted_from_2_10_on(version, expected):
    wire = with_consumer(version, ack_policy="none")
    [reply] = pull(wire)
    [answer] = wire.send(reply)
    assert answer.headers.startswith(b"NATS/1.0 503") is expected


@pytest.mark.pins("given_up_off_record")
@per_version(("2.11", "2.12", 1), ("2.14", "2.15", 0))
def test_an_ack_of_what_was_given_up_in_time_moves_the_floor_up_to_2_12(version, expected):
    wire = with_consumer(version, "a", max_deliver=1, ack_wait=SECOND)
    [reply] = pull(wire)
    wire.now_ns += SECOND
    assert info(wire)["num_ack_pending"] == 0
    wire.send(reply)
    assert info(wire)["ack_floor"]["stream_seq"] == expected


@pytest.mark.pins("giving_up_moves_floor")
@per_version(("2.10", "2.12", True), ("2.14", "2.15", False))
def test_an_ack_of_what_was_given_up_counts_up_to_2_12(version, expected):
    wire = with_consumer(version, ack_policy="all", max_deliver=1)
    [reply] = pull(wire)
    wire.send(reply, b"-NAK")
    assert len(pull(wire)) == 1
    wire.send(reply)
    assert ("last_active" in info(wire)["ack_floor"]) is expected


@pytest.mark.pins("purges_ack")
@per_version(("2.9", "2.12", False), ("2.14", "2.15", True))
def test_a_purge_counts_as_an_ack_of_what_it_takes_from_2_14_on(version, expected):
    wire = with_consumer(version)
    assert len(pull(wire)) == 1
    wire("STREAM.PURGE.S")
    assert ("last_active" in info(wire)["ack_floor"]) is expected


@pytest.mark.pins("purges_forget_redeliveries")
@per_version(("2.9", "2.9", 1), ("2.10", "2.15", 0))
def test_a_purge_forgets_redeliveries_from_2_10_on(version, expected):
    wire = with_consumer(version)
    [reply] = pull(wire)
    wire.send(reply, b"-NAK")
    assert len(pull(wire)) == 1
    wire("STREAM.PURGE.S")
    assert info(wire)["num_redelivered"] == expected


@pytest.mark.pins("losses_told_by_filter")
@per_version(("2.9", "2.9", 0), ("2.10", "2.15", 1))
def test_a_consumer_does_not_hear_of_losses_its_filter_no_longer_wants_from_2_10_on(version, expected):
    wire = with_consumer(version, filter_subject="s.a")
    assert len(pull(wire)) == 1
    configure(wire, filter_subject="s.b")
    wire.publish("b")
    wire("STREAM.MSG.DELETE.S", {"seq": 1})
    assert info(wire)["num_ack_pending"] == expected


@pytest.mark.pins("undelivered_steps_back")
@per_version(("2.9", "2.9", 2), ("2.10", "2.15", 1))
def test_a_redelivery_that_nobody_could_take_steps_back_up_to_2_9(version, expected):
    wire = with_consumer(version, "abc")
    first, _ = pull(wire, batch=2)
    wire.send(first, b"-NAK")
    assert wire.statuses("CONSUMER.MSG.NEXT.S.C", {"max_bytes": 1}) == ["409 Message Size Exceeds MaxBytes"]
    assert info(wire)["num_pending"] == expected


@pytest.mark.pins("undelivered_steps_back", "infos_recount")
@per_version(("2.9", "2.9", ["0", "0"]), ("2.10", "2.15", ["1", "0"]))
def test_what_was_stepped_back_to_does_not_count_as_pending_until_an_info_up_to_2_9(version, expected):
    wire = with_consumer(version, "abc")
    first, _ = pull(wire, batch=2)
    wire.send(first, b"-NAK")
    assert wire.statuses("CONSUMER.MSG.NEXT.S.C", {"max_bytes": 1}) == ["409 Message Size Exceeds MaxBytes"]
    assert [reply.rpartition(".")[2] for reply in pull(wire, batch=3)] == expected


@per_version(("2.10", "2.10", 1, 2), ("2.11", "2.15", 1, 1), names=("others", "full"))
def test_a_loss_wakes_a_consumer_only_if_it_makes_room(version, others, full):
    for config, expected in (({}, others), ({"max_ack_pending": 1}, full)):
        wire = with_consumer(version, "", filter_subject="s.a", **config)
        pull(wire, batch=3)
        wire.publish("a")
        wire.publish("b")
        wire("STREAM.MSG.DELETE.S", {"seq": 1})
        assert info(wire)["delivered"]["stream_seq"] == expected


@per_version(("2.9", "2.15", 2))
def test_a_purge_that_makes_room_wakes_no_consumer(version, expected):
    wire = with_consumer(version, "abc", max_ack_pending=1)
    assert len(pull(wire, batch=3)) == 1
    assert [one.payload for one in wire.ask("STREAM.PURGE.S", {"seq": 2}) if one.reply.startswith("$JS.ACK")] == []
    wire.publish("d")
    assert info(wire)["delivered"]["stream_seq"] == expected


@pytest.mark.parametrize("version", ["2.10", "2.11", "2.12"])
def test_a_loss_below_the_floor_of_acks_of_all_is_no_ack(version):
    wire = Wire.with_stream(version, "abb", storage="file")
    configure(wire, ack_policy="all")
    assert len(pull(wire, batch=3)) == 3
    wire("STREAM.PURGE.S", {"filter": "s.b"})
    wire("STREAM.MSG.DELETE.S", {"seq": 1})
    assert info(wire)["ack_floor"] == {"consumer_seq": 3, "stream_seq": 0}


@pytest.mark.pins("idle_naks_taken")
@per_version(("2.9", "2.9", "2"), ("2.10", "2.15", "1"))
def test_a_nak_of_what_was_not_delivered_yet_counts_up_to_2_9(version, expected):
    wire = with_consumer(version)
    [reply] = pull(wire)
    wire("CONSUMER.DELETE.S.C")
    configure(wire)
    wire.send(reply, b"-NAK")
    [again] = pull(wire)
    assert again.split(".")[4] == expected


@pytest.mark.pins("early_acks_ignored")
@per_version(("2.9", "2.9", [b""]), ("2.10", "2.15", []))
def test_an_ack_of_what_was_not_delivered_yet_is_confirmed_up_to_2_9(version, expected):
    wire = with_consumer(version)
    [reply] = pull(wire)
    early = reply.replace(".1.1.1.", ".1.2.2.")
    assert [answer.payload for answer in wire.send(early)] == expected


@pytest.mark.pins("gives_up_at_timeout")
@per_version(("2.9", "2.9", 1), ("2.10", "2.15", 0))
def test_what_is_delivered_once_only_is_given_up_when_its_time_is_over_from_2_10_on(version, expected):
    wire = with_consumer(version, "a", max_deliver=1, ack_wait=SECOND)
    assert len(pull(wire, batch=1)) == 1
    wire.now_ns += 2 * SECOND
    assert info(wire)["num_ack_pending"] == expected


TOO_MANY = ["409 Exceeded MaxWaiting"]


@pytest.mark.pins("full_pulls_kept_ns")
@per_version(("2.9", "2.9", [], TOO_MANY), ("2.10", "2.15", TOO_MANY, []), names=("at_once", "later"))
def test_a_pull_that_nobody_waits_for_leaves_no_room_for_a_second_from_2_10_on(version, at_once, later):
    wire = with_consumer(version, "", max_waiting=1)
    core = wire.api.core
    core.subscribe("_INBOX.gone", now_ns=wire.now_ns)
    wire.api.send("$JS.API.CONSUMER.MSG.NEXT.S.C", b"", reply="_INBOX.gone", now_ns=wire.now_ns)
    core.unsubscribe("_INBOX.gone", now_ns=wire.now_ns)
    assert wire.statuses("CONSUMER.MSG.NEXT.S.C") == at_once
    wire.now_ns += 2 * SECOND
    assert wire.statuses("CONSUMER.MSG.NEXT.S.C") == later
    assert info(wire)["num_waiting"] == 1


@pytest.mark.pins("heartbeats_replace_refusals")
@per_version(("2.9", "2.10", TOO_MANY), ("2.11", "2.15", []))
def test_a_pull_too_many_that_wants_heartbeats_is_not_refused_from_2_11_on(version, expected):
    wire = with_consumer(version, "", max_waiting=1)
    assert wire.statuses("CONSUMER.MSG.NEXT.S.C") == []
    heard = {"expires": 30 * SECOND, "idle_heartbeat": 10 * SECOND}
    assert wire.statuses("CONSUMER.MSG.NEXT.S.C", heard) == expected
    assert info(wire)["num_waiting"] == 1


@pytest.mark.pins("new_filters_heard")
@per_version(("2.9", "2.9", [0, 2, 2]), ("2.10", "2.15", [1, 1, 1]))
def test_a_new_filter_wakes_a_consumer_from_2_10_on(version, expected):
    wire = with_consumer(version, "", filter_subject="s.a")
    configure(wire, filter_subject="s.c")
    pull(wire, batch=5, expires=30 * SECOND)
    reached = []
    for token in "cab":
        wire.publish(token)
        reached.append(info(wire)["delivered"]["stream_seq"])
    assert reached == expected


@pytest.mark.pins("gone_redeliveries_settled")
@per_version(("2.10", "2.11", (2, 1, 2)), ("2.12", "2.15", (0, 3, 0)))
def test_a_message_that_has_gone_counts_as_acked_at_its_redelivery_from_2_12_on(version, expected):
    """A purge of several messages from a file tells nobody; consumers find out when they would deliver again."""
    wire = Wire.with_stream(version, "baa", storage="file")
    configure(wire, ack_wait=300_000_000)
    replies = pull(wire, batch=3)
    wire.send(replies[0])
    wire("STREAM.PURGE.S", {"filter": "s.a"})
    wire.now_ns += SECOND
    assert (info(wire)["num_ack_pending"], info(wire)["ack_floor"]["stream_seq"]) == (2, 1)
    assert pull(wire, batch=1, expires=200_000_000) == []
    told = info(wire)
    assert (told["num_ack_pending"], told["ack_floor"]["stream_seq"], told["num_redelivered"]) == expected


@pytest.mark.parametrize("version", ["2.9", "2.10", "2.11"])
def test_a_negative_heartbeat_is_none(version):
    """It is accepted up to 2.11; each moment would be one at which the next is due."""
    wire = Wire.with_stream(version, "a")
    configure(wire, deliver_subject="elsewhere", idle_heartbeat=-1)
    wire.now_ns += SECOND
    assert info(wire)["num_pending"] == 1


@pytest.mark.pins("last_looked_at_again")
@per_version(("2.9", "2.9", 1), ("2.10", "2.10", 2), ("2.11", "2.15", 1))
def test_where_the_end_of_a_snapshot_leaves_a_consumer(version, expected):
    """From 2.11 on it tells what is on record."""
    settings = {"deliver_policy": "last_per_subject", "filter_subject": "s.b", "max_ack_pending": 1}
    wire = with_consumer(version, "ba", **settings)
    assert len(pull(wire)) == 1
    assert info(wire)["delivered"]["stream_seq"] == expected
