import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store import _shapes as shapes
from lattice_store._json import Deleted, decode, encode
from lattice_store._records import (
    Claims,
    ClaimsKey,
    Kind,
    LinkDefinition,
    LinkKey,
    OciReference,
    OciReferenceKey,
    check,
)
from lattice_store.errors import InvalidRecordError, Outcome
from tests.unit.samples import CLAIMS, LINKS, REFERENCES

LINK = LinkDefinition(
    actor_id="M1", provider_id="V1", contract_id="wasmcloud:keyvalue", values={"URL": "redis://:hunter2@127.0.0.1"}
)


def as_bytes(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("value", CLAIMS, ids=lambda value: value["name"])
def test_recorded_claims_are_read_and_written_field_for_field(value):
    record = decode(Kind.CLAIMS, as_bytes(value))
    assert isinstance(record, Claims)
    assert record.key == ClaimsKey(value["sub"])
    assert record.is_provider == value["sub"].startswith("V")
    assert record.capabilities == tuple(filter(None, value.get("caps", "").split(",")))
    assert record.to_json() == {"caps": "", **value}  # the 1.x form has no caps; hosts up to 0.59 always write it
    check(record)


@pytest.mark.parametrize("value", LINKS, ids=lambda value: value["contract_id"])
def test_recorded_links_are_read_and_written_field_for_field(value):
    record = decode(Kind.LINK, as_bytes(value))
    assert isinstance(record, LinkDefinition)
    assert record.key == LinkKey(value["actor_id"], value["contract_id"], value["link_name"])
    expected = {name: content for name, content in value.items() if name != "id"}
    assert record.to_json() == {**expected, "deleted": False}
    check(record)


@pytest.mark.parametrize(("value", "token"), REFERENCES, ids=[value["oci_url"] for value, _ in REFERENCES])
def test_recorded_references_are_read_and_written_field_for_field(value, token):
    record = decode(Kind.OCI_REFERENCE, as_bytes(value))
    assert isinstance(record, OciReference)
    assert record.key == OciReferenceKey(value["oci_url"])
    assert record.to_json() == value
    check(record)


def test_hosts_write_their_fields_in_alphabetical_order():
    record = Claims(public_key="M1", issuer="A1", name="echo")
    assert encode(record.to_json()) == (
        b'{"call_alias":"","caps":"","iss":"A1","name":"echo","rev":"0","sub":"M1","tags":"","version":null}'
    )


def test_claims_are_read_with_the_hosts_own_looseness():
    loose = {"sub": "M1", "iss": "A1", "version": None, "caps": ["a", "b"], "rev": 7, "tags": "", "call_alias": None}
    record = decode(Kind.CLAIMS, as_bytes(loose))
    assert record == Claims(public_key="M1", issuer="A1", capabilities=("a", "b"), rev="7")
    assert decode(Kind.CLAIMS, b'{"sub":"M1"}') == Claims(public_key="M1", issuer="")
    assert decode(Kind.CLAIMS, b'{"sub":"M1","caps":[""]}').capabilities == ()  # seen in the echo_unpriv token


def test_links_are_read_without_id_and_without_values():
    record = decode(Kind.LINK, b'{"actor_id":"M1","contract_id":"c","link_name":"default","provider_id":"V1"}')
    assert record == LinkDefinition(actor_id="M1", provider_id="V1", contract_id="c")


@pytest.mark.parametrize(
    ("kind", "payload", "key"),
    [
        (Kind.CLAIMS, b'{"sub":"M1","deleted":true}', ClaimsKey("M1")),
        (Kind.LINK, b'{"actor_id":"M1","contract_id":"c","link_name":"l","deleted":true}', LinkKey("M1", "c", "l")),
        (Kind.OCI_REFERENCE, b'{"oci_url":"x/y:1","deleted":true}', OciReferenceKey("x/y:1")),
    ],
)
def test_a_deletion_needs_no_more_than_the_key(kind, payload, key):
    assert decode(kind, payload) == Deleted(key)


def test_unknown_fields_survive_reading_changing_and_writing():
    payload = as_bytes({**CLAIMS[0], "config_schema": '{"x":1}', "future": [1, {"a": None}]})
    record = attrs.evolve(decode(Kind.CLAIMS, payload), name="other")
    assert record.extra == {"config_schema": '{"x":1}', "future": [1, {"a": None}]}
    assert record.to_json() == {**CLAIMS[0], "name": "other", "config_schema": '{"x":1}', "future": [1, {"a": None}]}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    "payload",
    [
        b"", b"{", b"null", b"[]", b'"x"', b"{}", b'{"sub":1}', b"\xff\xfe", b'{"sub":"\\ud800"}', b"[" * 100_000,
        b'{"x":' * 100_000, b'{"sub":"M1","deleted":"yes"}', b'{"oci_url":3}', b'{"actor_id":"a","contract_id":"b"}',
        b'{"actor_id":"a","contract_id":"b","link_name":"c","values":{"PASSWORD":12345}}', b"NaN", b"\xef\xbb\xbf{}",
    ],
    ids=lambda payload: repr(payload[:24]),
)  # fmt: skip
def test_what_is_not_a_record_is_refused_in_one_line_without_its_content(kind, payload):
    with pytest.raises(InvalidRecordError) as caught:
        decode(kind, payload)
    message = str(caught.value)
    assert kind.value in message
    assert "\n" not in message
    assert "12345" not in message
    assert len(message) < 300


