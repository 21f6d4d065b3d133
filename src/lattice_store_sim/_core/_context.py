"""What the streams and consumers of one server share."""

from __future__ import annotations

import attrs

from lattice_store_sim._core._interest import Interest
from lattice_store_sim._core._outbox import Outgoing, status
from lattice_store_sim._core._profile import NEWEST, ServerProfile


@attrs.define
class Context:
    """One server's surroundings: how it behaves, who listens to it, what it has to say."""

    profile: ServerProfile = NEWEST
    max_replicas: int = 1
    interest: Interest = attrs.field(factory=Interest)
    outbox: list[Outgoing] = attrs.field(factory=list)

    def send(self, outgoing: Outgoing) -> None:
        self.outbox.append(outgoing)

    def send_no_responders(self, reply: str, subject: str) -> None:
        """Tell who sent to *subject* that nobody listens to it."""
        shown = [("Nats-Subject", subject)] if self.profile.no_responders_subject else []
        self.send(status(reply, 503, "", *shown))

    def copy(self) -> Context:
        return Context(self.profile, self.max_replicas, self.interest.copy(), self.outbox.copy())
