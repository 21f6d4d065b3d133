"""The client protocol without I/O; the expectations were observed on nats-server 2.15.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store_sim._wire._events import (
    Complaint,
    Connect,
    ConnectOptions,
    Failure,
    Ping,
    Pong,
    Publish,
    Subscribe,
    Unsubscribe,
    quoted,
)
from lattice_store_sim._wire._protocol import Protocol
from tests.tcp.conversations import CONVERSATIONS, QUIET, STRICT

UNKNOWN = Failure("Unknown Protocol Operation")


def read(*pieces, **options):
    """Return the events of a quiet client, but for its CONNECT."""
    protocol = Protocol(**options)
    events = protocol.receive_data(QUIET)
    for piece in pieces:
        events += protocol.receive_data(piece)
    assert events.pop(0) == Connect(
        ConnectOptions(verbose=False, pedantic=False, headers=True, no_responders=True, protocol=1)
    )
    return events


def publish(subject, payload=b"", reply=b"", headers=b"", sizes=None):
    size = b"%d" % (len(headers) + len(payload))
    return Publish(subject, reply, headers, payload, sizes or (b"%d %b" % (len(headers), size) if headers else size))


# -- what is read ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "event"),
    [
        (b"PING\r\n", Ping()),
        (b"pong whatever\r\n", Pong()),
        (b"PUB a 5\r\nhello\r\n", publish(b"a", b"hello")),
        (b"PUB a r 0\r\n\r\n", publish(b"a", reply=b"r")),
        (b"PUB a  1\r\nx\r\n", publish(b"a", b"x")),
        (b"pub\ta\t r 1 \nx\r\n", publish(b"a", b"x", b"r")),
        (b"PUB a 001\r\nx\r\n", publish(b"a", b"x", sizes=b"001")),
        (b"HPUB a 12 13\r\nNATS/1.0\r\n\r\nx\r\n", publish(b"a", b"x", headers=b"NATS/1.0\r\n\r\n")),
        (b"HPUB a r 3 3\r\nabc\r\n", publish(b"a", reply=b"r", headers=b"abc")),
        (b"HPUB a 0 1\r\nx\r\n", publish(b"a", b"x")),
        (b"SUB a 1\r\n", Subscribe(b"a", b"", b"1")),
        (b"SUB a.* q 1\r\n", Subscribe(b"a.*", b"q", b"1")),
        (b"SUB \na 1\r\n", Subscribe(b"a", b"", b"1")),
        (b"UNSUB 1\r\n", Unsubscribe(b"1", -1)),
        (b"UNSUB 1 5\r\n", Unsubscribe(b"1", 5)),
        (b"UNSUB 1 x\r\n", Unsubscribe(b"1", -1)),
    ],
)
def test_an_operation(said, event):
    assert read(said) == [event]


@pytest.mark.parametrize("said", [b"+OK\r\n", b"INFO {}\r\n", b""])
def test_what_is_of_no_interest(said):
    assert read(said, b"PING\r\n") == [Ping()]


@pytest.mark.parametrize(
    "said",
    [
        b"FOO",
        b"X",
        b"\r\n",
        b" PING\r\n",
        b"PUX",
        b"PUBX",
        b"SUB\r\n",
        b"+KO",
        b"-ERROR",
        b"PIX",
        b"MSG a 1 1\r\n",
        b"PUB a 1\r\nxy",
    ],
)
def test_what_is_no_operation_ends_the_connection_at_once(said):
    assert read(said) == [UNKNOWN]


@pytest.mark.parametrize(
    "said",
    [
        *(b"PUB a\r\n", b"PUB a x\r\n", b"PUB a -1\r\n", b"PUB a b c 1\r\n", b"PUB a 0000000001\r\n", b"PUB \r\n"),
        *(b"HPUB a 3\r\n", b"HPUB a 4 3\r\n", b"HPUB a x 3\r\n", b"SUB a\r\n", b"SUB a b c d\r\n", b"UNSUB \r\n"),
        *(
            b"UNSUB 1 2 3\r\n",
            b"-ERR 'x'\r\n",
            b"INFO x\r\n",
            b"CONNECT []\r\n",
            b"CONNECT\r\n",
            b'CONNECT {"lang":5}\r\n',
        ),
    ],
)
def test_arguments_that_make_no_sense_end_the_connection_without_a_word(said):
    assert read(said) == [Failure()]


def test_nothing_is_read_after_a_failure():
    assert read(b"FOO", b"PING\r\n") == [UNKNOWN]


# -- limits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [b"SUB a %b\r\n", b"PUB a %b 1\r\nx\r\n", b"HPUB a %b 1 1\r\nx\r\n"])
def test_a_line_too_long(verb):
    assert read(verb % (b"r" * 4095)) == [Failure("maximum control line exceeded")]


def test_a_line_too_long_is_noticed_before_it_ends():
    assert read(b"SUB ", b"a" * 4096) == []
    assert read(b"SUB ", b"a" * 4096, b"a") == [Failure("maximum control line exceeded")]


def test_a_payload_too_large_is_noticed_before_it_comes():
    assert read(b"PUB a 11\r\n", max_payload=10) == [Failure("Maximum Payload Violation")]
    assert read(b"HPUB a 5 11\r\n", max_payload=10) == [Failure("Maximum Payload Violation")]


def test_what_need_not_be_kept_is_not():
    protocol = Protocol()
    for _ in range(100):
        protocol.receive_data(b"PING" + b"x" * 10_000)
    assert sum(map(len, protocol._kept)) < 10
    assert protocol.receive_data(b"\n") == [Ping()]


# -- who the client is -------------------------------------------------------------------------------


def test_headers_are_agreed_upon():
    protocol = Protocol()
    assert protocol.receive_data(b"HPUB a 3 3\r\nabc\r\n") == [Failure()]


def test_a_pedantic_client_is_told_of_subjects_that_nobody_could_subscribe_to():
    protocol = Protocol()
    events = protocol.receive_data(STRICT + b"PUB a.* 1\r\nx\r\nPUB a..b 1\r\nx\r\nPUB a.b 1\r\nx\r\n")[1:]
    complaint = Complaint("Invalid Publish Subject")
    assert events == [complaint, publish(b"a.*", b"x"), complaint, publish(b"a..b", b"x"), publish(b"a.b", b"x")]


def test_nothing_is_listened_to_before_connect_where_that_is_required():
    protocol = Protocol(auth_required=True)
    assert protocol.receive_data(b"PING\r\n") == [Failure("Authorization Violation")]
    protocol = Protocol(auth_required=True)
    assert protocol.receive_data(b'CONNECT {"pass":"x"}\r\nPING\r\n')[1:] == [Ping()]
    assert protocol.options.password == "x"


def test_a_second_connect_changes_what_it_mentions():
    protocol = Protocol()
    protocol.receive_data(b'CONNECT {"name":"n","VERBOSE":false,"echo":null,"other":1}\r\nCONNECT {"lang":"l"}\r\n')
    assert protocol.options == ConnectOptions(name="n", verbose=False, lang="l")


# -- split reads -------------------------------------------------------------------------------------

_TOLD_APART = {"a carriage return and a line feed alone"}
"""Split, a real server loses another byte of such a line."""


@pytest.mark.parametrize("name", CONVERSATIONS.keys() - _TOLD_APART)
def test_it_does_not_matter_where_a_read_ends(name):
    said = CONVERSATIONS[name]
    whole = Protocol().receive_data(said)
    protocol = Protocol()
    assert [event for byte in said for event in protocol.receive_data(bytes([byte]))] == whole
    if len(said) < 500:
        for at in range(len(said)):
            protocol = Protocol()
            assert protocol.receive_data(said[:at]) + protocol.receive_data(said[at:]) == whole


@given(
    said=st.lists(
        st.one_of(
            st.sampled_from([QUIET, b"PUB ", b"HPUB ", b"a", b" ", b"\r\n", b"1", b"SUB ", b"PING"]),
            st.binary(max_size=3),
        )
    ).map(b"".join),
    cuts=st.lists(st.integers(0, 80), max_size=5),
)
def test_any_bytes_are_read_alike_in_one_piece_and_in_several(said, cuts):
    whole = Protocol().receive_data(said)
    protocol, read_so_far, events = Protocol(), 0, []
    for cut in [*sorted(cuts), len(said)]:
        events += protocol.receive_data(said[read_so_far:cut])
        read_so_far = max(read_so_far, cut)
    assert events == whole


# -- texts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a.b", '"a.b"'),
        (b'a"\\\t', '"a\\"\\\\\\t"'),
        (b"\xff", '"\\xff"'),
        ("ä".encode(), '"ä"'),
        (b"\x01\x7f", '"\\x01\\x7f"'),
    ],
)
def test_subjects_are_quoted_as_go_does(raw, text):
    assert quoted(raw) == text
