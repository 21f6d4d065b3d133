"""Where a benchmark takes place: a server of its own, or streams of its own on somebody else's."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from lattice_store._formats import StreamFormat
from lattice_store.cli._bench._data import Records
from lattice_store.cli._bench._reach import nats_options
from lattice_store.cli._bench._task import SMALL_KEYS, SMALL_SUFFIX, Where
from lattice_store.cli._connection import Access
from lattice_store.cli._exit import ServerNotStartedError
from lattice_store.errors import InvalidArgumentError, LatticeStoreError, StorageUnavailableError
from lattice_store.model import StorageType
from lattice_store.storage import Storage

_UNTIL_A_TELLING: Final = 1000
_TLS_CONFIG: Final = 'tls { cert_file: "%s", key_file: "%s" }\n'
_CERTIFICATE: Final = (
    *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
    *("-subj", "/CN=lattice-store bench", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
)
Tell = Callable[[int, int], None]


@attrs.frozen
class Ground:
    """Two new lattices: the one to measure, and a small one beside it to warm up on."""

    where: Where
    storage: Storage
    prefix: str
    kept: StorageType
    scratch: Path
    """A folder for files that is removed in the end."""

    @property
    def snapshot(self) -> Path:
        return self.scratch / "snapshot"

    async def make_streams(self) -> None:
        """Make both streams, empty, in place of those that were there."""
        await self.remove_streams()
        for prefix in self._prefixes:
            await self.storage.create_stream(attrs.evolve(StreamFormat(prefix).config(), storage=self.kept))

    async def remove_streams(self) -> None:
        for prefix in self._prefixes:
            with contextlib.suppress(LatticeStoreError):
                await self.storage.delete_stream(StreamFormat(prefix).stream)

    @property
    def _prefixes(self) -> tuple[str, str]:
        return self.prefix, f"{self.prefix}{SMALL_SUFFIX}"

    async def fill(self, keys: int, payload: int, tell: Tell) -> None:
        """Store *keys* records, and a few in the small lattice."""
        await self._publish(Records(self._prefixes[1], SMALL_KEYS, payload), None, lambda _, __: None)
        await self._publish(Records(self.prefix, keys, payload), None, tell)

    async def change(self, keys: int, payload: int) -> None:
        """Give one record in a hundred a new value."""
        await self._publish(Records(self._prefixes[1], SMALL_KEYS, payload), 1, lambda _, __: None)
        await self._publish(Records(self.prefix, keys, payload), 1, lambda _, __: None)

    async def _publish(self, records: Records, version: int | None, tell: Tell) -> None:
        publications = iter(records) if version is None else records.changed(version)
        count = 0
        async with aclosing(self.storage.publish_many(publications)) as results:
            async for result in results:
                if isinstance(result, LatticeStoreError):
                    raise result
                count += 1
                if count % _UNTIL_A_TELLING == 0:
                    tell(count, records.keys - count)


@asynccontextmanager
async def ground(
    open_storage: Callable[..., Any], url: str | None, access: Access, *, kept: StorageType, tls: bool
) -> AsyncIterator[Ground]:
    """Start a server, or take the one at *url*; nothing of this is left behind.

    Raises:
        ServerNotStartedError: there is no nats-server to be had.
        InvalidArgumentError: the options contradict each other, or TLS cannot be had here.
    """
    async with AsyncExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lattice-store-bench-")))
        if url is None:
            where, prefix = stack.enter_context(_own_server(scratch, tls=tls)), "default"
        elif tls:
            raise InvalidArgumentError("--tls starts a server with TLS, --url names one: give tls://… instead")
        else:
            where = _given_server(url, access)
            prefix = f"bench-{uuid.uuid4().hex[:12]}"  # noqa: TID251  # never the lattice of anybody else
        storage = await stack.enter_async_context(
            open_storage(where.url, domain=where.domain, limits=access.limits, **nats_options(where))
        )
        place = Ground(where, storage, prefix, kept, scratch)
        stack.push_async_callback(place.remove_streams)
        await place.make_streams()
        yield place


@contextlib.contextmanager
def _own_server(scratch: Path, *, tls: bool) -> Any:
    from lattice_store.nats import LocalServer

    certificate, key = _make_certificate(scratch) if tls else (None, None)
    config = _TLS_CONFIG % (certificate, key) if tls else ""
    try:
        with LocalServer(config) as server:
            yield Where(url=server.url, tls={"ca": str(certificate)} if tls else None)
    except StorageUnavailableError as error:
        raise ServerNotStartedError(str(error)) from error


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    program = shutil.which("openssl")
    if program is None:
        raise InvalidArgumentError("--tls needs the program openssl, to make a certificate")
    certificate, key = folder / "server.pem", folder / "server.key"
    subprocess.run(  # noqa: S603  # the program found above, with arguments made here
        [program, *_CERTIFICATE, "-out", str(certificate), "-keyout", str(key)], check=True, capture_output=True
    )
    return certificate, key


def _given_server(url: str, access: Access) -> Where:
    options = {name: value for name, value in access.nats_options().items() if name != "tls"}
    files = {"ca": access.tls_ca, "cert": access.tls_cert, "key": access.tls_key}
    return Where(url=url, domain=access.domain or None, options=options, tls=files if any(files.values()) else None)
