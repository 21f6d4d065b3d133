"""What a restart does to streams; each expectation was observed on every server that the test names."""

import pytest

from tests.unit.sim.versions import VERSIONS, per_version
from tests.unit.sim.wire.consumers import put
from tests.unit.sim.wire.wire import MILLISECOND, Wire

SECOND = 1000 * MILLISECOND
AGE = {"storage": "file", "max_age": 400 * MILLISECOND}


def restarted_after(wire: Wire, milliseconds: int) -> Wire:
    wire.now_ns += milliseconds * MILLISECOND
    wire.api.core.restart(now_ns=wire.now_ns)
    return wire


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_what_has_come_of_age_meanwhile_leaves_no_last_message_id(version):
    wire = Wire.with_stream(version, **AGE)
    wire.publish("a", headers=b"NATS/1.0\r\nNats-Msg-Id: one\r\n\r\n")
    restarted_after(wire, 500)
    [answer] = wire.send("s.a", headers=b"NATS/1.0\r\nNats-Expected-Last-Msg-Id: one\r\n\r\n")
    assert b"wrong last msg ID: " in answer.payload


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_what_has_come_of_age_goes_though_its_ttl_never_ends(version):
    wire = Wire.with_stream(version, allow_msg_ttl=True, **AGE)
    wire.publish("a", headers=b"NATS/1.0\r\nNats-TTL: never\r\n\r\n")
    wire.now_ns += 500 * MILLISECOND
    assert wire.state()["messages"] == 1
    restarted_after(wire, 0)
    assert wire.state() == {"messages": 0, "bytes": 0, "first_seq": 2, "last_seq": 1}


def sealed_and_restarted(version: str, **config: object) -> Wire:
    wire = Wire.with_stream(version, storage="file", **config)
    wire("STREAM.UPDATE.S", {**wire("STREAM.INFO.S")["config"], "sealed": True})
    return wire.restart()


@per_version(("2.12", "2.12", ["S"], []), ("2.14", "2.15", [], []), names=("with_schedules", "with_counters"))
def test_a_restart_loses_sealed_streams_that_could_not_be_made_so(version, with_schedules, with_counters):
    """Sealing sets discard policy new, which they must not have."""
    for setting, found in (("allow_msg_schedules", with_schedules), ("allow_msg_counter", with_counters)):
        wire = sealed_and_restarted(version, **{setting: True})
        assert (wire("STREAM.NAMES")["streams"] or []) == found


@per_version(("2.11", "2.15", True))
def test_a_restart_lets_a_sealed_stream_with_delete_markers_be_purged(version, expected):
    config = sealed_and_restarted(version, subject_delete_marker_ttl=2 * SECOND)("STREAM.INFO.S")["config"]
    assert (config["sealed"], config["deny_delete"]) == (True, True)
    assert (not config["deny_purge"], config["allow_rollup_hdrs"]) == (expected, expected)


def with_consumer(**config) -> Wire:
    wire = Wire.with_stream("2.15", "aaa", storage="file")
    put(wire, "DURABLE.CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit", **config})
    return wire


def test_a_restart_keeps_what_a_consumer_has_delivered_and_forgets_when():
    wire = with_consumer()
    wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 2})
    info = wire.restart()("CONSUMER.INFO.S.C")
    assert info["delivered"] == {"consumer_seq": 2, "stream_seq": 2}
    assert (info["num_ack_pending"], info["num_pending"]) == (2, 1)


def test_a_restart_ends_requests_in_silence():
    wire = with_consumer()
    wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 9, "expires": 60 * SECOND})
    assert wire.restart()("CONSUMER.INFO.S.C")["num_waiting"] == 0


def test_a_restart_redelivers_when_the_ack_wait_is_over():
    wire = with_consumer(ack_wait=SECOND)
    wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 1})
    wire.restart()
    wire.now_ns += SECOND
    [again, fresh] = wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 2})
    assert again.reply.startswith("$JS.ACK.S.C.2.1.2.")
    assert fresh.reply.startswith("$JS.ACK.S.C.1.2.3.")


def test_a_restart_loses_consumers_in_memory():
    wire = with_consumer(mem_storage=True)
    assert wire.restart()("CONSUMER.NAMES.S")["consumers"] in ([], None)


def test_a_restart_loses_pins():
    wire = with_consumer(priority_policy="pinned_client", priority_groups=["g"])
    wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 1, "group": "g"})
    info = wire.restart()("CONSUMER.INFO.S.C")
    assert info["priority_groups"] == [{"group": "g", "pinned_ts": "0001-01-01T00:00:00Z"}]


def test_a_restart_counts_anew_what_is_ahead():
    """Where filters have changed meanwhile, the count may have gone astray (consumer.go, ``setLeader``)."""
    wire = with_consumer(filter_subject="s.b")
    wire.api.core.streams["S"].consumers["C"].position._ahead = 7
    assert wire.restart()("CONSUMER.INFO.S.C")["num_pending"] == 0
