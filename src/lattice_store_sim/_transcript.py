"""Transcripts: what clients sent to a simulated server and what it sent back, as a text that can be replayed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import attrs

from lattice_store.errors import InvalidArgumentError
from lattice_store.limits import SECOND_NS
from lattice_store_sim._clock import VirtualClock
from lattice_store_sim._core._outbox import Outgoing
from lattice_store_sim._server import SimServer
from lattice_store_sim._transcript_text import Entry, Happening, Sent, Told, Waited, entry_lines, read_entries
from lattice_store_sim._wire._api import JetStreamApi
from lattice_store_sim._wire._times import time_ns, time_text

_TITLE: Final = re.compile(r"transcript of nats-server (\S+) from (\S+)")


@attrs.frozen
class Transcript:
    """A run on the wire level. ``str()`` of it is the text that `parse` reads; equal runs have equal texts."""

    version: str
    """The version of nats-server that answered."""
    begun_ns: int
    entries: tuple[Entry, ...] = ()

    def __str__(self) -> str:
        title = f"transcript of nats-server {self.version} from {time_text(self.begun_ns)}"
        return "\n\n".join([title, *("\n".join(entry_lines(entry)) for entry in self.entries)]) + "\n"

    @classmethod
    def parse(cls, text: str) -> Transcript:
        """Read what ``str()`` of a transcript wrote, or what was written by hand, perhaps without any answers.

        Raises:
            InvalidArgumentError: the text is no transcript; the message names the line.
        """
        lines = text.splitlines()
        found = _TITLE.fullmatch(lines[0] if lines else "")
        if found is None:
            raise InvalidArgumentError("a transcript begins with: transcript of nats-server <version> from <time>")
        return cls(found[1], time_ns(found[2]), tuple(read_entries(["", *lines[1:]])))

    def replay(self, server: SimServer[VirtualClock] | None = None) -> Transcript:
        """Do everything again and return what is answered now.

        Args:
            server: where; by default a new one of the same version that begins at the same time.
        """
        recorder = Recorder(server or SimServer(clock=VirtualClock(self.begun_ns), profile=self.version))
        for entry in self.entries:
            for remark in entry.remarks:
                recorder.remark(remark)
            recorder._let_happen(entry.happened)
        return recorder.transcript


class Recorder:
    """A client of a simulated server that speaks its protocol's messages and keeps a transcript.

    All clients are one: what the server sends to any subject is recorded, in order.

    Args:
        server: a new one of the newest version by default. A transcript holds what went through the recorder;
            to replay one that did not begin with an empty server, keep a `SimServer.fork` of how it was.
    """

    def __init__(self, server: SimServer[VirtualClock] | None = None) -> None:
        self.server = SimServer(clock=VirtualClock()) if server is None else server
        self._begun_ns = self._now_ns = self.server.clock.now_ns()
        self._entries: list[Entry] = []
        self._remarks: list[str] = []

    @property
    def transcript(self) -> Transcript:
        """What happened until now."""
        return Transcript(self.server._core.context.profile.version, self._begun_ns, tuple(self._entries))

    def send(self, subject: str, payload: bytes = b"", *, headers: bytes = b"", reply: str = "") -> list[Outgoing]:
        """Publish, and return what the server sends because of it: answers, deliveries, statuses.

        Args:
            subject: literal: of the API (``$JS.API.…``), of an acknowledgement, or of a stream.
            payload: as it is.
            headers: a raw header block, ``NATS/1.0`` and all.
            reply: where answers go; without one nothing is answered.
        """
        return self._let_happen(Sent(subject, payload, headers, reply))

    def subscribe(self, subject: str, group: str | None = None) -> list[Outgoing]:
        """Listen to a subject, alone or as one of a queue group; return what the server sends because of it."""
        return self._let_happen(Told("subscribe", (subject, *filter(None, [group]))))

    def unsubscribe(self, subject: str, group: str | None = None) -> list[Outgoing]:
        """Take back one `subscribe`.

        Raises:
            InvalidArgumentError: there was none.
        """
        return self._let_happen(Told("unsubscribe", (subject, *filter(None, [group]))))

    def advance(self, seconds: float) -> list[Outgoing]:
        """Let time pass, and return what the server sends meanwhile."""
        return self._let_happen(Waited(round(seconds * SECOND_NS)))

    def restart(self) -> list[Outgoing]:
        """Restart the server."""
        return self._let_happen(Told("restart"))

    def remark(self, text: str) -> None:
        """Write a line for the reader above what happens next."""
        self._remarks.append(text)

    def _let_happen(self, happened: Happening) -> list[Outgoing]:
        server, clock = self.server, self.server.clock
        if clock.now_ns() > self._now_ns:  # somebody else moved it
            self._note(Waited(clock.now_ns() - self._now_ns), self._come_due())
        match happened:
            case Sent(subject, payload, headers, reply):
                api = JetStreamApi(server._core)
                api.send(subject, payload, headers=headers, reply=reply, now_ns=clock.now_ns())
            case Told("restart"):
                server.restart()
            case Told(verb, arguments):
                try:
                    getattr(server._core, verb)(*arguments, now_ns=clock.now_ns())
                except KeyError:
                    raise InvalidArgumentError(f"nobody is subscribed to {' as one of '.join(arguments)}") from None
            case Waited(duration_ns):
                clock.advance_ns(duration_ns)
        answers = self._come_due()
        self._note(happened, answers)
        return answers

    def _come_due(self) -> list[Outgoing]:
        """Let happen what is due, tell in-process readers, and return what was sent."""
        core = self.server._core
        self._now_ns = self.server.clock.now_ns()
        core.advance(self._now_ns)
        self.server._tell_all_replays()
        sent = core.outbox.copy()
        core.outbox.clear()
        return sent

    def _note(self, happened: Happening, answers: Sequence[Outgoing]) -> None:
        self._entries.append(Entry(happened, tuple(answers), tuple(self._remarks)))
        self._remarks.clear()
