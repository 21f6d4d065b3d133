"""Every backend and every wrapper keeps the contract: all checks on all of them."""

from __future__ import annotations

import pytest

from lattice_store.testing import CHECKS, Check, run_check
from tests.contract.conftest import REAL, SIMULATED, Backend

_SKIPS_MESSAGES = pytest.mark.xfail(
    reason="nats-server 2.15.1 loses messages of a consumer by start time with several filters; start by sequence"
)
_KNOWN = {"replay_from_a_time_with_filters": [_SKIPS_MESSAGES]}
"""Checks that a real server fails: strict, so that one that passes again is taken off."""


def _marks(name: str, check: Check) -> list[pytest.MarkDecorator]:
    return [pytest.mark.nats, *_KNOWN.get(check.name, [])] if name in REAL else []


_CASES = [
    pytest.param(name, check, id=f"{name}-{check.name}", marks=_marks(name, check))
    for name in (*SIMULATED, *REAL)
    for check in CHECKS
    if name in SIMULATED or not check.needs_clock
]


@pytest.mark.parametrize(("backend_name", "check"), _CASES)
async def test_contract(backend: Backend, check: Check) -> None:
    await run_check(check, backend.make_storage, storage_type=backend.storage_type, clock=backend.clock)


def test_names_are_unique() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS) >= 70


async def test_a_clocked_check_says_what_it_lacks() -> None:
    clocked = next(check for check in CHECKS if check.needs_clock)
    backend = SIMULATED["sim-memory"]()
    with pytest.raises(ValueError, match="needs a clock that can be moved"):
        await run_check(clocked, backend.make_storage, storage_type=backend.storage_type)
