"""Values to and from the wire, without a server."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store.errors import (
    ApiError,
    InvalidArgumentError,
    MessageNotFoundError,
    NotSupportedError,
    StreamFullError,
    WrongLastSequenceError,
)
from lattice_store.model import (
    Compression,
    DeliverAll,
    DeliverFromSequence,
    DeliverFromTime,
    DeliverLast,
    DeliverLastPerSubject,
    DeliverNew,
    DiscardPolicy,
    PubAck,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from lattice_store.nats._translate import (
    ack_from_wire,
    answer_from_wire,
    deliver_to_wire,
    inactive_threshold,
    message_from_wire,
    splits_of_ack,
)
from lattice_store.wire import config_from_wire, config_to_wire, ns_to_time, state_from_wire, time_to_ns

YEAR_1_NS = -62_135_596_800 * 10**9
YEAR_9999_NS = 253_402_300_799 * 10**9 + 999_999_999


@given(st.integers(YEAR_1_NS + 1, YEAR_9999_NS))
def test_every_nanosecond_survives_the_round_trip(time_ns):
    assert time_to_ns(ns_to_time(time_ns)) == time_ns


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-23T15:00:00.123456789Z", 1795446000123456789),
        ("2026-11-23T15:00:00.1Z", 1795446000100000000),
        ("2026-11-23T16:00:00.000000001+01:00", 1795446000000000001),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_times_as_servers_write_them(text, time_ns):
    assert time_to_ns(text) == time_ns


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-11-23", "2026-11-23T15:00:00", "2026-11-23T15:00:00.1234567890Z"]
)
def test_other_texts_are_no_times(text):
    with pytest.raises(ValueError, match="is not an RFC 3339 time"):
        time_to_ns(text)


@pytest.mark.parametrize("time_ns", [YEAR_9999_NS + 1, YEAR_1_NS - 1, 10**40])
def test_times_outside_the_calendar_are_refused_by_value(time_ns):
    with pytest.raises(InvalidArgumentError, match=str(time_ns)):
        ns_to_time(time_ns)


limits = st.none() | st.integers(1, 2**62)
names = st.text("abcXYZ09_-", min_size=1, max_size=10)
configs = st.builds(
    StreamConfig,
    name=names,
    subjects=st.just(()) | st.just(("a.>", "b.*")),
    description=st.none() | st.text(min_size=1),
    retention=st.sampled_from(RetentionPolicy),
    storage=st.sampled_from(StorageType),
    discard=st.sampled_from(DiscardPolicy),
    compression=st.sampled_from(Compression),
    **dict.fromkeys(
        (
            "max_msgs",
            "max_bytes",
            "max_age_ns",
            "max_msgs_per_subject",
            "max_msg_size",
            "max_consumers",
            "duplicate_window_ns",
        ),
        limits,
    ),
    num_replicas=st.integers(1, 5),
    **{
        name: st.booleans()
        for name in (
            "discard_new_per_subject",
            "no_ack",
            "allow_direct",
            "allow_rollup",
            "deny_delete",
            "deny_purge",
            "sealed",
        )
    },
    metadata=st.dictionaries(names, st.text()),
    other=st.dictionaries(
        st.sampled_from(["mirror", "placement", "allow_msg_ttl", "first_seq", "setting_of_tomorrow"]),
        st.integers(1) | st.just(value=True) | st.dictionaries(names, names, min_size=1),
    ),
)


@given(configs)
def test_every_configuration_survives_the_round_trip(config):
    assert config_from_wire(config_to_wire(config)) == config


def test_no_limit_is_minus_one_and_no_time_is_zero_on_the_wire():
    wire = config_to_wire(StreamConfig(name="S"))
    assert wire == {
        "name": "S",
        "num_replicas": 1,
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "compression": "none",
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msgs_per_subject": -1,
        "max_msg_size": -1,
        "max_consumers": -1,
        "max_age": 0,
        "duplicate_window": 0,
        "discard_new_per_subject": False,
        "no_ack": False,
        "allow_direct": False,
        "allow_rollup_hdrs": False,
        "deny_delete": False,
        "deny_purge": False,
        "sealed": False,
    }


def test_the_servers_own_metadata_and_its_defaults_are_left_out():
    config = config_from_wire(
        {
            "name": "S",
            "metadata": {"_nats.level": "5", "_nats.ver": "2.15.1", "owner": "me"},
            "consumer_limits": {},
            "mirror_direct": False,
            "allow_msg_ttl": True,
            "max_msgs": 0,
            "max_bytes": -7,
        }
    )
    assert config == StreamConfig(name="S", metadata={"owner": "me"}, other={"allow_msg_ttl": True})


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 30),
        ({"consumer_limits": {"max_ack_pending": 5}}, 30),
        ({"consumer_limits": {"inactive_threshold": -1}}, 30),
        ({"consumer_limits": {"inactive_threshold": 10}}, 10),
        ({"consumer_limits": {"inactive_threshold": 60}}, 30),
    ],
)
def test_a_consumer_asks_for_no_more_time_than_its_stream_allows(limits, expected):
    assert inactive_threshold(config_from_wire({"name": "S", **limits}), 30) == expected


@pytest.mark.parametrize("setting", ["retention", "storage", "discard", "compression"])
def test_a_policy_of_tomorrow_is_named(setting):
    with pytest.raises(NotSupportedError, match=f"stream S has {setting} 'novel'"):
        config_from_wire({"name": "S", setting: "novel"})


def test_the_state_of_an_emptied_stream_keeps_its_last_time_only():
    wire = {"messages": 0, "bytes": 0, "first_seq": 6, "first_ts": "1970-01-01T00:00:00Z", "last_seq": 5}
    state = state_from_wire({**wire, "last_ts": "1970-01-01T00:00:01Z"})
    assert (state.first_time_ns, state.last_time_ns) == (None, 10**9)
    assert state_from_wire({**wire, "last_ts": "0001-01-01T00:00:00Z"}).last_time_ns is None


def test_a_stored_message_comes_back_byte_for_byte():
    block = b"NATS/1.0\r\nB: 2\r\na:1\r\nB: 3\r\n\r\n"
    message = message_from_wire(
        {
            "subject": "s",
            "seq": 7,
            "time": "1970-01-01T00:00:00.000000005Z",
            "hdrs": base64.b64encode(block).decode(),
            "data": base64.b64encode(b"\x00\xff").decode(),
        }
    )
    assert (message.sequence, message.time_ns, message.payload, message.headers.block) == (7, 5, b"\x00\xff", block)


def test_a_stored_message_without_headers_and_payload():
    message = message_from_wire({"subject": "s", "seq": 7, "time": "1970-01-01T00:00:00Z"})
    assert (message.payload, message.headers.block) == (b"", b"")


def test_acks():
    assert ack_from_wire(b'{"stream":"S","seq":3}') == PubAck("S", 3)
    assert ack_from_wire(b'{"stream":"S","seq":3,"domain":"d","duplicate":true}') == PubAck("S", 3, duplicate=True)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (b'{"code":400,"err_code":10071,"description":"wrong last sequence: 4"}', WrongLastSequenceError),
        (b'{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}', StreamFullError),
        (b'{"code":599,"err_code":99999,"description":"novel"}', ApiError),
    ],
)
def test_a_refused_publish_is_told_by_its_err_code(error, kind):
    refusal = ack_from_wire(b'{"error":' + error + b',"stream":"S","seq":0}')
    assert type(refusal) is kind


@pytest.mark.parametrize("payload", [b"", b"+OK", b"[]", b"{}", b'{"stream":7}'])
def test_what_is_no_ack_is_not_taken_for_one(payload):
    with pytest.raises(ValueError):
        ack_from_wire(payload)


def test_an_answer_is_an_object_or_the_refusal_in_it():
    assert answer_from_wire(b'{"type":"io.nats.jetstream.api.v1.stream_purge_response","purged":3}')["purged"] == 3
    with pytest.raises(MessageNotFoundError, match="no message found"):
        answer_from_wire(
            b'{"type":"io.nats.jetstream.api.v1.stream_msg_get_response",'
            b'"error":{"code":404,"err_code":10037,"description":"no message found"}}'
        )
    for foreign in (b"pong", b"[]", b"{}", b'{"error":"no"}', b'{"type":7}'):
        with pytest.raises(ValueError):
            answer_from_wire(foreign)


@pytest.mark.parametrize(
    "reply",
    [
        "$JS.ACK.S.consumer.1.20.10.1700000000000000001.5",
        "$JS.ACK._.hash.S.consumer.1.20.10.1700000000000000001.5",
        "$JS.ACK.hub.hash.S.consumer.1.20.10.1700000000000000001.5.random",
    ],
)
def test_both_forms_of_ack_subjects(reply):
    parts = reply.encode().rsplit(b".", splits_of_ack(reply.encode()))
    assert parts[1:5] == [b"20", b"10", b"1700000000000000001", b"5"]


@pytest.mark.parametrize("reply", [b"$JS.ACK.S", b"$JS.ACK.S.c.1.2.3.4.5.6"])
def test_other_ack_subjects_are_refused(reply):
    with pytest.raises(ValueError, match=r"tokens"):
        splits_of_ack(reply)


@pytest.mark.parametrize(
    ("deliver", "wire"),
    [
        (DeliverAll(), {"deliver_policy": "all"}),
        (DeliverNew(), {"deliver_policy": "new"}),
        (DeliverLast(), {"deliver_policy": "last"}),
        (DeliverLastPerSubject(), {"deliver_policy": "last_per_subject"}),
        (DeliverFromSequence(9), {"deliver_policy": "by_start_sequence", "opt_start_seq": 9}),
        (
            DeliverFromTime(1),
            {"deliver_policy": "by_start_time", "opt_start_time": "1970-01-01T00:00:00.000000001Z"},
        ),
    ],
)
def test_deliver_policies(deliver, wire):
    assert deliver_to_wire(deliver) == wire
