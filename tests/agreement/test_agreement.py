"""Every family, a bounded number of examples against the server of the test dependencies.

The long run against every version is ``python -m tests.agreement``, which is ``make agreement``.
"""

from __future__ import annotations

import pytest

from lattice_store.nats import LocalServer
from lattice_store_sim._core._profile import PROFILES
from tests.agreement.ground import Ground
from tests.agreement.run import all_families, run_bounded

NEWEST = list(PROFILES)[-1]


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
