"""A few of the runs of `make fuzz`, always the same, and that they would notice."""

from __future__ import annotations

import pytest

from lattice_store_sim import TcpServer
from lattice_store_sim._wire._router import Router
from tests.fuzz import attack
from tests.fuzz.attack import Attack, UnharmedError
from tests.fuzz.grammar import Grammar

pytestmark = pytest.mark.slow


async def test_random_and_mutated_bytes_harm_nobody():
    report = await Attack(seed=1).run(0, 1500)
    assert report.sequences == 1500
    assert report.bystander_rounds > 10


async def test_what_clients_say_reaches_what_it_is_meant_for():
    """Else it would prove nothing: the mutations must leave enough intact."""
    said = b"".join(Grammar(number).sequence() for number in range(500))
    for wanted in (
        b"$JS.API.STREAM.CREATE.S ",
        b"$JS.API.CONSUMER.MSG.NEXT.S.C",
        b"Nats-Expected-",
        b'"sources"',
        b"$JS.ACK.",
    ):
        assert said.count(wanted) > 3, wanted


async def test_an_exception_would_be_noticed(monkeypatch):
    def failing(router: Router, client: object, event: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Router, "_unsubscribe", failing)
    with pytest.raises(UnharmedError, match="ZeroDivisionError"):
        await Attack(seed=1).run(0, 200)


async def test_a_bystander_that_is_cut_would_be_noticed(monkeypatch):
    look = Attack._look

    async def cutting(self: Attack, server: TcpServer) -> None:
        next(iter(server._connections.values())).abort()
        await look(self, server)

    monkeypatch.setattr(Attack, "_look", cutting)
    monkeypatch.setattr(attack, "_PATIENCE_S", 1.0)
    with pytest.raises(UnharmedError, match="harmed"):
        await Attack(seed=1).run(0, 200)
