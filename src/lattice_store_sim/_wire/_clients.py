"""The clients of a server as the router sees them: what they said, what they listen to, what is to be sent to them."""

from __future__ import annotations

from enum import Enum
from typing import Any

from lattice_store_sim._wire import _protocol
from lattice_store_sim._wire._events import ConnectOptions
from lattice_store_sim._wire._frames import Frame, text_of
from lattice_store_sim._wire._permissions import ANYTHING, Rights
from lattice_store_sim._wire._protocol import Protocol


class Ending(Enum):
    """How a connection ends."""

    FLUSHED = "what was sent to the client before still reaches it"
    CUT = "at once: the client does not read"


class Subscription:
    """What a client listens to."""

    __slots__ = ("client", "count", "group", "limit", "sid", "subject")

    def __init__(self, client: Client, subject: str, group: str | None, sid: bytes) -> None:
        self.client = client
        self.subject = subject
        self.group = group
        self.sid = sid
        self.count = 0
        """How many messages it got."""
        self.limit = 0
        """After how many it ends, 0 for never."""

    @property
    def exhausted(self) -> bool:
        """Whether it got all that it was to get."""
        return 0 < self.limit <= self.count

    def deliver(self, frame: Frame, subject: str, source: Client | None, now_ns: int) -> bool:
        """Send a message that *source* published on *subject*; return False if its client is not to get it."""
        client = self.client
        if client.ending is not None or (client is source and not client.echo):
            return False
        rights = client.rights
        if rights.filtered and not rights.may_receive(subject, self.group):
            return False
        self.count += 1
        client.send(*frame.pieces(self.sid, with_headers=client.headers))
        if rights.limited and frame.reply:
            rights.note_request(text_of(frame.reply), now_ns)
        return True


class Client:
    """One connection.

    Args:
        cid: its number.
        ip: where it comes from.
        protocol: reads what it sends.
        max_pending: how many bytes may wait for it; with more it is cut.
        touched: is told the client when there is something to be sent, or the connection is to end.
        nonce: what it has to sign.
    """

    __slots__ = (
        *("active", "answered_ping", "pings_out"),
        *("cid", "connected", "echo", "ending", "headers", "ip", "max_pending", "no_responders", "nonce", "options"),
        *("out", "protocol", "rights", "room", "subscriptions", "verbose", "_touched"),
    )

    def __init__(
        self, cid: int, ip: str, protocol: Protocol, *, max_pending: int, touched: list[Client], nonce: str = ""
    ) -> None:
        self.cid = cid
        self.ip = ip
        self.protocol = protocol
        self.nonce = nonce
        self.max_pending = max_pending
        self.room = max_pending
        """How many bytes more may wait."""
        self.subscriptions: dict[bytes, Subscription] = {}
        self.rights: Rights = ANYTHING
        self.out: list[bytes] = []
        self.ending: Ending | None = None
        self.answered_ping = False
        self.active = False
        """Whether it has done anything since that was last looked at."""
        self.pings_out = 0
        """How many PING it has not answered."""
        self._touched = touched
        self.connected = False
        """Whether it has said CONNECT, and was not refused."""
        self._take(ConnectOptions())

    def take_options(self, options: ConnectOptions) -> None:
        """Heed what it says of itself."""
        self.connected = True
        self._take(options)

    def _take(self, options: ConnectOptions) -> None:
        self.options = options
        self.verbose, self.echo = options.verbose, options.echo
        self.headers = options.headers
        self.no_responders = options.no_responders

    @property
    def user(self) -> str:
        """Who it is (client.go, ``getRawAuthUser``)."""
        options = self.options
        return options.nkey or options.user or options.auth_token

    def told_in_advisories(self) -> dict[str, Any]:
        """Return what the server tells others of it (events.go, ``ClientInfo``)."""
        options = self.options
        said = {"user": self.user, "name": options.name, "lang": options.lang, "ver": options.version}
        return {"host": self.ip, "id": self.cid, **{name: value for name, value in said.items() if value}}

    def send(self, *pieces: bytes) -> None:
        """Send what *pieces* are together."""
        if self.ending is not None:
            return
        if not self.out:
            self._touched.append(self)
        self.out += pieces
        self.room -= sum(map(len, pieces))
        if self.room < 0:
            self.end(Ending.CUT)

    def complain(self, text: str) -> None:
        """Send -ERR."""
        self.send(_protocol.error(text))

    def end(self, ending: Ending = Ending.FLUSHED) -> None:
        if self.ending is None:
            self.ending = ending
            self._touched.append(self)

    def take_out(self) -> bytes:
        """Return what is to be sent, which then is."""
        out, self.out = self.out, []
        return b"".join(out)

    def set_waiting(self, waiting: int) -> None:
        """Note how many bytes wait for the client, all that was taken out counted."""
        self.room = self.max_pending - waiting
