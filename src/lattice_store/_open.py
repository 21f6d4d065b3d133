"""A storage from a URL: a composition root, which is why it may know both backends."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qsl

from lattice_store.errors import InvalidArgumentError, InvalidUrlError
from lattice_store.limits import DEFAULT_LIMITS, Limits
from lattice_store.storage import Storage

_SIMULATOR: Final = "sim://"
_SCHEMES: Final = ("nats://", "tls://")
_ALLOWED: Final = "sim://, or nats://host:port or tls://host:port (several separated by commas), then ?domain=NAME"


@asynccontextmanager
async def open_storage(
    url: str, *, domain: str | None = None, limits: Limits = DEFAULT_LIMITS, **nats_options: Any
) -> AsyncIterator[Storage]:
    """Open the storage that *url* names; it is closed when the ``async with`` block ends.

    Args:
        url: one of

            - ``sim://``: a new, empty simulated server in this process;
            - ``nats://host:port``, ``tls://host:port``: a server; several of one cluster, separated by commas;
            - either of the latter followed by ``?domain=hub``: JetStream in that domain.
        domain: the JetStream domain, where the URL does not say it.
        limits: deadlines and bounds.
        nats_options: what nats-py's ``connect`` takes besides: ``user``, ``password``, ``tls``, ….

    Raises:
        InvalidUrlError: on entering, before anything is sent. User and password are never part of the message.
        StorageUnavailableError: on entering; of it `AuthenticationError`, if the server refused the credentials.
    """
    if url == _SIMULATOR:
        if domain is not None or nats_options:
            raise InvalidArgumentError(f"{_SIMULATOR} takes neither a domain nor options of a connection")
        from lattice_store_sim import SimStorage

        storage: Storage = SimStorage(limits=limits)
    else:
        servers, url_domain = _parse(url)
        if domain is not None and url_domain is not None and domain != url_domain:
            raise InvalidUrlError(f"domain {domain!r} is given beside {_shown(url)}, which says {url_domain!r}")
        from lattice_store.nats import connect

        storage = await connect(servers, domain=domain or url_domain, limits=limits, **nats_options)
    try:
        yield storage
    finally:
        await storage.aclose()


def _parse(url: str) -> tuple[list[str], str | None]:
    """Return the servers and the JetStream domain of a NATS URL; ``connect`` looks at the servers one by one."""
    addresses, _, query = url.partition("?")
    if "@" in query:
        raise InvalidUrlError(f"{_shown(url)} has an @ after a ?: give such a user or password beside the URL")
    servers = addresses.split(",")
    settings = dict(parse_qsl(query, keep_blank_values=True))
    domain = settings.pop("domain", None)
    if domain == "":
        raise InvalidUrlError(f"the domain of {_shown(url)} is empty; allowed: {_ALLOWED}")
    if settings:
        raise InvalidUrlError(f"{_shown(url)} has other settings than domain; allowed: {_ALLOWED}")
    if not all(server.startswith(_SCHEMES) for server in servers):
        raise InvalidUrlError(f"{_shown(url)} is not a storage URL; allowed: {_ALLOWED}")
    return servers, domain


def _shown(url: str) -> str:
    """Return *url* as an error may show it: without user, password and settings.

    Whatever stands before the last ``@`` may be a password, also what looks like settings.
    """
    return repr(re.sub(r"^([a-z]+://)?.*@", r"\1***@", url, flags=re.DOTALL).partition("?")[0])
