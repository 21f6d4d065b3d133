"""What retention by interest keeps on each version; each expectation was observed on that version."""

import json

import pytest

from tests.unit.sim.versions import per_version
from tests.unit.sim.wire.consumers import put
from tests.unit.sim.wire.wire import Wire


def kept(wire: Wire) -> list[int]:
    return list(wire.api.core.streams["S"].log.messages)


def keep_by_interest(wire: Wire) -> None:
    request = {"name": "S", "subjects": ["s.>"], "storage": "memory", "retention": "interest"}
    assert "error" not in wire("STREAM.UPDATE.S", request)


@pytest.mark.pins("unread_streams_emptied")
@per_version(("2.10", "2.14", [1]), ("2.15", "2.15", []))
def test_interest_empties_a_stream_without_consumers_from_2_15_on(version, expected):
    wire = Wire.with_stream(version, "a")
    keep_by_interest(wire)
    assert kept(wire) == expected


@pytest.mark.pins("interest_beyond_floor")
@per_version(("2.10", "2.11", [1, 2, 3]), ("2.12", "2.15", [1, 3]))
def test_interest_removes_what_is_acked_above_a_floor_from_2_12_on(version, expected):
    wire = Wire.with_stream(version, "abc")
    put(wire, "CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit"})
    deliveries = wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 3})
    wire.send(deliveries[1].reply)
    keep_by_interest(wire)
    assert kept(wire) == expected


@pytest.mark.pins("ack_floor_at_creation")
@per_version(("2.9", "2.12", [1]), ("2.14", "2.15", []))
def test_a_new_consumer_of_acks_of_all_keeps_what_it_never_gets_up_to_2_12(version, expected):
    wire = Wire.with_stream(version, retention="interest")
    put(wire, "CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit"})
    wire.publish("a")
    put(wire, "CREATE.S.D", {"durable_name": "D", "ack_policy": "all", "deliver_policy": "new"})
    wire("CONSUMER.DELETE.S.C")
    assert kept(wire) == expected


def acked_in_turn(version: str, tokens: str, *acks: int) -> list[int]:
    """Return what is kept when a consumer of "a" acks all up to some of its deliveries, while nobody wants "b"."""
    wire = Wire.with_stream(version, tokens)
    put(wire, "CREATE.S.C", {"durable_name": "C", "ack_policy": "all", "filter_subject": "s.a"})
    keep_by_interest(wire)
    deliveries = wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": tokens.count("a")})
    for each in acks:
        wire.send(deliveries[each].reply)
    return kept(wire)


@pytest.mark.pins("updates_recount")
@per_version(("2.10", "2.11", []), ("2.12", "2.15", [1]))
def test_any_update_of_a_consumer_lets_go_what_nobody_needs_in_2_10_and_2_11(version, expected):
    wire = Wire.with_stream(version, "b")
    consumer = {"durable_name": "C", "ack_policy": "explicit", "filter_subject": "s.a"}
    put(wire, "CREATE.S.C", consumer)
    keep_by_interest(wire)
    assert kept(wire) == [1]
    put(wire, "CREATE.S.C", consumer)
    assert kept(wire) == expected


@pytest.mark.pins("ack_all_settles")
@per_version(
    ("2.10", "2.10", [3], [2]), ("2.11", "2.12", [3], [2, 3]), ("2.14", "2.15", [1, 3], [2, 3]), names=("one", "two")
)
def test_an_ack_of_all_lets_go_what_it_passed_up_to_2_12(version, one, two):
    assert acked_in_turn(version, "baa", 0) == one
    assert acked_in_turn(version, "abba", 0, 1) == two


@pytest.mark.pins("skips_shown_as_first")
@per_version(
    ("2.9", "2.9", False, True),
    ("2.10", "2.10", True, True),
    ("2.11", "2.15", False, False),
    names=("memory", "file"),
)
def test_the_time_of_what_interested_nobody_is_shown_up_to_2_10(version, memory, file):
    for storage, expected in (("memory", memory), ("file", file)):
        wire = Wire.with_stream(version, "a", retention="interest", storage=storage)
        first_time = wire("STREAM.INFO.S")["state"]["first_ts"]
        assert (not first_time.startswith(("0001", "1970"))) is expected


