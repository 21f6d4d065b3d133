"""What a server tells by itself of streams and consumers: advisories and metrics, to whoever listens or stores them.

Nothing is made up where nobody listens (nats-server jetstream_events.go; consumer.go, ``sendAdvisory``).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lattice_store_sim._core._context import Context
from lattice_store_sim._core._times import time_text

_ADVISORY: Final = "io.nats.jetstream.advisory.v1."
_METRIC: Final = "io.nats.jetstream.metric.v1."
API_AUDIT: Final = "$JS.EVENT.ADVISORY.API"
ACCOUNT: Final = "$G"
"""The account of all clients."""
DELETED: Final = "Unacknowledged message was deleted"
"""Why a message counts as terminated that has left the stream."""
_ALWAYS: Final = 100
_encode: Final = msgspec.json.Encoder().encode


def tell(context: Context, subject: str, type_: str, now_ns: int, fields: dict[str, Any]) -> None:
    """Send an event to *subject* if anybody listens, or a stream stores it."""
    if not context.is_heard(subject):
        return
    domain = {"domain": context.domain} if context.domain else {}
    event = {"type": type_, "id": context.new_id(), "timestamp": time_text(now_ns), **fields, **domain}
    context.tell(subject, _encode(event))


def audit(context: Context, now_ns: int, **said: Any) -> None:
    """Tell of an API request and its answer."""
    tell(context, API_AUDIT, f"{_ADVISORY}api_audit", now_ns, said)


def of_stream(context: Context, stream: str, action: str, now_ns: int) -> None:
    """Tell that a stream was created, updated or deleted."""
    if context.events_wanted:
        fields = {"stream": stream, "action": "modify" if action == "updated" else action.removesuffix("d")}
        tell(
            context, f"$JS.EVENT.ADVISORY.STREAM.{action.upper()}.{stream}", f"{_ADVISORY}stream_action", now_ns, fields
        )


def batch_abandoned(context: Context, stream: str, batch: bytes, reason: str, now_ns: int) -> None:
    """Tell that an atomic batch has ended without being stored."""
    fields = {"stream": stream, "batch": batch.decode("utf-8", "replace"), "reason": reason}
    subject = f"$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.{stream}"
    tell(context, subject, f"{_ADVISORY}stream_batch_abandoned", now_ns, fields)


class Advisories:
    """What is told of one consumer.

    Args:
        context: where it goes.
        stream: the stream's name.
        consumer: the consumer's.
    """

    def __init__(self, context: Context, stream: str, consumer: str) -> None:
        self._context = context
        self._names = {"stream": stream, "consumer": consumer}
        self._suffix = f"{stream}.{consumer}"
        self._share = 0

    def copy(self, context: Context) -> Advisories:
        copied = Advisories(context, **self._names)
        copied._share = self._share
        return copied

    def _tell(self, event: str, type_: str, now_ns: int, **fields: Any) -> None:
        if self._context.events_wanted:
            subject = f"$JS.EVENT.ADVISORY.CONSUMER.{event}.{self._suffix}"
            tell(self._context, subject, f"{_ADVISORY}{type_}", now_ns, {**self._names, **fields})

    def created(self, now_ns: int) -> None:
        self._tell("CREATED", "consumer_action", now_ns, action="create")

    def deleted(self, now_ns: int) -> None:
        self._tell("DELETED", "consumer_action", now_ns, action="delete")

    def paused(self, until_ns: int | None, now_ns: int) -> None:
        """Tell that a pause begins, has changed, or is over."""
        paused = until_ns is not None and now_ns < until_ns
        self._tell("PAUSE", "consumer_pause", now_ns, paused=paused, pause_until=time_text(until_ns))

    def pinned(self, group: str, pin: str, now_ns: int) -> None:
        self._tell("PINNED", "consumer_group_pinned", now_ns, account=ACCOUNT, group=group, pinned_id=pin)

    def unpinned(self, group: str, reason: str, now_ns: int) -> None:
        self._tell("UNPINNED", "consumer_group_unpinned", now_ns, account=ACCOUNT, group=group, reason=reason)

    def naked(self, place: tuple[int, int], deliveries: int, now_ns: int) -> None:
        """Tell that a message is to be delivered again; *place* is its consumer and stream sequence."""
        self._tell("MSG_NAKED", "nak", now_ns, **_placed(place), deliveries=deliveries)

    def terminated(self, place: tuple[int, int], deliveries: int, reason: str, now_ns: int) -> None:
        """Tell that a message is never to be delivered again."""
        why = {"reason": reason} if reason and self._context.profile.terms_have_reasons else {}
        self._tell("MSG_TERMINATED", "terminated", now_ns, **_placed(place), deliveries=deliveries, **why)

    def given_up(self, sequence: int, deliveries: int, now_ns: int) -> None:
        """Tell that a message was delivered as often as it may be."""
        self._tell("MAX_DELIVERIES", "max_deliver", now_ns, stream_seq=sequence, deliveries=deliveries)

    def acked(self, place: tuple[int, int], deliveries: int, waited_ns: int, now_ns: int, *, share: int) -> None:
        """Tell of as many acks in a hundred as *share* says; a server takes them by chance."""
        if share < _ALWAYS:
            self._share += max(share, 0)
            if self._share < _ALWAYS:
                return
            self._share -= _ALWAYS
        if self._context.events_wanted:
            fields = {**self._names, **_placed(place), "ack_time": waited_ns, "deliveries": deliveries}
            subject = f"$JS.EVENT.METRIC.CONSUMER.ACK.{self._suffix}"
            tell(self._context, subject, f"{_METRIC}consumer_ack", now_ns, fields)


def _placed(place: tuple[int, int]) -> dict[str, int]:
    return {"consumer_seq": place[0], "stream_seq": place[1]}


def share_of(sample_freq: str) -> int:
    """Return how many acks in a hundred a consumer's setting samples."""
    return int(sample_freq.removesuffix("%") or 0)
