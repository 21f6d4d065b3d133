"""What a server tells by itself; each expectation was observed on every server that the test names."""

import base64
import json
from typing import Any

import pytest

from tests.unit.sim.versions import VERSIONS, per_version
from tests.unit.sim.wire.consumers import put
from tests.unit.sim.wire.wire import Wire

SECOND = 1_000_000_000
ADVISORY = "io.nats.jetstream.advisory.v1."
ACTION = f"{ADVISORY}consumer_action"


def listening(version: str, subject: str = "$JS.EVENT.ADVISORY.*.>", tokens: str = "", **config: Any) -> Wire:
    return Wire.with_stream(version, tokens, **config).listen(subject)


def with_consumer(version: str, tokens: str = "abc", **config: Any) -> Wire:
    wire = listening(version, tokens=tokens).listen("$JS.EVENT.METRIC.>")
    put(wire, "DURABLE.CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit", **config})
    wire.heard.clear()
    return wire


def events(wire: Wire) -> list[dict[str, Any]]:
    """Return what was told, without what differs each time."""
    told = []
    for each in wire.heard:
        event = json.loads(each.payload)
        assert len(event.pop("id")) == 22
        assert event.pop("timestamp").endswith("Z")
        assert event["stream"] in each.to
        told.append(event)
    wire.heard.clear()
    return told


