"""One real server for the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lattice_store.nats import LocalServer


@pytest.fixture(scope="session")
def nats_server() -> Iterator[LocalServer]:
    """Without a nats-server this fails: a skipped proof is none."""
    with LocalServer() as server:
        yield server
