"""The options that say which lattice, where, and as whom."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import attrs
from cyclopts import Parameter

from lattice_store._lattice import Lattice
from lattice_store.cli._session import Session
from lattice_store.errors import InvalidArgumentError
from lattice_store.limits import SECOND_NS, Limits
from lattice_store.storage import Storage
from lattice_store.subjects import check_prefix

_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m)?")
_UNITS_NS: Final = {"ms": SECOND_NS // 1000, "s": SECOND_NS, "m": 60 * SECOND_NS, None: SECOND_NS}


@Parameter(name="*", group="Connection")
@attrs.frozen(kw_only=True)
class Access:
    """How to reach a server, and as whom. Secrets are better given by environment than in a command line."""

    domain: str | None = None
    """JetStream domain."""
    user: Annotated[str | None, Parameter(env_var="NATS_USER")] = None
    """User name."""
    password: Annotated[str | None, Parameter(env_var="NATS_PASSWORD")] = attrs.field(default=None, repr=False)
    """Password."""
    token: Annotated[str | None, Parameter(env_var="NATS_TOKEN")] = attrs.field(default=None, repr=False)
    """Token."""
    creds: Annotated[str | None, Parameter(env_var="NATS_CREDS")] = None
    """File with user JWT and seed."""
    nkey: Annotated[str | None, Parameter(env_var="NATS_NKEY")] = None
    """File with an nkey seed."""
    tls_ca: Annotated[str | None, Parameter(env_var="NATS_CA")] = None
    """File with the certificates to trust."""
    tls_cert: Annotated[str | None, Parameter(env_var="NATS_CERT")] = None
    """File with the client's certificate."""
    tls_key: Annotated[str | None, Parameter(env_var="NATS_KEY")] = None
    """File with the key of the client's certificate."""
    timeout: Annotated[str, Parameter(env_var="NATS_TIMEOUT")] = "5s"
    """How long to wait for a connection and for an answer: 5s, 500ms, 1m."""

    @property
    def limits(self) -> Limits:
        match = _DURATION.fullmatch(self.timeout)
        timeout_ns = 0 if match is None else int(float(match[1]) * _UNITS_NS[match[2]])
        if not timeout_ns:
            raise InvalidArgumentError(f"--timeout {self.timeout!r} is not a duration like 5s, 500ms or 1m")
        return Limits(connect_timeout_ns=timeout_ns, request_timeout_ns=timeout_ns)

    def open(self, session: Session, url: str) -> AbstractAsyncContextManager[Storage]:
        """Open the storage at *url*; the options of a connection mean nothing to the simulator."""
        options = {} if url.startswith("sim:") else {"domain": self.domain or None, **self.nats_options()}
        return session.open_storage(url, limits=self.limits, **options)

    def nats_options(self) -> dict[str, Any]:
        """Return what was given of nats-py's options."""
        given = {
            "user": self.user,
            "password": self.password,
            "token": self.token,
            "user_credentials": _with_seed("--creds", self.creds),
            "nkeys_seed": _with_seed("--nkey", self.nkey),
            "tls": self._tls(),
        }
        return {name: value for name, value in given.items() if value}  # an empty option is none

    def _tls(self) -> ssl.SSLContext | None:
        ca, cert, key = (_readable(f"--tls-{name}", getattr(self, f"tls_{name}")) for name in ("ca", "cert", "key"))
        if key and not cert:
            raise InvalidArgumentError("--tls-key needs --tls-cert")
        if not ca and not cert:
            return None
        try:
            context = ssl.create_default_context(cafile=ca or None)
            if cert:
                context.load_cert_chain(cert, key or None)
        except ssl.SSLError as error:
            raise InvalidArgumentError(
                f"--tls-ca, --tls-cert or --tls-key is not a PEM file: {error.reason}"
            ) from error
        return context


def _readable(option: str, path: str | None) -> str | None:
    """Look at a file now, so that a wrong name is a wrong command line and not a connection that fails."""
    if path:
        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise InvalidArgumentError(f"{option} {path!r}: {error.strerror}") from error
    return path


def _with_seed(option: str, path: str | None) -> str | None:
    if _readable(option, path) and find_spec("nkeys") is None:
        raise InvalidArgumentError(f"{option} needs more of nats-py: pip install 'nats-py[nkeys]'")
    return path


class Opened(NamedTuple):
    """A lattice, and the storage it lies on."""

    storage: Storage
    lattice: Lattice


_NOBODY: Final = Access()


@Parameter(name="*", group="Connection")
@attrs.frozen(kw_only=True)
class Connection:
    """Which lattice, where, and as whom."""

    url: Annotated[str, Parameter(env_var=["LATTICE_STORE_URL", "NATS_URL"])] = attrs.field(
        default="nats://127.0.0.1:4222", repr=False
    )
    """nats://host:port, tls://host:port, several separated by commas, or sim:// (a simulated server, empty)."""
    prefix: Annotated[str, Parameter(name=["--lattice", "-l"], env_var="WASMCLOUD_LATTICE_PREFIX")] = "default"
    """Prefix of the lattice."""
    access: Annotated[Access, Parameter(name="*")] = _NOBODY
    """As whom."""

    @asynccontextmanager
    async def opened(self, session: Session) -> AsyncIterator[Opened]:
        """Open the storage, and the lattice on it."""
        check_prefix(self.prefix)
        async with self.access.open(session, self.url) as storage:
            yield Opened(storage, Lattice(storage, self.prefix, limits=self.access.limits))
