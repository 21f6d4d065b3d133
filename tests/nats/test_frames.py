"""Splitting what a server sends, without a server: whole frames come out, wherever the reads end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store.nats._deliveries import Deliveries
from lattice_store.nats._frames import FrameReader

SINK, PLAIN, GONE = b"1", b"2", b"3"


class Reading:
    """A reader with one sink, and one subscription whose messages are left as they came."""

    def __init__(self):
        self.runs = []
        self.others = []
        self.reader = FrameReader({SINK: self.runs.append, PLAIN: None})

    def feed(self, *pieces):
        for piece in pieces:
            self.others += self.reader.feed(self.reader.rest + piece)
        return self

    @property
    def frames(self):
        return [frame for run in self.runs for frame in (run.frames() if isinstance(run, Deliveries) else run)]


def msg(sid, subject, reply, payload):
    return b"MSG %s %s %s%d\r\n%s\r\n" % (subject, sid, reply + b" " if reply else b"", len(payload), payload)


def hmsg(sid, subject, reply, block, payload):
    sizes = b"%d %d" % (len(block), len(block) + len(payload))
    return b"HMSG %s %s %s%s\r\n%s%s\r\n" % (subject, sid, reply + b" " if reply else b"", sizes, block, payload)


def test_messages_of_a_sink_come_together_and_in_order():
    read = Reading().feed(msg(SINK, b"a.b", b"r", b"one") + msg(SINK, b"c", b"", b""))
    assert read.runs == [[(b"a.b", b"r", b"one", b""), (b"c", b"", b"", b"")]]
    assert read.others == []


def test_a_message_with_headers():
    block = b"NATS/1.0\r\nk: v\r\n\r\n"
    read = Reading().feed(hmsg(SINK, b"a", b"r", block, b"p") + hmsg(SINK, b"a", b"", block, b""))
    assert read.frames == [(b"a", b"r", b"p", block), (b"a", b"", b"", block)]


def test_a_payload_may_hold_what_looks_like_frames():
    payload = msg(SINK, b"x", b"", b"y") + b"PING\r\n"
    read = Reading().feed(msg(SINK, b"a", b"", payload) + b"PONG\r\n")
    assert (read.frames, read.others) == ([(b"a", b"", payload, b"")], [b"PONG\r\n"])


def test_what_is_no_message_of_a_sink_is_left_as_it_came():
    left = [b"PING\r\n", b"+OK\r\n", b"-ERR 'Permissions Violation'\r\n", b'INFO {"a":1}\r\n', b"pInG \r\n"]
    plain = [msg(PLAIN, b"a", b"r", b"p"), hmsg(PLAIN, b"a", b"", b"NATS/1.0\r\n\r\n", b"p")]
    read = Reading().feed(b"".join([*left, *plain]))
    assert read.others == [*left, *plain]
    assert read.runs == []


def test_messages_of_a_subscription_that_ended_are_dropped():
    read = Reading().feed(msg(GONE, b"a", b"", b"x") + msg(SINK, b"b", b"", b"y") + msg(GONE, b"a", b"", b"x"))
    assert (read.frames, read.others) == ([(b"b", b"", b"y", b"")], [])


def test_several_spaces_and_tabs_part_words_as_one_does():
    read = Reading().feed(b"MSG a\t1  r 1\r\nx\r\n")
    assert read.frames == [(b"a", b"r", b"x", b"")]


@pytest.mark.parametrize(
    "wrong", [b"MSG a 1\r\n", b"MSG a 1 r r 1\r\n", b"HMSG a 1 12\r\n", b"MSG a 1 x\r\n", b"HMSG a 1 r x 12\r\n"]
)
def test_a_line_that_is_no_nats_is_an_error(wrong):
    with pytest.raises(ValueError):
        Reading().feed(wrong + b"\r\n\r\n")


def test_a_line_without_an_end_is_an_error_and_does_not_grow_for_ever():
    read = Reading()
    with pytest.raises(ValueError, match="without an end"):
        for _ in range(100):
            read.feed(b"x" * 65_536)


def test_a_large_payload_is_no_line_without_an_end():
    payload = b"x" * 3_000_000
    whole = msg(SINK, b"a", b"", payload)
    read = Reading().feed(*[whole[at : at + 65_536] for at in range(0, len(whole), 65_536)])
    assert read.frames == [(b"a", b"", payload, b"")]


subjects = st.sampled_from([b"a", b"lc.default.claims.M1", b"\xff.\xfe"])
replies = st.sampled_from([b"", b"$JS.ACK.S.c.1.1.1.1.0", b"_INBOX.x"])
payloads = st.one_of(st.binary(max_size=40), st.sampled_from([b"\r\n", b"MSG a 1 3\r\n", b"\r\n\r\nPING\r\n"]))
blocks = st.sampled_from([b"NATS/1.0\r\n\r\n", b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Stream: 1\r\n\r\n"])
wholes = st.one_of(
    st.builds(msg, st.sampled_from([SINK, PLAIN, GONE]), subjects, replies, payloads),
    st.builds(hmsg, st.sampled_from([SINK, PLAIN, GONE]), subjects, replies, blocks, payloads),
    st.sampled_from([b"PING\r\n", b"PONG\r\n", b"+OK\r\n"]),
)


@given(st.lists(wholes, max_size=12), st.data())
def test_where_reads_end_makes_no_difference(sent, data):
    wire = b"".join(sent)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(wire)), max_size=20)))
    pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    whole, cut = Reading().feed(wire), Reading().feed(*pieces)
    assert (cut.frames, cut.others) == (whole.frames, whole.others)
    assert len(whole.frames) == sum(b" %s " % SINK in line.partition(b"\r\n")[0] for line in sent)
    assert cut.reader.rest == whole.reader.rest == b""
