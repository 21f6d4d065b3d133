"""What an API request is, and what a module of handlers offers for one kind of request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from lattice_store_sim._core._profile import ServerProfile

API: Final = "$JS.API."
SERVED_APART: Final = (f"{API}DIRECT.GET", f"{API}CONSUMER.MSG.NEXT")
"""Requests that reach a stream or consumer directly; where there is none, nobody listens."""


class Request(msgspec.Struct, frozen=True):
    """A message that a client published to the API."""

    subject: str
    payload: bytes
    headers: bytes
    reply: str
    now_ns: int
    client: Mapping[str, Any] = {}
    """What is known of who sent it, as advisories tell it: ``name``, ``user``, ``host`` and the like."""


Handler = Callable[..., Mapping[str, Any] | None]
"""``handler(core, request, *names)``, the names from the subject: returns the fields of the answer besides ``type``.

It returns ``None`` when it has put its answers into the outbox itself, and raises `ApiError` to refuse.
"""


def every_version(profile: ServerProfile) -> bool:
    return True


class Route(msgspec.Struct, frozen=True):
    """One kind of request: ``words`` then *names* tokens (the last may hold dots if ``rest``)."""

    words: str
    names: int
    handler: Handler
    type: str = ""
    """The answer's type, between ``io.nats.jetstream.api.v1.`` and ``_response``."""
    refused: Mapping[str, Any] = {}
    """Fields that stand beside the error of a refusal."""
    rest: bool = False
    """Whether the last name is all the rest of the subject."""
    level_after_body: bool = False
    """Whether the required API level is looked at only once the body was read: the handler does it."""
    audited: bool = True
    """Whether it counts as an API request and is told of as one; not what a consumer serves itself."""
    offered: Callable[[ServerProfile], bool] = every_version
    """Whether a version knows this request; one that is unknown stays unanswered."""
