"""Outcomes that only some versions have: a table of spans of versions, and what a family says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lattice_store_sim._core._profile import PROFILES
from tests.agreement.tally import Row

VERSIONS: Final = tuple(PROFILES)
FIRST: Final = VERSIONS[0]
LAST: Final = VERSIONS[-1]

Span = tuple[str, str, str, Sequence[str]]
"""First and last version, request, and what it can be answered with in those."""


def rows(spans: Sequence[Span], version: str = "") -> frozenset[Row]:
    """Return the rows of one version, or of all."""
    return frozenset(
        (rule, outcome)
        for first, last, rule, outcomes in spans
        for outcome in outcomes
        if not version or version in VERSIONS[VERSIONS.index(first) : VERSIONS.index(last) + 1]
    )


def lacking(spans: Sequence[Span]) -> dict[str, frozenset[Row]]:
    """Return the rows that each version does not have."""
    return {version: rows(spans) - rows(spans, version) for version in VERSIONS}
