"""What the streams and consumers of one server share."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Final

import attrs
import msgspec

from lattice_store_sim._core._interest import Interest
from lattice_store_sim._core._outbox import Outgoing, status
from lattice_store_sim._core._profile import NEWEST, ServerProfile

_LETTERS: Final = string.digits + string.ascii_letters
_ID_LENGTH: Final = 22
_STEP: Final = 0x9E3779B97F4A7C15  # shares no divisor with the number of names: none comes twice


@attrs.define
class Context:
    """One server's surroundings: how it behaves, who listens to it, what it has to say."""

    profile: ServerProfile = NEWEST
    max_replicas: int = 1
    domain: str = ""
    """The JetStream domain; none by default."""
    server_name: str = "SIMULATED"
    """As the server calls itself; a shell may have a name for it."""
    interest: Interest = attrs.field(factory=Interest)
    outbox: list[Outgoing] = attrs.field(factory=list)
    burst: int | None = None
    """How many messages a consumer delivers in one go, if a shell has to carry them out in between; None for all."""
    unfinished: dict[str, None] = attrs.field(factory=dict)
    """Names of streams with a consumer that has more to deliver: the shell asks for it with `SimCore.go_on`."""
    bell: Callable[[], None] | None = None
    """Is rung when the outbox is empty no longer, for a shell that did not call."""
    note_unheard: Callable[[], None] | None = None
    """Is told that nobody on the server listens to what is being sent; whoever sets it finds the answer himself."""
    names_given: int = 0
    """How many names and IDs were made up."""
    atomic_batches: int = 0
    """How many atomic batches have begun and not ended."""
    fast_batches: int = 0
    """How many fast batches are under way."""
    api_requests: int = 0
    """How many API requests were answered, or would have been had they had a reply subject."""
    api_refusals: int = 0
    """How many of them were refused."""

    deliver: Callable[[Outgoing], None] | None = None
    """Lets streams have what the server itself publishes; set by the server's core."""
    event_streams: list[Callable[[str], bool]] = attrs.field(factory=list)
    """Of streams that may store events: whether they capture a subject."""
    inside: list[tuple[str, bytes]] = attrs.field(factory=list)
    """What was told and is yet to be stored."""

    @property
    def events_wanted(self) -> bool:
        """Whether anybody listens to some of what the server tells by itself, or stores it."""
        return self.interest.in_events > 0 or bool(self.event_streams)

    def is_heard(self, subject: str) -> bool:
        """Return whether anybody would receive or store an event."""
        return self.events_wanted and (self.interest.has(subject) or self._is_stored(subject))

    def _is_stored(self, subject: str) -> bool:
        return any(captures(subject) for captures in self.event_streams)

    def tell(self, subject: str, payload: bytes) -> None:
        """Send an event to who listens; a stream that captures it stores it when the present work is done."""
        self.send(Outgoing(subject, payload, streams_had_it=True))
        if self._is_stored(subject):
            self.inside.append((subject, payload))

    def new_name(self, length: int) -> str:
        """Return so many letters and digits, other ones each time; the same ones in every run."""
        self.names_given += 1
        number, letters = self.names_given * _STEP, ""
        for _ in range(length):
            number, letter = divmod(number or self.names_given * _STEP, len(_LETTERS))
            letters += _LETTERS[letter]
        return letters

    def new_id(self) -> str:
        """Return what nats-server has from its nuid package."""
        return self.new_name(_ID_LENGTH)

    def send(self, outgoing: Outgoing) -> None:
        if self.bell is not None and not self.outbox:
            self.bell()
        self.outbox.append(outgoing)

    def publish(self, outgoing: Outgoing) -> None:
        """Send what clients get, and the streams bound to its subject."""
        self.send(msgspec.structs.replace(outgoing, streams_had_it=True))
        if self.deliver is not None:
            self.deliver(outgoing)

    def tell_unheard(self, subject: str, reply: str) -> None:
        """Tell who sent to *subject*, which the server does not listen to, that nobody else does either."""
        if self.note_unheard is not None:
            self.note_unheard()
        elif reply and not self.interest.has(subject):
            shown = [("Nats-Subject", subject)] if self.profile.no_responders_subject else []
            self.send(status(reply, 503, "", *shown))

    def copy(self, deliver: Callable[[Outgoing], None]) -> Context:
        """Return the surroundings of another server."""
        return attrs.evolve(
            self,
            interest=self.interest.copy(),
            outbox=self.outbox.copy(),
            inside=self.inside.copy(),
            event_streams=[],
            deliver=deliver,
            burst=None,
            unfinished={},
            bell=None,
            note_unheard=None,
        )
