"""The long profile, and one real server for the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from lattice_store.nats import LocalServer

LONG = "agreement"
_common = settings(
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # a real server answers each step
)
settings.register_profile(LONG, _common, max_examples=600)
BOUNDED = settings(
    _common,
    max_examples=60,
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # shrinking against a server takes minutes: the long profile's
)


@pytest.fixture(scope="session")
def nats_server() -> Iterator[LocalServer]:
    """Without a nats-server this fails: a skipped proof is none."""
    with LocalServer() as server:
        yield server
