"""What all families of rules stand on.

How to write a family, about 100 lines of strategies and rules, in a module of `families`:

- Subclass `Family` with a ``name``; every module of the package is found by itself. Strategies come first, over
  alphabets so small that subjects, IDs and sequences collide. A rule turns what was drawn into requests.
- Speak through the helpers: `request` for ``$JS.API`` (the answer of the simulator comes back decoded, for rules that
  go on from it), `publish` for messages with an ack, `pull` and ``pair.listen`` for what comes in numbers. All of it
  is compared; nothing else is to be done in a rule. ``self.pair.received[inbox]`` holds what was delivered.
- Make streams with `create`, which hands out fresh names and both storage types: a name of a deleted file stream is
  never used again, since nats-server may bring its messages back (``filestore.go``).
- A step costs about a millisecond in hypothesis, a request a tenth of that: let one rule send several messages.
- `expected` lists the rows (rule, outcome) a long run must reach, with the outcome as `comparable.outcome` names it;
  `lacking` those that a version does not have. Find them with ``python -m tests.agreement --families <name>``.
- Messages that come to one inbox are compared in their order. Publish one at a time, with `publish`, while something
  is delivered: how much is pending at that moment would be chance.
- What is published without a reply is stored when the server gets to it: go on with ``compare_states(self.pair)``, which
  waits for that.
- What a real server does by chance is not drawn, and the module's docstring says so. Time passes with
  ``self.pair.let_pass(ns)`` only; set ``lateness_ns`` to how late the server's timers may be.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from hypothesis.stateful import RuleBasedStateMachine, invariant

from lattice_store.limits import SECOND_NS
from tests.agreement.client import Arrival
from tests.agreement.ground import Ground
from tests.agreement.pair import Pair, Sending
from tests.agreement.states import compare_messages, compare_states, make_keeper
from tests.agreement.tally import Row, verb

HeaderPairs = Iterable[tuple[str, str]]

LAST_LOST = ("2.9", "2.10", "2.11")
"""Where the last message of a subject is not found again after a deletion, until something else looks it up."""


class Machine(RuleBasedStateMachine):
    """What the runs know of a family."""

    name: ClassVar[str] = ""
    expected: ClassVar[frozenset[Row]] = frozenset()
    lacking: ClassVar[Mapping[str, frozenset[Row]]] = {}
    """Rows that a profile, by its name such as ``2.10``, cannot reach."""
    weight: ClassVar[float] = 1.0
    """This family's share of a version's operations, relative to the others: less where time has to pass."""
    bounded_examples: ClassVar[int] = 70
    """Examples of the set that `make test` runs: some ten seconds."""

    ground: ClassVar[Ground]

    @classmethod
    def on(cls, ground: Ground) -> type[Self]:
        """Return this family as it runs on *ground*."""
        return type(cls.__name__, (cls,), {"ground": ground})

    @classmethod
    def rows(cls, profile: str) -> frozenset[Row]:
        """Return the rows that a long run against that version must reach."""
        return cls.expected - cls.lacking.get(profile, frozenset())


class Family(Machine):
    """One example: a pair of servers without streams, and the rules of a subclass."""

    api: ClassVar[str] = "$JS.API"
    """What requests begin with; a server in a domain can be asked by another name."""
    lateness_ns: ClassVar[int] = SECOND_NS // 50
    states_every: ClassVar[int] = 6
    """Steps between two comparisons of the whole state."""

    def __init__(self) -> None:
        super().__init__()
        self.pair: Pair = self.ground.pair(self.lateness_ns)
        self.streams: dict[int, str] = {}
        self.storages: dict[int, str] = {}
        self._names = 0
        self._steps = 0
        make_keeper(self.pair)

    @property
    def profile(self) -> str:
        """The version spoken to, such as ``2.10``: for rules that a version cannot take."""
        return self.ground.profile

    @property
    def space(self) -> str:
        """The first token of all names and subjects of this example."""
        return self.pair.space

    # -- verbs ------------------------------------------------------------------------------------

    def request(self, api: str, body: object = None, *, rule: str = "", headers: HeaderPairs = ()) -> Any:
        """Send an API request, such as ``STREAM.INFO.<name>``; return the decoded answer.

        Args:
            body: JSON to be, or bytes as they are.
            rule: its name in the table of outcomes; by default the words of *api* in capitals.
        """
        return self.pair.request(rule or verb(api), f"{self.api}.{api}", body_of(body), block(headers))

    def requests(self, asked: Iterable[tuple[str, object]], *, rule: str = "") -> None:
        """Send several API requests at once."""
        self.pair.exchange(
            [Sending(rule or verb(api), f"$JS.API.{api}", body_of(body), b"", self.pair.inbox()) for api, body in asked]
        )

    def publish(self, subject: str, payload: bytes = b"", headers: HeaderPairs = (), *, rule: str = "publish") -> Any:
        """Publish with an ack, which is returned decoded."""
        return self.pair.request(rule, subject, payload, block(headers))

    def publish_many(self, messages: Iterable[tuple[str, bytes, HeaderPairs]], *, rule: str = "publish") -> None:
        """Publish several messages at once, all to one stream or with no stream to tell their order."""
        self.pair.exchange(
            [
                Sending(rule, subject, payload, block(headers), self.pair.inbox())
                for subject, payload, headers in messages
            ]
        )

    def pull(self, stream: str, consumer: str, body: object = None, inbox: str = "") -> list[Arrival]:
        """Send a pull request; return what came at once. What comes later is in ``pair.received[inbox]``.

        Args:
            inbox: where it is delivered, from ``pair.listen``; by default a fresh one.
        """
        inbox = inbox or self.pair.listen("CONSUMER.MSG.NEXT")
        before = len(self.pair.received[inbox])
        subject = f"{self.api}.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self.pair.exchange([Sending("CONSUMER.MSG.NEXT", subject, body_of(body), b"", inbox)])
        return self.pair.received[inbox][before:]

    def ack(self, delivered: Arrival, kind: bytes = b"", *, rule: str = "ack") -> None:
        """Answer a delivered message, such as with ``+TERM``; it is compared whether that is confirmed."""
        self.pair.request(rule, delivered.reply, kind)

    # -- streams ----------------------------------------------------------------------------------

    def create(self, slot: int, storage: str, rule: str = "", **config: object) -> Any:
        """Create a stream with a fresh name in *slot*; its subjects are below ``<space>.<slot>`` if none are given."""
        self._names += 1
        name = f"{self.space}_{slot}_{self._names}"
        subjects = {} if {"subjects", "mirror"} & set(config) else {"subjects": [f"{self.space}.{slot}.>"]}
        answer = self.request(
            f"STREAM.CREATE.{name}", {"name": name, "storage": storage, **subjects, **config}, rule=rule
        )
        if answer is not None and "error" not in answer:
            self.streams[slot], self.storages[slot] = name, storage
        return answer

    def stream(self, slot: int) -> str:
        """Return the name of the stream in *slot*, or one that does not exist."""
        return self.streams.get(slot, f"{self.space}_none")

    def remove(self, slot: int, sequence: int) -> None:
        """Delete a message of the stream in *slot*, up to 2.11 none that is the newest of several of its subject.

        The version then loses sight of the older ones (memstore.go, filestore.go: ``removeSeqPerSubject``).
        On file, 2.11 tells consumers the subject of an erased message as it is once it was overwritten with random
        bytes (filestore.go, ``removeMsg``): there the message is not erased.
        """
        if self.profile in LAST_LOST and self.is_newest_of_several(slot, sequence):
            return
        erased = not (self.profile == "2.11" and self.storages.get(slot) == "file")
        self.request(f"STREAM.MSG.DELETE.{self.stream(slot)}", {"seq": sequence, "no_erase": not erased})

    def is_newest_of_several(self, slot: int, sequence: int) -> bool:
        get = f"STREAM.MSG.GET.{self.stream(slot)}"
        if "message" not in (found := self.request(get, {"seq": max(1, sequence)})):
            return False
        subject = found["message"]["subject"]
        first = self.request(get, {"next_by_subj": subject})["message"]["seq"]
        following = self.request(get, {"next_by_subj": subject, "seq": sequence + 1})
        return first != sequence and "error" in following

    def counts_twice(self, config: Mapping[str, Any]) -> bool:
        """Return whether 2.9 may count what a consumer wants twice: with a wildcard on file, by the order of a map.

        Where it has to look through a block, it adds what it finds to what it has counted of other subjects before
        (filestore.go, ``filteredPendingLocked``).
        """
        filter_ = config.get("filter_subject", "")
        return self.profile == "2.9" and self.storages.get(0) == "file" and ("*" in filter_ or ">" in filter_)

    # -- comparing states ---------------------------------------------------------------------------

    @invariant()
    def states_agree(self) -> None:
        self._steps += 1
        if self._steps % self.states_every == 0:
            compare_states(self.pair)

    def teardown(self) -> None:
        """Compare the last state too, unless this example is already decided by an error on its way."""
        try:
            if sys.exc_info()[0] is None:
                self.pair.settle()
                compare_states(self.pair)
                compare_messages(self.pair)
        finally:
            self.ground.clean(self.pair)


def block(headers: HeaderPairs) -> bytes:
    """Return a header block; names may repeat and values be empty."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"NATS/1.0\r\n{lines}\r\n".encode() if lines else b""


def body_of(body: object) -> bytes:
    match body:
        case None:
            return b""
        case bytes():
            return body
        case _:
            return json.dumps(body).encode()
