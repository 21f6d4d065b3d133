"""Consumers: how their settings are written, how one is removed, and one that is made only to be asked."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from lattice_store.errors import LatticeStoreError
from lattice_store.limits import SECOND_NS
from lattice_store.model import DeliverLastPerSubject, DeliverPolicy
from lattice_store.nats._api import JetStreamApi
from lattice_store.nats._translate import deliver_to_wire

INACTIVE_THRESHOLD_NS: Final = 30 * SECOND_NS
"""After which the server removes a consumer whose client is gone without a word, unless the stream allows less."""
NO_LIMIT: Final = -1
"""Where nothing is said a stream's own limit on pending acks is filled in, and refused without acks (10082)."""
_DELETE_TIMEOUT_NS: Final = SECOND_NS // 2


def new_name() -> str:
    """Return a name that no other consumer has; short, for every message carries it."""
    return f"ls-{secrets.token_urlsafe(6)}"


def filters_to_wire(subjects: Sequence[str], deliver: DeliverPolicy) -> dict[str, Any]:
    """Return the settings of a consumer of those subjects, of all if there are none."""
    if len(subjects) > 1:
        return {"filter_subjects": list(subjects)}
    if subjects:
        return {"filter_subject": subjects[0]}
    if isinstance(deliver, DeliverLastPerSubject):  # refused without a filter (10094)
        return {"filter_subject": ">"}
    return {}


async def probe(
    api: JetStreamApi, stream: str, deliver: DeliverPolicy, subjects: Sequence[str], *, inactive_threshold_ns: int
) -> dict[str, Any]:
    """Create a consumer that delivers nothing, and remove it; return what the server said of it."""
    name = new_name()
    config = {
        "name": name,
        "ack_policy": "none",
        "max_ack_pending": NO_LIMIT,
        "inactive_threshold": inactive_threshold_ns,
        "mem_storage": True,
        **deliver_to_wire(deliver),
        **filters_to_wire(subjects, deliver),
    }
    body = {"stream_name": stream, "config": config}
    creating = asyncio.ensure_future(api.call(create_verb(stream, config), body))
    try:
        return await asyncio.shield(creating)
    finally:
        await delete(api, stream, name, creating)


def create_verb(stream: str, config: dict[str, Any]) -> str:
    """Return the request that creates a consumer; a single filter stands in its subject, for permissions."""
    verb = f"CONSUMER.CREATE.{stream}.{config['name']}"
    return f"{verb}.{config['filter_subject']}" if "filter_subject" in config else verb


async def delete(api: JetStreamApi, stream: str, consumer: str, creating: asyncio.Future[dict[str, Any]]) -> None:
    """Delete *consumer*, also while being cancelled, as far as that can be done now; what is left goes by itself.

    One still being created is waited for: the server might handle the deletion first.
    """

    async def wait_and_delete() -> None:
        with suppress(LatticeStoreError, TimeoutError):
            async with asyncio.timeout(_DELETE_TIMEOUT_NS / SECOND_NS):
                await creating
                await api.call(f"CONSUMER.DELETE.{stream}.{consumer}")

    deleting = asyncio.create_task(wait_and_delete())
    try:
        await asyncio.shield(deleting)
    finally:
        await asyncio.wait({deleting})
