"""A real server and a simulated one, started from the same description."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import attrs
from nats.aio.client import Client

from lattice_store.clock import SystemClock
from lattice_store.nats import LocalServer
from lattice_store_sim import Auth, Permissions, SimServer, TcpServer, WireLimits, serve

CERTIFICATES = Path(__file__).parent / "tls"
"""A certificate of localhost and one of a client, made once for a hundred years; the authority's key is gone."""


@attrs.frozen(kw_only=True)
class Setup:
    """What a server is to be like, other than by default."""

    auth: Auth | None = None
    limits: WireLimits = attrs.field(factory=WireLimits)
    tls: bool = False
    tls_verify: bool = False
    tls_first: bool = False

    def to_config(self) -> str:
        """Return it as a nats-server configuration."""
        limits, usual = self.limits, WireLimits()
        config: dict[str, Any] = {}
        for name, setting in (
            ("max_payload", "max_payload"),
            ("max_control_line", "max_control_line"),
            ("max_pending", "max_pending"),
            ("max_connections", "max_connections"),
            ("max_subscriptions", "max_subscriptions"),
            ("max_pings_out", "ping_max"),
        ):
            if getattr(limits, name) != getattr(usual, name):
                config[setting] = getattr(limits, name)
        if limits.ping_interval_ns != usual.ping_interval_ns:
            config["ping_interval"] = f"{limits.ping_interval_ns // 1_000_000}ms"
        if limits.write_deadline_ns != usual.write_deadline_ns:
            config["write_deadline"] = f"{limits.write_deadline_ns // 1_000_000}ms"
        if self.tls:
            config["tls"] = {
                "cert_file": str(CERTIFICATES / "server.pem"),
                "key_file": str(CERTIFICATES / "server-key.pem"),
                "ca_file": str(CERTIFICATES / "ca.pem"),
                "verify": self.tls_verify,
                "handshake_first": self.tls_first,
            }
        if self.auth is not None:
            config |= _auth_config(self.auth, limits)
        return json.dumps(config)

    def tls_context(self) -> ssl.SSLContext | None:
        if not self.tls:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=CERTIFICATES / "ca.pem")
        context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server-key.pem")
        context.verify_mode = ssl.CERT_REQUIRED if self.tls_verify else ssl.CERT_NONE
        return context


def _auth_config(auth: Auth, limits: WireLimits) -> dict[str, Any]:
    config: dict[str, Any] = {"timeout": limits.auth_timeout_ns / 1e9}
    if auth.token:
        config["token"] = auth.token
    else:
        config["users"] = [
            {
                **({"nkey": user.nkey} if user.nkey else {"user": user.name, "password": user.password}),
                **({} if user.permissions is None else {"permissions": _permissions_config(user.permissions)}),
            }
            for user in auth.users
        ]
    top: dict[str, Any] = {"authorization": config}
    if auth.default_user:
        top["no_auth_user"] = auth.default_user
    return top


def _permissions_config(permissions: Permissions) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for side, allowance in (("publish", permissions.publish), ("subscribe", permissions.subscribe)):
        lists = {"allow": allowance.allow, "deny": allowance.deny}
        config[side] = {name: list(subjects) for name, subjects in lists.items() if subjects}
    if permissions.responses is not None:
        config["allow_responses"] = {
            "max": permissions.responses.max_messages,
            "expires": f"{permissions.responses.expires_ns // 1_000_000}ms",
        }
    return config


def client_context(*, certificate: bool = False, trusting: bool = True) -> ssl.SSLContext:
    """Return what a client needs for TLS with the servers here."""
    context = ssl.create_default_context(cafile=CERTIFICATES / "ca.pem" if trusting else None)
    if certificate:
        context.load_cert_chain(CERTIFICATES / "client.pem", CERTIFICATES / "client-key.pem")
    return context


class Running(Protocol):
    """A server that a test may stop and start again."""

    @property
    def url(self) -> str: ...
    async def stop(self) -> None: ...
    async def start(self) -> None: ...


class RealRunning:
    """A nats-server."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server
        self.url = server.url

    @property
    def streams_folder(self) -> Path:
        """Where streams on file are, a folder for each."""
        return self._server.store_dir / "jetstream" / "$G" / "streams"

    async def stop(self) -> None:
        await asyncio.to_thread(self._server.stop)

    async def start(self) -> None:
        await asyncio.to_thread(self._server.restart)


class SimRunning:
    """A simulated server on TCP."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._sim = SimServer()
        self._port = 0
        self._scope: AbstractAsyncContextManager[TcpServer] | None = None
        self.url = ""

    async def stop(self) -> None:
        if self._scope is not None:
            await self._scope.__aexit__(None, None, None)
            self._scope = None
            self._sim.restart()

    async def start(self) -> None:
        await self.stop()
        setup = self._setup
        self._scope = serve(
            self._sim,
            port=self._port,
            auth=setup.auth,
            tls=setup.tls_context(),
            tls_first=setup.tls_first,
            limits=setup.limits,
        )
        served = await self._scope.__aenter__()
        self._port, self.url = served.port, served.url


@asynccontextmanager
async def running(kind: str, setup: Setup) -> AsyncIterator[Running]:
    """Start a server of a kind, and stop it."""
    if kind == "nats":
        local = await asyncio.to_thread(LocalServer(setup.to_config()).__enter__)
        try:
            yield RealRunning(local)
        finally:
            await asyncio.to_thread(local.__exit__, None, None, None)
    else:
        simulated = SimRunning(setup)
        await simulated.start()
        try:
            yield simulated
        finally:
            await simulated.stop()


async def until(condition: Callable[[], Any] | Callable[[], Awaitable[Any]], *, seconds: float = 5.0) -> Any:
    """Wait until a condition holds, and return what it gave; the wait has an end."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.002)


def now(**later: float) -> dt.datetime:
    """Return what time it is, or will be."""
    return dt.datetime.fromtimestamp(SystemClock().now_ns() / 1e9, dt.UTC) + dt.timedelta(**later)


async def settle(*clients: Client) -> None:
    """Wait until the server has taken all that clients sent so far, and they all that it sent back.

    Twice each: nats-py sends the PING of a flush ahead of what it still holds back.
    """
    for _ in range(2):
        for client in clients:
            await client.flush()
    for client in clients:
        await client.flush()
