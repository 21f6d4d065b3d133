import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lattice_store.errors import (
    ExpectedStreamMismatchError,
    MessageTooLargeError,
    StreamFullError,
    WrongLastMessageIdError,
    WrongLastSequenceError,
)
from lattice_store.model import DiscardPolicy, PubAck
from lattice_store_sim._core._control import read_control
from lattice_store_sim._core._profile import PROFILES
from lattice_store_sim._core._publish import order
from tests.unit.sim.helpers import Bench, block

ID, LAST, SUBJECT_LAST = "Nats-Msg-Id", "Nats-Expected-Last-Sequence", "Nats-Expected-Last-Subject-Sequence"
FILTER, LAST_ID, STREAM = f"{SUBJECT_LAST}-Subject", "Nats-Expected-Last-Msg-Id", "Nats-Expected-Stream"
ROLLUP, TTL = "Nats-Rollup", "Nats-TTL"

WRONG_ID = (400, 10070, "wrong last msg ID: ")
TOO_LARGE = (400, 10054, "message size exceeds maximum allowed")


def wrong_last(actual):
    return 400, 10071, f"wrong last sequence: {actual}"


def test_a_publish_is_acknowledged_with_the_next_sequence_and_stored_as_it_came():
    bench = Bench.with_stream()
    assert bench.publish("a", b"x", ("K", "v"), ("K", "w")) == PubAck("S", 1)
    message = bench("get_message", "S", 1)
    assert (message.subject, message.sequence, message.time_ns) == ("s.a", 1, bench.now_ns)
    assert (message.payload, message.headers.block) == (b"x", b"NATS/1.0\r\nK: v\r\nK: w\r\n\r\n")


# -- expectations ------------------------------------------------------------------------------------


def test_the_expected_stream_must_be_the_one_bound_to_the_subject():
    bench = Bench.with_stream()
    assert bench.refusal("publish", "a", b"", (STREAM, "T")) == (400, 10060, "expected stream does not match")
    assert bench.publish("a", b"", (STREAM, "S")).sequence == 1
    with pytest.raises(ExpectedStreamMismatchError):
        bench.publish("a", b"", (STREAM, "s"))


def test_the_expected_last_sequence_counts_removed_tails():
    bench = Bench.with_stream().fill("ab")
    bench("delete_message", "S", 2)
    assert bench.refusal("publish", "a", b"", (LAST, "1")) == wrong_last(2)
    assert bench.publish("a", b"", (LAST, "2")).sequence == 3
    with pytest.raises(WrongLastSequenceError) as caught:
        bench.publish("a", b"", (LAST, "2"))
    assert caught.value.actual == 3


def test_the_expected_last_subject_sequence_is_0_once_nothing_is_stored_on_the_subject():
    bench = Bench.with_stream().fill("ab")
    assert bench.refusal("publish", "a", b"", (SUBJECT_LAST, "0")) == wrong_last(1)
    bench("purge", "S", filter_="s.a")
    assert bench.refusal("publish", "a", b"", (SUBJECT_LAST, "1")) == wrong_last(0)
    assert bench.publish("a", b"", (SUBJECT_LAST, "0")).sequence == 3


@pytest.mark.pins("surprise 8")
def test_the_expected_last_subject_sequence_may_be_looked_up_by_a_filter_even_outside_the_stream():
    bench = Bench.with_stream().fill("ab")
    assert bench.refusal("publish", "c", b"", (SUBJECT_LAST, "0"), (FILTER, "s.*")) == wrong_last(2)
    assert bench.publish("c", b"", (SUBJECT_LAST, "2"), (FILTER, "s.*")).sequence == 3
    assert bench.publish("c", b"", (SUBJECT_LAST, "0"), (FILTER, "elsewhere.>")).sequence == 4


@pytest.mark.pins("surprise 8")
def test_the_filter_of_an_expectation_alone_is_refused():
    expected = (400, 10193, "missing sequence for expected last sequence per subject")
    assert Bench.with_stream().refusal("publish", "a", b"", (FILTER, "s.a")) == expected


def test_the_filter_for_everything_looks_at_the_last_sequence_only():
    bench = Bench.with_stream().fill("ab")
    bench("delete_message", "S", 2)
    assert bench.publish("a", b"", (SUBJECT_LAST, "0"), (FILTER, ">")).sequence == 3


