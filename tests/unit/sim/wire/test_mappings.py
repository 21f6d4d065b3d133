"""Subject transforms and republishing over the wire, as observed on nats-server."""

import pytest

from lattice_store.errors import NotSimulatedError
from lattice_store_sim._core._outbox import Outgoing
from tests.unit.sim.versions import per_version
from tests.unit.sim.wire.wire import Wire

REPUBLISH = {"src": "s.*", "dest": "out.$1"}


def sent_on(wire: Wire, subject: str, payload: bytes = b"", headers: bytes = b"") -> list[Outgoing]:
    """Return what comes of a publish besides its answer."""
    wire.now_ns += 1_000_000
    wire.api.send(subject, payload, headers=headers, now_ns=wire.now_ns)
    outbox = list(wire.api.core.outbox)
    wire.api.core.outbox.clear()
    return outbox


def lines(outgoing: Outgoing) -> list[str]:
    kept = [line for line in outgoing.headers.decode().split("\r\n") if not line.startswith("Nats-Time-Stamp: ")]
    return kept[1:-2]


def test_what_is_stored_is_sent_on_with_what_is_known_of_it():
    wire = Wire.with_stream(republish=REPUBLISH)
    [first] = sent_on(wire, "s.a", b"one", b"NATS/1.0\r\nK: v\r\n\r\n")
    [second] = sent_on(wire, "s.a", b"two")
    assert (first.to, first.payload, second.payload) == ("out.a", b"one", b"two")
    known = ["Nats-Stream: S", "Nats-Subject: s.a", "Nats-Sequence: 1", "Nats-Last-Sequence: 0"]
    assert lines(first) == ["K: v", *known]
    assert lines(second) == ["Nats-Stream: S", "Nats-Subject: s.a", "Nats-Sequence: 2", "Nats-Last-Sequence: 1"]
    assert sent_on(wire, "s.a.b") == []


def test_only_headers_are_sent_on_with_the_size_of_the_payload():
    wire = Wire.with_stream(republish={**REPUBLISH, "headers_only": True})
    [only] = sent_on(wire, "s.a", b"one")
    assert only.payload == b""
    assert lines(only)[-1] == "Nats-Msg-Size: 3"


def test_what_is_sent_on_is_stored_by_the_stream_bound_to_it():
    wire = Wire.with_stream(republish=REPUBLISH)
    wire("STREAM.CREATE.T", {"name": "T", "subjects": ["out.>"], "storage": "memory"})
    wire.publish("a", b"one")
    assert wire("STREAM.MSG.GET.T", {"seq": 1})["message"]["subject"] == "out.a"


def test_a_copy_of_a_server_sends_on_to_its_own_streams():
    wire = Wire.with_stream(republish=REPUBLISH)
    wire("STREAM.CREATE.T", {"name": "T", "subjects": ["out.>"], "storage": "memory"})
    copied = wire.api.core.copy()
    copied.publish("s.a", b"", now_ns=wire.now_ns)
    assert copied.log("T", now_ns=wire.now_ns).last_sequence == 1
    assert wire.api.core.log("T", now_ns=wire.now_ns).last_sequence == 0


def test_streams_that_send_to_each_other_for_ever_are_not_simulated():
    wire = Wire.with_stream(republish={"src": "s.>", "dest": "t.>"})
    republish = {"src": "t.>", "dest": "s.>"}
    wire("STREAM.CREATE.T", {"name": "T", "subjects": ["t.>"], "storage": "memory", "republish": republish})
    with pytest.raises(NotSimulatedError, match="for ever"):
        wire.publish("a")


@pytest.mark.parametrize(
    ("republish", "refusal"),
    [
        ({"dest": "s.x"}, (500, 10052, "stream configuration for republish destination forms a cycle")),
        (
            {"src": "s.*", "dest": "out.$2"},
            (500, 10052, "stream configuration for republish with transform from 's.*' to 'out.$2' not valid"),
        ),
    ],
)
def test_a_republish_that_is_refused(republish, refusal):
    config = {"name": "S", "subjects": ["s.>"], "storage": "memory", "republish": republish}
    assert Wire.with_stream().refusal("STREAM.UPDATE.S", config) == refusal


