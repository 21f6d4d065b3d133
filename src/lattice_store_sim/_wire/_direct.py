"""DIRECT.GET: reads that are answered with the messages themselves, and with statuses, not with JSON.

Source: nats-server stream.go, ``processDirectGetRequest`` and ``processDirectGetLastBySubjectRequest``.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lattice_store.errors import ApiError
from lattice_store.model import Message
from lattice_store_sim._core import _reads
from lattice_store_sim._core._outbox import Outgoing, status
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._reads import Batch, Get, NothingFoundError
from lattice_store_sim._core._requirement import lacks_api_level
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._wire._gets import asks_for_nothing, contradicts_itself, decode_get
from lattice_store_sim._wire._json import lenient
from lattice_store_sim._wire._routes import Request, Route
from lattice_store_sim._wire._times import time_text


def _read(payload: bytes, profile: ServerProfile) -> Get:
    try:
        return decode_get(payload, lenient(profile))
    except ApiError:
        raise NothingFoundError(408, "Malformed Request") from None


def _understand(request: Request, subject: str, profile: ServerProfile) -> Get:
    if profile.api_level_checked and lacks_api_level(request.headers, profile):
        raise NothingFoundError(412, "Required Api Level")
    if subject:
        return _read_options(request.payload, profile, subject)
    return _read_request(request.payload, profile)


def _read_request(payload: bytes, profile: ServerProfile) -> Get:
    get = _read(payload, profile) if payload else Get()
    if asks_for_nothing(get) and not get.multi_last:
        raise NothingFoundError(408, "Empty Request")
    batched_last = get.last_by_subj and (get.batch > 0 or get.multi_last)
    next_of_many = get.next_by_subj and get.multi_last
    two_ends = get.up_to_seq and get.up_to_time is not None
    if contradicts_itself(get) or batched_last or next_of_many or two_ends:
        raise NothingFoundError(408, "Bad Request")
    return get


def _read_options(payload: bytes, profile: ServerProfile, subject: str) -> Get:
    """Return the get of the last message on *subject*; the body may say no more than how."""
    if payload and not profile.direct_get_body_by_subject:
        raise NothingFoundError(408, "Bad Request")
    get = _read(payload, profile) if payload else Get()
    more = get.batch or get.multi_last or get.up_to_seq or get.up_to_time is not None
    if more or not asks_for_nothing(get):
        raise NothingFoundError(408, "Bad Request")
    return msgspec.structs.replace(get, last_by_subj=subject)


def _get(core: SimCore, request: Request, name: str, subject: str = "") -> None:
    context, found = core.context, core.read_directly(name)
    if found is None:
        if context.profile.served_apart:
            context.tell_unheard(request.subject, request.reply)
        return
    if not request.reply:
        return
    try:
        _answer(core, request, found, _understand(request, subject, context.profile))
    except NothingFoundError as nothing:
        context.send(status(request.reply, nothing.code, nothing.description))


def _answer(core: SimCore, request: Request, name: str, get: Get) -> None:
    log = core.log(name, now_ns=request.now_ns)
    if get.multi_last:
        _send_batch(core, request.reply, name, _reads.find_last_of_each(log, get), with_headers=True)
    elif get.batch:
        _send_batch(core, request.reply, name, _reads.find_batch(log, get), with_headers=not get.no_hdr)
    elif (message := _reads.find(log, get)) is not None:
        headers = b"" if get.no_hdr else _headers(name, message)
        core.context.send(Outgoing(request.reply, message.payload, headers))
    else:
        raise NothingFoundError(404, "Message Not Found")


def _send_batch(core: SimCore, reply: str, name: str, batch: Batch, *, with_headers: bool) -> None:
    send = core.context.send
    for message, pending, previous in batch.found:
        headers = b""
        if with_headers:
            headers = _headers(name, message, f"Nats-Num-Pending: {pending}\r\nNats-Last-Sequence: {previous}\r\n")
        send(Outgoing(reply, message.payload, headers))
    end = (("Nats-Num-Pending", batch.pending), ("Nats-Last-Sequence", batch.last))
    up_to = () if batch.up_to is None else (("Nats-UpTo-Sequence", batch.up_to),)
    send(status(reply, 204, "EOB", *end, *up_to))


def _headers(name: str, message: Message, more: str = "") -> bytes:
    """Return the stored header block with the server's lines at its end; names may repeat."""
    ours = (
        f"Nats-Stream: {name}\r\nNats-Subject: {message.subject}\r\n"
        f"Nats-Sequence: {message.sequence}\r\nNats-Time-Stamp: {time_text(message.time_ns)}\r\n"
    )
    return (message.headers.block[:-2] or b"NATS/1.0\r\n") + f"{ours}{more}\r\n".encode()


ROUTES: Final = (Route("DIRECT.GET", 1, _get), Route("DIRECT.GET", 2, _get, rest=True))