@pytest.mark.pins("surprise 6")
@pytest.mark.parametrize("header", [LAST, SUBJECT_LAST])
@pytest.mark.parametrize("value", ["-1", "abc", "1_0", "+0", "18446744073709551615", "1.0"])
def test_an_expected_sequence_that_is_no_number_is_never_met(header, value):
    assert Bench.with_stream().refusal("publish", "a", b"", (header, value)) == wrong_last(0)


def test_an_expected_sequence_wraps_at_64_bits_as_the_servers_does():
    assert Bench.with_stream().publish("a", b"", (LAST, str(2**64))).sequence == 1


@pytest.mark.pins("surprise 5")
@pytest.mark.parametrize("header", [LAST, SUBJECT_LAST, FILTER, LAST_ID, STREAM, ID, ROLLUP, TTL, "Nats-Incr"])
def test_an_empty_control_header_counts_as_absent(header):
    bench = Bench.with_stream().fill("a")
    for _ in range(2):
        assert not bench.publish("a", b"", (header, "")).duplicate


@pytest.mark.pins("surprise 5")
def test_the_expected_last_message_id_is_that_of_the_very_last_message():
    bench = Bench.with_stream()
    assert bench.refusal("publish", "a", b"", (LAST_ID, "one")) == WRONG_ID
    bench.publish("a", b"", (ID, "one"))
    assert bench.publish("b", b"", (LAST_ID, "one"), (ID, "two")).sequence == 2
    bench.publish("b")
    assert bench.refusal("publish", "a", b"", (LAST_ID, "two")) == WRONG_ID


def test_the_last_message_id_survives_a_purge_and_a_duplicate():
    bench = Bench.with_stream()
    bench.publish("a", b"", (ID, "one"))
    bench.publish("a", b"", (ID, "two"))
    assert bench.publish("a", b"", (ID, "one")).duplicate
    bench("purge", "S")
    assert bench.publish("a", b"", (LAST_ID, "two")).sequence == 3
    with pytest.raises(WrongLastMessageIdError):
        bench.publish("a", b"", (LAST_ID, "two"))


# -- headers as the server reads them ----------------------------------------------------------------


@pytest.mark.pins("surprise 7")
@pytest.mark.parametrize(
    ("raw", "control"),
    [
        (b"NATS/1.0\r\nNats-Msg-Id: a\r\n\r\n", {b"Nats-Msg-Id": b"a"}),
        (b"NATS/1.0\r\nNats-Msg-Id:a\r\n\r\n", {b"Nats-Msg-Id": b"a"}),
        (b"NATS/1.0\r\nNats-Msg-Id:   a \r\n\r\n", {b"Nats-Msg-Id": b"a "}),
        (b"NATS/1.0\r\nNats-Msg-Id: \r\n\r\n", {}),
        (b"NATS/1.0\r\nNats-Msg-Id: a\r\nNats-Msg-Id: b\r\n\r\n", {b"Nats-Msg-Id": b"a"}),
        (b"NATS/1.0\r\nNats-Msg-Id: \r\nNats-Msg-Id: b\r\n\r\n", {}),
        (b"NATS/1.0\r\nnats-msg-id: a\r\n\r\n", {}),
        (b"NATS/1.0\r\nX-Nats-Msg-Id: a\r\nNats-Msg-Id-2: b\r\nNats-Msg-Id : c\r\n\r\n", {}),
        (b"NATS/1.0\r\nK: Nats-Msg-Id: a\r\nNats-Rollup: sub\r\n\r\n", {b"Nats-Rollup": b"sub"}),
        (b"NATS/1.0\r\nNats-Msg-Id: a\r\nK: v\r\n\r\n", {b"Nats-Msg-Id": b"a"}),
    ],
)
def test_control_headers_are_read_by_exact_case_and_first_occurrence(raw, control):
    assert read_control(raw) == control


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.lists(
        st.tuples(st.sampled_from([ID, LAST, ROLLUP, "nats-rollup", "K"]), st.text("ab :", max_size=3)), max_size=5
    )
)
def test_reading_control_headers_line_by_line_finds_the_same(headers):
    expected = {}
    for name, value in headers:
        if name in (ID, LAST, ROLLUP):
            expected.setdefault(name.encode(), value.lstrip(" ").encode())
    assert read_control(block(*headers).block) == {name: value for name, value in expected.items() if value}


# -- sizes -------------------------------------------------------------------------------------------


