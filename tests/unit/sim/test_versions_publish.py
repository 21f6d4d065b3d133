"""What a publish meets on each version; each expectation was observed on that version."""

import base64
import json

import pytest

from tests.unit.sim.versions import VERSIONS, per_version
from tests.unit.sim.wire.wire import Wire

STORED = None


def publish(wire: Wire, token: str, *headers: str, payload: bytes = b"") -> dict:
    """Return the answer to a message on "s.<token>"."""
    block = "".join(f"{line}\r\n" for line in ("NATS/1.0", *headers, "")) if headers else ""
    [answer] = wire.send(f"s.{token}", payload, block.encode())
    return json.loads(answer.payload)


def refusal(wire: Wire, token: str, *headers: str, payload: bytes = b"") -> int | None:
    """Return the err_code that a message is refused with, `STORED` if it is not."""
    return publish(wire, token, *headers, payload=payload).get("error", {}).get("err_code", STORED)


def stored_headers(wire: Wire) -> bytes:
    return base64.b64decode(wire("STREAM.MSG.GET.S", {"seq": 1})["message"].get("hdrs", ""))


def kept(wire: Wire) -> list[int]:
    return list(wire.api.core.streams["S"].log.messages)


# -- order ------------------------------------------------------------------------------------------


@pytest.mark.pins("duplicate_first")
@pytest.mark.parametrize("expectation", ["Nats-Expected-Last-Sequence: 9", "Nats-Expected-Last-Subject-Sequence: 9"])
@per_version(("2.9", "2.11", STORED), ("2.12", "2.15", 10071))
def test_a_duplicate_hides_a_wrong_expectation_up_to_2_11(version, expected, expectation):
    wire = Wire.with_stream(version)
    assert publish(wire, "a", "Nats-Msg-Id: x")["seq"] == 1
    assert refusal(wire, "a", "Nats-Msg-Id: x", expectation) == expected


@pytest.mark.pins("size_first")
@per_version(("2.9", "2.14", 10070), ("2.15", "2.15", 10054))
def test_a_large_message_with_a_wrong_last_message_id(version, expected):
    wire = Wire.with_stream(version, max_msg_size=10)
    assert refusal(wire, "a", "Nats-Expected-Last-Msg-Id: x") == expected


# -- expectations -----------------------------------------------------------------------------------


@pytest.mark.pins("expected_subject_filter")
@per_version(("2.9", "2.10", 10071), ("2.11", "2.15", STORED))
def test_an_expectation_can_be_about_another_subject_from_2_11_on(version, expected):
    wire = Wire.with_stream(version, "a")
    expectation = ("Nats-Expected-Last-Subject-Sequence: 1", "Nats-Expected-Last-Subject-Sequence-Subject: s.a")
    assert refusal(wire, "b", *expectation) == expected


@pytest.mark.pins("expected_subject_filter_alone_refused")
@per_version(("2.9", "2.11", STORED), ("2.12", "2.15", 10193))
def test_an_expectation_of_a_subject_without_a_sequence_is_refused_from_2_12_on(version, expected):
    wire = Wire.with_stream(version)
    assert refusal(wire, "a", "Nats-Expected-Last-Subject-Sequence-Subject: s.a") == expected


@pytest.mark.pins("bad_ttls_counted")
@pytest.mark.parametrize(
    ("expectation", "otherwise"), [("Nats-Expected-Last-Sequence: 1", 10071), ("Nats-Expected-Last-Msg-Id: x", 10070)]
)
@per_version(("2.11", "2.11", True), ("2.12", "2.15", False), names=("counts",))
def test_2_11_counts_a_message_with_a_bad_ttl_as_the_last_one(version, counts, expectation, otherwise):
    wire = Wire.with_stream(version)
    assert refusal(wire, "a", "Nats-TTL: soon", "Nats-Msg-Id: x") == 10165
    assert refusal(wire, "a", expectation) == (STORED if counts else otherwise)
    assert refusal(wire, "a", "Nats-Expected-Last-Sequence: 2") == (STORED if counts else 10071)