def test_a_transform_comes_before_everything_else():
    transform = {"src": "s.*.*", "dest": "s.$2.$1"}
    wire = Wire.with_stream(subject_transform=transform, republish={"src": "s.>", "dest": "out.>"})
    [sent] = sent_on(wire, "s.a.b")
    assert sent.to == "out.b.a"
    assert wire("STREAM.MSG.GET.S", {"last_by_subj": "s.b.a"})["message"]["seq"] == 1
    expects = b"NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 1\r\n\r\n"
    assert b'"seq":2' in wire.send("s.a.b", headers=expects)[0].payload


@pytest.mark.pins("transforms_checked_first")
@per_version(
    ("2.10", "2.10", (500, 10049, "stream subject transform from '*' to 'x..b': invalid subject")),
    ("2.11", "2.11", (400, 10156, "stream transform: invalid mapping destination: invalid transform in ")),
    ("2.12", "2.15", (400, 10156, "stream transform: invalid mapping destination: invalid transform")),
)
def test_a_transform_that_is_refused(version, expected):
    config = {"name": "T", "subjects": ["t"], "storage": "memory", "subject_transform": {"src": "*", "dest": "x..b"}}
    assert Wire.with_stream(version).refusal("STREAM.CREATE.T", config) == expected


@pytest.mark.pins("republish_bound")
@per_version(("2.9", "2.9", "stream configuration update can not change RePublish"), ("2.10", "2.15", None))
def test_an_update_of_what_is_republished(version, expected):
    changed = {"name": "S", "subjects": ["s.>"], "storage": "memory", "republish": REPUBLISH}
    answer = Wire.with_stream(version, republish={"src": "s.>", "dest": "out.>"})("STREAM.UPDATE.S", changed)
    assert answer.get("error", {}).get("description") == expected


@pytest.mark.pins("republish_bound")
@pytest.mark.parametrize(
    ("republish", "refusal"),
    [
        ({"src": "t", "dest": "out"}, "stream configuration for republish source is not valid subset of subjects"),
        ({"src": "t.*.*", "dest": "out.$1"}, "stream configuration for republish not valid"),
    ],
)
def test_what_only_2_9_refuses_to_republish(republish, refusal):
    config = {"name": "T", "subjects": ["t.>"], "storage": "memory", "republish": republish}
    assert Wire.with_stream("2.9").refusal("STREAM.CREATE.T", config) == (500, 10052, refusal)
    assert Wire.with_stream("2.10")("STREAM.CREATE.T", config)["config"]["republish"] == republish


@pytest.mark.pins("republish_tells_times")
@per_version(("2.9", "2.9", []), ("2.10", "2.15", ["Nats-Time-Stamp"]))
def test_when_what_is_sent_on_was_stored(version, expected):
    wire = Wire.with_stream(version, republish={"src": ">", "dest": "out.>"})
    [outgoing] = sent_on(wire, "s.a", b"one")
    assert [line[:15] for line in outgoing.headers.decode().split("\r\n") if "Time" in line] == expected


@per_version(
    ("2.9", "2.9", (500, 10052, "stream configuration for republish source is not valid subset of subjects")),
    ("2.10", "2.15", (500, 10052, "stream configuration for republish with transform from 's.' to 'out.>' not valid")),
)
def test_an_empty_token_is_not_any_token(version, expected):
    config = {"name": "T", "subjects": ["s.*"], "storage": "memory", "republish": {"src": "s.", "dest": "out.>"}}
    wire = Wire.with_stream(version)
    wire("STREAM.DELETE.S")
    assert wire.refusal("STREAM.CREATE.T", config) == expected


def test_an_empty_token_is_not_any_token_before_a_rest():
    config = {"name": "T", "subjects": ["s.*"], "storage": "memory", "republish": {"src": "s.*", "dest": "s..>"}}
    wire = Wire.with_stream()
    wire("STREAM.DELETE.S")
    text = "stream configuration for republish with transform from 's.*' to 's..>' not valid"
    assert wire.refusal("STREAM.CREATE.T", config) == (500, 10052, text)
