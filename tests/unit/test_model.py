import attrs
import pytest

from lattice_store.arguments import check_config
from lattice_store.errors import InvalidArgumentError, InvalidConfigError, InvalidHeaderError, InvalidSubjectError
from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.model import (
    Batch,
    DeliverFromSequence,
    Expect,
    Message,
    PubAck,
    Publication,
    StreamConfig,
    publish_headers,
)


def test_what_is_to_be_created_is_checked_before_a_server_does():
    with pytest.raises(InvalidSubjectError, match=r"stream name 'a\.b'"):
        check_config(StreamConfig(name="a.b"))
    with pytest.raises(InvalidSubjectError, match="'x y'"):
        check_config(StreamConfig(name="S", subjects=["x y"]))
    with pytest.raises(InvalidConfigError, match=r"'a.>' and 'a.b' of stream S overlap"):
        check_config(StreamConfig(name="S", subjects=["a.>", "a.b"]))
    check_config(StreamConfig(name="S", subjects=["a.>", "b.*"]))


def test_what_a_server_holds_can_be_said():
    config = StreamConfig(name="S", subjects=["übung.>", "lc.u.>"])
    assert config.subjects == ("übung.>", "lc.u.>")


def test_a_configuration_cannot_hold_what_no_server_says():
    with pytest.raises(InvalidConfigError, match="single text"):
        StreamConfig(name="S", subjects="lc.>")
    with pytest.raises(InvalidConfigError, match="max_msgs=-1 is no limit"):
        StreamConfig(name="S", max_msgs=-1)


def test_configurations_are_values():
    config = StreamConfig(name="S", subjects=["a", "b"], metadata={"z": "1", "a": "2"})
    assert config == StreamConfig(name="S", subjects=("a", "b"), metadata={"a": "2", "z": "1"})
    assert config.subjects == ("a", "b")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.name = "T"


def test_messages_and_acks_cannot_be_changed():
    for value in (Message("a", 1, 2, NO_HEADERS, b"x"), PubAck("S", 1)):
        with pytest.raises(AttributeError, match="immutable"):
            value.sequence = 9


def test_no_repr_shows_a_payload():
    message = Message("lc.d.linkdefs.x", 1, 2, Headers({"Token": "hunter2"}), b'{"values":{"URL":"hunter2"}}')
    publication = Publication(subject="a", payload=b"hunter2", headers={"Token": "hunter2"})
    batch = Batch(messages=[message], sequence=1, pending=0, caught_up=True)
    for shown in (repr(message), repr(publication), repr(batch)):
        assert "hunter2" not in shown
        assert "Token" in shown
        assert "bytes>" in shown


@pytest.mark.parametrize(
    ("setting", "value"),
    [("storage", "file"), ("retention", None), ("discard", 1), ("max_msgs", "5"), ("max_bytes", 1 << 63)],
)
def test_settings_of_a_wrong_type_are_named(setting, value):
    with pytest.raises(InvalidConfigError, match=f"{setting}={value!r}"):
        StreamConfig(name="S", **{setting: value})


def test_expectations_are_checked():
    with pytest.raises(InvalidArgumentError, match="last_sequence=-1"):
        Expect(last_sequence=-1)
    with pytest.raises(InvalidArgumentError, match="needs last_subject_sequence"):
        Expect(last_subject_filter="a.>")
    with pytest.raises(InvalidSubjectError):
        Expect(last_subject_sequence=0, last_subject_filter="a..b")
    with pytest.raises(InvalidArgumentError, match="start at 1"):
        DeliverFromSequence(0)


def test_a_publish_sends_the_callers_headers_then_id_and_expectations():
    expect = Expect(
        stream="S", last_sequence=3, last_subject_sequence=0, last_subject_filter="a.>", last_message_id="before"
    )
    headers = publish_headers({"Mine": "1"}, "id-1", expect)
    assert list(headers.items()) == [
        ("Mine", "1"),
        ("Nats-Msg-Id", "id-1"),
        ("Nats-Expected-Stream", "S"),
        ("Nats-Expected-Last-Sequence", "3"),
        ("Nats-Expected-Last-Subject-Sequence", "0"),
        ("Nats-Expected-Last-Subject-Sequence-Subject", "a.>"),
        ("Nats-Expected-Last-Msg-Id", "before"),
    ]


def test_a_publish_without_anything_has_no_header_block():
    assert publish_headers({}, None, None).block == b""
    given = Headers({"A": "1"})
    assert publish_headers(given, None, None) is given


def test_a_message_id_that_a_server_would_not_see_is_refused():
    with pytest.raises(InvalidArgumentError, match="Nats-Msg-Id is empty"):
        publish_headers({}, "", None)
    with pytest.raises(InvalidArgumentError, match="given twice"):
        publish_headers({"Nats-Msg-Id": "a"}, "b", None)
    with pytest.raises(InvalidHeaderError):
        publish_headers({}, "a\r\nb", None)
    with pytest.raises(InvalidArgumentError, match="Nats-Expected-Stream is empty"):
        publish_headers({}, None, Expect(stream=""))
