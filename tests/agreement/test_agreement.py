"""Every family, a bounded number of examples against the server of the test dependencies.

The long run against every version is ``python -m tests.agreement``, which is ``make agreement``.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from lattice_store.model import PubAck
from lattice_store.nats import LocalServer
from lattice_store_sim import SimStorage
from lattice_store_sim._core._profile import PROFILES
from tests.agreement.client import Arrival
from tests.agreement.ground import Ground
from tests.agreement.pair import DifferenceError
from tests.agreement.run import BOUNDED, all_families, run_bounded
from tests.agreement.scenarios import SCENARIOS, batches_run_out_of_time, play
from tests.agreement.served import ServedGround
from tests.agreement.sides import Running, Side
from tests.agreement.simulated import Simulated

NEWEST = list(PROFILES)[-1]
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # large payloads are drawn on purpose


@pytest.mark.nats
@pytest.mark.slow
@pytest.mark.parametrize("family", all_families().values(), ids=all_families())
def test_simulator_agrees_with_the_server(family, nats_server: LocalServer, capsys: pytest.CaptureFixture[str]) -> None:
    with Ground(nats_server, NEWEST) as ground:
        run_bounded(family, ground)
    tally, rows = ground.tally, family.rows(NEWEST)
    assert tally.operations > 0
    with capsys.disabled():
        print(f"\n{family.name}: {tally.summary()}, {tally.share(rows):.0%} of {len(rows)} expected outcomes reached")  # noqa: T201 - its purpose


@pytest.mark.nats
@pytest.mark.slow
@pytest.mark.parametrize("name", ["advisories", "publish"])
def test_simulator_agrees_with_a_server_in_a_domain(name: str) -> None:
    """Every answer names the domain or does not; and either name of the API is as good."""
    family = all_families()[name]
    few = settings(BOUNDED, max_examples=6)
    with LocalServer("jetstream { domain: hub }") as server, Ground(server, NEWEST, domain="hub") as ground:
        for api in ("$JS.API", "$JS.hub.API"):
            in_domain = type(family.__name__, (family,), {"ground": ground, "api": api})
            run_state_machine_as_test(in_domain, settings=few)
    assert ground.tally.states > 0


@pytest.mark.nats
@pytest.mark.slow
@pytest.mark.parametrize("name", ["acks", "publish", "pull", "push", "sources", "storage"])
def test_simulator_on_tcp_agrees_with_the_server(name: str, nats_server: LocalServer) -> None:
    """Few examples: all of it is ``python -m tests.agreement --over-tcp``."""
    few = settings(BOUNDED, max_examples=4, stateful_step_count=15)
    with ServedGround(nats_server, NEWEST) as ground:
        run_state_machine_as_test(all_families()[name].on(ground), settings=few)
    assert ground.tally.operations > 0


@pytest.mark.nats
@pytest.mark.slow
@pytest.mark.parametrize(
    "scenario",
    [each for each in SCENARIOS if each is not batches_run_out_of_time],
    ids=lambda scenario: scenario.__name__,
)
def test_simulator_on_tcp_agrees_about(scenario, nats_server: LocalServer) -> None:
    """All but what takes ten seconds, and would show nothing new."""
    with ServedGround(nats_server, NEWEST) as ground:
        play(scenario, ground)
    assert ground.tally.operations > 0


@pytest.mark.nats
@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_simulator_agrees_about(scenario, nats_server: LocalServer) -> None:
    with Ground(nats_server, NEWEST) as ground:
        play(scenario, ground)
    assert ground.tally.operations > 0


@pytest.mark.nats
@pytest.mark.slow
def test_a_simulator_that_forgets_message_ids_is_found_out(
    nats_server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetting(self: Simulated, subject: str, payload: bytes, headers: bytes, reply: str) -> None:
        send(self, subject, payload, headers.replace(b"Nats-Msg-Id", b"Forgotten-Id"), reply)

    send = Simulated.send
    monkeypatch.setattr(Simulated, "send", forgetting)
    with Ground(nats_server, NEWEST) as ground, pytest.raises(DifferenceError, match="the simulator says"):
        run_bounded(all_families()["publish"], ground)


@pytest.mark.nats
@pytest.mark.slow
def test_a_storage_that_forgets_message_ids_is_found_out(
    nats_server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = SimStorage.publish

    async def forgetting(self: SimStorage, subject: str, payload: bytes, **options: Any) -> PubAck:
        return await publish(self, subject, payload, **{**options, "message_id": None})

    monkeypatch.setattr(SimStorage, "publish", forgetting)
    with Ground(nats_server, NEWEST) as ground, pytest.raises(DifferenceError, match="the simulator says"):
        run_bounded(all_families()["storage"], ground)


class _Leading(Running):
    """A running server as the leading side: it is known what it says once it has been silent for a while."""

    name = "the leading server"

    def receive(self, wait_s: float) -> list[Arrival]:
        return self.settle()


class _TwoServers(Ground):
    def __init__(self, leading: LocalServer, server: LocalServer) -> None:
        super().__init__(server, NEWEST)
        self._leading = _Leading(leading)

    def lead(self) -> Side:
        return self._leading


@pytest.mark.nats
@pytest.mark.slow
def test_a_server_agrees_with_another_of_its_version(nats_server: LocalServer) -> None:
    """What no two servers agree about is not compared."""
    few = settings(BOUNDED, max_examples=4, stateful_step_count=10)
    with LocalServer() as leading, _TwoServers(leading, nats_server) as ground:
        run_state_machine_as_test(all_families()["publish"].on(ground), settings=few)
    assert ground.tally.states > 0
