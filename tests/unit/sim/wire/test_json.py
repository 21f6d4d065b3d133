"""Requests as Go reads them; the expectations were observed on nats-server 2.15.1 unless a version is named."""

import json

import pytest

from lattice_store.errors import ApiError
from lattice_store_sim._core._profile import PROFILES
from lattice_store_sim._core._stream_config import ConsumerLimits, StreamConfig
from lattice_store_sim._wire._json import decode, decode_options, is_empty_object

LIMIT = ConsumerLimits(max_ack_pending=1)


def read(payload: bytes, version: str = "2.15") -> StreamConfig:
    return decode(payload, StreamConfig, PROFILES[version])


def refused(payload: bytes, version: str = "2.15") -> str:
    with pytest.raises(ApiError) as refusal:
        read(payload, version)
    assert (refusal.value.code, refusal.value.err_code) == (400, 10025)
    return refusal.value.description


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", StreamConfig()),
        (b"null", StreamConfig()),
        (b'{"name": "S"}', StreamConfig(name="S")),
        (b'{"NAME": "S", "Max_Msgs": 4}', StreamConfig(name="S", max_msgs=4)),
        (b'{"name": null, "max_msgs": null, "metadata": null, "consumer_limits": null}', StreamConfig()),
        (b'{"subjects": [null, "a"]}', StreamConfig(subjects=("", "a"))),
        (b'{"metadata": {"a": null}}', StreamConfig(metadata={"a": ""})),
        (b'{"name": "S"} {"max_msgs": 4}\n', StreamConfig(name="S", max_msgs=4)),
        (b'{"max_msgs": 1, "MAX_MSGS": 2, "max_msgs": 3, "max_msgs": null}', StreamConfig(max_msgs=3)),
        (b'{"metadata": {"a": "1"}, "metadata": {"b": "2"}}', StreamConfig(metadata={"a": "1", "b": "2"})),
        (b'{"consumer_limits": {"max_ack_pending": 1}, "consumer_limits": {}}', StreamConfig(consumer_limits=LIMIT)),
        (b'{"consumer_limits": {"MAX_ACK_PENDING": 1}}', StreamConfig(consumer_limits=LIMIT)),
        (b'{"name": "\xff"}', StreamConfig(name="\ufffd")),
        (b'{"name": "\\ud800"}', StreamConfig(name="\ufffd")),
        (b'{"name": "\\ud83d\\ude00"}', StreamConfig(name="\U0001f600")),
        (b'{"max_msgs": 9223372036854775807}', StreamConfig(max_msgs=2**63 - 1)),
        (b'{"max_msgs": -9223372036854775808}', StreamConfig(max_msgs=-(2**63))),
        (b'{"max_msg_size": 2147483647}', StreamConfig(max_msg_size=2**31 - 1)),
        (b'{"first_seq": 18446744073709551615}', StreamConfig(first_seq=2**64 - 1)),
    ],
)
def test_what_is_read(payload, expected):
    assert read(payload) == expected


@pytest.mark.parametrize(
    "payload",
    [
        b"junk",
        b"[]",
        b"5",
        b'"S"',
        b"{junk",
        b"{",
        b'{"name": "S"}}',
        b'{"name": "S"} junk',
        b'{"name": "S"} []',
        b'{"max_msgs": NaN}',
        b'{"name": "\t"}',
        b"[" * 100_000,
        b'{"max_msgs": ' + b"1" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object(payload):
    assert refused(payload).startswith("invalid JSON: ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", value) for value in (5, [], True)),
        *(("max_msgs", value) for value in ("5", 1.5, 1.0, True, 2**63, -(2**63) - 1)),
        *(("max_msg_size", value) for value in (2**31, -(2**31) - 1)),
        *(("first_seq", value) for value in (-1, 2**64)),
        *(("max_age", value) for value in ("1s", 1.0)),
        *(("subjects", value) for value in ("a", {}, [1])),
        *(("metadata", value) for value in ([], {"a": 1})),
        *(("sealed", value) for value in (1, "true")),
        *(("consumer_limits", value) for value in ([], 5, {"max_ack_pending": "x"})),
        *(("retention", value) for value in (None, "x", "Limits", "", 1, ["limits"])),
        *((policy, None) for policy in ("discard", "storage", "compression", "persist_mode")),
        *((policy, "x") for policy in ("discard", "storage", "compression", "persist_mode")),
    ],
)
def test_a_value_of_another_type_is_refused_wherever_it_stands(field, value):
    refused(json.dumps({field: value}).encode())
    refused(json.dumps({field: value}).encode().removesuffix(b"}") + b', "name": "S"}')


