"""The API level that a request may require (nats-server jetstream_versioning.go, ``errorOnRequiredApiLevel``)."""

from __future__ import annotations

import re
from typing import Final

from lattice_store.errors import api_error
from lattice_store_sim._core._profile import ServerProfile

_REQUIRED: Final = re.compile(rb"\r\nNats-Required-Api-Level: *([^\r]*)\r\n")
_NUMBER: Final = re.compile(rb"[+-]?[0-9]+")


def lacks_api_level(headers: bytes, profile: ServerProfile) -> bool:
    """Return whether a request requires more than the server has, or what is no number."""
    found = _REQUIRED.search(headers)
    if found is None or not found[1]:
        return False
    return _NUMBER.fullmatch(found[1]) is None or int(found[1]) > (profile.api_level or 0)


def check_api_level(headers: bytes, profile: ServerProfile) -> None:
    """Refuse a request that requires more than the server has.

    Raises:
        ApiError: 10185.
    """
    if profile.api_level_checked and lacks_api_level(headers, profile):
        raise api_error(412, 10185, "JetStream minimum api level required")
