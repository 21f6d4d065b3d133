"""Values by subject are found as matching one by one finds them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store.subjects import is_literal, matches
from lattice_store_sim._core import _subject_map
from lattice_store_sim._core._subject_map import SubjectMap

TOKENS = st.sampled_from(["a", "b", "*", "a*"])
FILTERS = st.builds(
    lambda tokens, end: ".".join([*tokens, *end]),
    st.lists(TOKENS, min_size=1, max_size=3),
    st.sampled_from([[], [">"]]),
)
SUBJECTS = st.lists(st.sampled_from(["a", "b", "c", "a*"]), min_size=1, max_size=4).map(".".join)


@given(st.lists(st.tuples(st.booleans(), FILTERS | st.just(">"))), st.lists(SUBJECTS, min_size=1))
def test_it_finds_what_matching_one_by_one_finds(steps, subjects):
    found, expected = SubjectMap[str](), set[str]()
    for adds, filter_ in steps:
        if adds:
            found.set(filter_, filter_)
            expected.add(filter_)
        elif filter_ in expected:
            found.remove(filter_)
            expected.remove(filter_)
        for subject in subjects:
            assert sorted(found.match(subject)) == sorted(each for each in expected if matches(each, subject))
    assert set(found) == expected
    assert all(found.get(each) == each for each in expected)
    for filter_ in expected:
        found.remove(filter_)
    assert found._root.empty


def test_an_empty_token_is_matched_by_nothing():
    found = SubjectMap[int]()
    found.set(">", 1)
    assert [found.match(each) for each in ("a..b", ".a", "a.", "")] == [()] * 4


@pytest.mark.parametrize("subject", ["a", "a.*"])
def test_what_is_not_there_cannot_be_removed(subject):
    with pytest.raises(KeyError):
        SubjectMap[int]().remove(subject)


def test_what_it_remembers_is_bounded(monkeypatch):
    monkeypatch.setattr(_subject_map, "_FOUND_KEPT", 3)
    found = SubjectMap[int]()
    found.set("a.*", 1)
    assert [found.match(f"a.{number}") for number in range(9)] == [(1,)] * 9
    assert len(found._found) <= 3
    assert is_literal("a.1")


def test_it_finds_in_the_servers_order():
    found = SubjectMap[str]()
    for filter_ in ("a.b", "a.*", "*.b", "*.*", "a.>", ">", "*.>"):
        found.set(filter_, filter_)
    assert found.match("a.b") == (">", "*.>", "*.b", "*.*", "a.>", "a.b", "a.*")
