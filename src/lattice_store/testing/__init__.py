"""For tests: the contract every `Storage` keeps, and wrappers that record calls or make them fail.

A backend of your own is checked with `CHECKS` and `run_check`, under any test framework::

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
    async def test_contract(check):
        await run_check(check, open_my_storage, storage_type=StorageType.MEMORY)

Code that uses a storage is tested with `FaultyStorage` (lost answers, refusals, delays, broken replays) and
`RecordingStorage` (what was called, in order). `ForwardingStorage` is the base for wrappers of your own.
"""

from __future__ import annotations

from lattice_store.testing._faults import FAULTY_METHODS, Delay, Fault, Interrupt, LoseAnswer, Refuse
from lattice_store.testing._faulty import FaultyStorage
from lattice_store.testing._forwarding import ForwardingStorage
from lattice_store.testing._harness import AdvancingClock, Stream, Streams
from lattice_store.testing._recording import Call, RecordingStorage
from lattice_store.testing._registry import CHECKS, Check, run_check

__all__ = [
    "CHECKS",
    "FAULTY_METHODS",
    "AdvancingClock",
    "Call",
    "Check",
    "Delay",
    "Fault",
    "FaultyStorage",
    "ForwardingStorage",
    "Interrupt",
    "LoseAnswer",
    "RecordingStorage",
    "Refuse",
    "Stream",
    "Streams",
    "run_check",
]
