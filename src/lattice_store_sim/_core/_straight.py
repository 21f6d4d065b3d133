"""The short way to deliver: for a push consumer that wants no acks, which is how a stream is read from end to end.

It does what `Consumer` does message by message, and leaves out what cannot be: redeliveries, pending acks, pull
requests, a pace. What is noted of each delivery only to be replaced by the next is noted once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lattice_store_sim._core._outbox import Outgoing

if TYPE_CHECKING:
    from lattice_store_sim._core._acks import Acks
    from lattice_store_sim._core._consumer_config import ConsumerConfig
    from lattice_store_sim._core._delivery import Pace
    from lattice_store_sim._core._position import Position
    from lattice_store_sim._core._push import Push


def may_go_straight(config: ConsumerConfig, pace: Pace, retention: str) -> bool:
    """Return whether the short way is open: nothing that a delivery does reaches beyond its consumer."""
    return config.ack_policy == "none" and not config.headers_only and pace.free and retention == "limits"


def deliver_straight(
    push: Push, position: Position, acks: Acks, prefix: str, *, most: int | None, now_ns: int
) -> tuple[bool, bool]:
    """Deliver what is ahead, until the receiver has to answer first or *most* have been delivered.

    Args:
        push: to whom; somebody listens, and nothing has to be answered.
        position: where it stands.
        acks: keeps count.
        prefix: of the subjects for acks.
        most: how many messages in one go, None for all.
        now_ns: the time.

    Returns:
        Whether anything was delivered, and whether more could be.
    """
    to, number, last, count = push.config.deliver_subject, acks.deliveries, 0, 0
    append, windowed = push.context.outbox.append, push.windowed
    send: Callable[[Outgoing], None] = push.context.send
    for message in position.walk():
        last, count = message.sequence, count + 1
        reply = f"{prefix}1.{last}.{number + count}.{message.time_ns}.{position.pending}"
        outgoing = Outgoing(to, message.payload, message.headers.block, message.subject, reply)
        send(outgoing)
        send = append  # the bell has been rung
        if (windowed and push.note_sent(outgoing)) or count == most:
            break
    if count:
        push.spoke(now_ns)
        acks.deliver_unacked(last, count)
    return count > 0, count == most and not push.stalled
