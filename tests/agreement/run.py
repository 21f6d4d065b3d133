"""Runs one family: a bounded number of examples for `make test`, or until enough operations were compared."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.agreement import families
from tests.agreement.family import Machine
from tests.agreement.ground import Ground

_COMMON: Final = settings(
    deadline=None,
    database=None,
    # a real server answers each step, and a pipeline of messages is many choices
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
BOUNDED: Final = settings(
    _COMMON,
    stateful_step_count=30,
    phases=[Phase.generate],  # shrinking against a server takes minutes: the long run's
    derandomize=True,  # a verdict on a change, the same each time; the long run looks for what is new
)
_LONG: Final = settings(_COMMON, stateful_step_count=50, phases=[Phase.generate, Phase.shrink])
_FIRST_ROUND, _LARGEST_ROUND = 5, 500


def all_families() -> dict[str, type[Machine]]:
    """Return every family of the package by its name."""
    for module in pkgutil.walk_packages(families.__path__, f"{families.__name__}."):
        importlib.import_module(module.name)
    found: dict[str, type[Machine]] = {}
    below = [Machine]
    while below:
        for family in below.pop().__subclasses__():
            below.append(family)
            if family.name and "ground" not in vars(family):
                found[family.name] = family
    return dict(sorted(found.items()))


def run_bounded(family: type[Machine], ground: Ground) -> None:
    """Run the family's bounded number of examples.

    Raises:
        DifferenceError: the two sides disagree.
    """
    run_state_machine_as_test(family.on(ground), settings=settings(BOUNDED, max_examples=family.bounded_examples))


def run_long(family: type[Machine], ground: Ground, operations: int) -> None:
    """Run rounds of examples until that many operations were compared; a difference is shrunk first.

    Raises:
        DifferenceError: the two sides disagree.
    """
    tally, examples = ground.tally, _FIRST_ROUND
    while tally.operations < operations:
        run_state_machine_as_test(family.on(ground), settings=settings(_LONG, max_examples=examples))
        left = operations - tally.operations
        examples = min(_LARGEST_ROUND, 1 + left * tally.examples // max(1, tally.operations))