@pytest.mark.pins("surprise 9")
def test_the_message_size_counts_headers_and_payload_but_not_the_subject():
    bench = Bench.with_stream(max_msg_size=20)
    assert bench.publish("a" * 500, b"x" * 20).sequence == 1
    assert bench.publish("a", b"xx", ("K", "v")).sequence == 2  # a block of 18 bytes
    assert bench.refusal("publish", "a", b"xxx", ("K", "v")) == TOO_LARGE
    assert bench.refusal("publish", "a", b"x" * 21) == TOO_LARGE
    with pytest.raises(MessageTooLargeError):
        bench.publish("a", b"x" * 21)


@pytest.mark.parametrize("name", ["K", ID])
def test_a_header_block_of_64_kib_is_refused(name):
    bench = Bench.with_stream()
    longest = 65_535 - len(block((name, "")).block)
    assert bench.publish("a", b"", (name, "x" * longest)).sequence == 1
    refusal = (400, 10097, "header size exceeds maximum allowed of 64k")
    assert bench.refusal("publish", "a", b"", (name, "x" * (longest + 1))) == refusal


# -- rollup ------------------------------------------------------------------------------------------


def test_a_rollup_replaces_what_its_subject_or_the_stream_held():
    bench = Bench.with_stream(allow_rollup=True).fill("abab")
    bench.publish("a", b"", (ROLLUP, "sub"))
    assert bench.stored == [2, 4, 5]
    bench.publish("c", b"", (ROLLUP, "ALL"))
    assert bench.stored == [6]
    assert bench.state == (1, 6, 6, 0)


def test_a_rollup_needs_permission_and_a_known_value():
    assert Bench.with_stream().refusal("publish", "a", b"", (ROLLUP, "x")) == (500, 10111, "rollup not permitted")
    invalid = (500, 10111, 'rollup value invalid: "xx"')
    assert Bench.with_stream(allow_rollup=True).refusal("publish", "a", b"", (ROLLUP, "xX")) == invalid


# -- discard new -------------------------------------------------------------------------------------


def full(what):
    return 503, 10077, f"maximum {what} exceeded"


def test_discard_new_refuses_at_max_msgs():
    bench = Bench.with_stream(discard=DiscardPolicy.NEW, max_msgs=2).fill("ab")
    assert bench.refusal("publish", "c") == full("messages")
    with pytest.raises(StreamFullError):
        bench.publish("c")


@pytest.mark.pins("surprise 12")
def test_discard_new_allows_an_exact_fit_of_bytes():
    bench = Bench.with_stream(discard=DiscardPolicy.NEW, max_bytes=40).fill("a")  # 19 bytes
    assert bench.refusal("publish", "b", b"xxx") == full("bytes")
    assert bench.publish("b", b"xx").sequence == 2
    assert bench.bytes == 40


@pytest.mark.pins("surprise 12")
def test_discard_new_lets_a_replacement_through_a_full_stream():
    bench = Bench.with_stream(discard=DiscardPolicy.NEW, max_msgs=2, max_msgs_per_subject=1).fill("ab")
    assert bench.publish("a").sequence == 3
    assert bench.stored == [2, 3]


@pytest.mark.pins("surprise 12")
def test_discard_new_lets_a_replacement_through_max_bytes_only_if_it_is_not_larger():
    bench = Bench.with_stream(discard=DiscardPolicy.NEW, max_bytes=45, max_msgs_per_subject=1)
    bench.publish("a", b"xx")  # 21 bytes
    bench.publish("b", b"xx")
    assert bench.publish("a", b"xx").sequence == 3
    assert bench.publish("a", b"").sequence == 4
    assert bench.refusal("publish", "a", b"xxxxxx") == full(
        "bytes"
    )  # 40 + 25 bytes, and larger than the 19 it replaces
    assert bench.publish("a", b"").sequence == 5


def test_discard_new_per_subject_refuses_what_would_replace():
    settings = {"discard": DiscardPolicy.NEW, "discard_new_per_subject": True, "max_msgs_per_subject": 1}
    bench = Bench.with_stream(**settings, allow_rollup=True, max_msgs=2).fill("ab")
    assert bench.refusal("publish", "a") == full("messages per subject")
    assert bench.publish("a", b"", (ROLLUP, "sub")).sequence == 3
    assert bench.refusal("publish", "c", b"", (ROLLUP, "sub")) == full("messages")


# -- features that are not simulated are refused as a server refuses them that has them off -------------


