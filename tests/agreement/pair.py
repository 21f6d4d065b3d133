"""Two servers asked the same and compared message by message.

The leading side, the simulator, says what each step yields. The other must yield as much on each inbox within a
bounded time; what it yields beyond that is met by the next comparison on that inbox, at the latest at the end.
"""

from __future__ import annotations

import secrets
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, NoReturn

from lattice_store.clock import SystemClock
from lattice_store.limits import SECOND_NS
from tests.agreement.client import Arrival
from tests.agreement.comparable import comparable, json_of, outcome, unequal_parts
from tests.agreement.renames import Renames
from tests.agreement.sides import Side
from tests.agreement.tally import Tally, kind_of

_ANSWER_S: Final = 4.0
_STATE_S: Final = 1.0
_SHRINKING: Final = 0.4
"""The share of these times that is waited once a difference was met: all that follows is its shrinking."""

_POLL_S: Final = 0.005
_SOON_NS: Final = SECOND_NS // 50
_SHOWN: Final = 1500
_PATIENCE_NS: Final = 5 * SECOND_NS


class Sending(NamedTuple):
    """One message from the client; *rule* names it in the table of outcomes."""

    rule: str
    subject: str
    payload: bytes = b""
    headers: bytes = b""
    reply: str = ""


class DifferenceError(AssertionError):
    """The two sides disagree; the text shows both and the story of the example."""


