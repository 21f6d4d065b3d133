"""Opening a connection of our own: what a URL may be, and what went wrong when none of the servers let us in."""

from __future__ import annotations

import asyncio
import inspect
import os
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from nats import errors as nats_errors
from nats.aio.client import Client

from lattice_store.errors import (
    AuthenticationError,
    InvalidArgumentError,
    InvalidUrlError,
    StorageUnavailableError,
)
from lattice_store.limits import DEFAULT_LIMITS, Limits
from lattice_store.nats._client import OwnClient, close, raw_path_fits
from lattice_store.nats._connection import Connection
from lattice_store.nats._storage import NatsStorage

_SCHEMES: Final = ("nats", "tls", "ws", "wss")
_OPTIONS: Final = frozenset(inspect.signature(Client.connect).parameters) - {"self", "servers"}
_OURS: Final = {
    # A publish during a disconnection must fail, not be stored some time later.
    "pending_size": -1,
    # A client that gives up is closed for ever and tells nobody.
    "max_reconnect_attempts": -1,
    "allow_reconnect": True,
}
_DEFAULTS: Final = {"name": "lattice-store", "ping_interval": 10, "reconnect_time_wait": 0.25}
_LEAST_SHARE: Final = 0.5
"""Seconds each of several servers has to answer: a silent one must not use up the time of those behind it."""
_AUTH_REFUSALS: Final = (
    "authorization violation",
    "authentication timeout",
    "authentication expired",
    "user authentic",
)

_FILES: Final = ("user_credentials", "nkeys_seed")
"""Options that name files; nats-py opens them only once a server asks."""


async def connect(
    url: str | Sequence[str],
    *,
    domain: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    public_api: bool = False,
    **nats_options: Any,
) -> NatsStorage:
    """Connect to a NATS server and return the storage on it; closing the storage closes the connection.

    A broken connection is restored for as long as the storage is open; calls fail meanwhile.

    Args:
        url: ``nats://``, ``tls://``, ``ws://`` or ``wss://``, or URLs of one cluster, which share the time to connect.
        domain: the JetStream domain to talk to.
        limits: deadlines and buffers.
        public_api: use nats-py by its public names only, as with a borrowed client: the same results, several times
            slower, and no header block with repeated names. That is also the way if nats-py's private names changed.
        nats_options: more options of nats-py's ``connect``: credentials, TLS, ``inbox_prefix``, callbacks.

    Raises:
        InvalidUrlError: *url* is none.
        InvalidArgumentError: an option nats-py does not have, one the storage must decide itself, or a file of
            credentials that cannot be read.
        AuthenticationError: the server refused the credentials.
        StorageUnavailableError: no server could be reached in time, or no secure connection came about.
    """
    urls = [url] if isinstance(url, str) else list(url)
    _check_urls(urls)
    _check_options(nats_options)

    client_class = OwnClient if raw_path_fits() and not public_api else Client

    async def dial() -> Client:
        return await _dial(client_class, urls, limits, nats_options)

    connection = Connection(limits, dial=dial)
    storage = NatsStorage._owning(connection, domain=domain, limits=limits)
    try:
        await connection.client()
    except BaseException:
        await connection.aclose()
        raise
    return storage


def _check_urls(urls: Sequence[str]) -> None:
    if not urls:
        raise InvalidUrlError("no URL given")
    for url in urls:
        if not _is_url(url):
            shown = str(url).rpartition("@")[2]  # what stands before it may be a password
            raise InvalidUrlError(f"{shown!r} is not a NATS URL such as nats://host:4222 (or tls://, ws://, wss://)")
    if len({url.startswith("ws") for url in urls}) > 1:
        raise InvalidUrlError("web socket URLs and others cannot be mixed")


