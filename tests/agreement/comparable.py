"""What of a message can agree, and what it is called in the table of outcomes.

Two servers never agree about times, random names and the words of a JSON parser; everything else is compared.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, Final

import msgspec

from tests.agreement.client import Arrival

_DROPPED: Final = frozenset(
    {"created", "ts", "cluster", "pause_remaining", "_nats.ver", "_nats.level", "server", "client"}
)
_TIMES: Final = frozenset({"time", "first_ts", "last_ts", "last_active", "pinned_ts", "timestamp"})
_EVENTS: Final = ("io.nats.jetstream.advisory.", "io.nats.jetstream.metric.")
_PINS: Final = frozenset({"pinned_client_id", "pinned_id"})
_NO_TIMES: Final = ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z")

_ACK_TIME: Final = re.compile(r"^(\$JS\.ACK(?:\.[^.]+){5}\.)\d+(\.\d+)$")
_FLOW_CONTROL: Final = re.compile(r"(\$JS\.FC\.[^.]+\.[^.]+\.)\S+")
_HEADER_TIME: Final = re.compile(rb"(Nats-Time-Stamp: ?)[^\r]+")
_SOURCE_IDENTITY: Final = re.compile(rb"(Nats-Stream-Source: [^ \r\n]+ \d+ [^ \r\n]+ [^ \r\n]+ [^ \r\n]+) [A-Za-z0-9]+")
_SOURCING_SUBJECT: Final = re.compile(r"^(\$JS\.[SM]\.)[A-Za-z0-9]+$")
_STALLED: Final = re.compile(rb"(Nats-Consumer-Stalled: \$JS\.FC\.[^.]+\.[^.]+\.)[^\r]+")
_PIN: Final = re.compile(rb"(Nats-Pin-Id: )[^\r]+")
_PARSER_STATUS: Final = re.compile(rb"(Bad Request - )(?:invalid character|unexpected end|json:)[^\r]*")
_STATUS: Final = re.compile(rb"NATS/1\.0 (\d+[^\r]*)\r\n")


def comparable(arrival: Arrival) -> tuple[Any, ...]:
    """Return what must be equal on both sides."""
    headers = arrival.headers
    if headers:
        headers = _stored(headers)
        headers = _STALLED.sub(rb"\1<random>", headers)
        headers = _PIN.sub(rb"\1<random>", headers)
        headers = _PARSER_STATUS.sub(rb"\1<parser>", headers)
    reply = _FLOW_CONTROL.sub(r"\1<random>", _ACK_TIME.sub(r"\1<time>\2", arrival.reply)) if arrival.reply else ""
    return arrival.to, arrival.subject, reply, headers, _without_times(json_of(arrival.payload, arrival.payload))


def _stored(headers: bytes) -> bytes:
    """Return a header block without what is chance in those that servers make and streams may store."""
    return _SOURCE_IDENTITY.sub(rb"\1 <identity>", _HEADER_TIME.sub(rb"\1<time>", headers))


def json_of(payload: bytes, otherwise: Any = None) -> Any:
    """Return the object that a payload spells, or *otherwise*."""
    if not payload.startswith(b"{"):
        return otherwise
    try:
        return msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return otherwise


def _without_times(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_times(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, held in value.items():
        if key in _DROPPED:
            continue
        if key in _TIMES and isinstance(held, str):
            kept[key] = "no time" if held in _NO_TIMES else "a time"
        elif key == "id" and str(value.get("type", "")).startswith(_EVENTS):
            kept[key] = "an ID"
        elif key == "ack_time":
            kept[key] = "a while"
        elif key == "response" and isinstance(held, str):
            kept[key] = _without_times(json_of(held.encode(), held))
        elif key in _PINS:
            kept[key] = "a pin"
        elif key == "deliver_subject" and isinstance(held, str):
            kept[key] = _SOURCING_SUBJECT.sub(r"\1<random>", held)
        elif key == "active":
            kept[key] = "never" if held < 0 else "lately"
        elif key == "sources" and isinstance(held, list) and held and "lag" in (held[0] or {}):
            kept[key] = sorted(map(_without_times, held), key=repr)  # a server lists them as they come out of a map
        elif key == "hdrs" and isinstance(held, str):
            kept[key] = _stored(b64decode(held))
        elif key == "description" and "err_code" in value:
            kept[key] = _in_order(held.partition("invalid JSON")[0])
        elif key == "api" and "errors" in held:
            kept[key] = held.get("level")  # not how many requests there have been
        else:
            kept[key] = _without_times(held)
    return kept


def _in_order(text: str) -> str:
    """Return an error's text with the names of consumers sorted: a server lists them as they come out of a map."""
    what, colon, names = text.partition(" violates consumers: ")
    return what + colon + ", ".join(sorted(names.split(", ")))


def unequal_parts(said: Arrival, heard: Arrival) -> list[str]:
    """Return a line for each part that differs."""
    fields = zip(Arrival._fields, comparable(said), comparable(heard), strict=True)
    return [line for field, *sides in fields for line in _unequal(field, *sides)]


def _unequal(path: str, said: Any, heard: Any) -> list[str]:
    if said == heard:
        return []
    if isinstance(said, list) and isinstance(heard, list) and len(said) == len(heard):
        said, heard = dict(enumerate(said)), dict(enumerate(heard))
    if not (isinstance(said, dict) and isinstance(heard, dict)):
        return [f"{path}: {said!r} / {heard!r}"]
    lines = []
    for key in sorted({*said, *heard}):
        lines += _unequal(f"{path}.{key}", said.get(key, "absent"), heard.get(key, "absent"))
    return lines


def outcome(arrival: Arrival) -> str:
    """Name what came: a status, an error by code and text without what differs from case to case, a message."""
    if status := _STATUS.match(arrival.headers):
        return _general(f"status {_PARSER_STATUS.sub(rb'Bad Request - JSON', status[1]).decode()}")
    if arrival.reply.startswith("$JS.ACK.") or b"Nats-Stream: " in arrival.headers:
        return "message"
    if not arrival.payload:
        return "empty"
    match json_of(arrival.payload):
        case {"error": {"err_code": err_code, "description": str(text)}}:
            return f"{err_code} {_general(text.partition(':')[0])}"
        case {"type": str(event)} if event.startswith(_EVENTS):
            return event.rpartition(".")[2]
        case {"duplicate": True}:
            return "duplicate"
        case {}:
            return "ok"
        case _:
            return "message"


def _general(text: str) -> str:
    """Replace quoted words and ways, and numbers but for a leading status code."""
    text = re.sub(r"(?<=transform from )'.*", "…", text)
    return re.sub(r"(?<!^status )(?<!\d)\d+", "N", re.sub(r'"[^"]*"', '"…"', text))
