"""Requests as JSON, read the way nats-server reads them: with Go's ``encoding/json``.

Names of fields match in any case, a name given twice counts twice (maps are merged, the rest is replaced),
``null`` leaves a field as it was, text that is no UTF-8 is mended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from types import NoneType
from typing import Any, Final, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from lattice_store.errors import ApiError, api_error
from lattice_store_sim._core._consumer_config import TimeNs
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._wire._times import time_ns

_T = TypeVar("_T", bound=msgspec.Struct)
_SPACE: Final = " \t\n\r"
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LARGEST: Final = 2**64 - 1


def invalid_json(detail: object, profile: ServerProfile) -> ApiError:
    """Return the refusal of a request that cannot be read; the detail is ours, not the server's."""
    return api_error(400, 10025, f"invalid JSON: {detail}" if profile.json_errors_explained else "invalid JSON")


# -- text to objects --------------------------------------------------------------------------------


def _merged(old: Any, new: Any) -> Any:
    """Return what a field holds that was set to *old* and then to *new*."""
    if new is None:
        return old
    return _object([*old.items(), *new.items()]) if isinstance(old, dict) and isinstance(new, dict) else new


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in pairs:
        read[name] = _merged(read[name], value) if name in read else value
    return read


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number)


def _mended(value: Any) -> Any:
    """Return *value* with lone surrogates replaced."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_mended(name): _mended(one) for name, one in value.items()}
    return [_mended(one) for one in value] if isinstance(value, list) else value


def _documents(payload: bytes) -> list[Any]:
    text = payload.decode(errors="replace")
    documents: list[Any] = []
    at = 0
    while rest := text[at:].lstrip(_SPACE):
        at = len(text) - len(rest)
        document, at = _decoder.raw_decode(text, at)
        documents.append(_mended(document) if "\\u" in text else document)
    return documents


def decode_object(payload: bytes, profile: ServerProfile) -> dict[str, Any]:
    """Return the JSON object in *payload*; ``null`` is an empty one.

    Raises:
        ApiError: it is none, or more than one where the version wants exactly one.
    """
    try:
        documents = _documents(payload)
    except (ValueError, RecursionError) as error:
        raise invalid_json(error, profile) from None
    if not profile.json_documents_joined and len(documents) != 1:
        raise invalid_json("not one document", profile)
    read: dict[str, Any] = {}
    for document in documents:
        if document is not None and not isinstance(document, dict):
            raise invalid_json("not an object", profile)
        read = _merged(read, document)
    return read


def is_empty_object(payload: bytes) -> bool:
    """Return whether a request says nothing: no bytes, or a JSON object without fields."""
    try:
        return not payload or _documents(payload) == [{}]
    except (ValueError, RecursionError):
        return False


# -- objects to structs -----------------------------------------------------------------------------


@cache
def _types(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the type of each field, without the ``None`` that it may also be."""
    return {name: _required(hint) for name, hint in get_type_hints(kind).items() if name in kind.__struct_fields__}


def _required(hint: Any) -> Any:
    return next(one for one in get_args(hint) if one is not NoneType) if NoneType in get_args(hint) else hint


@cache
def _names(kind: type[msgspec.Struct], later: frozenset[str]) -> dict[str, str]:
    """Return the field for each way to spell it: exactly, or folded."""
    known = [name for name in _types(kind) if name not in later]
    return {name.casefold(): name for name in known} | {name: name for name in known}


def _value(value: Any, hint: Any, profile: ServerProfile) -> Any:
    """Return *value* as msgspec takes it for a field of type *hint*."""
    if isinstance(value, dict):
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            return _fields(value, hint, profile)
        if str in get_args(hint):
            return {name: "" if one is None else one for name, one in value.items()}
    elif isinstance(value, list) and str in get_args(hint):
        return ["" if one is None else one for one in value]
    elif hint is TimeNs:
        return _time(value, profile)
    elif isinstance(value, int) and value > _LARGEST:
        raise invalid_json(f"{value} is too large", profile)
    return value


def _time(value: Any, profile: ServerProfile) -> int:
    try:
        return time_ns(value)
    except (TypeError, ValueError) as error:
        raise invalid_json(error, profile) from None


def _fields(wire: Mapping[str, Any], kind: type[msgspec.Struct], profile: ServerProfile) -> dict[str, Any]:
    names, types = _names(kind, profile.later_fields), _types(kind)
    read: dict[str, Any] = {}
    for given, value in wire.items():
        name = names.get(given) or names.get(given.casefold())
        if name is None:
            if profile.unknown_fields_refused:
                raise invalid_json(f"unknown field {given!r}", profile)
        elif value is not None or get_origin(types[name]) is Literal:  # enumerations read null themselves: no value
            new = _value(value, types[name], profile)
            read[name] = _merged(read[name], new) if name in read else new
    return read


def convert(wire: Mapping[str, Any], kind: type[_T], profile: ServerProfile) -> _T:
    """Return a JSON object as *kind*.

    Raises:
        ApiError: a field is unknown or of another type.
    """
    try:
        return msgspec.convert(_fields(wire, kind, profile), kind)
    except msgspec.ValidationError as error:
        raise invalid_json(error, profile) from None


def decode(payload: bytes, kind: type[_T], profile: ServerProfile) -> _T:
    """Return the JSON object in *payload* as *kind*.

    Raises:
        ApiError: it is none, or does not fit.
    """
    return convert(decode_object(payload, profile), kind, profile)


def decode_options(payload: bytes, kind: type[_T], profile: ServerProfile) -> _T:
    """Return the options in a body that need not be there; what does not look like JSON counts as none.

    Raises:
        ApiError: it looks like JSON and is none, or does not fit.
    """
    if profile.other_bodies_ignored:
        wanted = payload.lstrip(_SPACE.encode())[:1] in (b"{", b"[")
    else:
        wanted = not is_empty_object(payload)
    return decode(payload, kind, profile) if wanted else kind()
