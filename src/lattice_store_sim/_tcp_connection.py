"""One connection over TCP: carries bytes to the router and back, and notices a client that is late or gone."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from lattice_store.limits import SECOND_NS
from lattice_store_sim._tcp_faults import FaultyTransport
from lattice_store_sim._tcp_limits import WireLimits
from lattice_store_sim._wire import _protocol
from lattice_store_sim._wire._clients import Client, Ending
from lattice_store_sim._wire._faults import Faults

_FIRST_PING_NS: Final = 2 * SECOND_NS
"""A client is asked soon after it has connected (server.go, ``firstClientPingInterval``)."""
_SPREAD: Final = 5
"""By up to a fifth later, not all of them at once."""


class Host(Protocol):
    """The server, as its connections need it."""

    limits: WireLimits
    auth_required: bool
    tls: ssl.SSLContext | None
    tls_first: bool
    faults: Faults

    def connected(self, connection: Connection, ip: str) -> Client: ...
    def greet(self, client: Client) -> None: ...
    def received(self, client: Client, data: bytes) -> None: ...
    def lost(self, connection: Connection) -> None: ...
    def flush(self) -> None: ...


class Connection(asyncio.Protocol):
    """Bytes of one client, and its deadlines; these are in real time, whatever the clock of the server is.

    Args:
        host: the server.
    """

    client: Client

    def __init__(self, host: Host) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._securing: asyncio.Task[None] | None = None
        self._early = b""
        self._known = False

    # -- asyncio.Protocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        host = self._host
        if host.faults and host.faults.refuses():
            transport.abort()
            return
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.client = host.connected(self, peer[0] if peer else "")
        if host.tls is None:
            self.meet_faults()
            host.greet(self.client)
            self._begin()
        else:
            transport.pause_reading()
            if not host.tls_first:
                host.greet(self.client)
            self._securing = self._loop.create_task(self._secure(transport, host.tls))
        host.flush()

    async def _secure(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        """Go on encrypted: the client has read so in INFO, or begins with it."""
        host, secured = self._host, None
        timeout_s = host.limits.tls_timeout_ns / SECOND_NS
        try:
            with suppress(OSError):  # of TLS, and of time, too
                secured = await self._loop.start_tls(
                    transport, self, context, server_side=True, ssl_handshake_timeout=timeout_s
                )
        finally:
            if secured is None or self.client.ending is not None:
                transport.abort()
                self.connection_lost(None)  # which asyncio says of encrypted connections only
        if secured is not None and self.client.ending is None:
            self._transport, self._securing = secured, None
            self.meet_faults()
            if host.tls_first:
                host.greet(self.client)
            self._begin()
            host.flush()
            if self._early:
                self.data_received(self._early)

    def _begin(self) -> None:
        limits = self._host.limits
        if self._host.auth_required:
            self._after(limits.auth_timeout_ns, "auth", self._auth_is_late)
        self._after(limits.ping_interval_ns, "ping", self._look_whether_alive)

    def data_received(self, data: bytes) -> None:
        client = self.client
        if self._securing is not None:  # came with the end of the handshake, which nobody has been told of yet
            self._early += data
            return
        self._host.received(client, data)
        if client.connected and not self._known:
            self._known = True
            self._cancel("auth")
            first = min(self._host.limits.ping_interval_ns, _FIRST_PING_NS)
            self._after(first + first * (client.cid % _SPREAD) // _SPREAD**2, "ping", self._look_whether_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._transport is not None:  # otherwise it was refused
            self._host.lost(self)

    def pause_writing(self) -> None:
        """Much waits for the client."""
        self._after(self._host.limits.write_deadline_ns, "write", self.abort)

    def resume_writing(self) -> None:
        self._cancel("write")

    # -- deadlines ------------------------------------------------------------------------------

    def _after(self, delay_ns: int, name: str, action: Callable[[], None]) -> None:
        self._cancel(name)
        if self.client.ending is None or name == "write":
            self._timers[name] = self._loop.call_later(delay_ns / SECOND_NS, action)

    def _cancel(self, name: str) -> None:
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()

    def _auth_is_late(self) -> None:
        self._end("Authentication Timeout")

    def _look_whether_alive(self) -> None:
        """Ask a client that is silent whether it is there (client.go, ``processPingTimer``)."""
        client, limits = self.client, self._host.limits
        if client.active and self._known:
            client.active = False
            silent = not self._asked
        else:
            silent = True
        if silent:
            if client.pings_out + 1 > limits.max_pings_out:
                self._end("Stale Connection")
                return
            client.pings_out += 1
            self._asked = True
            client.send(_protocol.PING)
        self._after(limits.ping_interval_ns, "ping", self._look_whether_alive)
        self._host.flush()

    _asked = False
    """Whether it was ever asked: the first time it is asked whether silent or not."""

    def _end(self, text: str) -> None:
        self.client.complain(text)
        self.client.end()
        self._host.flush()

    # -- faults ---------------------------------------------------------------------------------

    def meet_faults(self) -> None:
        """Go on with other faults than before; those of an encrypted connection begin when that is established."""
        if isinstance(self._transport, FaultyTransport):
            self._transport.end()
            self._transport = self._transport.transport
        if self._host.faults and self._transport is not None and self._securing is None:
            self._transport = FaultyTransport(self._transport, self._host.faults)

    # -- writing --------------------------------------------------------------------------------

    def write_out(self) -> None:
        """Give what is to be sent to the operating system, as far as it takes it."""
        client, transport = self.client, self._transport
        if transport is None:
            return
        if client.out and client.ending is not Ending.CUT:
            transport.write(client.take_out())
            client.set_waiting(transport.get_write_buffer_size())
            if client.room < 0:
                client.end(Ending.CUT)
        if client.ending is Ending.CUT:
            transport.abort()
        elif client.ending is not None:
            transport.close()
            if transport.get_write_buffer_size():
                self._after(self._host.limits.write_deadline_ns, "write", self.abort)

    def abort(self) -> None:
        """End the connection at once."""
        self.client.end(Ending.CUT)
        if self._securing is not None:
            self._securing.cancel()
        if self._transport is not None:
            self._transport.abort()
        self._host.flush()
