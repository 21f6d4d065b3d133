"""Acks by answers to flow control over the wire, as observed on nats-servers 2.14.6 and 2.15.1."""

import pytest

from tests.unit.sim.wire.consumers import put, refusal
from tests.unit.sim.wire.wire import Wire

SECOND_NS = 1_000_000_000
VERSIONS = pytest.mark.parametrize("version", ["2.14", "2.15"])


def with_listener(version="2.15", tokens="", most=2, **stream):
    """Return a server with a consumer C that awaits no more acks than that, and somebody who listens to it."""
    wire = Wire.with_stream(version, tokens, **stream).listen("to")
    put(wire, "CREATE.S.C", {**CONFIG, "max_ack_pending": most})
    return wire


CONFIG = {"durable_name": "C", "ack_policy": "flow_control", "deliver_subject": "to"}


def asked(wire):
    """Return where the listener was asked to answer to, latest last."""
    return [one.reply for one in wire.heard if b"FlowControl Request" in one.headers]


def delivered(wire):
    """Return the stream sequences that came."""
    return [int(one.reply.split(".")[5]) for one in wire.heard if one.reply.startswith("$JS.ACK.")]


def answer(wire, consumer=None, stream=None, at=-1):
    told = [(b"Nats-Last-Consumer", consumer), (b"Nats-Last-Stream", stream)]
    lines = b"".join(b"%b: %b\r\n" % (name, str(value).encode()) for name, value in told if value is not None)
    wire.send(asked(wire)[at], b"", b"NATS/1.0\r\n" + lines + b"\r\n")


def standing(wire):
    """Return ack floor and what awaits an ack."""
    info = wire("CONSUMER.INFO.S.C")
    return info["ack_floor"]["consumer_seq"], info["ack_floor"]["stream_seq"], info["num_ack_pending"]


@VERSIONS
def test_the_server_fills_in_what_the_policy_needs(version):
    wire = Wire.with_stream(version)
    config = put(wire, "CREATE.S.C", CONFIG)["config"]
    assert (config["flow_control"], config["idle_heartbeat"], config["max_ack_pending"]) == (True, SECOND_NS, 1000)
    assert "ack_wait" not in config
    assert config["metadata"]["_nats.req.level"] == "4"


@VERSIONS
def test_the_listener_is_asked_when_no_more_comes_without_an_ack(version):
    wire = with_listener(version, "abc")
    assert (delivered(wire), len(asked(wire))) == ([1, 2], 1)
    assert standing(wire) == (0, 0, 2)


@VERSIONS
def test_an_answer_acks_all_up_to_what_it_names(version):
    wire = with_listener(version, "abc")
    answer(wire, 2, 2)
    assert (delivered(wire), len(asked(wire)), standing(wire)) == ([1, 2, 3], 1, (2, 2, 1))


@VERSIONS
def test_an_answer_to_some_lets_as_many_come(version):
    wire = with_listener(version, "abcd")
    answer(wire, 1, 1)
    assert (delivered(wire), len(asked(wire)), standing(wire)) == ([1, 2, 3], 2, (1, 1, 2))


@pytest.mark.parametrize("told", [{}, {"consumer": 2}, {"consumer": 2, "stream": "x2"}, {"consumer": 2, "stream": 0}])
def test_an_answer_that_names_no_message_acks_none(told):
    wire = with_listener(tokens="abc")
    answer(wire, **told)
    assert (delivered(wire), standing(wire)) == ([1, 2], (0, 0, 2))


def test_an_answer_without_a_consumer_sequence_acks_none():
    wire = with_listener(tokens="abc")
    answer(wire, stream=2)
    assert standing(wire) == (0, 0, 2)


def test_only_the_last_request_is_answered():
    wire = with_listener(tokens="abcd")
    answer(wire, 1, 1)
    answer(wire, 3, 3, at=0)
    assert standing(wire) == (1, 1, 2)


@VERSIONS
def test_a_silent_consumer_asks_for_what_is_not_acked(version):
    wire = with_listener(version, "a", most=10)
    assert asked(wire) == []
    wire.now_ns += SECOND_NS
    assert standing(wire) == (0, 0, 1)
    wire.api.core.advance(wire.now_ns)
    wire.send("s.none.x")
    beats = [b"Idle Heartbeat" in one.headers for one in wire.heard if one.headers.startswith(b"NATS/1.0 100")]
    assert beats == [True, False]
    answer(wire, 1, 1)
    assert standing(wire)[:2] == (1, 1)


def test_nobody_takes_other_acks():
    wire = with_listener(tokens="a")
    [answered] = wire.send(wire.heard[0].reply)
    assert answered.headers.startswith(b"NATS/1.0 503")
    assert standing(wire) == (0, 0, 1)


def test_nothing_is_delivered_again():
    wire = with_listener(tokens="a")
    wire.now_ns += 3600 * SECOND_NS
    wire.api.core.advance(wire.now_ns)
    assert (delivered(wire), standing(wire)) == ([1], (0, 0, 1))


def test_a_new_deliver_subject_gets_all_that_is_not_acked():
    wire = with_listener(tokens="ab").listen("other")
    wire.api.core.unsubscribe("to", now_ns=wire.now_ns)
    put(wire, "CREATE.S.C", {**CONFIG, "max_ack_pending": 2, "deliver_subject": "other"})
    assert delivered(wire) == [1, 2, 1, 2]


@pytest.mark.parametrize("retention", ["workqueue", "interest"])
def test_what_an_answer_acks_is_removed(retention):
    wire = with_listener(retention=retention)
    for token in "abc":
        wire.publish(token)
    answer(wire, 2, 2)
    assert wire("STREAM.INFO.S")["state"]["first_seq"] == 3


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"deliver_subject": ""}, (400, 10218, "flow control ack policy requires a push based consumer")),
        ({"max_ack_pending": -1}, (400, 10220, "flow control ack policy requires max ack pending")),
        ({"ack_wait": SECOND_NS}, (400, 10221, "flow control ack policy requires unset ack wait")),
        ({"max_deliver": 3}, (400, 10222, "flow control ack policy requires unset max deliver")),
    ],
)
def test_what_the_policy_cannot_have(config, expected):
    assert refusal(Wire.with_stream(), "CREATE.S.C", {**CONFIG, **config}) == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, (400, 10219, "flow control ack policy requires flow control")),
        ({"flow_control": True}, (500, 10052, "flow control ack policy heartbeat needs to be 1s")),
    ],
)
def test_a_pedantic_request_fills_in_itself_what_the_policy_needs(config, expected):
    settled = {**CONFIG, "max_deliver": -1, "max_ack_pending": 10, **config}
    assert refusal(Wire.with_stream(), "CREATE.S.C", settled, pedantic=True) == expected