@pytest.mark.pins("ids_restored_when_asked")
@per_version(("2.9", "2.11", 10070), ("2.12", "2.15", STORED))
def test_a_restart_forgets_a_last_message_id_that_nobody_asks_for_in_time_up_to_2_11(version, expected):
    wire = Wire.with_stream(version, storage="file", duplicate_window=100_000_000)
    publish(wire, "a", "Nats-Msg-Id: x")
    wire.api.core.restart(now_ns=wire.now_ns)
    wire.now_ns += 200_000_000
    assert refusal(wire, "a", "Nats-Expected-Last-Msg-Id: x") == expected


@pytest.mark.pins("old_last_id_restored")
@per_version(("2.9", "2.14", 10070), ("2.15", "2.15", STORED))
def test_a_restart_brings_back_an_old_last_message_id_from_2_15_on(version, expected):
    wire = Wire.with_stream(version, storage="file", duplicate_window=100_000_000)
    publish(wire, "a", "Nats-Msg-Id: x")
    wire.now_ns += 200_000_000
    wire.api.core.restart(now_ns=wire.now_ns)
    assert refusal(wire, "a", "Nats-Expected-Last-Msg-Id: x") == expected


@pytest.mark.pins("ids_restored_when_asked")
@per_version(("2.11", "2.11", 10070), ("2.12", "2.15", STORED))
def test_a_restart_finds_the_id_of_a_message_whose_ttl_ended_meanwhile_from_2_12_on(version, expected):
    wire = Wire.with_stream(version, storage="file", allow_msg_ttl=True)
    publish(wire, "a", "Nats-Msg-Id: x\r\nNats-TTL: 1s")
    wire.now_ns += 2_000_000_000
    wire.api.core.restart(now_ns=wire.now_ns)
    assert refusal(wire, "a", "Nats-Expected-Last-Msg-Id: x") == expected


# -- headers ----------------------------------------------------------------------------------------


@pytest.mark.pins("source_header_refused")
@per_version(("2.9", "2.14", STORED), ("2.15", "2.15", 10227))
def test_a_client_that_says_it_sources_is_refused_from_2_15_on(version, expected):
    assert refusal(Wire.with_stream(version), "a", "Nats-Stream-Source: S 1 > >") == expected


@pytest.mark.pins("message_ttl")
@per_version(("2.9", "2.10", STORED), ("2.11", "2.15", 10166))
def test_a_ttl_has_a_meaning_from_2_11_on(version, expected):
    assert refusal(Wire.with_stream(version), "a", "Nats-TTL: 1s") == expected


@pytest.mark.pins("invalid_rollup_answered")
@per_version(("2.9", "2.10", 0), ("2.11", "2.15", 1))
def test_a_rollup_of_nothing_known_is_answered_from_2_11_on(version, expected):
    wire = Wire.with_stream(version, allow_rollup_hdrs=True)
    assert len(wire.send("s.a", b"", b"NATS/1.0\r\nNats-Rollup: x\r\n\r\n")) == expected
    assert kept(wire) == []


@pytest.mark.parametrize("room", [-1, 0])
@per_version(("2.12", "2.15", 10054))
def test_a_counter_whose_sum_would_be_too_large_is_refused(version, expected, room):
    size = len("NATS/1.0\r\nNats-Incr: 999\r\n\r\n") + len('{"val":"999"}')
    wire = Wire.with_stream(version, allow_msg_counter=True, max_msg_size=size + room)
    assert refusal(wire, "a", "Nats-Incr: 999") == (STORED if room == 0 else expected)


@pytest.mark.pins("counters")
@pytest.mark.parametrize(
    ("header", "err_code"), [("Nats-Incr: 1", 10168), ("Nats-Schedule: @every 1s", 10188), ("Nats-Batch-Id: x", 10174)]
)
@per_version(("2.9", "2.11", False), ("2.12", "2.15", True))
def test_counters_schedules_and_batches_have_a_meaning_from_2_12_on(version, expected, header, err_code):
    assert refusal(Wire.with_stream(version), "a", header) == (err_code if expected else STORED)


@pytest.mark.pins("schedulers_checked")
@per_version(
    ("2.9", "2.11", STORED, STORED),
    ("2.12", "2.12", STORED, 10188),
    ("2.14", "2.15", 10212, 10188),
    names=("senseless", "sensible"),
)
def test_the_end_of_a_schedule_must_make_sense_from_2_14_on(version, senseless, sensible):
    wire = Wire.with_stream(version)
    assert refusal(wire, "a", "Nats-Scheduler: s.b") == senseless
    assert refusal(wire, "a", "Nats-Scheduler: s.b", "Nats-Schedule-Next: purge") == sensible


