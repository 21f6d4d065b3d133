"""Starts servers of one kind for who asks over TCP: a JSON line in, a JSON line back, one connection for each server.

The first line says what the server is to be like (`Wish`), those that follow are ``"stop"``, ``"start"`` or ``"end"``.
Each is answered with the server's ``url``, or with an ``error``. The server ends with the connection.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from lattice_store_sim import Allowance, Auth, Permissions, Responses, User, WireLimits
from tests.clients.running import Setup, running


def setup_of(wish: dict[str, Any]) -> Setup:
    """Return what a server is to be like: ``token``, ``users``, ``default_user``, ``limits``, ``tls``, ``tls_verify``…"""
    wish = dict(wish)
    auth = None
    if "token" in wish or "users" in wish:
        auth = Auth(
            token=wish.pop("token", ""),
            users=tuple(_user(**user) for user in wish.pop("users", ())),
            default_user=wish.pop("default_user", ""),
        )
    return Setup(auth=auth, limits=WireLimits(**wish.pop("limits", {})), **wish)


def _user(*, permissions: dict[str, Any] | None = None, **fields: str) -> User:
    return User(**fields, permissions=None if permissions is None else _permissions(**permissions))


def _permissions(
    *,
    publish: dict[str, list[str]] | None = None,
    subscribe: dict[str, list[str]] | None = None,
    responses: dict[str, int] | None = None,
) -> Permissions:
    return Permissions(
        publish=Allowance(**{name: tuple(subjects) for name, subjects in (publish or {}).items()}),
        subscribe=Allowance(**{name: tuple(subjects) for name, subjects in (subscribe or {}).items()}),
        responses=None if responses is None else Responses(**responses),
    )


async def _serve_one(kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    def answer(**fields: str) -> None:
        writer.write(json.dumps(fields).encode() + b"\n")

    try:
        async with running(kind, setup_of(json.loads(await reader.readline()))) as server:
            answer(url=server.url)
            while (wish := json.loads(await reader.readline() or '"end"')) != "end":
                await (server.stop() if wish == "stop" else server.start())
                answer(url=server.url)
        answer(url=server.url)
    except Exception as error:  # noqa: BLE001 - who asked is told
        answer(error=f"{type(error).__name__}: {error}")
    finally:
        writer.close()


@asynccontextmanager
async def starting(kind: str) -> AsyncIterator[str]:
    """Start servers of a *kind* for who asks at the address given."""
    listener = await asyncio.start_server(lambda *streams: _serve_one(kind, *streams), "127.0.0.1", 0)
    async with listener:
        host, port = listener.sockets[0].getsockname()
        yield f"{host}:{port}"