@given(st.binary(max_size=64) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["sub", "iss", "caps", "values", "actor_id", "contract_id", "link_name", "oci_url", "deleted"]),
        inner, max_size=5),
    max_leaves=12,
).map(as_bytes), st.sampled_from(Kind))  # fmt: skip
def test_nothing_a_stream_may_hold_gets_past_the_decoder_untyped(payload, kind):
    try:
        value = decode(kind, payload)
    except InvalidRecordError:
        return
    assert value.key == decode(kind, payload).key
    if not isinstance(value, Deleted):
        assert decode(kind, encode(value.to_json())) == value


@pytest.mark.parametrize(
    "hidden",
    [b'"x":1e999', b'"x":"\xff"', b'"x":' + b"9" * 5000, b'"x":"\\ud800"', b'"x":' + b"[" * 5000 + b"]" * 5000],
)
def test_what_hides_in_an_unknown_field_is_found_when_the_record_is_read(hidden):
    payload = b'{"sub":"M1","iss":"A1",' + hidden + b"}"
    try:
        record = decode(Kind.CLAIMS, payload)
    except InvalidRecordError:
        return
    assert set(record.extra) == {"x"}
    assert decode(Kind.CLAIMS, encode(record.to_json())) == record


def test_values_of_links_are_never_shown():
    assert "hunter2" not in repr(LINK)
    assert "hunter2" not in str(LINK)
    with pytest.raises(InvalidRecordError) as caught:
        check(attrs.evolve(LINK, values={"URL": 12345}))
    assert "12345" not in str(caught.value)
    assert "URL" in str(caught.value)


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (Claims(public_key="", issuer="A1"), "Claims.public_key"),
        (Claims(public_key="M.1", issuer="A1"), "Claims.public_key"),
        (Claims(public_key="M1>", issuer="A1"), "Claims.public_key"),
        (Claims(public_key="M1", issuer=""), "Claims.issuer"),
        (Claims(public_key="M1", issuer="A1", name="a\nb"), "Claims.name"),
        (Claims(public_key="M1", issuer="A1", capabilities=["a,b"]), "Claims.capabilities"),
        (Claims(public_key="M1", issuer="A1", capabilities=[""]), "Claims.capabilities"),
        (Claims(public_key="M1", issuer="A1", tags=["\ud800"]), "Claims.tags"),
        (Claims(public_key="M1", issuer="A1", rev=3), "Claims.rev"),
        (Claims(public_key="M1", issuer="A1", version=0), "Claims.version"),
        (Claims(public_key="M1", issuer="A1", source=b"nope"), "Claims.source"),
        (Claims(public_key="M1", issuer="A1", source=b"[1]"), "Claims.source"),
        (attrs.evolve(LINK, actor_id=""), "LinkDefinition.actor_id"),
        (attrs.evolve(LINK, provider_id=""), "LinkDefinition.provider_id"),
        (attrs.evolve(LINK, contract_id="c\x00"), "LinkDefinition.contract_id"),
        (attrs.evolve(LINK, link_name="x" * 5000), "LinkDefinition.link_name"),
        (attrs.evolve(LINK, values={"a": "\ud800"}), "LinkDefinition.values"),
        (OciReference(oci_url="", public_key="M1"), "OciReference.oci_url"),
        (OciReference(oci_url="x", public_key="M 1"), "OciReference.public_key"),
    ],
)
def test_a_record_that_hosts_could_not_read_back_is_refused_by_field(record, field):
    with pytest.raises(InvalidRecordError, match=field) as caught:
        check(record)
    assert caught.value.outcome is Outcome.REJECTED


def test_a_single_text_is_not_a_list_of_letters():
    with pytest.raises(InvalidRecordError, match="list of texts"):
        Claims(public_key="M1", issuer="A1", capabilities="wasmcloud:httpserver")
    with pytest.raises(InvalidRecordError, match="not a record of a lattice: dict"):
        check({"sub": "M1"})


def test_keys_name_themselves_for_people():
    assert str(ClaimsKey("M1")) == "claims M1"
    assert str(LinkKey("M1", "c")) == "link M1 c default"
    assert str(OciReferenceKey("x/y:1")) == "OCI reference x/y:1"


def test_records_that_were_decoded_are_like_those_that_were_made():
    """Both have every field, and of the same types."""
    source = b"{}"
    claims_json = shapes.ClaimsJson("M1", "A1", "n", "a", "c", "t", 1, "0.1")
    pairs = [
        (
            shapes.claims(claims_json, source),
            Claims(
                public_key="M1", issuer="A1", name="n", call_alias="a", capabilities=["c"], tags=["t"], rev="1",
                version="0.1", source=source,
            ),
        ),
        (
            shapes.link(shapes.LinkJson("M1", "c", "l", "V1", {"a": "b"}), source),
            LinkDefinition(
                actor_id="M1", provider_id="V1", contract_id="c", link_name="l", values={"a": "b"}, source=source
            ),
        ),
        (
            shapes.oci_reference(shapes.OciReferenceJson("u", "M1"), source),
            OciReference(oci_url="u", public_key="M1", source=source),
        ),
    ]  # fmt: skip
    for (key, decoded), given_ in pairs:
        assert key == given_.key
        assert decoded == given_
        assert repr(decoded) == repr(given_)
        assert attrs.asdict(decoded) == attrs.asdict(given_)
        assert {name: type(value) for name, value in attrs.asdict(decoded).items()} == {
            name: type(value) for name, value in attrs.asdict(given_).items()
        }