def deliver(wire: Wire, batch: int = 1) -> list[str]:
    answers = wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": batch})
    return [answer.reply for answer in answers]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_happens_to_a_stream_is_told(version):
    wire = listening(version)
    for words, body in (("CREATE", {}), ("CREATE", {}), ("UPDATE", {}), ("UPDATE", {"max_msgs": 3}), ("DELETE", None)):
        wire(f"STREAM.{words}.T", b"" if body is None else {"name": "T", "subjects": ["t"], **body})
    assert events(wire) == [
        {"type": f"{ADVISORY}stream_action", "stream": "T", "action": action}
        for action in ("create", "modify", "modify", "delete")
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_happens_to_a_consumer_is_told(version):
    wire = listening(version)
    config = {"durable_name": "C", "ack_policy": "explicit"}
    for changed in ({}, {}, {"max_deliver": 3}):
        put(wire, "DURABLE.CREATE.S.C", {**config, **changed})
    wire("CONSUMER.DELETE.S.C")
    named = {"type": ACTION, "stream": "S", "consumer": "C"}
    assert events(wire) == [{**named, "action": "create"}, {**named, "action": "delete"}]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stream_ends_after_its_consumers(version):
    wire = with_consumer(version)
    wire("STREAM.DELETE.S")
    assert [event["type"] for event in events(wire)] == [ACTION, f"{ADVISORY}stream_action"]


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_a_pause_is_told_when_it_begins_and_when_it_ends(version):
    wire = with_consumer(version)
    for until in ("2090-01-01T00:00:00Z", "2090-01-01T00:00:00Z", "2020-01-01T00:00:00Z"):
        wire("CONSUMER.PAUSE.S.C", {"pause_until": until})
    wire("CONSUMER.PAUSE.S.C")
    named = {"type": f"{ADVISORY}consumer_pause", "stream": "S", "consumer": "C"}
    assert events(wire) == [
        {**named, "paused": True, "pause_until": "2090-01-01T00:00:00Z"},
        {**named, "paused": False, "pause_until": "2020-01-01T00:00:00Z"},
        {**named, "paused": False, "pause_until": "0001-01-01T00:00:00Z"},
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_nak_is_told(version):
    wire = with_consumer(version)
    [_, second] = deliver(wire, 2)
    wire.send(second, b"-NAK")
    wire.send(second, b"-NAK")
    nak = {"type": f"{ADVISORY}nak", "stream": "S", "consumer": "C", "consumer_seq": 2, "stream_seq": 2}
    assert events(wire) == [{**nak, "deliveries": 1}, {**nak, "deliveries": 1}]


@per_version(("2.9", "2.9", []), ("2.10", "2.15", [{"reason": "no use"}]))
def test_a_term_is_told_with_its_reason(version, expected):
    wire = with_consumer(version)
    [place] = deliver(wire)
    wire.send(place, b"+TERM no use")
    term = {"type": f"{ADVISORY}terminated", "stream": "S", "consumer": "C", "consumer_seq": 1, "stream_seq": 1}
    assert events(wire) == [{**term, "deliveries": 1, **reason} for reason in expected]


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_an_unacked_message_that_goes_counts_as_terminated(version):
    wire = with_consumer(version)
    deliver(wire)
    wire("STREAM.MSG.DELETE.S", {"seq": 1})
    assert events(wire) == [
        {
            "type": f"{ADVISORY}terminated",
            "stream": "S",
            "consumer": "C",
            "consumer_seq": 1,
            "stream_seq": 1,
            "deliveries": 1,
            "reason": "Unacknowledged message was deleted",
        }
    ]


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_the_last_delivery_is_told_when_its_ack_wait_is_over(version):
    wire = with_consumer(version, max_deliver=1, ack_wait=SECOND)
    deliver(wire)
    wire.now_ns += SECOND
    wire("CONSUMER.INFO.S.C")
    exceeded = {"type": f"{ADVISORY}max_deliver", "stream": "S", "consumer": "C"}
    assert events(wire) == [{**exceeded, "stream_seq": 1, "deliveries": 1}]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("frequency", ["100", "100%"])
def test_acks_are_sampled(version, frequency):
    wire = with_consumer(version, sample_freq=frequency)
    [place] = deliver(wire)
    wire.send(place, b"+ACK")
    wire.send(place, b"+ACK")
    [event] = events(wire)
    assert event.pop("ack_time") > 0
    assert event == {
        "type": "io.nats.jetstream.metric.v1.consumer_ack",
        "stream": "S",
        "consumer": "C",
        "consumer_seq": 1,
        "stream_seq": 1,
        "deliveries": 1,
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("config", [{}, {"sample_freq": "0"}, {"sample_freq": "100", "ack_policy": "all"}])
def test_not_every_consumer_has_acks_sampled(version, config):
    wire = with_consumer(version, **config)
    [place] = deliver(wire)
    wire.send(place)
    assert events(wire) == []


def test_as_many_acks_are_sampled_as_is_asked_for():
    """A server does so by chance."""
    wire = with_consumer("2.15", "a" * 100, sample_freq="30%")
    for place in deliver(wire, 100):
        wire.send(place)
    assert len(events(wire)) == 30


@pytest.mark.pins("pins_told_at_once")
@per_version(("2.11", "2.11", "g"), ("2.12", "2.15", "h"))
def test_a_pin_is_told_for_the_group_that_was_named(version, expected):
    wire = with_consumer(version, priority_policy="pinned_client", priority_groups=["g", "h"])
    wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 1, "group": "h"})
    wire("CONSUMER.UNPIN.S.C", {"group": "h"})
    pinned, unpinned = events(wire)
    assert len(pinned.pop("pinned_id")) == 22
    named = {"account": "$G", "stream": "S", "consumer": "C"}
    assert pinned == {"type": f"{ADVISORY}consumer_group_pinned", **named, "group": expected}
    assert unpinned == {"type": f"{ADVISORY}consumer_group_unpinned", **named, "group": "h", "reason": "admin"}


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_a_pin_that_ends_by_itself_is_told(version):
    wire = with_consumer(version, priority_policy="pinned_client", priority_groups=["g"], priority_timeout=SECOND)
    wire.ask("CONSUMER.MSG.NEXT.S.C", {"batch": 1, "group": "g"})
    wire.now_ns += SECOND
    wire("CONSUMER.INFO.S.C")
    assert events(wire)[-1]["reason"] == "timeout"


@pytest.mark.parametrize("version", VERSIONS)
def test_requests_are_told_with_their_answers(version):
    wire = listening(version, "$JS.EVENT.ADVISORY.API")
    wire("STREAM.INFO.none", {"offset": 0})
    wire.send("s.a")
    [audit] = [json.loads(each.payload) for each in wire.heard]
    assert audit["type"] == f"{ADVISORY}api_audit"
    assert (audit["subject"], json.loads(audit["request"])) == ("$JS.API.STREAM.INFO.none", {"offset": 0})
    assert json.loads(audit["response"])["error"]["err_code"] == 10059
    assert audit["client"]["acc"] == "$G"


def test_an_audit_says_what_is_known_of_the_client():
    wire = listening("2.15", "$JS.EVENT.ADVISORY.API")
    wire.api.send("$JS.API.INFO", now_ns=wire.now_ns, client={"name": "me", "id": 7})
    client = json.loads(wire.api.core.outbox[-1].payload)["client"]
    assert (client["name"], client["id"], client["acc"]) == ("me", 7, "$G")


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_told_while_nobody_listens(version):
    wire = with_consumer(version)
    fresh = Wire.with_stream(version).listen("$JS.EVENT.ADVISORY.CONSUMER.>")
    fresh("STREAM.INFO.S")
    assert (wire.heard, fresh.heard) == ([], [])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stream_stores_what_is_told(version):
    wire = Wire.with_stream(version)
    wire("STREAM.CREATE.E", {"name": "E", "subjects": ["$JS.EVENT.ADVISORY.CONSUMER.>"], "storage": "memory"})
    put(wire, "DURABLE.CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit"})
    stored = wire("STREAM.MSG.GET.E", {"seq": 1})["message"]
    assert stored["subject"] == "$JS.EVENT.ADVISORY.CONSUMER.CREATED.S.C"
    assert json.loads(base64.b64decode(stored["data"]))["action"] == "create"


def test_a_copy_of_a_server_tells_by_itself():
    wire = Wire.with_stream("2.15")
    wire("STREAM.CREATE.E", {"name": "E", "subjects": ["$JS.EVENT.ADVISORY.CONSUMER.>"], "storage": "memory"})
    put(wire, "DURABLE.CREATE.S.C", {"durable_name": "C", "ack_policy": "explicit"})
    copy = wire.api.core.copy()
    copy.delete_consumer("S", "C", now_ns=wire.now_ns)
    copy.store_told()
    assert copy.stream_info("E", now_ns=wire.now_ns).state.messages == 2
    assert wire("STREAM.INFO.E")["state"]["messages"] == 1