def _is_url(url: object) -> bool:
    if not isinstance(url, str) or any(character.isspace() for character in url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _check_options(options: dict[str, Any]) -> None:
    for name in options:
        if name in _OURS:
            raise InvalidArgumentError(f"option {name} is decided by the storage")
        if name not in _OPTIONS:
            raise InvalidArgumentError(f"nats-py has no option {name}")
    for name in _FILES:
        given = options.get(name)
        for path in given if isinstance(given, tuple | list) else [given]:
            if isinstance(path, str | os.PathLike) and not os.access(path, os.R_OK):
                raise InvalidArgumentError(f"{name}: {os.fspath(path)} cannot be read")


class _Attempts:
    """Counts the failures nats-py reports while it would try for ever: one pass over all servers is enough."""

    def __init__(self, servers: int, user_callback: Callable[[Exception], Awaitable[None]] | None) -> None:
        self._servers = servers
        self._user_callback = user_callback
        self.errors: list[Exception] = []
        self.failed = asyncio.Event()

    async def error_cb(self, error: Exception) -> None:
        if not self.failed.is_set():
            self.errors.append(error)
            if len(self.errors) >= self._servers:
                self.failed.set()
        if self._user_callback is not None:
            await self._user_callback(error)


async def _dial(client_class: type[Client], urls: Sequence[str], limits: Limits, options: dict[str, Any]) -> Client:
    client = client_class()
    attempts = _Attempts(len(urls), options.get("error_cb"))
    seconds = limits.connect_timeout_ns / 1e9
    settings = {
        **_DEFAULTS,
        "connect_timeout": min(seconds, max(seconds / len(urls), _LEAST_SHARE)),
        "flush_timeout": limits.request_timeout_ns / 1e9,
        **options,
        **_OURS,
        "error_cb": attempts.error_cb,
    }
    connecting = asyncio.ensure_future(client.connect(list(urls), **settings))
    failing = asyncio.ensure_future(attempts.failed.wait())
    try:
        await asyncio.wait({connecting, failing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if connecting.done():
            await connecting
            return client
    except BaseException as error:
        await _abandon(client, connecting, limits)
        if isinstance(error, nats_errors.InvalidCallbackTypeError):
            raise InvalidArgumentError(str(error)) from error
        if isinstance(error, nats_errors.Error | OSError | ImportError):
            raise _failure(urls, [error]) from error
        if _is_of_nkeys(type(error).__module__):  # its text might quote the seed
            raise AuthenticationError(f"the credentials cannot be read: {type(error).__name__}") from None
        raise
    finally:
        failing.cancel()
    await _abandon(client, connecting, limits)
    raise _failure(urls, attempts.errors)


async def _abandon(client: Client, connecting: asyncio.Future[None], limits: Limits) -> None:
    connecting.cancel()
    await asyncio.wait({connecting})
    if not connecting.cancelled():
        connecting.exception()  # known already, and otherwise reported as never retrieved
    await close(client, limits.close_timeout_ns)


def _is_of_nkeys(module: str) -> bool:
    """Return whether *module* belongs to the package that nats-py signs with, or to PyNaCl below it."""
    return module.partition(".")[0] in ("nkeys", "nacl")


def _failure(urls: Sequence[str], errors: Sequence[Exception]) -> StorageUnavailableError:
    where = ", ".join(url.rpartition("@")[2].rpartition("//")[2] for url in urls)
    for error in errors:
        if any(refusal in str(error).lower() for refusal in _AUTH_REFUSALS):
            return AuthenticationError(f"{where}: the server refused the credentials")
    for error in errors:
        if isinstance(error, ssl.SSLError):
            return StorageUnavailableError(f"{where}: no secure connection: {error}")
    if not errors or isinstance(errors[-1], TimeoutError):
        return StorageUnavailableError(f"{where}: no answer in time")
    last = errors[-1]
    if isinstance(last, ImportError) and _is_of_nkeys(last.name or ""):
        return StorageUnavailableError(f"{where}: {last}; to sign with a seed or credentials file: pip install nkeys")
    return StorageUnavailableError(f"{where}: {str(last) or type(last).__name__}")