@pytest.mark.pins("headers_found_by_line")
@per_version(("2.9", "2.10", None), ("2.11", "2.15", True))
def test_a_control_header_is_found_behind_one_whose_name_ends_with_its_name_from_2_11_on(version, expected):
    wire = Wire.with_stream(version)
    for told in (None, expected):
        assert publish(wire, "a", "X-Nats-Msg-Id: y", "Nats-Msg-Id: x").get("duplicate") == told


@pytest.mark.pins("repeated_headers_removed")
@per_version(("2.9", "2.11", 1), ("2.12", "2.15", 0))
def test_of_several_headers_that_go_only_the_first_goes_up_to_2_11(version, expected):
    wire = Wire.with_stream(version)
    publish(wire, "a", "Nats-Request-Info: {}", "K: v", "Nats-Request-Info: {}")
    assert stored_headers(wire).count(b"Nats-Request-Info") == expected


@pytest.mark.parametrize(("length", "expected"), [(65_500, STORED), (65_600, 10097)])
@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_server_adds_to_a_request_does_not_count_towards_sizes(version, length, expected):
    wire = Wire.with_stream(version)
    assert refusal(wire, "a", f"K: {'v' * length}", f"Nats-Request-Info: {'x' * 300}") == expected
    wire = Wire.with_stream(version, max_msg_size=50)
    assert refusal(wire, "a", "K: v", f"Nats-Request-Info: {'x' * 300}") is STORED
    assert refusal(wire, "a", f"K: {'v' * 60}", "Nats-Request-Info: x") == 10054


@pytest.mark.pins("status_line_dropped")
@per_version(("2.9", "2.11", b"NATS/1.0 100 Hi\r\nK: v\r\n\r\n"), ("2.12", "2.15", b"NATS/1.0\r\nK: v\r\n\r\n"))
def test_a_status_is_stored_up_to_2_11(version, expected):
    wire = Wire.with_stream(version)
    wire.publish("a", b"", b"NATS/1.0 100 Hi\r\nK: v\r\n\r\n")
    assert stored_headers(wire) == expected


@pytest.mark.pins("no_responders_subject")
@per_version(("2.9", "2.11", b"NATS/1.0 503\r\n\r\n"), ("2.12", "2.15", b"NATS/1.0 503\r\nNats-Subject: x\r\n\r\n"))
def test_the_subject_that_nobody_listens_to_is_named_from_2_12_on(version, expected):
    [answer] = Wire.with_stream(version).send("x")
    assert answer.headers == expected


# -- discard policy new -----------------------------------------------------------------------------


@pytest.mark.pins("full_size_counted", "exact_fit_passes")
@per_version(
    ("2.9", "2.9", STORED, STORED, 10077),
    ("2.10", "2.12", 10077, 10077, 10077),
    ("2.14", "2.15", 10077, STORED, 10077),
    names=("too_large", "exact", "payload_exact"),
)
def test_what_discard_policy_new_counts(version, too_large, exact, payload_exact):
    for max_bytes, payload, expected in ((37, b"", too_large), (38, b"", exact), (30, b"12345678901", payload_exact)):
        wire = Wire.with_stream(version, "a", discard="new", max_bytes=max_bytes)
        assert wire.state()["bytes"] == 19
        assert refusal(wire, "a", payload=payload) == expected


@pytest.mark.pins("discard_new_evicts")
@per_version(("2.9", "2.9", [2]), ("2.10", "2.15", [1]))
def test_discard_policy_new_evicts_what_it_let_in_up_to_2_9(version, expected):
    assert kept(Wire.with_stream(version, "aa", discard="new", max_bytes=37)) == expected


@pytest.mark.pins("rollup_passes_full_subject")
@per_version(("2.9", "2.12", 10077), ("2.14", "2.15", STORED))
def test_a_rollup_passes_the_limit_of_its_subject_from_2_14_on(version, expected):
    limits = {"discard": "new", "discard_new_per_subject": True, "max_msgs_per_subject": 1}
    wire = Wire.with_stream(version, "a", allow_rollup_hdrs=True, **limits)
    assert refusal(wire, "a", "Nats-Rollup: sub") == expected
