"""Reaching the server of a task, from a process that measures."""

from __future__ import annotations

import ssl
from typing import Any

from lattice_store._lattice import Lattice
from lattice_store.cli._bench._task import Task, Where
from lattice_store.nats import NatsStorage, connect


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
    return await connect(where.url.split(","), domain=where.domain, public_api=public_api, **nats_options(where))


def lattice_on(storage: NatsStorage, task: Task) -> Lattice:
    return Lattice(storage, task.prefix)
