"""The server's own entries in the metadata of streams and consumers (nats-server jetstream_versioning.go)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lattice_store_sim._core._profile import ServerProfile

_REQUIRED_LEVEL: Final = "_nats.req.level"
_VERSION: Final = "_nats.ver"
_LEVEL: Final = "_nats.level"


def with_required_level(
    metadata: Mapping[str, str] | None, level: int, profile: ServerProfile
) -> dict[str, str] | None:
    """Return what is stored of the metadata that a client gave: with the API level that the settings require."""
    if profile.api_level is None:
        return None if metadata is None else dict(metadata)
    kept = {name: text for name, text in (metadata or {}).items() if name not in (_VERSION, _LEVEL)}
    return {**kept, _REQUIRED_LEVEL: str(level)}


def with_server(metadata: Mapping[str, str] | None, profile: ServerProfile) -> dict[str, str]:
    """Return what most answers show of stored metadata: with the version and API level of the server."""
    if profile.api_level is None:
        return dict(metadata or {})
    return {**(metadata or {}), _VERSION: profile.version, _LEVEL: str(profile.api_level)}


def metadata_bytes(metadata: Mapping[str, str] | None) -> int:
    """Return what counts of the metadata towards its limit."""
    return sum(len(name.encode()) + len(text.encode()) for name, text in (metadata or {}).items())
