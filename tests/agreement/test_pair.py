"""The comparison itself, between two sides that say what a test tells them to."""

from __future__ import annotations

import json

import pytest

from lattice_store.limits import SECOND_NS
from tests.agreement import pair as pairs
from tests.agreement.client import Arrival
from tests.agreement.comparable import comparable, outcome
from tests.agreement.pair import DifferenceError, Pair, Sending
from tests.agreement.tally import Tally


class Scripted:
    """Answers each message with what its script says about the subject; what is *late* comes with the next receive."""

    def __init__(self, name: str, **script: list[bytes]) -> None:
        self.name, self.script = name, script
        self.deadline_ns: int | None = None
        self.sent: list[tuple[str, bytes, bytes, str]] = []
        self.late: list[Arrival] = []
        self._coming: list[Arrival] = []

    def at(self, moment_ns: int) -> None: ...

    def send(self, subject: str, payload: bytes, headers: bytes, reply: str) -> None:
        self.sent.append((subject, payload, headers, reply))
        for said in self.script.get(subject.partition(".")[0], []):
            self._coming.append(Arrival(reply, reply, "", b"", said))

    def subscribe(self, subject: str, group: str = "") -> None: ...

    def unsubscribe(self, subject: str, group: str = "") -> None: ...

    def receive(self, wait_s: float) -> list[Arrival]:
        came, self._coming, self.late = self._coming, self.late, []
        return came

    def settle(self) -> list[Arrival]:
        return self.receive(0) + self.receive(0)

    def restart(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "_ANSWER_S", 0.01)
    monkeypatch.setattr(pairs, "_STATE_S", 0.01)


def pair_of(lead: Scripted, other: Scripted) -> Pair:
    return Pair(lead, other, Tally(), lateness_ns=0)


def test_equal_answers_are_counted_by_rule_and_outcome() -> None:
    answers = {"a": [b'{"seq":1}'], "b": [b'{"error":{"code":404,"err_code":10059,"description":"stream not found"}}']}
    pair = pair_of(Scripted("one", **answers), Scripted("two", **answers))
    assert pair.request("first", "a") == {"seq": 1}
    pair.request("second", "b")
    assert pair.request("third", "c") is None
    assert dict(pair.tally.reached) == {
        ("first", "ok"): 1,
        ("second", "10059 stream not found"): 1,
        ("third", "silence"): 1,
    }
    assert pair.tally.operations == 3


def test_a_difference_tells_both_sides_the_parts_and_the_story() -> None:
    pair = pair_of(Scripted("one", a=[b'{"seq":1}']), Scripted("two", a=[b'{"seq":2}']))
    with pytest.raises(DifferenceError) as caught:
        pair.request("publish", "a", b"payload")
    text = str(caught.value)
    assert text.startswith('publish:\n  one says -> {"seq":1}')
    assert "payload.seq: 1 / 2" in text
    assert text.endswith("a payload  reply _INBOX.x.r.1")
    assert pair.tally.differences == [text]


@pytest.mark.parametrize(
    ("lead", "other"), [([b"x"], []), ([b"x", b"y"], [b"x"]), ([b"x", b"y"], [b"y", b"x"]), ([b"x"], [b"X"])]
)
def test_what_is_missing_or_in_another_order_is_found_at_once(lead: list[bytes], other: list[bytes]) -> None:
    pair = pair_of(Scripted("one", a=lead), Scripted("two", a=other))
    with pytest.raises(DifferenceError):
        pair.request("publish", "a")


def test_a_surplus_is_found_when_things_settle() -> None:
    pair = pair_of(Scripted("one", a=[b"x"]), Scripted("two", a=[b"x", b"y"]))
    pair.request("publish", "a")
    with pytest.raises(DifferenceError, match="one says nothing\n  two says -> y"):
        pair.settle()


def test_what_comes_by_itself_is_compared_by_inbox() -> None:
    lead, other = Scripted("one"), Scripted("two")
    pair = pair_of(lead, other)
    inbox = pair.listen("delivery")
    for side in (lead, other):
        side.late = [Arrival(inbox, "stream.subject", f"$JS.ACK.s.c.1.2.3.{len(side.name)}{id(side)}.0", b"", b"x")]
    pair.exchange([Sending("publish", "a")])
    pair.settle()
    assert pair.tally.reached["delivery", "message"] == 1
    assert [arrival.payload for arrival in pair.received[inbox]] == [b"x"]


def test_a_name_that_each_side_makes_up_is_translated() -> None:
    def created(name: str) -> bytes:
        kind = "io.nats.jetstream.api.v1.consumer_create_response"
        return json.dumps({"type": kind, "name": name, "config": {"ack_policy": "none"}}).encode()

    lead, other = Scripted("one", create=[created("AAAA")]), Scripted("two", create=[created("BBBB")])
    pair = pair_of(lead, other)
    assert pair.request("create", "create")["name"] == "AAAA"
    pair.request("info", "info.AAAA", b'{"name":"AAAA"}')
    assert [side.sent[-1][:2] for side in (lead, other)] == [
        ("info.AAAA", b'{"name":"AAAA"}'),
        ("info.BBBB", b'{"name":"BBBB"}'),
    ]


