"""Where examples happen: one running server, one profile, the counts of what was compared."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Final, Self

from lattice_store.nats import LocalServer
from lattice_store_sim._core._profile import PROFILES
from tests.agreement.pair import Pair
from tests.agreement.sides import Running, Side
from tests.agreement.simulated import Simulated
from tests.agreement.states import KEEPER
from tests.agreement.tally import Tally

_CLEANER: Final = "_INBOX.cleaner"


class Ground:
    """A server that serves example after example of one family.

    Args:
        profile: the version that is simulated, such as ``2.15``: the one that *server* is.
    """

    def __init__(self, server: LocalServer, profile: str) -> None:
        self.server, self.profile = server, profile
        self.tally = Tally()
        self._running = Running(server)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.disconnect()

    def lead(self) -> Side:
        """Return a new simulated server."""
        return Simulated(PROFILES[self.profile])

    def pair(self, lateness_ns: int) -> Pair:
        return Pair(self.lead(), self._running, self.tally, lateness_ns=lateness_ns)

    def clean(self, pair: Pair) -> None:
        """End an example: delete its streams from the running server, and its subscriptions."""
        pair.lead.close()
        self._running.close()
        names = [name for name in self._ask("$JS.API.STREAM.NAMES", "streams") or [] if name != KEEPER]
        for name in names:
            self._ask(f"$JS.API.STREAM.DELETE.{name}", "success")

    def _ask(self, subject: str, field: str) -> list[str] | None:
        self._running.subscribe(_CLEANER)
        self._running.send(subject, b"", b"", _CLEANER)
        arrived = []
        while not arrived:
            arrived = self._running.receive(1)
        self._running.unsubscribe(_CLEANER)
        return json.loads(arrived[0].payload).get(field)
