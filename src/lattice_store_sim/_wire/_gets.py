"""What a get request says, in its JSON: shared by STREAM.MSG.GET and DIRECT.GET."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._reads import Get
from lattice_store_sim._wire._json import convert, decode_object, invalid_json
from lattice_store_sim._wire._times import time_ns

Unsigned = Annotated[int, Meta(ge=0)]


class _GetRequest(Struct):
    """The JSON object (nats-server jetstream_api.go, ``JSApiMsgGetRequest``)."""

    seq: Unsigned = 0
    last_by_subj: str = ""
    next_by_subj: str = ""
    batch: int = 0
    max_bytes: int = 0
    start_time: str | None = None
    multi_last: tuple[str, ...] = ()
    up_to_seq: Unsigned = 0
    up_to_time: str | None = None
    no_hdr: bool = False


def decode_get(payload: bytes, profile: ServerProfile) -> Get:
    """Return what is asked for.

    Raises:
        ApiError: the request cannot be read.
    """
    wire = decode_object(payload, profile)
    known = {name: value for name, value in wire.items() if name.casefold() not in profile.unknown_get_fields}
    request = convert(known, _GetRequest, profile)
    return Get(
        seq=request.seq,
        last_by_subj=request.last_by_subj,
        next_by_subj=request.next_by_subj,
        start_time_ns=_time(request.start_time, profile),
        batch=request.batch,
        max_bytes=request.max_bytes,
        multi_last=request.multi_last,
        up_to_seq=request.up_to_seq,
        up_to_time_ns=_time(request.up_to_time, profile),
        no_hdr=request.no_hdr,
    )


def _time(text: str | None, profile: ServerProfile) -> int | None:
    """Return nanoseconds in 64 bits with a sign: what is not within the years 1678 to 2262 wraps around, as in Go."""
    if text is None:
        return None
    try:
        return (time_ns(text) + 2**63) % 2**64 - 2**63
    except ValueError as error:
        raise invalid_json(error, profile) from None


def asks_for_nothing(get: Get) -> bool:
    return not (get.seq or get.last_by_subj or get.next_by_subj or get.multi_last or get.start_time_ns is not None)


def contradicts_itself(get: Get) -> bool:
    """Return whether more than one beginning is given; a next subject may have one besides it."""
    starts = (get.seq > 0) + bool(get.last_by_subj) + (get.start_time_ns is not None)
    return starts > 1 or bool(get.last_by_subj and get.next_by_subj)