@pytest.mark.pins("longer_filters_hide_stars")
@per_version(("2.9", "2.9", [1, 2]), ("2.10", "2.11", [2]), ("2.12", "2.15", [1, 2]))
def test_a_longer_filter_hides_a_star_in_2_10_and_2_11(version, expected):
    wire = Wire.with_stream(version, retention="interest")
    for name, filter_ in (("star", "s.*"), ("longer", "s.a.>")):
        put(wire, f"CREATE.S.{name}", {"durable_name": name, "ack_policy": "explicit", "filter_subject": filter_})
    wire.publish("a")
    wire.publish("b")
    assert kept(wire) == expected


@pytest.mark.pins("skipped_ids_lead_there")
@per_version(("2.9", "2.9", 0), ("2.10", "2.15", 1))
def test_a_duplicate_of_what_interested_nobody_is_told_its_sequence_from_2_10_on(version, expected):
    wire = Wire.with_stream(version, retention="interest")
    acks = [wire.send("s.a", b"", b"NATS/1.0\r\nNats-Msg-Id: x\r\n\r\n")[0].payload for _ in range(2)]
    assert json.loads(acks[1]) == {"stream": "S", "seq": expected, "duplicate": True}


@pytest.mark.pins("last_end_purges")
@per_version(("2.9", "2.9", 0), ("2.10", "2.15", 1))
def test_the_last_consumers_end_purges_a_stream_that_was_never_used_from_2_10_on(version, expected):
    wire = Wire.with_stream(version, retention="interest")
    put(wire, "CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit"})
    wire("CONSUMER.DELETE.S.C")
    assert wire.state()["first_seq"] == expected


@pytest.mark.pins("skipped_rollups_purge")
@per_version(("2.9", "2.11", [1]), ("2.12", "2.15", []))
def test_a_rollup_that_interests_nobody_removes_what_it_replaces_from_2_12_on(version, expected):
    wire = Wire.with_stream(version, retention="interest", allow_rollup_hdrs=True)
    put(wire, "CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit", "filter_subject": "s.a"})
    wire.publish("a")
    wire.publish("b", headers=b"NATS/1.0\r\nNats-Rollup: all\r\n\r\n")
    assert kept(wire) == expected


@pytest.mark.pins("changed_filters_lose_interest")
@per_version(("2.9", "2.9", [1, 2]), ("2.10", "2.15", [2]))
def test_another_filter_lets_go_what_only_the_old_one_kept_from_2_10_on(version, expected):
    wire = Wire.with_stream(version, retention="interest")
    consumer = {"durable_name": "C", "ack_policy": "explicit"}
    put(wire, "DURABLE.CREATE.S.C", {**consumer, "filter_subject": "s.*"})
    wire.publish("a")
    wire.publish("b")
    put(wire, "DURABLE.CREATE.S.C", {**consumer, "filter_subject": "s.b"})
    assert kept(wire) == expected


@pytest.mark.pins("work_queues_ask_others")
@per_version(("2.9", "2.11", 2), ("2.12", "2.15", 1))
def test_a_work_queue_keeps_what_another_consumer_wants_by_now_from_2_12_on(version, expected):
    """A consumer acks what it wanted before its filter was changed, and another wants it since."""
    wire = Wire.with_stream(version, retention="workqueue")
    wire.publish("a.x")
    wire.publish("a")

    def configure(name: str, **config: str) -> None:
        settings = {"durable_name": name, "ack_policy": "explicit", **config}
        wire(f"CONSUMER.DURABLE.CREATE.S.{name}", {"stream_name": "S", "config": settings})

    configure("one")
    (delivered,) = wire.ask("CONSUMER.MSG.NEXT.S.one", {"batch": 1})
    configure("one", filter_subject="s.a")
    configure("two", filter_subject="s.a.>")
    wire.send(delivered.reply)
    assert wire.state()["first_seq"] == expected
