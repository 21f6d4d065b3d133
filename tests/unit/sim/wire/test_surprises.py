"""Surprises that no part of the API owns alone; each expectation was observed on the newest server."""

import base64

import pytest

from tests.unit.sim.wire.consumers import put
from tests.unit.sim.wire.wire import Wire

SECOND = 1_000_000_000


def kept(wire: Wire) -> list[int]:
    return list(wire.api.core.streams["S"].log.messages)


def publish(wire: Wire, token: str, header: str) -> bytes:
    """Return the answer to an empty message with one header."""
    [answer] = wire.send(f"s.{token}", b"", f"NATS/1.0\r\n{header}\r\n\r\n".encode())
    return answer.payload


def pull(wire: Wire, **asked) -> list[str]:
    """Return what a pull gets: sequences and numbers of deliveries, or statuses."""
    answers = wire.ask("CONSUMER.MSG.NEXT.S.C", asked)
    return [
        answer.headers.split(b"\r\n")[0].decode() if answer.headers else "#{5} x{4}".format(*answer.reply.split("."))
        for answer in answers
    ]


# -- rollups ----------------------------------------------------------------------------------------


@pytest.mark.pins("surprise 13")
@pytest.mark.parametrize(
    ("limits", "answer", "left"),
    [
        ({"max_msgs_per_subject": 1, "discard_new_per_subject": True}, b'"seq":3', [2, 3]),
        ({"max_msgs": 2}, b"maximum messages exceeded", [1, 2]),
        ({"max_bytes": 40}, b"maximum bytes exceeded", [1, 2]),
    ],
)
def test_a_rollup_passes_the_limit_of_its_subject_only(limits, answer, left):
    wire = Wire.with_stream(tokens="ab", allow_rollup_hdrs=True, discard="new", **limits)
    assert answer in publish(wire, "a", "Nats-Rollup: sub")
    assert kept(wire) == left


# -- TTLs -------------------------------------------------------------------------------------------


@pytest.mark.pins("surprise 27")
@pytest.mark.parametrize("ttl", ["0", "0s", "999ms", "-1", "1.5", "+5", "abc"])
def test_less_than_a_second_is_no_ttl(ttl):
    wire = Wire.with_stream(allow_msg_ttl=True)
    assert b"invalid per-message TTL" in publish(wire, "a", f"Nats-TTL: {ttl}")


@pytest.mark.pins("surprise 27")
def test_a_ttl_is_cut_to_whole_seconds():
    wire = Wire.with_stream(allow_msg_ttl=True)
    publish(wire, "a", "Nats-TTL: 1900ms")
    wire.now_ns += SECOND
    assert wire.state()["messages"] == 0


@pytest.mark.pins("surprise 27")
@pytest.mark.parametrize(("limits", "stored"), [({}, b"Nats-TTL: 2"), ({"max_msgs_per_subject": 1}, b"Nats-TTL: 1s")])
def test_a_delete_markers_ttl_is_the_least(limits, stored):
    wire = Wire.with_stream(subject_delete_marker_ttl=2 * SECOND, **limits)
    publish(wire, "a", "Nats-TTL: 1s")
    headers = base64.b64decode(wire("STREAM.MSG.GET.S", {"seq": 1})["message"]["hdrs"])
    assert headers == b"NATS/1.0\r\n" + stored + b"\r\n\r\n"


# -- consumers --------------------------------------------------------------------------------------


def with_consumer(tokens: str, **config) -> Wire:
    wire = Wire.with_stream(tokens=tokens)
    put(wire, "CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit", **config})
    return wire


@pytest.mark.pins("surprise 29")
def test_a_pull_beyond_the_most_unacknowledged_messages_waits_even_if_it_asked_not_to():
    wire = with_consumer("ab", max_ack_pending=1)
    assert pull(wire) == ["#1 x1"]
    assert pull(wire, batch=1, no_wait=True) == []
    assert wire("CONSUMER.INFO.S.C")["num_waiting"] == 1


@pytest.mark.pins("surprise 29")
def test_a_pull_of_minus_one_waits_without_end():
    wire = with_consumer("")
    assert pull(wire, batch=-1) == []
    assert wire("CONSUMER.INFO.S.C")["num_waiting"] == 1


@pytest.mark.pins("surprise 30")
def test_a_redelivery_passes_the_limit_of_unacknowledged_messages_and_goes_first():
    wire = with_consumer("abc", max_ack_pending=2)
    first, _ = wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 2})
    wire.send(first.reply, b"-NAK")
    assert pull(wire, batch=3) == ["#1 x2"]


@pytest.mark.pins("surprise 30")
def test_a_snapshot_of_last_messages_is_delivered_though_they_were_superseded():
    wire = with_consumer("aab", deliver_policy="last_per_subject", filter_subject="s.*")
    wire.publish("a")
    assert wire("CONSUMER.INFO.S.C")["num_pending"] == 3
    assert pull(wire, batch=5) == ["#2 x1", "#3 x1", "#4 x1"]
