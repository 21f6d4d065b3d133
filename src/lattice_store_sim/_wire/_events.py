"""What a client sends, read from its bytes: the events that `Protocol.receive_data` returns."""

from __future__ import annotations

from typing import Annotated

import msgspec

_VIOLATION = "Permissions Violation for "


class ConnectOptions(msgspec.Struct, frozen=True):
    """What a client says of itself; the defaults count until it says something (client.go, ``defaultOpts``)."""

    echo: bool = True
    verbose: bool = True
    pedantic: bool = True
    tls_required: bool = False
    nkey: str = ""
    jwt: str = ""
    sig: str = ""
    auth_token: str = ""
    user: str = ""
    password: str = msgspec.field(default="", name="pass")
    name: str = ""
    lang: str = ""
    version: str = ""
    protocol: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] = 0
    account: str = ""
    new_account: bool = False
    headers: bool = False
    no_responders: bool = False


class Connect(msgspec.Struct, frozen=True, gc=False):
    options: ConnectOptions


class Publish(msgspec.Struct, frozen=True, gc=False):
    """PUB or HPUB. Everything is as the client wrote it."""

    subject: bytes
    reply: bytes
    headers: bytes
    payload: bytes
    sizes: bytes
    """What a delivery repeats at the end of its first line."""


class Subscribe(msgspec.Struct, frozen=True, gc=False):
    subject: bytes
    group: bytes
    sid: bytes


class Unsubscribe(msgspec.Struct, frozen=True, gc=False):
    sid: bytes
    after: int
    """After how many deliveries in all; 0 or less for at once."""


class Ping(msgspec.Struct, frozen=True, gc=False):
    pass


class Pong(msgspec.Struct, frozen=True, gc=False):
    pass


class Complaint(msgspec.Struct, frozen=True, gc=False):
    """The client is told of a mistake and may go on."""

    text: str


class Failure(msgspec.Struct, frozen=True, gc=False):
    """The connection ends; nothing that came behind it is looked at."""

    text: str = ""
    """What the client is told; empty for nothing."""


Event = Connect | Publish | Subscribe | Unsubscribe | Ping | Pong | Complaint | Failure


# -- texts of mistakes ------------------------------------------------------------------------------


def quoted(text: bytes) -> str:
    """Return *text* as Go's ``%q`` writes it."""
    return '"' + "".join(_escaped(one) for one in text.decode("utf-8", "surrogateescape")) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    if character in _ESCAPES:
        return _ESCAPES[character]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if character.isprintable():
        return character
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    **dict(zip("\a\b\f\n\r\t\v", ("\\a", "\\b", "\\f", "\\n", "\\r", "\\t", "\\v"), strict=True)),
}


def publish_refused(subject: bytes) -> str:
    return f"{_VIOLATION}Publish to {quoted(subject)}"


def reply_refused(reply: bytes) -> str:
    return f"{_VIOLATION}Publish with Reply of {quoted(reply)}"


def subscription_refused(subject: bytes, group: bytes) -> str:
    using = f" using queue {quoted(group)}" if group else ""
    return f"{_VIOLATION}Subscription to {quoted(subject)}{using}"
