"""Where examples happen: one running server, one profile, the counts of what was compared."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from lattice_store.nats import LocalServer
from lattice_store_sim._core._profile import PROFILES
from tests.agreement.client import ConnectionLostError
from tests.agreement.pair import Pair
from tests.agreement.sides import Running, Side
from tests.agreement.simulated import Simulated
from tests.agreement.tally import Tally


class Ground:
    """A server that serves example after example of one family.

    Args:
        profile: the version that is simulated, such as ``2.15``: the one that *server* is.
        domain: the JetStream domain that *server* is configured with.
    """

    def __init__(self, server: LocalServer, profile: str, *, domain: str = "") -> None:
        self.server, self.profile, self.domain = server, profile, domain
        self.tally = Tally()
        self._running = Running(server)

    def __enter__(self) -> Self:
        self._running.close()  # what an example left that did not come to its end
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.disconnect()

    def lead(self) -> Side:
        """Return a new simulated server."""
        return Simulated(PROFILES[self.profile], self.domain)

    @property
    def simulated_url(self) -> str | None:
        """Where the simulated server is that a family connects to by itself; None if it is in this process."""
        return None

    def pair(self, lateness_ns: int) -> Pair:
        return Pair(self.lead(), self._running, self.tally, lateness_ns=lateness_ns)

    def clean(self, pair: Pair) -> None:
        """End an example: nothing of it is left on either side."""
        pair.lead.close()
        try:
            pair.other.close()
        except ConnectionLostError:
            self._running = Running(self.server)