def test_a_name_that_was_asked_for_is_not_translated() -> None:
    def created(name: str) -> bytes:
        kind = "io.nats.jetstream.api.v1.consumer_create_response"
        return json.dumps({"type": kind, "name": name, "config": {"name": name}}).encode()

    pair = pair_of(Scripted("one", create=[created("AAAA")]), Scripted("two", create=[created("BBBB")]))
    with pytest.raises(DifferenceError):
        pair.request("create", "create")


def test_nothing_is_sent_within_the_unknown_window_of_a_deadline() -> None:
    lead, other = Scripted("one"), Scripted("two")
    pair = Pair(lead, other, Tally(), lateness_ns=SECOND_NS // 20)
    lead.deadline_ns = due = pair.now_ns() + SECOND_NS // 100

    def received(wait_s: float) -> list[Arrival]:
        if pair.now_ns() >= due:
            lead.deadline_ns = None
        return []

    lead.receive = received  # type: ignore[method-assign]
    pair.exchange([Sending("publish", "a")])
    assert pair.now_ns() >= due + SECOND_NS // 20


# -- what can agree -------------------------------------------------------------------------------


def arrival(payload: bytes = b"", *, headers: bytes = b"", reply: str = "") -> Arrival:
    return Arrival("i", "i", reply, headers, payload)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (arrival(b'{"created":"2026","a":1}'), arrival(b'{"a":1,"created":"2025"}'), True),
        (arrival(b'{"state":{"first_ts":"2026"}}'), arrival(b'{"state":{"first_ts":"2025"}}'), True),
        (arrival(b'{"state":{"first_ts":"2026"}}'), arrival(b'{"state":{"first_ts":"0001-01-01T00:00:00Z"}}'), False),
        (arrival(b'{"delivered":{"last_active":"2026"}}'), arrival(b'{"delivered":{}}'), False),
        (arrival(b'{"error":{"code":400,"err_code":1}}'), arrival(b'{"error":{"code":404,"err_code":1}}'), False),
        (
            arrival(b'{"error":{"err_code":10025,"description":"invalid JSON: x"}}'),
            arrival(b'{"error":{"err_code":10025,"description":"invalid JSON: y at offset 2"}}'),
            True,
        ),
        (
            arrival(b'{"error":{"err_code":10052,"description":"x"}}'),
            arrival(b'{"error":{"err_code":10052,"description":"y"}}'),
            False,
        ),
        (arrival(b"{not JSON"), arrival(b"{not JSON either"), False),
        (arrival(reply="$JS.ACK.s.c.1.2.3.17.0"), arrival(reply="$JS.ACK.s.c.1.2.3.18.0"), True),
        (arrival(reply="$JS.ACK.s.c.1.2.3.17.0"), arrival(reply="$JS.ACK.s.c.1.2.3.17.1"), False),
        (arrival(reply="$JS.ACK.s.c.1.2.3.17.0"), arrival(reply="$JS.ACK.s.c.2.2.3.17.0"), False),
        (arrival(headers=b"NATS/1.0\r\nNats-Time-Stamp: a\r\n\r\n"), arrival(headers=b"NATS/1.0\r\nNats-Time-Stamp: b\r\n\r\n"), True),
        (arrival(headers=b"NATS/1.0\r\nNats-Sequence: 1\r\n\r\n"), arrival(headers=b"NATS/1.0\r\nNats-Sequence: 2\r\n\r\n"), False),
        (arrival(headers=b"NATS/1.0 404 A\r\n\r\n"), arrival(headers=b"NATS/1.0 404 B\r\n\r\n"), False),
    ],
)  # fmt: skip
def test_only_what_cannot_agree_is_ignored(left: Arrival, right: Arrival, same: bool) -> None:
    assert (comparable(left) == comparable(right)) is same


@pytest.mark.parametrize(
    ("came", "name"),
    [
        (arrival(b'{"stream":"s","seq":1}'), "ok"),
        (arrival(b'{"stream":"s","seq":1,"duplicate":true}'), "duplicate"),
        (
            arrival(b'{"error":{"err_code":10071,"description":"wrong last sequence: 12"}}'),
            "10071 wrong last sequence",
        ),
        (arrival(b'{"error":{"err_code":10043,"description":"sequence 12 not found"}}'), "10043 sequence N not found"),
        (arrival(b'{"error":{"err_code":10052,"description":"subject \\"a\\" overlaps with \\"b\\""}}'), '10052 subject "…" overlaps with "…"'),
        (arrival(headers=b"NATS/1.0 503\r\n\r\n"), "status 503"),
        (arrival(headers=b"NATS/1.0 409 Exceeded MaxRequestBatch of 5\r\n\r\n"), "status 409 Exceeded MaxRequestBatch of N"),
        (arrival(headers=b"NATS/1.0 400 Bad Request - invalid character 'x'\r\n\r\n"), "status 400 Bad Request - JSON"),
        (arrival(), "empty"),
        (arrival(reply="$JS.ACK.s.c.1.2.3.17.0"), "message"),
        (arrival(b"x", headers=b"NATS/1.0\r\nNats-Stream: s\r\n\r\n"), "message"),
    ],
)  # fmt: skip
def test_outcomes_have_names_without_what_differs_from_case_to_case(came: Arrival, name: str) -> None:
    assert outcome(came) == name
