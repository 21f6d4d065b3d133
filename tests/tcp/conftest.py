"""A real server and a simulated one, side by side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from lattice_store.nats import LocalServer
from lattice_store_sim import TcpServer, serve


@pytest.fixture(scope="session")
def real() -> Iterator[LocalServer]:
    """A real server for the whole run; without a nats-server this fails, for a skipped proof is none."""
    with LocalServer() as server:
        yield server


@pytest.fixture
async def server() -> AsyncIterator[TcpServer]:
    async with serve() as running:
        yield running
