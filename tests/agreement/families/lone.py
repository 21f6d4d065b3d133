"""What only a cluster serves, and what nobody knows: refused or left unanswered, by a lone server of any version."""

from __future__ import annotations

from typing import ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.agreement.family import Family
from tests.agreement.tally import Row

_CLUSTERED: Final = (
    "STREAM.PEER.REMOVE.{}",
    "STREAM.PEER.EVACUATE.{}",
    "STREAM.CANCEL_MOVE.{}",
    "STREAM.LEADER.STEPDOWN.{}",
    "CONSUMER.LEADER.STEPDOWN.{}.c",
)
_UNANSWERED: Final = (
    "META.LEADER.STEPDOWN",
    "META.RESCUE",
    "SERVER.REMOVE",
    "SERVER.EVACUATE",
    "ACCOUNT.STREAM.MOVE.{}.s",
    "ACCOUNT.STREAM.CANCEL_MOVE.{}.s",
    "STREAM.FOO.{}",
    "STREAM.UNKNOWN",
    "STREAM.INFO.{}.more",
    "CONSUMER.INFO.{}",
    "INFO.{}",
)
_REFUSED: Final = "10010 JetStream clustering support required"


class Lone(Family):
    name = "lone"
    weight = 0.1
    expected: ClassVar[frozenset[Row]] = frozenset(
        (rule, _REFUSED)
        for rule in (
            "STREAM.PEER.REMOVE",
            "STREAM.PEER.EVACUATE",
            "STREAM.CANCEL_MOVE",
            "STREAM.LEADER.STEPDOWN",
            "CONSUMER.LEADER.STEPDOWN",
        )
    )
    lacking: ClassVar = dict.fromkeys(
        ["2.9", "2.10", "2.11", "2.12", "2.14"],
        frozenset({("STREAM.PEER.EVACUATE", _REFUSED), ("STREAM.CANCEL_MOVE", _REFUSED)}),
    )

    @initialize(storage=st.sampled_from(["memory", "file"]))
    def begin(self, storage: str) -> None:
        self.create(0, storage)

    @rule(
        asked=st.lists(st.sampled_from([*_CLUSTERED, *_UNANSWERED]), min_size=1, max_size=6),
        slot=st.sampled_from([0, 1]),
        body=st.sampled_from([b"", b"{}", b'{"peer":"a"}', b"{"]),
    )
    def ask(self, asked: list[str], slot: int, body: bytes) -> None:
        self.requests((words.format(self.stream(slot)), body) for words in asked)
