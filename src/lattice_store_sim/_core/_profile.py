"""The named differences between versions of nats-server, as data.

The core asks a profile for behaviour, never for a version. Each field says what the versions do; fields are
in the order of the fact they belong to. Observed on the versions named in `PROFILES`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import attrs

from lattice_store.errors import InvalidArgumentError


@attrs.frozen(kw_only=True)
class ServerProfile:
    """How one version of nats-server behaves; the defaults are those of the newest."""

    version: str
    """The exact version observed."""
    api_level: int | None = 5
    """JetStream API level; ``None`` before there was one (2.11), when ``_nats.*`` metadata is plain data."""

    # -- requests ---------------------------------------------------------------------------------
    evacuation: bool = True
    """Whether streams can be moved off a peer (STREAM.PEER.EVACUATE, STREAM.CANCEL_MOVE); from 2.15 on."""
    stream_templates: bool = False
    """Whether there are still stream templates; up to 2.12."""
    account_purge: bool = False
    """Whether a lone server purges an account (ACCOUNT.PURGE); up to 2.10."""
    unknown_fields_refused: bool = True
    """Whether an unknown field of a JSON request is refused (10025); ignored up to 2.11."""

    no_responders_subject: bool = True
    """Whether the status 503 bears the subject that nobody listens to; from 2.12 on."""

    # -- publish ----------------------------------------------------------------------------------
    duplicate_first: bool = False
    """Up to 2.11 a duplicate is found before the expected sequences are looked at."""
    size_first: bool = True
    """Up to 2.14 the message's size is checked after the last message ID and the rollup header."""
    expected_subject_filter: bool = True
    """Whether Nats-Expected-Last-Subject-Sequence-Subject has a meaning; from 2.11 on."""
    expected_subject_filter_alone_refused: bool = True
    """Whether that header without a sequence is refused (10193); from 2.12 on."""
    source_header_refused: bool = True
    """Whether a client's Nats-Stream-Source is refused (10227); from 2.15 on."""
    full_size_counted: bool = True
    """Whether discard policy new counts a message's full size and lets an exact fit pass; from 2.14 on."""
    rollup_passes_full_subject: bool = True
    """Whether a rollup passes ``discard_new_per_subject``; from 2.14 on."""
    message_ttl: bool = True
    """Per-message TTLs and delete markers; from 2.11 on, plain data before."""
    counters: bool = True
    """Counters, and headers of schedules and atomic batches, have a meaning; from 2.12 on."""

    # -- purge ------------------------------------------------------------------------------------
    purge_below_1_is_none: bool = True
    """Whether a purge below sequence 1 removes nothing; up to 2.12 some remove everything."""


_2_14: Final = ServerProfile(
    version="2.14.6", api_level=4, evacuation=False, size_first=False, source_header_refused=False
)
_2_12: Final = attrs.evolve(
    _2_14,
    version="2.12.8",
    api_level=3,
    stream_templates=True,
    full_size_counted=False,
    rollup_passes_full_subject=False,
    purge_below_1_is_none=False,
)
_2_11: Final = attrs.evolve(
    _2_12,
    version="2.11.11",
    api_level=1,
    unknown_fields_refused=False,
    no_responders_subject=False,
    duplicate_first=True,
    expected_subject_filter_alone_refused=False,
    counters=False,
)
_2_10: Final = attrs.evolve(
    _2_11, version="2.10.26", api_level=None, account_purge=True, expected_subject_filter=False, message_ttl=False
)
_2_9: Final = attrs.evolve(_2_10, version="2.9.10")

NEWEST: Final = ServerProfile(version="2.15.1")
PROFILES: Final = MappingProxyType(
    {"2.9": _2_9, "2.10": _2_10, "2.11": _2_11, "2.12": _2_12, "2.14": _2_14, "2.15": NEWEST}
)
"""Every simulated version by its minor version, oldest first."""


def profile_of(version: str) -> ServerProfile:
    """Return the profile of a version such as ``2.12`` or ``2.12.8``.

    Raises:
        InvalidArgumentError: none is known.
    """
    minor = ".".join(version.removeprefix("v").split(".")[:2])
    if minor not in PROFILES:
        raise InvalidArgumentError(f"no profile of nats-server {version!r}; there are {', '.join(PROFILES)}")
    return PROFILES[minor]
