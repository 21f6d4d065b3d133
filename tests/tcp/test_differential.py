"""The same bytes to a real server and to the simulated one: the same bytes come back."""

from __future__ import annotations

import pytest

from lattice_store.nats import LocalServer
from lattice_store_sim import TcpServer
from tests.fuzz.grammar import Grammar
from tests.tcp.conversations import CONVERSATIONS
from tests.tcp.raw import comparable, talk

pytestmark = pytest.mark.nats


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_both_servers_answer_alike(name: str, real: LocalServer, server: TcpServer) -> None:
    said = CONVERSATIONS[name]
    assert comparable(await talk(server.port, said)) == comparable(await talk(real.port, said))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
async def test_both_servers_answer_damaged_conversations_alike(seed: int, real: LocalServer, server: TcpServer) -> None:
    """In any order: who of several listeners is served first, the server leaves to the order of a map."""
    for number in range(50):
        said = Grammar(f"{seed} {number}", with_jetstream=False).sequence()
        assert _unordered(await talk(server.port, said)) == _unordered(await talk(real.port, said)), said


def _unordered(heard: bytes) -> list[bytes]:
    return sorted(comparable(heard).replace(b"}\n", b"}\r\n").split(b"\r\n"))
