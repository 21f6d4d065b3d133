"""Pages that are written by the tests say what the tests and the code say now."""

from __future__ import annotations

import json

import pytest

from tests.agreement import coverage
from tests.docs import profiles, surprises
from tests.docs.pins import pinned


@pytest.mark.parametrize("number", range(1, len(surprises.SURPRISES) + 1))
def test_each_surprise_has_a_test(number: int) -> None:
    assert f"surprise {number}" in pinned()


@pytest.mark.parametrize("difference", profiles.differences())
def test_each_difference_between_versions_has_a_test(difference: str) -> None:
    assert difference in pinned()


def test_nothing_else_is_pinned() -> None:
    numbered = {f"surprise {number}" for number in range(1, len(surprises.SURPRISES) + 1)}
    assert set(pinned()) <= numbered | set(profiles.differences())


def test_the_page_of_surprises_is_current() -> None:
    assert surprises.PAGE.read_text() == surprises.page(), "run: python -m tests.docs.surprises"


def test_the_page_of_profiles_is_current() -> None:
    assert profiles.PAGE.read_text() == profiles.page(), "run: python -m tests.docs.profiles"


def test_the_page_of_coverage_is_current() -> None:
    written = coverage.page(json.loads(coverage.REPORT.read_text()))
    assert coverage.PAGE.read_text() == written, "run: python -m tests.agreement.coverage"
