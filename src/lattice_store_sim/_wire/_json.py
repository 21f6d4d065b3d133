"""Requests and answers as JSON, read the way nats-server reads them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec

from lattice_store.errors import ApiError, api_error
from lattice_store_sim._core._profile import ServerProfile

_T = TypeVar("_T", bound=msgspec.Struct)


def invalid_json(detail: object) -> ApiError:
    """Return the refusal of a request that cannot be read; the detail is ours, not the server's."""
    return api_error(400, 10025, f"invalid JSON: {detail}")


@cache
def _fields(kind: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind))


def convert(wire: Mapping[str, Any], kind: type[_T], profile: ServerProfile) -> _T:
    """Return a JSON object as *kind*; ``null`` is as good as absent, as in Go.

    Raises:
        ApiError: a field is unknown or of another type.
    """
    given = {name: value for name, value in wire.items() if value is not None}
    if profile.unknown_fields_refused and (unknown := given.keys() - _fields(kind)):
        raise invalid_json(f"unknown field {min(unknown)!r}")
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise invalid_json(error) from None


def decode_object(payload: bytes) -> dict[str, Any]:
    """Return the JSON object in *payload*.

    Raises:
        ApiError: it is none.
    """
    try:
        return msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise invalid_json(error) from None


def decode(payload: bytes, kind: type[_T], profile: ServerProfile) -> _T:
    """Return the JSON object in *payload* as *kind*.

    Raises:
        ApiError: it is none, or does not fit.
    """
    return convert(decode_object(payload), kind, profile)
