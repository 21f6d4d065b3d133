"""What a restart does to streams; each expectation was observed on every server that the test names."""

import pytest

from tests.unit.sim.versions import VERSIONS
from tests.unit.sim.wire.wire import MILLISECOND, Wire

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
