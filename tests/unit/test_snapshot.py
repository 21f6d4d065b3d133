"""The bytes of a snapshot: what is written is read back, and what is damaged is not."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store._snapshot import Identity, Snapshot, encode
from lattice_store.errors import SnapshotError
from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.model import Message

IDENTITY = Identity(prefix="default", stream="LATTICECACHE_default", created_ns=1_700_000_000_000_000_001, sequence=9)
tokens = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="."), min_size=1, max_size=8)
messages = st.lists(
    st.builds(
        Message,
        st.builds("lc.default.{}.{}".format, st.sampled_from(["claims", "linkdefs", "refmap"]), tokens),
        st.integers(1, 2**63),
        st.integers(0, 2**62),
        st.sampled_from([NO_HEADERS, Headers({"k": "v"})]),
        st.binary(max_size=30),
    ),
    unique_by=lambda message: message.subject,
    max_size=12,
)


def written(held: list[Message]) -> bytes:
    return b"".join(encode(IDENTITY, held))


@given(messages, tokens)
def test_what_is_written_is_read_back(held, other):
    snapshot = Snapshot(written(held))
    assert (snapshot.identity.stream, snapshot.identity.created_ns) == (IDENTITY.stream, IDENTITY.created_ns)
    assert len(snapshot) == snapshot.identity.count == len(held)
    by_subject = {message.subject: message for message in held}
    assert {message.subject: message for message in snapshot.messages()} == by_subject
    assert all(subject in snapshot for subject in by_subject)
    absent = f"lc.default.claims.{other}"
    assert (absent in snapshot) == (absent in by_subject)
    subjects = [message.subject.encode() for message in snapshot.messages()]
    assert subjects == sorted(subjects)
    newest = sorted((message.sequence for message in held), reverse=True)[:8]
    assert [message.sequence for message in snapshot.newest()] == newest


@given(messages, st.data())
def test_a_file_of_which_one_byte_is_another_is_not_used(held, data):
    whole = bytearray(written(held))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SnapshotError):
        Snapshot(bytes(whole))


@given(messages, st.data())
def test_a_file_that_is_cut_or_longer_is_not_used(held, data):
    whole = written(held)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for wrong in (whole[:cut], whole + b"x", whole[cut:]):
        if wrong != whole:
            with pytest.raises(SnapshotError):
                Snapshot(wrong)


@pytest.mark.parametrize(
    "identity", [b"", b"{}", b"[1]", b'{"prefix":"p","stream":"s","created_ns":1,"sequence":1,"count":9}']
)
def test_a_file_with_a_checksum_and_nothing_else_right_is_not_used(identity):
    begin = b"lattice-store snapshot 1\n" + len(identity).to_bytes(4, "little") + identity
    with pytest.raises(SnapshotError, match="damaged"):
        Snapshot(begin + zlib.crc32(begin).to_bytes(4, "little"))


def test_another_format_is_named():
    with pytest.raises(SnapshotError, match="not a snapshot of this format"):
        Snapshot(b"lattice-store snapshot 2\n" + bytes(100))
