"""The side made of code: the simulator's core behind its API, under the clock of this machine."""

from __future__ import annotations

from typing import ClassVar

from lattice_store.clock import SystemClock
from lattice_store.subjects import matches
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._wire._api import JetStreamApi
from tests.agreement.client import Arrival


class Simulated:
    """A core of its own, under the clock of this machine."""

    name: ClassVar = "the simulator"

    def __init__(self, profile: ServerProfile, domain: str = "") -> None:
        self.core = SimCore(profile=profile, domain=domain)
        self.api = JetStreamApi(self.core)
        self._clock, self._now_ns = SystemClock(), 0
        self._moment_ns: int | None = None
        self._subscriptions: set[tuple[str, str]] = set()

    def _tick(self) -> int:
        """The time of day; never the same twice, so that no two messages share theirs."""
        now_ns = self._clock.now_ns() if self._moment_ns is None else self._moment_ns
        self._now_ns = max(now_ns, self._now_ns + 1)
        return self._now_ns

    def at(self, moment_ns: int) -> None:
        self._moment_ns = moment_ns

    @property
    def deadline_ns(self) -> int | None:
        return self.core.next_deadline_ns

    def send(self, subject: str, payload: bytes, headers: bytes, reply: str) -> None:
        self.api.send(subject, payload, headers=headers, reply=reply, now_ns=self._tick())

    def subscribe(self, subject: str, group: str = "") -> None:
        self._subscriptions.add((subject, group))
        self.core.subscribe(subject, group or None, now_ns=self._tick())

    def unsubscribe(self, subject: str, group: str = "") -> None:
        self._subscriptions.discard((subject, group))
        self.core.unsubscribe(subject, group or None, now_ns=self._tick())

    def receive(self, wait_s: float) -> list[Arrival]:
        return self.settle()

    def settle(self) -> list[Arrival]:
        self._moment_ns = None
        self.core.advance(self._tick())
        sent = [
            Arrival(each.to, each.subject or each.to, each.reply, each.headers, each.payload)
            for each in self.core.outbox
            if any(matches(subject, each.to) for subject, _ in self._subscriptions)
        ]
        self.core.outbox.clear()
        return sent

    def restart(self) -> None:
        self.core.restart(now_ns=self._tick())

    def close(self) -> None:
        pass
