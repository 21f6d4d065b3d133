"""Reaching the server of a task, from a process that measures."""

from __future__ import annotations

import inspect
import ssl
from typing import Any, Final

from lattice_store._lattice import Lattice
from lattice_store.cli._bench._task import Task, Where
from lattice_store.nats import NatsStorage, connect

CAN_BE_PUBLIC: Final = "public_api" in inspect.signature(connect).parameters
CAN_BE_LAZY: Final = "eager" in inspect.signature(Lattice.rebuild).parameters
CAN_BE_WARM: Final = hasattr(Lattice, "save")


def server_of(task: Task) -> Where:
    """Return where *task* is to be done; not every one needs a server."""
    assert task.where is not None, f"{task.path} needs a server"
    return task.where


def tls_context(where: Where) -> ssl.SSLContext | None:
    if where.tls is None:
        return None
    context = ssl.create_default_context(cafile=where.tls.get("ca"))
    if where.tls.get("cert"):
        context.load_cert_chain(str(where.tls["cert"]), where.tls.get("key"))
    return context


def nats_options(where: Where) -> dict[str, Any]:
    """Return what nats-py's ``connect`` takes beside the servers."""
    context = tls_context(where)
    return {**where.options, **({"tls": context} if context else {})}


async def our_storage(task: Task, *, public_api: bool = False) -> NatsStorage:
    """Connect with this library, as its users do."""
    where = server_of(task)
    options = nats_options(where)
    if public_api and not CAN_BE_PUBLIC:
        return await _on_a_borrowed_client(task)
    if public_api:
        options["public_api"] = True
    return await connect(where.url.split(","), domain=where.domain, **options)


async def _on_a_borrowed_client(task: Task) -> NatsStorage:
    """What a storage on nats-py's public API was before ``connect`` could make one: a borrowed client, closed too."""
    from lattice_store.cli._bench._nats_py import connected

    client = await connected(task)
    storage = NatsStorage(client, domain=server_of(task).domain)
    storage_aclose = storage.aclose

    async def aclose() -> None:
        await storage_aclose()
        await client.close()

    storage.aclose = aclose  # type: ignore[method-assign]
    return storage


def lattice_on(storage: NatsStorage, task: Task) -> Lattice:
    return Lattice(storage, task.prefix)


def eagerness(*, eager: bool) -> dict[str, Any]:
    """Return the argument of ``rebuild``, if it has one."""
    return {"eager": True} if eager and CAN_BE_LAZY else {}
