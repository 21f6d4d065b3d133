"""Text for terminals and pipes: nothing from the wire steers a terminal, nothing is cut off."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store.cli._text import columns, counted, escaped, fields, to_json

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("plain text: Grüße, 日本", "plain text: Grüße, 日本"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines\ttab", r"two\nlines\ttab"),
        ("\x9b5m", r"\x9b5m"),  # the C1 form of ESC [
        ("safe\u202etxt.exe", r"safe\u202etxt.exe"),  # would be shown backwards
        ("\udcff", r"\udcff"),  # a byte that was no UTF-8
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
    ],
)
def test_escaped(given_text: str, shown: str) -> None:
    assert escaped(given_text) == shown


@given(st.text())
def test_escaped_text_is_printable_and_stays_so(text: str) -> None:
    assert escaped(text).isprintable()
    assert escaped(escaped(text)) == escaped(text)


@given(any_json, st.sampled_from([None, 2]))
def test_json_says_the_same_without_steering_a_terminal(value: object, indent: int | None) -> None:
    text = to_json(value, indent=indent)
    assert json.loads(text) == value
    assert not [char for char in text.replace("\n", "") if _steers(char)]
    assert indent is not None or "\n" not in text


def _steers(char: str) -> bool:
    return ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or char in "\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069"


def test_columns_are_aligned_and_never_cut() -> None:
    long = "x" * 500
    assert columns(("A", "LONGER"), [(long, "1"), ("日本", ""), ("b", "2")]) == [
        "A" + " " * 501 + "LONGER",
        f"{long}  1",
        "日本" + " " * 498 + "-",  # two cells each
        "b" + " " * 501 + "2",
    ]


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1))))
def test_each_row_of_a_table_is_one_line_that_holds_its_cells(rows: list[tuple[str, str]]) -> None:
    header, *lines = columns(("ONE", "TWO"), rows)
    assert header.split() == ["ONE", "TWO"]
    assert len(lines) == len(rows)
    for line, (one, two) in zip(lines, rows, strict=True):
        assert line.startswith(escaped(one).rstrip())  # a line of blanks is stripped to nothing
        assert line.rstrip().endswith(escaped(two).rstrip())


def test_fields() -> None:
    assert fields([("a", "1"), ("long", ""), ("b", "\x1b")]) == ["a     1", "long  -", r"b     \x1b"]


def test_counted() -> None:
    assert [counted(number, "record") for number in (0, 1, 2)] == ["0 records", "1 record", "2 records"]
