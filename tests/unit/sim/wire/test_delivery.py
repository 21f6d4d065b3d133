"""What consumers deliver; each expectation was observed on every server that the test names."""

import pytest

from tests.unit.sim.versions import VERSIONS
from tests.unit.sim.wire.consumers import put
from tests.unit.sim.wire.wire import Wire

LAST_ONES = {"deliver_policy": "last_per_subject", "filter_subject": "s.*"}


def with_consumer(version: str, tokens: str, **config) -> Wire:
    wire = Wire.with_stream(version, tokens)
    put(wire, "DURABLE.CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit", **config})
    return wire


def pull(wire: Wire, **asked) -> list[str]:
    """Return the sequences of what a pull gets at once."""
    return [answer.reply.split(".")[5] for answer in wire.ask("CONSUMER.MSG.NEXT.S.C", asked) if answer.reply]


@pytest.mark.parametrize("version", VERSIONS[1:])  # 2.9 loses its way where messages were removed
@pytest.mark.parametrize(("tokens", "delivered"), [("a", ["2"]), ("ab", [])])
def test_a_removed_message_of_a_snapshot_ends_the_pass_unless_it_was_the_streams_last(version, tokens, delivered):
    wire = with_consumer(version, tokens, **LAST_ONES)
    wire("STREAM.MSG.DELETE.S", {"seq": 1})
    wire.publish("a")
    assert pull(wire, batch=1) == delivered


@pytest.mark.parametrize("version", VERSIONS)
def test_a_purge_that_makes_room_for_acks_delivers_nothing_yet(version):
    wire = with_consumer(version, "aaaa", max_ack_pending=1)
    assert pull(wire, batch=4, expires=30_000_000_000) == ["1"]
    assert [answer.reply for answer in wire.ask("STREAM.PURGE.S", {"keep": 1})] == [""]
    info = wire("CONSUMER.INFO.S.C")
    assert (info["num_ack_pending"], info["num_waiting"], info["num_pending"]) == (0, 1, 1)


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_a_consumer_whose_filter_is_taken_away_is_told_of_nothing_any_more(version):
    """It gets what is there once it asks again."""
    wire = with_consumer(version, "", filter_subject="s.a")
    put(wire, "DURABLE.CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit"})
    wire.publish("a")
    wire.publish("b")
    assert wire("CONSUMER.INFO.S.C")["num_pending"] == 0
    assert pull(wire, batch=1, no_wait=True) == []
    assert pull(wire, batch=2, expires=30_000_000_000) == ["1", "2"]