def test_a_field_is_read_as_often_as_it_is_given():
    refused(b'{"max_msgs": "5", "max_msgs": 5}')


@pytest.mark.pins("surprise 24", "unknown_fields_refused")
def test_unknown_fields_are_refused_from_2_12_on():
    for payload in (b'{"foo": 1}', b'{"consumer_limits": {"foo": 1}}'):
        for version in ("2.12", "2.14", "2.15"):
            assert "foo" in refused(payload, version)
        for version in ("2.9", "2.10", "2.11"):
            assert read(payload, version) == StreamConfig()


@pytest.mark.pins("later_fields")
@pytest.mark.parametrize(
    ("field", "value", "since"),
    [
        ("compression", "s2", "2.10"),
        ("first_seq", 5, "2.10"),
        ("consumer_limits", {"max_ack_pending": 1}, "2.10"),
        ("metadata", {"a": "b"}, "2.10"),
        ("allow_msg_ttl", True, "2.11"),
        ("subject_delete_marker_ttl", 1, "2.11"),
        ("allow_msg_counter", True, "2.12"),
        ("allow_atomic", True, "2.12"),
        ("allow_msg_schedules", True, "2.12"),
        ("persist_mode", "async", "2.12"),
        ("allow_batched", True, "2.14"),
    ],
)
def test_a_field_is_unknown_to_versions_before_it(field, value, since):
    versions = list(PROFILES)
    payload = json.dumps({field: value}).encode()
    for version in versions:
        if versions.index(version) >= versions.index(since):
            assert read(payload, version) != StreamConfig()
        elif PROFILES[version].unknown_fields_refused:
            refused(payload, version)
        else:
            assert read(payload, version) == StreamConfig()


@pytest.mark.pins("json_documents_joined")
def test_several_documents_or_none_are_read_from_2_11_on():
    for version in ("2.9", "2.10"):
        refused(b"", version)
        refused(b"{} {}", version)
        assert read(b" {} ", version) == read(b"null", version) == StreamConfig()
    for version in ("2.11", "2.12", "2.14", "2.15"):
        assert read(b"", version) == read(b"{} {}", version) == StreamConfig()
    refused(b'{"foo": 1} {}', "2.11")


@pytest.mark.pins("json_errors_explained")
def test_what_is_wrong_is_said_from_2_11_on():
    for version in ("2.9", "2.10"):
        assert refused(b"junk", version) == refused(b'{"max_msgs": ""}', version) == "invalid JSON"
    for version in ("2.11", "2.12", "2.14", "2.15"):
        assert refused(b"junk", version).startswith("invalid JSON: ")


@pytest.mark.pins("other_bodies_ignored")
def test_options_that_are_no_object_are_ignored_from_2_11_on():
    for body in (b"junk", b"5", b" ", b'"a"'):
        for version in ("2.9", "2.10"):
            with pytest.raises(ApiError, match="invalid JSON"):
                decode_options(body, StreamConfig, PROFILES[version])
        for version in ("2.11", "2.12", "2.14", "2.15"):
            assert decode_options(body, StreamConfig, PROFILES[version]) == StreamConfig()


@pytest.mark.parametrize("body", [b"{junk", b" [", b"[]"])
def test_options_that_begin_as_json_must_be_an_object(body):
    for profile in PROFILES.values():
        with pytest.raises(ApiError, match="invalid JSON"):
            decode_options(body, StreamConfig, profile)


@pytest.mark.parametrize(
    ("body", "empty"),
    [
        *((body, True) for body in (b"", b"{}", b" { } ")),
        *((body, False) for body in (b"null", b"[]", b" ", b"{} {}", b'{"a": 1}', b"junk")),
    ],
)
def test_what_is_an_empty_request(body, empty):
    assert is_empty_object(body) is empty


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b'{"foo": 1}', 'json: unknown field "foo"'),
        (b'{"retention": "nonsense"}', 'can not unmarshal "\\"nonsense\\""'),
        (b'{"retention": 5}', 'can not unmarshal "5"'),
        (b'{"retention": null}', 'can not unmarshal "null"'),
        (b'{"persist_mode": "x"}', 'can not unmarshal "\\"x\\""'),
        (b'{"compression": "x"}', "unknown compression algorithm"),
    ],
)
def test_the_servers_words(payload, words):
    assert refused(payload) == f"invalid JSON: {words}"
