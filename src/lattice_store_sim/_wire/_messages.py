"""Requests about stored messages: STREAM.MSG.GET, STREAM.MSG.DELETE and STREAM.PURGE."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from lattice_store.errors import ApiError, MessageNotFoundError, api_error
from lattice_store.model import Message
from lattice_store_sim._core import _reads
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._wire._gets import asks_for_nothing, contradicts_itself, decode_get
from lattice_store_sim._wire._json import decode, decode_options, is_empty_object
from lattice_store_sim._wire._publish import error_to_wire
from lattice_store_sim._wire._routes import Request, Route
from lattice_store_sim._wire._times import time_text

_Unsigned = Annotated[int, Meta(ge=0)]


class _DeleteRequest(Struct):
    seq: _Unsigned = 0
    no_erase: bool = False


class _PurgeRequest(Struct):
    filter: str = ""
    seq: _Unsigned = 0
    keep: _Unsigned = 0


def _bad_request() -> ApiError:
    return api_error(400, 10003, "bad request")


def _get(core: SimCore, request: Request, name: str) -> dict[str, Any]:
    if is_empty_object(request.payload):
        raise _bad_request()
    get = decode_get(request.payload, core.context.profile)
    if get.batch > 0 or get.max_bytes > 0 or asks_for_nothing(get) or contradicts_itself(get):
        raise _bad_request()
    message = _reads.find(core.log(name, now_ns=request.now_ns), get)
    if message is None:
        raise api_error(404, 10037, "no message found")
    return {"message": _to_wire(message, with_headers=not get.no_hdr)}


def _to_wire(message: Message, *, with_headers: bool) -> dict[str, Any]:
    wire: dict[str, Any] = {"subject": message.subject, "seq": message.sequence}
    if with_headers and message.headers:
        wire["hdrs"] = b64encode(message.headers.block).decode()
    if message.payload:
        wire["data"] = b64encode(message.payload).decode()
    return {**wire, "time": time_text(message.time_ns)}


def _delete(core: SimCore, request: Request, name: str) -> dict[str, Any]:
    if is_empty_object(request.payload):
        raise _bad_request()
    which = decode(request.payload, _DeleteRequest, core.context.profile)
    try:
        core.delete_message(name, which.seq, now_ns=request.now_ns)
    except MessageNotFoundError as error:  # which the account does not count as an error (``jsMsgDeleteRequest``)
        return {"error": error_to_wire(error)}
    return {"success": True}


def _purge(core: SimCore, request: Request, name: str) -> dict[str, Any]:
    what = decode_options(request.payload, _PurgeRequest, core.context.profile)
    if what.seq and what.keep:
        raise _bad_request()
    purged = core.purge(name, filter_=what.filter, before_sequence=what.seq, keep=what.keep, now_ns=request.now_ns)
    return {"success": True, "purged": purged}


ROUTES: Final = (
    Route("STREAM.MSG.GET", 1, _get, "stream_msg_get"),
    Route("STREAM.MSG.DELETE", 1, _delete, "stream_msg_delete"),
    Route("STREAM.PURGE", 1, _purge, "stream_purge", {"purged": 0}),
)