class Pair:
    """One example's ground. Names and inboxes are fresh, so nothing is left from before.

    Args:
        lead: the side that says how much comes.
        lateness_ns: how late the real server's timers may be. No operation happens within it of a deadline that the
            leading side knows, for then the order of the two is chance.
    """

    def __init__(self, lead: Side, other: Side, tally: Tally, *, lateness_ns: int = _SOON_NS) -> None:
        self.space = f"x{secrets.token_hex(4)}"
        self.lead, self.other, self.tally = lead, other, tally
        self.received: dict[str, list[Arrival]] = defaultdict(list)
        """What the leading side has said, by inbox: for rules that go on from it, such as acks."""
        self.failed = False
        self._lateness_ns = lateness_ns
        self._clock = SystemClock()
        self._renames = Renames()
        self._rules: dict[str, str] = {}
        self._story: list[Sending | Arrival | str] = []
        self._ahead: tuple[dict[str, deque[Arrival]], ...] = (defaultdict(deque), defaultdict(deque))
        self._inboxes = 0
        self._last_due_ns = 0
        self.subscribe(f"_INBOX.{self.space}.r.*")
        tally.examples += 1

    # -- inboxes ----------------------------------------------------------------------------------

    def inbox(self) -> str:
        """Return a fresh reply subject, for one request with one answer."""
        self._inboxes += 1
        return f"_INBOX.{self.space}.r.{self._inboxes}"

    def listen(self, rule: str = "delivery", group: str = "") -> str:
        """Subscribe to a fresh subject, for pull requests and as deliver subject; what comes counts for *rule*."""
        self._inboxes += 1
        subject = f"_INBOX.{self.space}.d.{self._inboxes}"
        self.subscribe(subject, group, rule)
        return subject

    def subscribe(self, subject: str, group: str = "", rule: str = "other") -> None:
        """Subscribe; what comes counts for *rule*."""
        self._rules[subject] = rule
        self._story.append(f"subscribe {subject} {group}")
        for side in (self.lead, self.other):
            side.subscribe(subject, group)

    def unsubscribe(self, subject: str, group: str = "") -> None:
        """Also wait until what came before that is the same on both sides."""
        self.settle()
        self._story.append(f"unsubscribe {subject} {group}")
        for side in (self.lead, self.other):
            side.unsubscribe(subject, group)

    # -- sending ----------------------------------------------------------------------------------

    def exchange(self, sendings: Iterable[Sending]) -> None:
        """Send all to both sides, then compare what comes.

        A server works on what arrives together in order only where one queue of it does all the work: messages of one
        stream, acks and pulls of one consumer. API requests are worked on side by side; let each that changes
        something be sent alone.
        """
        sendings, moment_ns = list(sendings), self._keep_clear()
        for sending in sendings:
            self.other.send(*self._renames.to_other(*sending[1:]))
        self._take(self.other.receive(0), 1)  # under way, while the other side works
        self.lead.at(moment_ns)  # which is when the other side got it, however long this one had to wait for its turn
        for sending in sendings:
            self._story.append(sending)
            if sending.reply:
                self._rules.setdefault(sending.reply, sending.rule)
            self.lead.send(*sending[1:])
        self.tally.operations += len(sendings)
        self.tally.sent.update(kind_of(sending.subject) for sending in sendings)
        self._agree(_ANSWER_S, settled=False)

    def request(self, rule: str, subject: str, payload: bytes = b"", headers: bytes = b"") -> Any:
        """Send one request, compare the answers, return the leading side's: JSON decoded, `None` if there is none."""
        inbox = self.inbox()
        self.exchange([Sending(rule, subject, payload, headers, inbox)])
        if not (arrivals := self.received.pop(inbox, [])):
            self.tally.reached[rule, "silence"] += 1
            return None
        return json_of(arrivals[0].payload)

    def restart(self) -> None:
        """Stop both servers in good order and start them again."""
        self.settle()
        self._story.append("restart")
        for side in (self.other, self.lead):
            side.restart()

    # -- time -------------------------------------------------------------------------------------

    def now_ns(self) -> int:
        """Return a time after everything that was answered and before everything that is sent next."""
        return self._clock.now_ns()

    @property
    def last_due_ns(self) -> int:
        """When the latest deadline passed, as far as that was noticed: the other side may be late for it."""
        return self._last_due_ns

    def let_pass(self, duration_ns: int) -> None:
        """Let time pass on both sides, then compare what came by itself."""
        self._story.append(f"let {duration_ns / SECOND_NS:.3f} s pass")
        self._wait_until(self._clock.now_ns() + duration_ns)
        self._keep_clear()
        self.settle()

    def _keep_clear(self) -> int:
        """Wait until no deadline is near, for what happens first would be chance; return that moment."""
        end_ns = self._clock.now_ns() + _PATIENCE_NS
        while (now_ns := self._clock.now_ns()) < end_ns:
            due_ns = self.lead.deadline_ns
            if due_ns is not None and due_ns < now_ns + _SOON_NS:
                self._last_due_ns = due_ns
                self._wait_until(due_ns)
            elif now_ns < self._last_due_ns + self._lateness_ns:
                self._wait_until(self._last_due_ns + self._lateness_ns)
            else:
                break
        return now_ns

    def _wait_until(self, moment_ns: int) -> None:
        while (left_ns := moment_ns - self._clock.now_ns()) > 0:
            self._take(self.other.receive(left_ns / SECOND_NS), 1)
        self._hear_lead()

    def _hear_lead(self) -> None:
        """Hear the leading side, and note when a deadline passes meanwhile: the other side may be late for it."""
        due = self.lead.deadline_ns
        self._take(self.lead.receive(0), 0)
        self._note_passing(due)

    def _note_passing(self, due_ns: int | None) -> None:
        if due_ns is not None and due_ns <= (now_ns := self._clock.now_ns()):
            self._last_due_ns = now_ns

    def until(self, patience_s: float) -> int:
        """Return the monotonic time at which what has not come by then is missing."""
        patience_s *= _SHRINKING if self.tally.differences else 1
        return self._clock.monotonic_ns() + int(patience_s * SECOND_NS)

    def wait(self, duration_ns: int) -> None:
        """Wait without comparing."""
        self._wait_until(self._clock.now_ns() + duration_ns)

    # -- comparing --------------------------------------------------------------------------------

    def settle(self) -> None:
        """Compare all that comes until neither side has anything left to say."""
        self._take(self.other.settle(), 1)
        self._agree(_STATE_S, settled=True)

    def look(self, requests: Iterable[tuple[str, bytes]]) -> list[tuple[str, Arrival | None, Arrival | None]]:
        """Ask both without comparing or counting; return each request with the two answers."""
        inboxes, due_ns = {self.inbox(): request for request in requests}, self.lead.deadline_ns
        for inbox, (subject, payload) in inboxes.items():
            self.other.send(*self._renames.to_other(subject, payload, b"", inbox))
            self.lead.send(subject, payload, b"", inbox)
        self._note_passing(due_ns)
        end = self.until(_ANSWER_S)
        while self._clock.monotonic_ns() < end:
            self._take(self.other.receive(_POLL_S), 1)
            self._hear_lead()
            if all(inbox in side for side in self._ahead for inbox in inboxes):
                break
        looked = []
        for inbox, (subject, payload) in inboxes.items():
            self.received.pop(inbox, None)
            said, heard = (next(iter(side.pop(inbox, ())), None) for side in self._ahead)
            looked.append((f"{subject} {payload.decode()}", said, heard))
        return looked

    def _agree(self, wait_s: float, *, settled: bool) -> None:
        """Compare until the leading side has nothing ahead, nor the other if that is *settled*."""
        end = self.until(wait_s)
        while True:
            self._hear_lead()
            self._compare()
            waiting = [side for side in self._ahead[: 2 if settled else 1] if side]
            if not waiting:
                return
            if self._clock.monotonic_ns() > end:
                to, arrivals = next(iter(waiting[0].items()))
                told = (None, arrivals[0]) if waiting[0] is self._ahead[1] else (arrivals[0], None)
                self.differ(self._rules.get(to, to), *told)
            self._take(self.other.receive(_POLL_S), 1)

    def _take(self, arrivals: list[Arrival], side: int) -> None:
        for arrival in arrivals if side == 0 else map(self._renames.to_lead, arrivals):
            self._ahead[side][arrival.to].append(arrival)
            if side == 0:
                self.received[arrival.to].append(arrival)

    def _compare(self) -> None:
        lead, other = self._ahead
        for to in [to for to in lead if to in other]:
            while lead[to] and other[to]:
                said, heard = lead[to].popleft(), other[to].popleft()
                if said != heard:
                    heard = self._renames.learn(said, heard)
                    if comparable(said) != comparable(heard):
                        self.differ(self._rules.get(to, to), said, heard)
                self._story.append(said)
                self.tally.reached[self._rules.get(to, "other"), outcome(said)] += 1
            for side in self._ahead:
                if not side[to]:
                    del side[to]

    def differ(self, what: str, said: Arrival | None, heard: Arrival | None) -> NoReturn:
        """End the example."""
        self.failed = True
        told = [
            f"{what}:",
            f"  {self.lead.name} says {_shown(said)}",
            f"  {self.other.name} says {_shown(heard)}",
            *(f"    {line}" for line in (unequal_parts(said, heard) if said and heard else [])),
            "  after",
            *(f"    {_shown(each)}" for each in self._story),
        ]
        text = "\n".join(told).replace(self.space, "x")
        self.tally.differences.append(text)
        raise DifferenceError(text)


def _shown(told: Sending | Arrival | str | None) -> str:
    """Write one line of the story."""
    match told:
        case None:
            return "nothing"
        case Sending(_, subject, payload, headers, reply):
            return f"{subject} {_text(headers)}{_text(payload)}" + (f"  reply {reply}" if reply else "")
        case Arrival(to, subject, reply, headers, payload):
            shown = f"-> {_text(headers)}{_text(payload)}  to {to}"
            return shown + (f"  subject {subject}" if subject != to else "") + (f"  reply {reply}" if reply else "")
        case _:
            return told


def _text(block: bytes) -> str:
    shown = block if len(block) <= _SHOWN else block[:_SHOWN] + b"..."
    return shown.decode(errors="backslashreplace").replace("\r\n", "|")
