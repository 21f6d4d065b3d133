"""What the families say of themselves."""

from __future__ import annotations

import pytest

from lattice_store_sim._core._profile import PROFILES
from tests.agreement.families._spans import Span, lacking, rows
from tests.agreement.run import all_families

_SPANS: list[Span] = [("2.9", "2.15", "ask", ["ok"]), ("2.11", "2.12", "ask", ["no", "never"])]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("family", all_families().values(), ids=all_families())
def test_a_family_expects_something_of_every_version(family, profile: str) -> None:
    """Agreement about nothing is none."""
    assert family.rows(profile)


@pytest.mark.parametrize("family", all_families().values(), ids=all_families())
def test_only_what_is_expected_can_be_lacking(family) -> None:
    assert all(absent <= family.expected for absent in family.lacking.values())
    assert set(family.lacking) <= set(PROFILES)


@pytest.mark.parametrize(("version", "has"), [("2.10", {"ok"}), ("2.11", {"ok", "no", "never"}), ("2.14", {"ok"})])
def test_a_version_has_the_rows_of_the_spans_it_lies_in(version: str, has: set[str]) -> None:
    assert rows(_SPANS, version) == {("ask", outcome) for outcome in has}
    assert lacking(_SPANS)[version] == rows(_SPANS) - rows(_SPANS, version)
