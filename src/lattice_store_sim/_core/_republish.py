"""Republishing: what a stream stores it sends on to another subject, with what it knows of the message.

Source: nats-server stream.go, ``processJetStreamMsg``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lattice_store.model import Message
from lattice_store.wire import ns_to_time
from lattice_store_sim._core._outbox import Outgoing
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._stream_config import RePublish
from lattice_store_sim._core._subject_transform import SubjectTransform, transform_of

if TYPE_CHECKING:
    from lattice_store_sim._core._stream import Stream

_SPACES: Final = frozenset(" \t\n\r\f")


class Republisher:
    """What one stream republishes.

    Args:
        transform: from stored subjects to where they are republished.
        headers_only: whether payloads are left out.
        tells_times: whether headers say when a message was stored.
    """

    def __init__(self, transform: SubjectTransform, *, headers_only: bool, tells_times: bool) -> None:
        self._transform = transform
        self._headers_only = headers_only
        self._tells_times = tells_times

    def of(self, stream: Stream, message: Message) -> Outgoing | None:
        """Return what is sent on of a message that is about to be stored, if it is."""
        to = self._transform.match(message.subject, message.sequence)
        if not to or not _can_be_published(to):
            return None
        lines = [
            f"Nats-Stream: {stream.config.name}",
            f"Nats-Subject: {message.subject}",
            f"Nats-Sequence: {message.sequence}",
            *([f"Nats-Time-Stamp: {_time_text(message.time_ns)}"] if self._tells_times else []),
            f"Nats-Last-Sequence: {stream.log.subjects.last(message.subject)}",
        ]
        if self._headers_only:
            lines.append(f"Nats-Msg-Size: {len(message.payload)}")
        block = message.headers.block[:-2] or b"NATS/1.0\r\n"
        headers = block + "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"
        return Outgoing(to, b"" if self._headers_only else message.payload, headers)


def republisher_of(republish: RePublish, profile: ServerProfile) -> Republisher | None:
    """Return what republishes as a configuration says; to no destination nothing is."""
    transform = transform_of(republish.src, republish.dest, profile)
    if transform is None:
        return None
    return Republisher(transform, headers_only=republish.headers_only, tells_times=profile.republish_tells_times)


def _time_text(time_ns: int) -> str:
    text = ns_to_time(time_ns).removesuffix("Z").rstrip("0").removesuffix(".")
    return f"{text}Z"


def _can_be_published(subject: str) -> bool:
    tokens = subject.split(".")
    return all(tokens) and _SPACES.isdisjoint(subject) and "*" not in tokens and ">" not in tokens
