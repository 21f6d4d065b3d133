"""Requests as JSON, read the way nats-server reads them: with Go's ``encoding/json``.

Names of fields match in any case. A field given twice is set twice: maps and objects are added to, the rest is
replaced. ``null`` leaves a field as it was. Text that is no UTF-8 is mended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from types import NoneType
from typing import Any, Final, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from lattice_store.errors import ApiError, api_error
from lattice_store_sim._core._consumer_config import TimeNs
from lattice_store_sim._core._profile import NEWEST, ServerProfile
from lattice_store_sim._wire._times import time_ns

_T = TypeVar("_T", bound=msgspec.Struct)
_SPACE: Final = " \t\n\r"
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LARGEST: Final = 2**64 - 1


def invalid_json(detail: object, profile: ServerProfile) -> ApiError:
    """Return the refusal of a request that cannot be read; the detail is ours, not the server's."""
    return api_error(400, 10025, f"invalid JSON: {detail}" if profile.json_errors_explained else "invalid JSON")


# -- text to documents ------------------------------------------------------------------------------


class _Object(list[tuple[str, Any]]):
    """A JSON object: its fields as they were given, also those given twice."""


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_Object, parse_constant=_no_number)


def _documents(payload: bytes) -> list[Any]:
    """Return the JSON documents that follow each other in *payload*.

    Raises:
        ValueError: not all of it is JSON.
        RecursionError: it is too deep.
    """
    text = payload.decode(errors="replace")
    documents: list[Any] = []
    at = 0
    while rest := text[at:].lstrip(_SPACE):
        document, at = _decoder.raw_decode(text, len(text) - len(rest))
        documents.append(document)
    return documents


def is_empty_object(payload: bytes) -> bool:
    """Return whether a request says nothing: no bytes, or a JSON object without fields."""
    try:
        documents = _documents(payload)
    except (ValueError, RecursionError):
        return False
    return not payload or [isinstance(one, _Object) and not one for one in documents] == [True]


# -- documents to structs ---------------------------------------------------------------------------


@cache
def _types(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the type of each field, without the ``None`` that it may also be."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: _required(hint) for name, hint in hints.items() if name in kind.__struct_fields__}


def _required(hint: Any) -> Any:
    return next(one for one in get_args(hint) if one is not NoneType) if NoneType in get_args(hint) else hint


@cache
def _names(kind: type[msgspec.Struct], later: frozenset[str]) -> dict[str, str]:
    """Return the field for each way to spell it: exactly, or folded."""
    spellings = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
    known = {spelled: name for spelled, name in spellings.items() if name not in later}
    return {spelled.casefold(): name for spelled, name in known.items()} | known


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _element(hint: Any) -> Any:
    """Return the type of a tuple's elements where these are structs."""
    element = get_args(hint)[0] if get_origin(hint) is tuple else None
    return element if _is_struct(_required(element)) else None


def _plain(value: Any) -> Any:
    """Return *value* in Python's terms, with lone surrogates replaced."""
    if isinstance(value, str):
        return value if value.isascii() else _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, _Object):
        return {_plain(name): _plain(one) for name, one in value}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _value(value: Any, hint: Any) -> Any:
    """Return *value* as what a field of type *hint* holds.

    Raises:
        msgspec.ValidationError: it is of another type.
    """
    value = _plain(value)
    if hint is TimeNs:
        return _time(value)
    if str in get_args(hint):  # the elements of a list or map that are null are empty
        if isinstance(value, dict):
            value = {name: "" if one is None else one for name, one in value.items()}
        elif isinstance(value, list):
            value = ["" if one is None else one for one in value]
    elif isinstance(value, int) and value > _LARGEST:
        raise msgspec.ValidationError(f"{value} is too large")
    return msgspec.convert(value, hint)


def no_such_value(name: str, value: Any) -> str:
    """Return what the server says of a value that an enumeration does not have (store.go, ``UnmarshalJSON``)."""
    text = json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))
    if name == "compression":
        return "unknown compression algorithm"
    if name == "action":
        return f"unknown consumer action: {text}"
    if name == "priority_policy":
        return f"unknown priority policy: {text}"
    return f"can not unmarshal {json.dumps(text, ensure_ascii=False)}"


def _time(value: Any) -> int:
    try:
        return time_ns(value)
    except (TypeError, ValueError) as error:
        raise msgspec.ValidationError(str(error)) from None


