"""Faults on the wire: what can be made to go wrong between a simulated server and its clients.

async with serve(seed=7) as server:
server.faults.set(Drop(chance=0.1), CutAfter(4096, times=3))
...
server.faults.clear()
"""

from __future__ import annotations

from lattice_store_sim._wire._faults import (
    CutAfter,
    Delay,
    Drop,
    Fault,
    Faults,
    NoResponders,
    Refuse,
    RestartAfter,
    StallAfter,
    parse,
)

__all__ = [
    "CutAfter",
    "Delay",
    "Drop",
    "Fault",
    "Faults",
    "NoResponders",
    "Refuse",
    "RestartAfter",
    "StallAfter",
    "parse",
]
