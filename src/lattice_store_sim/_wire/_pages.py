"""Answers that come in pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from lattice_store.errors import NotSimulatedError
from lattice_store_sim._core._profile import ServerProfile

_T = TypeVar("_T")


def page_of(items: Sequence[_T], offset: int, limit: int, profile: ServerProfile) -> tuple[Sequence[_T], int]:
    """Return a page and where it begins; an offset beyond the end, or below 0, is moved to it.

    Raises:
        NotSimulatedError: the request would end a server of that version.
    """
    if offset < 0 and not profile.negative_offsets_raised:
        raise NotSimulatedError(f"a page from a negative offset ends nats-server {profile.version}: not simulated")
    offset = min(max(offset, 0), len(items))
    return items[offset : offset + limit], offset


def listed(
    names: Sequence[str], offset: int, limit: int, profile: ServerProfile
) -> tuple[Sequence[str], dict[str, Any]]:
    """Return the names on a page of streams or consumers, and what the answer says of the page."""
    page, start = page_of(names, offset, limit, profile)
    return page, {"total": len(names), "offset": start, "limit": limit}
