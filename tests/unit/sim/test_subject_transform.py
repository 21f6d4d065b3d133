"""What becomes of a subject; the expectations were observed on nats-server."""

import pytest

from lattice_store_sim._core._profile import NEWEST, profile_of
from lattice_store_sim._core._subject_transform import SubjectTransform, TransformError, check_mapping


@pytest.mark.parametrize(
    ("source", "destination", "subject", "expected"),
    [
        ("a", "b", "a", "b"),
        ("a", "b", "c", None),
        (">", ">", "a.b", "a.b"),
        ("", "t.>", "a.b", "t.a.b"),
        ("*.*", "{{wildcard(2)}}.$1", "a.b", "b.a"),
        ("*.>", "$1.x.>", "a.b.c", "a.x.b.c"),
        ("*.*", "$0", "a.b", "a"),
        ("*", "$x", "a", "$x"),
        ("*", "{{split(1,-)}}", "ab-c-d", "ab.c.d"),
        ("*", "{{split(1,-)}}", "-x-y-", "x.y"),
        ("*", "{{split(1,)}}", "abc", "a.b.c"),
        ("*", "{{splitfromleft(1,2)}}", "abcde", "ab.cde"),
        ("*", "{{SplitFromRight(1,2)}}", "abcde", "abc.de"),
        ("*", "{{splitfromleft(1,9)}}", "abcde", "abcde"),
        ("*", "{{slicefromleft(1,2)}}", "abcde", "ab.cd.e"),
        ("*", "{{SliceFromRight(1,2)}}", "abcde", "a.bc.de"),
        ("*", "{{left(1,2)}}.{{right(1,2)}}", "abcde", "ab.de"),
        ("*", "{{partition(10,1)}}", "abc", "1"),
        ("*.*", "{{partition(10,1,2)}}", "ab.c", "1"),
        ("a.b", "{{partition(5)}}", "a.b", "2"),
        ("*", "{{random(1)}}", "a", "0"),
        ("*-*", "b", "anything", "b"),
    ],
)
def test_a_subject_is_mapped(source, destination, subject, expected):
    assert SubjectTransform(source, destination, NEWEST).match(subject) == expected


def test_random_is_below_its_bound_and_the_same_each_time():
    transform = SubjectTransform("a", "{{random(3)}}", NEWEST)
    drawn = [transform.match("a", turn) for turn in range(100)]
    assert set(drawn) == {"0", "1", "2"}
    assert drawn == [transform.match("a", turn) for turn in range(100)]


@pytest.mark.parametrize(
    ("source", "destination", "problem"),
    [
        ("*", "x..b", "invalid mapping destination: invalid transform"),
        ("*", "x b", "invalid mapping destination: invalid transform"),
        ("b.>", "c", "invalid subject"),
        ("*", "{{wildcard(2)}}", "invalid mapping destination: wildcard index out of range in {{wildcard(2)}}: [2]"),
        ("b", "{{wildcard(2)}}", "invalid mapping destination: wildcard index out of range in {{wildcard(2)}}"),
        ("b", "c.{{foo(1)}}", "invalid mapping destination: unknown function in {{foo(1)}}"),
        (
            *("*", "{{wildcard()}}"),
            "invalid mapping destination: not enough arguments passed to the function in {{wildcard()}}",
        ),
    ],
)
def test_a_mapping_that_is_none(source, destination, problem):
    with pytest.raises(TransformError) as caught:
        check_mapping(source, destination, NEWEST)
    assert str(caught.value) == problem


@pytest.mark.pins("left_and_right_refused")
@pytest.mark.parametrize(("version", "taken"), [("2.10", True), ("2.11", False), ("2.14", False), ("2.15", True)])
def test_left_and_right_in_a_streams_mapping(version, taken):
    if taken:
        check_mapping("*", "x.{{left(1,2)}}", profile_of(version))
    else:
        with pytest.raises(TransformError, match="unknown function"):
            check_mapping("*", "x.{{left(1,2)}}", profile_of(version))


@pytest.mark.pins("empty_tokens_named")
@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ("2.11", "invalid mapping destination: invalid transform in "),
        ("2.12", "invalid mapping destination: invalid transform"),
    ],
)
def test_an_empty_token_in_a_mapping(version, problem):
    with pytest.raises(TransformError) as caught:
        check_mapping("*", "x..b", profile_of(version))
    assert str(caught.value) == problem


@pytest.mark.pins("transforms_without_wildcards")
@pytest.mark.parametrize(("version", "taken"), [("2.11", False), ("2.12", True)])
@pytest.mark.parametrize("destination", ["{{partition(3)}}", "{{random(2)}}"])
def test_functions_without_wildcards(version, taken, destination):
    if taken:
        assert SubjectTransform("a", destination, profile_of(version)).match("a") in ("0", "1", "2")
    else:
        with pytest.raises(TransformError):
            SubjectTransform("a", destination, profile_of(version))


@pytest.mark.pins("partition_counts_wrap")
@pytest.mark.parametrize(("version", "expected"), [("2.9", "1963738095"), ("2.11", "1963738095"), ("2.12", None)])
def test_more_partitions_than_32_bits_have_room_for(version, expected):
    maps("*", "{{partition(2147483648,1)}}", version, "p", expected)


@pytest.mark.pins("long_numbers_wrap")
@pytest.mark.parametrize(("version", "expected"), [("2.10", "a"), ("2.11", None)])
@pytest.mark.parametrize("size", ["2147483648", "-2147483649"])
def test_a_size_beyond_32_bits(version, expected, size):
    maps("*", f"{{{{slicefromleft(1,{size})}}}}", version, "a", expected)


def test_no_number_is_beyond_64_bits():
    maps("*", "{{wildcard(9223372036854775808)}}", "2.10", "a", None)


def maps(source, destination, version, subject, expected):
    if expected is None:
        with pytest.raises(TransformError, match="invalid or in the wrong format"):
            SubjectTransform(source, destination, profile_of(version))
    else:
        assert SubjectTransform(source, destination, profile_of(version)).match(subject) == expected
