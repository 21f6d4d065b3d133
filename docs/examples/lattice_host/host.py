"""A little wasmCloud host: it knows its lattice, and changes it with care."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lattice_store import ABSENT, Lattice, LinkDefinition, LiveView, OciReferenceKey
from lattice_store.errors import RevisionMismatchError


class LinkTakenError(Exception):
    """Another host linked something else there."""


class Host:
    """Answers from a view of the lattice that is always current; see `running`."""

    def __init__(self, lattice: Lattice, live: LiveView) -> None:
        self._lattice = lattice
        self._live = live

    @classmethod
    @asynccontextmanager
    async def running(cls, lattice: Lattice) -> AsyncIterator[Host]:
        """Join *lattice* and follow it until the block ends."""
        ensured = await lattice.ensure()
        if not ensured.usable:
            raise RuntimeError(f"cannot join lattice {lattice.prefix}: {ensured.outcome.value}") from ensured.error
        async with lattice.attach() as live:
            yield cls(lattice, live)

    def actor(self, call_alias: str) -> str | None:
        """Return the public key of the actor that answers to *call_alias*."""
        entry = self._live.view.find_call_alias(call_alias)
        return entry.record.public_key if entry else None

    def image(self, oci_url: str) -> str | None:
        """Return the public key of what lies in the registry under *oci_url*."""
        entry = self._live.view.find(OciReferenceKey(oci_url))
        return entry.record.public_key if entry else None

    async def link(self, link: LinkDefinition) -> int:
        """Store *link* and return its revision, unless it would take the place of another provider's.

        Raises:
            LinkTakenError: it would; nothing was written.
        """
        known = self._live.view.find(link.key)
        if known is not None and known.record.provider_id != link.provider_id:
            raise LinkTakenError(f"{link.key} leads to {known.record.provider_id}")
        try:
            return await self._lattice.put(link, expect=known.revision if known else ABSENT)
        except RevisionMismatchError as error:
            raise LinkTakenError(f"{link.key} was changed by another host just now") from error