class _Reader:
    """Sets fields one after the other, as Go does when it decodes into what is there already."""

    def __init__(self, later: frozenset[str], *, lenient: bool) -> None:
        self._later = later
        self._lenient = lenient

    def set_all(self, fields: dict[str, Any], given: Iterable[tuple[str, Any]], kind: type[msgspec.Struct]) -> None:
        """Set *fields* of a *kind* to what is *given*.

        Raises:
            msgspec.ValidationError: a field is unknown or of another type.
        """
        names, types = _names(kind, self._later), _types(kind)
        for spelled, value in given:
            name = names.get(spelled) or names.get(spelled.casefold())
            if name is not None:
                self._set(fields, name, value, types[name])
            elif not self._lenient:
                raise msgspec.ValidationError(f"json: unknown field {json.dumps(spelled)}")

    def _set(self, fields: dict[str, Any], name: str, value: Any, hint: Any) -> None:
        if value is None and get_origin(hint) is not Literal:  # enumerations read null themselves: no value of theirs
            return
        old = fields.get(name)
        element = _element(hint)
        if _is_struct(hint) and isinstance(value, _Object | Mapping):
            fields[name] = self._struct({} if old is None else msgspec.structs.asdict(old), value, hint)
        elif element is not None and isinstance(value, list) and not isinstance(value, _Object):
            fields[name] = tuple(self._one(each, element) for each in value)
        elif get_origin(hint) is Literal and value not in get_args(hint):
            raise msgspec.ValidationError(no_such_value(name, value))
        else:
            new = _value(value, hint)
            fields[name] = old | new if isinstance(old, dict) and isinstance(new, dict) else new

    def _struct(self, fields: dict[str, Any], given: _Object | Mapping[str, Any], kind: type[_T]) -> _T:
        self.set_all(fields, given.items() if isinstance(given, Mapping) else given, kind)
        return kind(**fields)

    def _one(self, value: Any, hint: Any) -> Any:
        """Return one of a list of structs; one that is null is none, or an empty one."""
        kind = _required(hint)
        if value is None:
            return None if kind is not hint else kind()
        if not isinstance(value, _Object | Mapping):
            raise msgspec.ValidationError(f"{value!r} is no object")
        return self._struct({}, value, kind)


def convert(wire: Mapping[str, Any], kind: type[_T], profile: ServerProfile) -> _T:
    """Return a JSON object as *kind*.

    Raises:
        ApiError: a field is unknown or of another type.
    """
    return _build([_Object(wire.items())], kind, profile, profile.later_fields)


def _object(document: Any) -> _Object:
    if not isinstance(document, _Object):
        raise msgspec.ValidationError("not an object")
    return document


def _build(documents: list[Any], kind: type[_T], profile: ServerProfile, later: frozenset[str]) -> _T:
    # A version that lets unknown fields pass reads the request a second time then, and as one document.
    reader = _Reader(later, lenient=not profile.unknown_fields_refused and len(documents) == 1)
    fields: dict[str, Any] = {}
    try:
        for document in documents:
            if document is not None:
                reader.set_all(fields, _object(document), kind)
    except msgspec.ValidationError as error:
        raise invalid_json(error, profile) from None
    return kind(**fields)


def decode(payload: bytes, kind: type[_T], profile: ServerProfile, *, later: frozenset[str] = frozenset()) -> _T:
    """Return the JSON object in *payload* as *kind*; ``null`` is an empty one.

    Args:
        payload: the request.
        kind: what it asks for.
        profile: the version that reads it.
        later: fields of just this *kind* that the version does not know yet.

    Raises:
        ApiError: it is none, or does not fit, or there is not one where the version wants exactly one.
    """
    try:
        documents = _documents(payload)
    except (ValueError, RecursionError) as error:
        raise invalid_json(error, profile) from None
    if not profile.json_documents_joined and len(documents) != 1:
        raise invalid_json("not one document", profile)
    return _build(documents, kind, profile, profile.later_fields | later)


def decode_into(payload: bytes, old: _T) -> _T:
    """Return *old* with what the JSON object in *payload* sets; it may hold other fields, too.

    Raises:
        ApiError: it is none, or does not fit.
    """
    try:
        (document,) = _documents(payload)
        fields = msgspec.structs.asdict(old)
        if document is not None:
            _Reader(frozenset(), lenient=True).set_all(fields, _object(document), type(old))
    except (ValueError, RecursionError) as error:  # of a validation, too
        raise invalid_json(error, NEWEST) from None
    return type(old)(**fields)


@cache
def lenient(profile: ServerProfile) -> ServerProfile:
    """Return how what reaches a stream or consumer directly is read: by every version alike, one document, any fields."""
    return msgspec.structs.replace(profile, unknown_fields_refused=False, json_documents_joined=False)


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
