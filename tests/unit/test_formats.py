import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store._formats import StreamFormat, link_id, prefix_of, reference_token
from lattice_store._json import Deleted
from lattice_store._records import Claims, ClaimsKey, Kind, LinkDefinition, LinkKey, OciReference, OciReferenceKey
from lattice_store.errors import InvalidPrefixError, InvalidRecordError
from lattice_store.model import DiscardPolicy, RetentionPolicy, StorageType
from tests.unit.samples import CLAIMS, LINKS, REFERENCES

FORMAT = StreamFormat("default")


def test_the_stream_is_the_one_wasmcloud_hosts_make():
    config = FORMAT.config()
    assert config.name == "LATTICECACHE_default"
    assert config.subjects == ("lc.default.>",)
    assert config.retention is RetentionPolicy.LIMITS
    assert config.storage is StorageType.MEMORY
    assert config.discard is DiscardPolicy.OLD
    assert config.max_msgs_per_subject == 1
    assert config.duplicate_window_ns == 120_000_000_000
    assert config.num_replicas == 1
    assert {config.max_consumers, config.max_msgs, config.max_bytes, config.max_msg_size, config.max_age_ns} == {None}


@pytest.mark.parametrize("prefix", ["", "a.b", ">", "*", "a b", None, 3])
def test_a_prefix_is_one_token(prefix):
    with pytest.raises(InvalidPrefixError):
        StreamFormat(prefix)


def test_the_prefix_can_be_read_off_the_stream():
    assert prefix_of(StreamFormat("a-b").stream) == "a-b"
    assert prefix_of("KV_LATTICEDATA_default") is None


@pytest.mark.parametrize(("value", "token"), REFERENCES)
def test_reference_tokens_are_those_recorded(value, token):
    assert reference_token(value["oci_url"]) == token
    assert FORMAT.subject(OciReferenceKey(value["oci_url"])) == f"lc.default.refmap.{token}"


@given(st.text(min_size=1, max_size=60))
def test_every_reference_has_one_token(url):
    token = reference_token(url)
    assert base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode() == url
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text(max_size=12), st.text(max_size=12))
def test_a_reference_is_read_under_no_other_token(url, token):
    payload = json.dumps({"oci_url": url, "public_key": "M1"}).encode()
    if token and "." not in token and token != reference_token(url):
        with pytest.raises(InvalidRecordError, match="oci_url differs"):
            FORMAT.decode(f"lc.default.refmap.{token}", payload)


def test_new_links_get_an_id_that_every_writer_derives_alike():
    assert link_id(LinkKey("M1", "wasmcloud:httpserver", "default")) == "122b2aea-5b53-5174-9a96-4007e3da4240"
    assert link_id(LinkKey("a", "bc", "d")) != link_id(LinkKey("ab", "c", "d"))


def test_records_are_written_as_the_host_would():
    subject = "lc.default.linkdefs.fb30deff-bbe7-4a28-a525-e53ebd4e8228"
    record = FORMAT.decode(subject, json.dumps(LINKS[0]).encode())
    assert json.loads(FORMAT.encode(record, subject)) == {**LINKS[0], "deleted": False}
    claims = FORMAT.decode(f"lc.default.claims.{CLAIMS[0]['sub']}", json.dumps(CLAIMS[0]).encode())
    assert json.loads(FORMAT.encode(claims, FORMAT.subject(claims.key))) == CLAIMS[0]


def test_a_deletion_is_the_last_value_and_deleted():
    payload = json.dumps({**LINKS[0], "future": 1}).encode()
    subject = f"lc.default.linkdefs.{LINKS[0]['id']}"
    record = FORMAT.decode(subject, payload)
    mark = FORMAT.encode_deleted(payload, record.key)
    assert json.loads(mark) == {**LINKS[0], "future": 1, "deleted": True}
    assert FORMAT.decode(subject, mark) == Deleted(record.key)


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        ("lc.default.ocimap.eA", "unknown kind of record 'ocimap'"),
        ("lc.default.claims", "exactly one more token"),
        ("lc.default.claims.", "exactly one more token"),
        ("lc.default.claims.M1.x", "exactly one more token"),
        ("lc.other.claims.M1", "unknown kind"),
    ],
)
def test_foreign_subjects_are_named(subject, problem):
    with pytest.raises(InvalidRecordError, match=problem):
        FORMAT.decode(subject, b"{}")


def test_a_value_that_contradicts_its_subject_is_no_record():
    with pytest.raises(InvalidRecordError, match="sub differs"):
        FORMAT.decode("lc.default.claims.M2", b'{"sub":"M1"}')
    with pytest.raises(InvalidRecordError, match="oci_url differs"):
        FORMAT.decode("lc.default.refmap.eA", b'{"oci_url":"y","public_key":"M1"}')
    with pytest.raises(InvalidRecordError, match="at most 1048576 are read"):
        FORMAT.decode("lc.default.claims.M1", b" " * (1 << 20) + b'{"sub":"M1"}')


def test_the_id_in_a_link_may_differ_from_its_subject():
    assert FORMAT.decode("lc.default.linkdefs.truncated", json.dumps(LINKS[0]).encode()).key.link_name == "default"


@pytest.mark.parametrize("key", [ClaimsKey("a.b"), ClaimsKey(""), ClaimsKey("*"), ClaimsKey(">"), ClaimsKey("a b")])
def test_a_key_never_widens_a_subject(key):
    with pytest.raises(InvalidRecordError):
        FORMAT.subject(key)


def test_too_large_a_record_is_refused_before_it_is_sent():
    link = LinkDefinition(actor_id="M1", provider_id="V1", contract_id="c", values={"a": "x" * (1 << 20)})
    with pytest.raises(InvalidRecordError, match="at most 1048576 may be written"):
        FORMAT.encode(link, FORMAT.subject(link.key))
    with pytest.raises(InvalidRecordError, match="bytes"):
        FORMAT.subject(OciReferenceKey("x" * 2000))


@given(
    st.builds(
        Claims,
        public_key=st.from_regex(r"\A[MV][A-Z2-7]{1,55}\Z"),
        issuer=st.just("A1"),
        name=st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=20),
        capabilities=st.lists(st.sampled_from(["wasmcloud:httpserver", "x"]), max_size=3),
        version=st.none() | st.just("1.0"),
    )
    | st.builds(
        LinkDefinition,
        actor_id=st.just("M1"),
        provider_id=st.just("V1"),
        contract_id=st.sampled_from(["a", "b c", "ü"]),
        values=st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=4),
    )
    | st.builds(
        OciReference,
        oci_url=st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40),
        public_key=st.just("M1"),
    )
)
def test_what_is_written_is_read_back(record):
    subject = FORMAT.subject(record.key)
    payload = FORMAT.encode(record, subject)
    assert FORMAT.decode(subject, payload) == record
    assert FORMAT.decode(subject, FORMAT.encode_deleted(payload, record.key)) == Deleted(record.key)
    assert FORMAT.parse_subject(subject)[0] is Kind(record.kind)
