"""A simulated server in the foreground of a process, until a signal ends it. Both commands are made of this."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from lattice_store.errors import InvalidArgumentError
from lattice_store.signals import heeded_signals
from lattice_store_sim._serve_options import ServeOptions
from lattice_store_sim._tcp import TcpServer, serve
from lattice_store_sim._tcp_limits import WireLimits
from lattice_store_sim._wire._auth import Auth, User
from lattice_store_sim._wire._faults import parse


async def run_server(options: ServeOptions, say: Callable[[str], None], warn: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM, then end in good order.

    Args:
        options: how.
        say: is given the one line that says where, once clients can connect.
        warn: is given what should not be overlooked.

    Raises:
        InvalidArgumentError: the options contradict each other, or it cannot listen there.
        DamagedFileError: a file in its folder was changed since it was written.
    """
    ended = asyncio.Event()
    with heeded_signals(ended.set):
        async with AsyncExitStack() as stack:
            server = await _listening(options, stack)
            if options.allow_remote:
                warn(f"--allow-remote: any machine that reaches {server.host} may connect{_how_open(options)}")
            if options.print_url:
                say(server.url)
            else:
                say(f"a simulated nats-server {server.sim.profile.version} listens at {server.url}; Ctrl-C ends it")
            await ended.wait()


async def _listening(options: ServeOptions, stack: AsyncExitStack) -> TcpServer:
    """Begin to serve; the end of *stack* ends it."""
    serving = serve(
        profile=options.profile or None,
        domain=options.domain,
        host=options.host,
        port=options.port,
        auth=_auth(options),
        tls=_tls(options),
        limits=_limits(options),
        seed=options.seed,
        store_dir=options.store_dir or None,
        faults=[parse(each) for each in options.fault],
        allow_remote=options.allow_remote,
    )
    try:
        return await stack.enter_async_context(serving)
    except (OSError, OverflowError) as error:  # the latter for a port that is none
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise InvalidArgumentError(f"cannot listen on {options.host}, port {options.port}: {reason}") from error


def _how_open(options: ServeOptions) -> str:
    return "" if options.user or options.token else ", and needs no password"


def _auth(options: ServeOptions) -> Auth | None:
    if bool(options.user) != bool(options.password):
        raise InvalidArgumentError("--user and --password go together")
    if options.user and options.token:
        raise InvalidArgumentError("--user or --token: one of them says who may connect")
    if options.token:
        return Auth(token=options.token)
    return Auth(users=[User(name=options.user, password=options.password)]) if options.user else None


def _tls(options: ServeOptions) -> ssl.SSLContext | None:
    if bool(options.tls_cert) != bool(options.tls_key):
        raise InvalidArgumentError("--tls-cert and --tls-key go together")
    if not options.tls_cert:
        return None
    for option, path in (("--tls-cert", options.tls_cert), ("--tls-key", options.tls_key)):
        _check_readable(option, path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except ssl.SSLError as error:
        raise InvalidArgumentError(f"--tls-cert and --tls-key are no PEM files of a pair: {error.reason}") from error
    return context


def _limits(options: ServeOptions) -> WireLimits:
    if options.max_payload < 1:
        raise InvalidArgumentError(f"--max-payload {options.max_payload} is no number of bytes")
    return WireLimits(max_payload=options.max_payload)


def _check_readable(option: str, path: str) -> None:
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise InvalidArgumentError(f"{option} {path!r}: {error.strerror}") from error
