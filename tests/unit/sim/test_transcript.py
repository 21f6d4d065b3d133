"""Transcripts on the wire level: recorded, written, read and replayed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store.errors import InvalidArgumentError
from lattice_store_sim import Recorder, SimServer, SimStorage, Transcript, VirtualClock
from lattice_store_sim._core._outbox import Outgoing
from lattice_store_sim._transcript_text import Entry, Sent, Told, Waited

CREATE = b'{"name":"S","subjects":["s.>"],"storage":"memory"}'
TITLE = "transcript of nats-server 2.15.1 from 2026-01-01T00:00:00Z"


def recorded() -> Recorder:
    recorder = Recorder()
    recorder.send("$JS.API.STREAM.CREATE.S", CREATE, reply="_INBOX.1")
    recorder.send("s.a", b"hello", headers=b"NATS/1.0\r\nNats-Msg-Id: one\r\n\r\n", reply="_INBOX.2")
    return recorder


def test_what_was_sent_and_answered_is_read_line_by_line() -> None:
    recorder = recorded()
    recorder.remark("an hour later")
    recorder.advance(3600)
    recorder.send("t.a", b"", reply="_INBOX.3")
    title, created, published, waited, lost = str(recorder.transcript).split("\n\n")
    assert title == TITLE
    assert created.splitlines()[:3] == [
        "> $JS.API.STREAM.CREATE.S reply _INBOX.1",
        '  {"name":"S","subjects":["s.>"],"storage":"memory"}',
        "< _INBOX.1",
    ]
    assert published.splitlines() == [
        "> s.a reply _INBOX.2",
        r": NATS/1.0\r\n",
        r": Nats-Msg-Id: one\r\n",
        r": \r\n",
        "  hello",
        "< _INBOX.2",
        '  {"stream":"S","seq":1}',
    ]
    assert waited.splitlines() == ["# an hour later", "+ 3600s"]
    assert lost.splitlines()[:3] == ["> t.a reply _INBOX.3", "< _INBOX.3", r": NATS/1.0 503\r\n"]


def test_the_answers_are_returned() -> None:
    [answer] = recorded().send("s.a", b"", reply="_INBOX.3")
    assert (answer.to, json.loads(answer.payload)) == ("_INBOX.3", {"stream": "S", "seq": 2})


def test_a_replay_answers_the_same() -> None:
    recorder = recorded()
    recorder.advance(0.5)
    recorder.restart()
    recorder.send("s.a", b"lost", reply="_INBOX.3")
    recorder.subscribe("_INBOX.>")
    recorder.subscribe("work", "group")
    recorder.unsubscribe("_INBOX.>")
    text = str(recorder.transcript)
    assert Transcript.parse(text) == recorder.transcript
    assert str(Transcript.parse(text).replay()) == text


def test_another_version_answers_otherwise() -> None:
    """Up to 2.11 a duplicate is found before a wrong expectation."""
    recorder = recorded()
    conflict = b"NATS/1.0\r\nNats-Msg-Id: one\r\nNats-Expected-Last-Sequence: 9\r\n\r\n"
    recorder.send("s.a", b"", headers=conflict, reply="_INBOX.3")
    assert b"10071" in recorder.transcript.entries[-1].answers[0].payload
    older = recorder.transcript.replay(SimServer(clock=VirtualClock(), profile="2.11"))
    assert older.version == "2.11.11"
    assert b"duplicate" in older.entries[-1].answers[0].payload


async def test_a_transcript_that_began_in_the_middle_is_replayed_on_a_fork() -> None:
    server = recorded().server
    prepared = server.fork()
    recorder = Recorder(server)
    recorder.send("s.a", b"", reply="_INBOX.1")
    assert recorder.transcript.replay(prepared) == recorder.transcript
    assert recorder.transcript.replay() != recorder.transcript


async def test_storages_and_recorders_may_share_a_server() -> None:
    recorder = recorded()
    async with SimStorage(recorder.server) as storage:
        async with storage.replay("S") as replay:
            batches = replay.batches()
            assert [message.payload for message in (await anext(batches)).messages] == [b"hello"]
            recorder.send("s.b", b"over the wire")
            assert [message.payload for message in (await anext(batches)).messages] == [b"over the wire"]
        recorder.server.clock.advance(2)
        recorder.send("s.b")
        assert recorder.transcript.entries[-2].happened == Waited(2_000_000_000)


words = st.text("abc.*>$_", min_size=1, max_size=9)
anything = st.binary(max_size=200) | st.text(max_size=60).map(str.encode) | st.just(b'{"a":"b", "c":[1,2]}, ' * 20)
happenings = st.one_of(
    st.builds(Sent, words, anything, anything, st.just("") | words),
    st.builds(Waited, st.integers(1, 10**15)),
    st.builds(
        lambda verb, given: Told(verb, tuple(given)),
        st.sampled_from(["subscribe", "unsubscribe"]),
        st.lists(words, min_size=1, max_size=2),
    ),
    st.just(Told("restart")),
)
answers = st.builds(Outgoing, words, anything, anything, st.just("") | words, st.just("") | words)
remarks = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), max_size=30)
entries = st.builds(
    lambda happened, sent, said: Entry(happened, tuple(sent), tuple(said)),
    happenings,
    st.lists(answers, max_size=3),
    st.lists(remarks, max_size=2),
)


@given(st.lists(entries, max_size=5), st.integers(0, 2**62))
def test_every_transcript_is_read_as_it_was_written(given_entries: list[Entry], begun_ns: int) -> None:
    transcript = Transcript("2.15.1", begun_ns, tuple(given_entries))
    text = str(transcript)
    assert Transcript.parse(text) == transcript
    assert text.isascii()
    assert all(line == line.rstrip() for line in text.splitlines() if not line.startswith("#"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a transcript begins with"),
        ("> s.a", "a transcript begins with"),
        (f"{TITLE}\nhello", "line 2 .*'hello'"),
        (f"{TITLE}\n  hello", "line 2 .*'  hello'"),
        (f"{TITLE}\n\n>", "line 3 .*'>'"),
        (f"{TITLE}\n> s.a reply", "line 2 .*'> s.a reply'"),
        (f"{TITLE}\n> s.a\n  \\x", "line 2 .*'> s.a'"),
        (f"{TITLE}\n> s.a\n<", "line 3 .*'<'"),
        (f"{TITLE}\n+ soon", r"line 2 .*'\+ soon'"),
        (f"{TITLE}\n* reboot", r"line 2 .*'\* reboot'"),
        (f"{TITLE}\n* subscribe", r"line 2 .*'\* subscribe'"),
        (f"{TITLE}\n* subscribe a b c", r"line 2 .*'\* subscribe a b c'"),
    ],
)
def test_what_is_no_transcript_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(InvalidArgumentError, match=complaint):
        Transcript.parse(text)


@pytest.mark.parametrize("given", [("a",), ("work", "other")])
def test_only_who_listens_can_stop(given: tuple[str, ...]) -> None:
    recorder = Recorder()
    recorder.subscribe("work", "group")
    with pytest.raises(InvalidArgumentError, match="nobody is subscribed to"):
        recorder.unsubscribe(*given)
    recorder.unsubscribe("work", "group")
