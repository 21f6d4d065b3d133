"""The simulator agrees with a real server: answers, errors and states, over drawn operations.

`make test` runs a bounded number of examples and prints a summary; `make agreement` runs the long profile, prints
what was reached, and fails if that is less than 95 % of the rows of `expected`.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from lattice_store.model import PubAck
from lattice_store.nats import LocalServer
from lattice_store_sim import SimStorage
from tests.agreement.conftest import BOUNDED, LONG
from tests.agreement.expected import ROWS
from tests.agreement.machine import Agreement
from tests.agreement.pair import Tally


@pytest.mark.nats
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_simulator_agrees_with_the_server(nats_server: LocalServer, capsys: pytest.CaptureFixture[str]) -> None:
    long = settings.get_current_profile_name() == LONG
    Agreement.url, Agreement.tally = nats_server.url, Tally()
    run_state_machine_as_test(Agreement, settings=settings() if long else BOUNDED)

    tally = Agreement.tally
    assert tally.examples > 0
    missed = sorted(ROWS - set(tally.reached))
    share = 1 - len(missed) / len(ROWS)
    with capsys.disabled():
        print(f"\n{tally.summary()}, 0 differences, {share:.0%} of {len(ROWS)} expected answers reached")  # noqa: T201 - its purpose
        if long:
            print(tally.table(), *(f"  not reached: {rule} {answer}" for rule, answer in missed), sep="\n")  # noqa: T201 - as above
    if long:
        assert share >= 0.95, missed


@pytest.mark.nats
@pytest.mark.slow
def test_a_simulator_that_is_wrong_is_found_out(nats_server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a message ID remembered: the machine must meet one twice."""
    publish = SimStorage.publish

    async def forgetting(self: SimStorage, subject: str, payload: bytes, **options: Any) -> PubAck:
        return await publish(self, subject, payload, **{**options, "message_id": None})

    monkeypatch.setattr(SimStorage, "publish", forgetting)
    Agreement.url, Agreement.tally = nats_server.url, Tally()
    with pytest.raises(AssertionError, match="the simulator says"):
        run_state_machine_as_test(Agreement, settings=settings(BOUNDED, database=None))
