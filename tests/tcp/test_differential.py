"""The same bytes to a real server and to the simulated one: the same bytes come back."""

from __future__ import annotations

import pytest

from lattice_store.nats import LocalServer
from lattice_store_sim import TcpServer
from tests.tcp.conversations import CONVERSATIONS
from tests.tcp.raw import comparable, talk

pytestmark = pytest.mark.nats


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_both_servers_answer_alike(name: str, real: LocalServer, server: TcpServer) -> None:
    said = CONVERSATIONS[name]
    assert comparable(await talk(server.port, said)) == comparable(await talk(real.port, said))