@pytest.mark.parametrize(
    ("header", "value", "refusal"),
    [
        ("Nats-Batch-Id", "x", (400, 10174, "atomic publish is disabled")),
        ("Nats-Incr", "x", (400, 10171, "message counter increment is invalid")),
        ("Nats-Incr", "+7", (400, 10168, "message counters is disabled")),
        (TTL, "never", (400, 10166, "per-message TTL is disabled")),
        (TTL, "1", (400, 10166, "per-message TTL is disabled")),
        (TTL, "1h30m", (400, 10166, "per-message TTL is disabled")),
        (TTL, "999ms", (400, 10165, "invalid per-message TTL")),
        (TTL, "0", (400, 10165, "invalid per-message TTL")),
        (TTL, "1h2", (400, 10165, "invalid per-message TTL")),
        (TTL, "soon", (400, 10165, "invalid per-message TTL")),
        ("Nats-Schedule", "x", (400, 10188, "message schedules is disabled")),
        ("Nats-Schedule-Next", "purge", (400, 10212, "message schedules invalid scheduler")),
        ("Nats-Scheduler", "x", (400, 10212, "message schedules invalid scheduler")),
        ("Nats-Stream-Source", "x", (400, 10227, "message stream source header is not allowed")),
    ],
)
def test_headers_of_other_features_are_refused(header, value, refusal):
    assert Bench.with_stream().refusal("publish", "a", b"", (header, value)) == refusal


# -- order -------------------------------------------------------------------------------------------

IN_ORDER = [
    ((), 10054),
    (("Nats-Batch-Id", "x"), 10174),
    (("Nats-Incr", "1"), 10168),
    ((STREAM, "T"), 10060),
    ((TTL, "1"), 10166),
    ((SUBJECT_LAST, "9"), 10071),
    ((LAST, "9"), 10071),
    (("Nats-Schedule", "x"), 10188),
    (("Nats-Scheduler", "x"), 10212),
    (("Nats-Stream-Source", "x"), 10227),
    ((ID, "one"), None),
    ((LAST_ID, "zero"), 10070),
    ((ROLLUP, "x"), 10111),
    ((), 10077),
]


def steps(version):
    return [step.run.__name__.removeprefix("_") for step in order(PROFILES[version])]


@pytest.mark.pins("surprise 1")
def test_the_order_of_the_newest_is_the_one_written_down():
    assert steps("2.15") == [
        *("sealed", "batch", "transform", "request_info", "message_size", "header_size", "increment"),
        *("expected_stream", "ttl_disabled", "last_subject_sequence", "last_sequence", "schedule", "schedules_end"),
        *("source",),
        *("duplicate", "last_message_id", "rollup", "count", "unwanted", "ttl", "full", "republish"),
    ]


@pytest.mark.pins("surprise 1")
@pytest.mark.parametrize("first", range(len(IN_ORDER)))
def test_of_everything_that_is_wrong_the_first_in_order_decides(first):
    """All that comes later in the order is wrong too."""
    bench = Bench.with_stream(discard=DiscardPolicy.NEW, max_msgs=1, max_msg_size=1000)
    bench.publish("a", b"", (ID, "one"))
    payload = b"x" * (1000 if first == 0 else 1)
    headers = [header for header, _ in IN_ORDER[first:] if header]
    err_code = IN_ORDER[first][1]
    if err_code is None:
        assert bench.publish("a", payload, *headers) == PubAck("S", 1, duplicate=True)
    else:
        assert bench.refusal("publish", "a", payload, *headers)[1] == err_code


@pytest.mark.pins("surprise 1")
def test_a_duplicate_does_not_shield_a_wrong_sequence_or_size_but_shields_a_full_stream():
    bench = Bench.with_stream(discard=DiscardPolicy.NEW, max_msgs=1, max_msg_size=100)
    bench.publish("a", b"", (ID, "one"))
    assert bench.refusal("publish", "a", b"", (ID, "one"), (LAST, "0")) == wrong_last(1)
    assert bench.refusal("publish", "a", b"x" * 100, (ID, "one")) == TOO_LARGE
    assert bench.publish("a", b"", (ID, "one"), (LAST_ID, "none"), (ROLLUP, "sub")).duplicate


def test_a_sealed_stream_refuses_before_anything_else():
    bench = Bench.with_stream(max_msg_size=1)
    bench.update(sealed=True, max_msg_size=1)
    assert bench.refusal("publish", "a", b"xxx") == (400, 10109, "invalid operation on sealed stream")
