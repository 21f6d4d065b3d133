"""A simulated server on TCP: real clients connect to it. The shell reads the clock, keeps deadlines, moves bytes."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import os
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from lattice_store.errors import InvalidArgumentError
from lattice_store_sim._clock import VirtualClock
from lattice_store_sim._core._profile import NEWEST
from lattice_store_sim._server import Profile, Shell, SimServer
from lattice_store_sim._store_dir import StoreDir
from lattice_store_sim._tcp_connection import Connection
from lattice_store_sim._tcp_keeping import Keeping
from lattice_store_sim._tcp_limits import WireLimits
from lattice_store_sim._wire._auth import Auth
from lattice_store_sim._wire._clients import Client, Ending
from lattice_store_sim._wire._faults import Fault, Faults
from lattice_store_sim._wire._router import Router
from lattice_store_sim._wire._server_info import ServerInfo

_NONCE_BYTES: Final = 11
_LONGEST_FAREWELL_S: Final = 1.0
_TURNS_TO_ACCEPT: Final = 3
"""So many turns of the loop after the last connection was accepted, asyncio has told of it."""
_NEVER: Final = 1 << 62
_BURST: Final = 512
"""How many messages a consumer delivers before they are written and others have their turn."""


def _check_host(host: str, *, allow_remote: bool) -> None:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback and not allow_remote:
        raise InvalidArgumentError(
            f"serve(host={host!r}) would let other machines in, with no more protection than a test needs;"
            " allow_remote=True (--allow-remote) if that is what you want"
        )


class TcpServer(Shell):
    """A simulated server that listens on TCP. `serve` makes one.

    Args:
        sim: the server.
        limits: what it bears.
        auth: who may connect.
        tls: how connections are encrypted.
        tls_first: whether they are from the first byte on.
    """

    def __init__(
        self, sim: SimServer[Any], limits: WireLimits, auth: Auth | None, tls: ssl.SSLContext | None, *, tls_first: bool
    ) -> None:
        self.sim = sim
        self.limits = limits
        self.auth_required = auth is not None
        self.tls = tls
        self.tls_first = tls_first
        self._auth = auth
        self._router: Router
        self._connections: dict[int, Connection] = {}
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Task[None] | None = None
        self._armed_ns = _NEVER
        self._rung = self._due = False
        self._keeping: Keeping | None = None
        self.faults: Faults
        """What goes wrong between it and its clients: nothing, until ``server.faults.set(...)``."""
        self._emptied = asyncio.Event()
        self.host, self.port = "", 0

    def __repr__(self) -> str:
        return f"TcpServer({self.url})"

    @property
    def url(self) -> str:
        """Where clients connect."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'nats' if self.tls is None else 'tls'}://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    # -- begin and end --------------------------------------------------------------------------

    async def _start(self, host: str, port: int, *, name: str, seed: int, store: StoreDir | None) -> None:
        if self.sim._shell is not None:
            raise InvalidArgumentError(f"{self.sim!r} is served already, at {getattr(self.sim._shell, 'url', '')}")
        self.faults = Faults(seed, self._faults_changed, lambda: self._loop.call_soon(self._restart))
        self._keeping = None if store is None else Keeping(store, lambda: self.sim._core)
        self.sim._shell = self
        try:
            self._listener = await self._loop.create_server(lambda: Connection(self), host, port)
            self.host, self.port = host, self._listener.sockets[0].getsockname()[1]
            self._router = self._new_router(name, seed)
            self._resume()
        except BaseException:
            if self._listener is not None:
                self._listener.close()
            self.sim._shell = None
            raise

    def _new_router(self, name: str, seed: int) -> Router:
        info = ServerInfo(
            seed=f"{seed} {self.port}",
            host=self.host,
            port=self.port,
            profile=self.sim._core.context.profile,
            name=name,
            auth_required=self._auth is not None and not self._auth.default_user,
            tls_required=self.tls is not None,
            tls_verify=self.tls is not None and self.tls.verify_mode is ssl.CERT_REQUIRED,
            max_payload=self.limits.max_payload,
            domain=self.sim._core.context.domain,
        )
        return Router(
            self.sim._core,
            info,
            auth=self._auth,
            seed=seed,
            max_control_line=self.limits.max_control_line,
            max_pending=self.limits.max_pending,
            max_subscriptions=self.limits.max_subscriptions,
            stored=self._tell_replays,
        )

    async def _stop(self) -> None:
        """Stop listening and end all connections; what waits for clients that read still reaches them."""
        await self._stop_listening()
        self._cut()
        context = self.sim._core.context
        context.bell = context.burst = None
        self.sim._shell = None
        late = self._loop.call_later(_LONGEST_FAREWELL_S, self._abort_all)
        try:
            if self._connections:
                await self._emptied.wait()
        finally:
            late.cancel()
            if self._keeping is not None:
                self._keeping.end()
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.gather(self._timer, return_exceptions=True)

    async def _stop_listening(self) -> None:
        """Accept no more, and let those who were accepted last come in: asyncio would lose them, and never close them."""
        assert self._listener is not None
        with suppress(NotImplementedError):  # by loops that do not wait for sockets to become ready
            for socket in self._listener.sockets:
                self._loop.remove_reader(socket.fileno())
        for _ in range(_TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        self._listener.close()

    def _abort_all(self) -> None:
        for connection in list(self._connections.values()):
            connection.abort()

    def announce_end(self) -> None:
        """Say in INFO that the server is about to end, and take no new clients: lame duck mode."""
        assert self._listener is not None
        self._listener.close()
        for client in self._router.clients.values():
            if client.options.protocol >= 1:
                client.send(self._router.info.line(client.cid, client.ip, connected=True, lame_duck=True))
        self.flush()

    def advance(self, seconds: float) -> None:
        """Move the server's clock on; whatever comes due by then, clients are sent at once.

        Raises:
            InvalidArgumentError: its clock is no `VirtualClock`, or *seconds* is negative.
        """
        clock = self.sim.clock
        if not isinstance(clock, VirtualClock):
            raise InvalidArgumentError("the time of this server goes by itself: serve(SimServer(clock=VirtualClock()))")
        clock.advance(seconds)
        self._come_due()

    # -- connections ----------------------------------------------------------------------------

    def connected(self, connection: Connection, ip: str) -> Client:
        """Take a new connection from *ip*; return the client that is at its other end."""
        nonce = base64.urlsafe_b64encode(os.urandom(_NONCE_BYTES)).rstrip(b"=").decode()
        client = self._router.attach(ip, nonce=nonce)
        self._connections[client.cid] = connection
        self._emptied.clear()
        return client

    def greet(self, client: Client) -> None:
        """Send INFO, or turn the client away if there are too many."""
        self._router.greet(client)
        if len(self._connections) > self.limits.max_connections:
            client.complain("maximum connections exceeded")
            client.end()

    def received(self, client: Client, data: bytes) -> None:
        """Take what a client sent, and write what that leads to."""
        self._router.receive(client, data, self.sim.clock.now_ns())
        self.flush()
        self._arm()

    def lost(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        client = connection.client
        client.end(Ending.CUT)
        self._router.detach(client, self.sim.clock.now_ns())
        self._connections.pop(client.cid, None)
        if not self._connections:
            self._emptied.set()
        self.flush()
        self._arm()

    def flush(self) -> None:
        """Write what is to be sent, once for each client; let go of those that are to end."""
        if self._keeping is not None:
            self._keeping.write()
        touched = self._router.touched
        while touched:
            clients = dict.fromkeys(touched)
            touched.clear()
            for client in clients:
                if (connection := self._connections.get(client.cid)) is not None:
                    connection.write_out()
                if client.ending is not None:
                    self._router.detach(client, self.sim.clock.now_ns())

    # -- faults ---------------------------------------------------------------------------------

    def _faults_changed(self) -> None:
        self._router.faults = self.faults or None
        for connection in list(self._connections.values()):
            connection.meet_faults()

    def _restart(self) -> None:
        if self.sim._shell is self:
            self.sim.restart()

    # -- the server behind it -------------------------------------------------------------------

    def _tell_replays(self) -> None:
        if self.sim._replays:
            self.sim._tell_all_replays()

    def _ring(self) -> None:
        """The core sends something though no client asked: somebody in this process did."""
        if not self._rung:
            self._rung = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._rung = False
        self._router.deliver(self.sim.clock.now_ns())
        self.flush()
        self._arm()

    def _show(self, subject: str, payload: bytes, block: bytes) -> None:
        self._router.show(subject, payload, block, self.sim.clock.now_ns())
        if self._router.touched or self._keeping is not None:
            self._ring()

    def _cut(self) -> None:
        self.sim._core.tell_of_end()
        self._router.deliver(self.sim.clock.now_ns())
        for client in list(self._router.clients.values()):
            client.end()
        self.flush()

    def _resume(self) -> None:
        self._router.set_core(self.sim._core)
        if self._keeping is not None:
            self._keeping.begin()
        context = self.sim._core.context
        context.bell, context.burst = self._ring, _BURST
        context.server_name = self._router.info.server_name
        self._arm()

    # -- time -----------------------------------------------------------------------------------

    def _arm(self) -> None:
        """See to it that the server is looked at when something comes due, and soon if something is unfinished."""
        core = self.sim._core
        due_ns, now_ns = core.due_ns, self.sim.clock.now_ns()
        if core.context.unfinished or (due_ns is not None and due_ns <= now_ns):
            if not self._due:
                self._due = True
                self._loop.call_soon(self._come_due)
        elif due_ns is not None and due_ns < self._armed_ns:
            self._armed_ns = due_ns
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.create_task(self._wait(due_ns - now_ns))

    async def _wait(self, duration_ns: int) -> None:
        await self.sim.clock.sleep(duration_ns)
        self._timer, self._armed_ns = None, _NEVER
        self._come_due()

    def _come_due(self) -> None:
        self._due = False
        if self.sim._shell is self:
            now_ns = self.sim.clock.now_ns()
            self.sim._core.advance(now_ns)
            self.sim._core.go_on(now_ns=now_ns)
            self._router.deliver(now_ns)
            self._tell_replays()
            self.flush()
            self._arm()


def _simulated(
    sim: SimServer[Any] | None, profile: Profile | None, domain: str, store: StoreDir | None
) -> SimServer[Any]:
    """Return the server to be served, which begins with what a folder holds."""
    if store is not None:
        profile = store.profile(profile if sim is None else sim.profile)
    if sim is None:
        sim = SimServer(profile=NEWEST if profile is None else profile, domain=domain)
    if store is not None and (kept := store.load()):
        if sim._core.streams:
            raise InvalidArgumentError(f"{sim!r} has streams already, and so has store_dir {str(store.path)!r}")
        sim._begin(kept)
    return sim


@asynccontextmanager
async def serve(
    sim: SimServer[Any] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    profile: Profile | None = None,
    domain: str = "",
    name: str = "",
    auth: Auth | None = None,
    tls: ssl.SSLContext | None = None,
    tls_first: bool = False,
    limits: WireLimits | None = None,
    seed: int = 0,
    store_dir: str | os.PathLike[str] | None = None,
    faults: Sequence[Fault] = (),
    allow_remote: bool = False,
) -> AsyncIterator[TcpServer]:
    """Let clients of NATS connect to a simulated server, at the ``url`` of what ``async with`` gives.

    Args:
        sim: the server, which other users in this process may share; a new one by default.
        host: an address of this machine's loopback.
        port: 0 for one that is free.
        profile: which version of nats-server a new server is, such as ``2.12``; the newest by default.
        domain: the JetStream domain of a new server.
        name: what it is called.
        auth: who may connect and what they may do; everybody and anything by default.
        tls: encrypt, with this certificate and key.
        tls_first: encrypt before INFO, not behind it.
        limits: what clients may ask of it; nats-server's defaults.
        seed: of what is left to chance, such as who of a queue group is first.
        store_dir: a folder that file streams are kept in as they change; with what it holds the server begins, and is
            the version that it is of.
        faults: what goes wrong from the beginning; see `TcpServer.faults`.
        allow_remote: listen on other addresses than loopback.

    Raises:
        InvalidArgumentError: the arguments contradict each other, or the server is served already.
        DamagedFileError: a file in the folder was changed since it was written.
        OSError: it cannot listen there.
    """
    if sim is not None and (profile is not None or domain):
        raise InvalidArgumentError("serve(sim, profile=…, domain=…): the server has these already; give it or them")
    _check_host(host, allow_remote=allow_remote)
    store = None if store_dir is None else StoreDir(store_dir)
    try:
        served = _simulated(sim, profile, domain, store)
        server = TcpServer(served, limits or WireLimits(), auth, tls, tls_first=tls_first)
        await server._start(host, port, name=name, seed=seed, store=store)
    except BaseException:
        if store is not None:
            store.close()
        raise
    try:
        server.faults.set(*faults)
        yield server
    finally:
        await server._stop()
