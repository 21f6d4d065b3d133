import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store.errors import InvalidPrefixError, InvalidSubjectError, LatticeStoreError, Outcome
from lattice_store.subjects import (
    check_filter,
    check_new_prefix,
    check_prefix,
    check_stream_name,
    check_subject,
    covers,
    is_literal,
    matches,
    overlap,
)

TOKENS = ("a", "b", "a*", ">a")
LITERALS = [".".join(tokens) for length in (1, 2, 3) for tokens in itertools.product(("a", "b"), repeat=length)]
filters = st.lists(st.sampled_from(["a", "b", "*"]), min_size=0, max_size=3).flatmap(
    lambda tokens: st.booleans().map(lambda tail: ".".join([*tokens, ">"] if tail or not tokens else tokens))
)


@pytest.mark.parametrize("subject", ["a", "lc.default.claims.M1", "$KV.x.y", "a*.b", ">a", "a>", "x" * 1024, "a.!~"])
def test_a_literal_subject_of_printable_ascii_may_be_published_on(subject):
    check_subject(subject)
    assert is_literal(subject)


@pytest.mark.parametrize(
    "subject", ["", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\r\nPUB x 0", "a\x00", "ä", "a\n", "x" * 1025, "a.\x7f"]
)
def test_what_is_not_a_subject_is_refused_with_its_name(subject):
    for check in (check_subject, check_filter):
        with pytest.raises(InvalidSubjectError) as caught:
            check(subject)
        assert caught.value.outcome is Outcome.REJECTED
        assert isinstance(caught.value, ValueError)
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize("subject", ["*", ">", "a.*", "a.>", "*.b", "a.*.c"])
def test_wildcards_are_filters_not_subjects(subject):
    check_filter(subject)
    with pytest.raises(InvalidSubjectError, match="wildcard"):
        check_subject(subject)


@pytest.mark.parametrize("subject", [">.a", "a.>.b", ">.>"])
def test_a_full_wildcard_stands_last(subject):
    with pytest.raises(InvalidSubjectError, match="before its last token"):
        check_filter(subject)


@pytest.mark.parametrize("name", ["S", "LATTICECACHE_default", "a,b", "x" * 255, "KV_x-1"])
def test_stream_names(name):
    check_stream_name(name)


@pytest.mark.parametrize("name", ["", "a.b", "a*", "a>", "a/b", "a\\b", "a b", "x" * 256, "ä", "a\n"])
def test_what_is_no_stream_name(name):
    with pytest.raises(InvalidSubjectError, match="stream name"):
        check_stream_name(name)


@pytest.mark.parametrize("prefix", ["default", "my-lattice_1", "x" * 64])
def test_prefixes_to_create(prefix):
    check_new_prefix(prefix)
    check_prefix(prefix)


@pytest.mark.parametrize("prefix", ["a+b", "x" * 65, "läß", "", "a.b", "*", ">", "a b", "a\n", "../x"])
def test_prefixes_not_to_create(prefix):
    with pytest.raises(InvalidPrefixError, match="1-64 characters"):
        check_new_prefix(prefix)


@pytest.mark.parametrize("prefix", ["", "a.b", "*", ">", "default.>", "a b", "a\n", "a/b", "x" * 200])
def test_prefixes_that_would_widen_a_lattice_are_never_opened(prefix):
    with pytest.raises(InvalidPrefixError) as caught:
        check_prefix(prefix)
    assert isinstance(caught.value, LatticeStoreError)


def test_an_odd_existing_prefix_may_be_opened():
    check_prefix("a+b,c")


def test_partial_wildcards_are_literal_tokens():
    assert matches("a*", "a*")
    assert not matches("a*", "ab")


def brute_force_matches(wanted: list[str], given: list[str]) -> bool:
    if not wanted:
        return not given
    if wanted[0] == ">":
        return bool(given)
    return bool(given) and wanted[0] in ("*", given[0]) and brute_force_matches(wanted[1:], given[1:])


@given(filters, st.sampled_from(LITERALS))
def test_matching_agrees_with_the_definition(filter_, subject):
    assert matches(filter_, subject) == brute_force_matches(filter_.split("."), subject.split("."))


@given(filters, filters)
def test_two_filters_overlap_if_some_subject_matches_both(left, right):
    # Three tokens over two letters, and one more for `>`, tell all these filters apart.
    subjects = [*LITERALS, *(f"{subject}.a" for subject in LITERALS)]
    assert overlap(left, right) == any(matches(left, subject) and matches(right, subject) for subject in subjects)
    assert overlap(left, right) == overlap(right, left)


@given(filters, filters)
def test_a_filter_covers_another_if_it_matches_all_that_the_other_does(wide, narrow):
    subjects = [*LITERALS, *(f"{subject}.{tail}" for subject in LITERALS for tail in ("a", "b", "c", "a.a"))]
    subjects += ["c", "c.c", "c.c.c", "c.c.c.c"]  # a token that no filter names
    expected = all(matches(wide, subject) for subject in subjects if matches(narrow, subject))
    assert covers(wide, narrow) == expected
