"""Reading a get request, which STREAM.MSG.GET and DIRECT.GET share."""

from __future__ import annotations

from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._reads import Get
from lattice_store_sim._wire._json import decode


def decode_get(payload: bytes, profile: ServerProfile) -> Get:
    """Return what is asked for.

    Raises:
        ApiError: the request cannot be read.
    """
    return decode(payload, Get, profile, later=profile.unknown_get_fields)


def asks_for_nothing(get: Get) -> bool:
    """Return whether a get has no beginning; ``multi_last`` counts as one only to DIRECT.GET."""
    return not (get.seq or get.last_by_subj or get.next_by_subj or get.start_time is not None)


def contradicts_itself(get: Get) -> bool:
    """Return whether more than one beginning is given; a next subject may have one besides it."""
    beginnings = (get.seq > 0) + bool(get.last_by_subj) + (get.start_time is not None)
    return beginnings > 1 or bool(get.last_by_subj and get.next_by_subj)
