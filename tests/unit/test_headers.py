import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store.errors import InvalidHeaderError
from lattice_store.headers import NO_HEADERS, Headers

names = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.strip)


def test_no_headers_are_no_bytes():
    assert NO_HEADERS.block == b""
    assert Headers({}).block == b""
    assert not NO_HEADERS


def test_the_block_is_what_goes_over_the_wire():
    assert Headers({"A": "1", "b": ""}).block == b"NATS/1.0\r\nA: 1\r\nb: \r\n\r\n"


@given(st.dictionaries(names, values, max_size=5))
def test_a_block_read_back_is_the_same_mapping(headers):
    block = Headers(headers).block
    read = Headers.from_block(block)
    assert dict(read) == headers
    assert list(read) == list(headers)
    assert read == headers
    assert read.block == block
    assert read == Headers(headers)


@given(st.text(max_size=12))
def test_a_single_header_is_like_one_among_others(value):
    try:
        expected = Headers({"Nats-Msg-Id": value}).block
    except InvalidHeaderError as error:
        with pytest.raises(InvalidHeaderError, match=re.escape(str(error))):
            Headers.single("Nats-Msg-Id", value)
    else:
        assert Headers.single("Nats-Msg-Id", value).block == expected


def test_names_are_case_sensitive_and_the_first_occurrence_wins():
    headers = Headers.from_block(b"NATS/1.0\r\nA:1\r\na:  2\r\nA: 3\r\nno colon\r\n\r\n")
    assert headers["A"] == "1"
    assert headers["a"] == "2"
    assert len(headers) == 2
    assert "no colon" not in headers


def test_bytes_that_are_no_text_are_kept():
    block = b"NATS/1.0\r\nA: \xff\r\n\r\n"
    headers = Headers.from_block(block)
    assert headers["A"] == "\udcff"
    assert headers.block == block


@pytest.mark.parametrize("name", ["", "a b", "a:b", "ä", "a\r\nb", "a\n"])
def test_names_that_would_not_arrive_are_refused(name):
    with pytest.raises(InvalidHeaderError, match="header name"):
        Headers({name: "x"})


@pytest.mark.parametrize("value", [" hush", "hush ", "hush\r\ny", "hushä", "hush\x00", "hush\n"])
def test_values_that_would_not_arrive_are_refused_without_being_shown(value):
    with pytest.raises(InvalidHeaderError, match="value of header Token") as caught:
        Headers({"Token": value})
    assert "hush" not in str(caught.value)


def test_headers_compare_by_their_bytes():
    assert Headers({"A": "1", "B": "2"}) != Headers({"B": "2", "A": "1"})
    assert Headers({"A": "1", "B": "2"}) == {"B": "2", "A": "1"}
    assert Headers({"A": "1"}) != 3
    assert repr(Headers({"A": "1"})) == "Headers({'A': '1'})"
