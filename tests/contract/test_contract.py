"""Every backend and every wrapper keeps the contract: all checks on all of them."""

from __future__ import annotations

import pytest

from lattice_store.testing import CHECKS, Check, run_check
from tests.contract.conftest import REAL, SERVED, SIMULATED, Backend

_CASES = [
    pytest.param(name, check, id=f"{name}-{check.name}", marks=[pytest.mark.nats] if name in REAL else [])
    for name in (*SIMULATED, *SERVED, *REAL)
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
