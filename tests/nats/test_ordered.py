"""What an ordered consumer's frames mean, without a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store.model import DeliverAll, DeliverFromSequence, DeliverLastPerSubject, DeliverNew
from lattice_store.nats._ordered import Ordered


def opened(*, last, before=0, pending, deliver=DeliverAll()):  # noqa: B008  # a frozen value
    ordered = Ordered(deliver, last)
    ordered.begin()
    ordered.created(before=before, pending=pending)
    ordered.take()
    return ordered


def message(sequence, consumer_sequence, pending, subject="s"):
    return subject.encode(), f"$JS.ACK.S.c.1.{sequence}.{consumer_sequence}.77.{pending}".encode(), b"p", b""


def send(ordered, sequence, consumer_sequence, pending, subject="s"):
    ordered.receive([message(sequence, consumer_sequence, pending, subject)])


def heartbeat(ordered, consumer, stream, stalled=None):
    extra = f"Nats-Consumer-Stalled: {stalled}\r\n" if stalled else ""
    block = (
        f"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: {consumer}\r\nNats-Last-Stream: {stream}\r\n{extra}\r\n"
    )
    ordered.receive([(b"inbox", b"", b"", block.encode())])


def sequences(batch):
    return [message.sequence for message in batch.messages]


def test_a_batch_is_everything_since_the_last_one():
    ordered = opened(last=3, pending=3)
    send(ordered, 1, 1, 2)
    send(ordered, 2, 2, 1)
    first = ordered.take()
    assert (sequences(first), first.sequence, first.pending, first.caught_up) == ([1, 2], 2, 1, False)
    assert ordered.take() is None
    send(ordered, 3, 3, 0)
    second = ordered.take()
    assert (sequences(second), second.sequence, second.pending, second.caught_up) == ([3], 3, 0, True)


def test_a_message_carries_what_the_frame_says():
    ordered = opened(last=1, pending=1)
    ordered.receive([(b"a.b", b"$JS.ACK.S.c.1.9.1.77.0", b"payload", b"NATS/1.0\r\nk: v\r\n\r\n")])
    (message,) = ordered.take().messages
    assert (message.subject, message.sequence, message.time_ns, message.payload) == ("a.b", 9, 77, b"payload")
    assert dict(message.headers) == {"k": "v"}


def test_nothing_to_deliver_is_caught_up_at_once_and_stands_at_the_end_of_the_stream():
    ordered = Ordered(DeliverAll(), 7)
    ordered.begin()
    ordered.created(before=0, pending=0)
    batch = ordered.take()
    assert (sequences(batch), batch.sequence, batch.caught_up) == ([], 7, True)


def test_messages_may_come_before_the_answer_that_the_consumer_was_created():
    ordered = Ordered(DeliverAll(), 2)
    ordered.begin()
    send(ordered, 1, 1, 1)
    send(ordered, 2, 2, 0)
    ordered.created(before=0, pending=2)
    batch = ordered.take()
    assert (sequences(batch), batch.pending, batch.caught_up) == ([1, 2], 0, True)


def test_caught_up_under_a_fast_writer():
    ordered = opened(last=2, pending=2)
    send(ordered, 1, 1, 5)
    assert ordered.caught_up is False
    send(ordered, 2, 2, 9)
    assert ordered.take().caught_up is True


def test_caught_up_by_a_heartbeat_when_the_rest_was_evicted():
    ordered = opened(last=5, pending=5)
    send(ordered, 1, 1, 4)
    ordered.take()
    heartbeat(ordered, 1, 5)
    batch = ordered.take()
    assert (sequences(batch), batch.sequence, batch.pending, batch.caught_up) == ([], 5, 0, True)


def test_a_heartbeat_below_the_end_does_not_claim_that_nothing_is_pending():
    ordered = opened(last=5, pending=5)
    send(ordered, 1, 1, 4)
    ordered.take()
    heartbeat(ordered, 1, 2)
    batch = ordered.take()
    assert (batch.sequence, batch.pending, batch.caught_up) == (2, 4, False)


def test_a_stalled_heartbeat_leaves_pending_and_names_the_flow_subject():
    ordered = opened(last=1, pending=1)
    send(ordered, 1, 1, 6)
    ordered.take()
    heartbeat(ordered, 1, 1, stalled="$JS.FC.S.c.x")
    assert (ordered.take(), ordered.pending, ordered.flow_subject) == (None, 6, "$JS.FC.S.c.x")


def test_a_heartbeat_that_tells_nothing_new_is_no_batch():
    ordered = opened(last=1, pending=1)
    send(ordered, 1, 1, 0)
    ordered.take()
    heartbeat(ordered, 1, 1)
    assert ordered.take() is None


def test_a_flow_control_request_is_kept_until_it_is_answered():
    ordered = opened(last=1, pending=1)
    ordered.receive([(b"inbox", b"$JS.FC.S.c.abc", b"", b"NATS/1.0 100 FlowControl Request\r\n\r\n")])
    assert ordered.flow_subject == "$JS.FC.S.c.abc"


@pytest.mark.parametrize("consumer_sequence", [1, 3, 9])
def test_a_wrong_number_breaks_the_consumer_and_is_not_delivered(consumer_sequence):
    ordered = opened(last=9, pending=9)
    send(ordered, 1, 1, 8)
    send(ordered, 4, consumer_sequence, 5)
    assert (ordered.broken, sequences(ordered.take())) == (True, [1])
    send(ordered, 5, 2, 4)
    assert ordered.take() is None
    assert ordered.resume() == DeliverFromSequence(2)


def test_a_message_behind_a_gap_does_not_claim_that_nothing_is_pending():
    ordered = opened(last=4, pending=4)
    ordered.receive([message(1, 1, 3), message(2, 2, 2), message(4, 4, 0)])
    batch = ordered.take()
    assert (sequences(batch), batch.sequence, batch.pending, batch.caught_up) == ([1, 2], 2, 2, False)
    assert ordered.broken


def test_a_heartbeat_beyond_the_last_message_means_that_messages_were_lost():
    ordered = opened(last=9, pending=9)
    send(ordered, 1, 1, 8)
    heartbeat(ordered, 4, 4)
    assert (ordered.broken, ordered.sequence) == (True, 1)


def test_any_other_status_means_that_the_consumer_is_gone():
    ordered = opened(last=9, pending=9)
    ordered.receive([(b"inbox", b"", b"", b"NATS/1.0 409 Consumer Deleted\r\n\r\n")])
    assert ordered.broken is True


def test_an_unreadable_ack_subject_is_an_error_and_not_a_message():
    ordered = opened(last=9, pending=9)
    with pytest.raises(ValueError, match="has 4 tokens"):
        ordered.receive([(b"s", b"$JS.ACK.S.c", b"", b"")])
    assert ordered.take() is None


def test_a_snapshot_is_taken_again_until_it_is_complete_and_never_delivers_twice():
    ordered = opened(last=5, before=0, pending=3, deliver=DeliverLastPerSubject())
    send(ordered, 2, 1, 2)
    assert ordered.resume() == DeliverLastPerSubject()
    ordered.begin()
    ordered.created(before=1, pending=3)
    send(ordered, 2, 1, 2)
    send(ordered, 4, 2, 1)
    send(ordered, 5, 3, 0)
    assert sequences(ordered.take()) == [2, 4, 5]
    assert ordered.resume() == DeliverFromSequence(6)


def test_only_new_messages_stay_only_new_after_an_interruption():
    ordered = opened(last=40, before=42, pending=0, deliver=DeliverNew())
    assert (ordered.caught_up, ordered.resume()) == (True, DeliverFromSequence(43))


def test_where_to_go_on_may_lie_beyond_what_was_seen_of_the_stream():
    ordered = opened(last=10, before=99, pending=0, deliver=DeliverFromSequence(100))
    heartbeat(ordered, 0, 99)
    assert (ordered.sequence, ordered.seen, ordered.delivered) == (99, 10, 0)
    send(ordered, 100, 1, 0)
    assert (ordered.seen, ordered.delivered) == (100, 100)


class Server:
    """A stream and its present consumer, as far as frames go: messages numbered, lost ones numbered as well."""

    def __init__(self, stored, last):
        self.stored, self.last = stored, last

    def create(self, deliver):
        match deliver:
            case DeliverLastPerSubject():
                newest = {subject: sequence for sequence, subject in self.stored}
                queue = sorted((sequence, subject) for subject, sequence in newest.items())
            case DeliverFromSequence(start):
                queue = [each for each in self.stored if each[0] >= start]
            case _:
                queue = list(self.stored)
        self.frames = [
            (sequence, number, len(queue) - number, subject) for number, (sequence, subject) in enumerate(queue, 1)
        ]
        return len(queue)


@given(
    stored=st.lists(st.tuples(st.integers(1, 40), st.sampled_from("abc")), unique_by=lambda each: each[0]).map(sorted),
    deliver=st.sampled_from([DeliverAll(), DeliverLastPerSubject(), DeliverFromSequence(7)]),
    losses=st.lists(st.integers(-3, 12), max_size=8),
    together=st.integers(1, 5),
)
def test_whatever_is_lost_every_message_is_delivered_once_and_in_order(stored, deliver, losses, together):
    last = stored[-1][0] if stored else 0
    server = Server(stored, last)
    server.create(deliver)
    expected = [frame[0] for frame in server.frames]
    ordered = Ordered(deliver, last)
    received, losses = [], [*losses, 10**6]
    for lost in losses:  # a consumer each; its frame number `lost`, perhaps from the end, never arrives
        ordered.begin()
        ordered.created(before=0, pending=server.create(deliver if not received else ordered.resume()))
        lost = lost + len(server.frames) if lost < 0 else lost  # noqa: PLW2901
        arriving = [
            message(sequence, number, pending, subject)
            for position, (sequence, number, pending, subject) in enumerate(server.frames)
            if position != lost
        ]
        for at in range(0, len(arriving), together):
            ordered.receive(arriving[at : at + together])
        heartbeat(ordered, len(server.frames), last)
        if batch := ordered.take():
            received += sequences(batch)
        assert received == expected[: len(received)]
        assert ordered.caught_up <= (received == expected)
        if ordered.broken:
            assert lost < len(server.frames)
    assert received == expected
    assert ordered.caught_up
