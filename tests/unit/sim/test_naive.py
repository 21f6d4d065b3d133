"""The core answers as the naive model does: two that were written apart seldom share a mistake.

`make test` runs some ten thousand steps; ``python -m tests.unit.sim.test_naive`` runs a quarter of a million.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lattice_store_sim._core._invariants import check
from tests.unit.sim.helpers import SECOND
from tests.unit.sim.naive import NaiveStream, Pairs, RefusedError
from tests.unit.sim.wired import WiredStream

BOUNDED = settings(
    deadline=None,
    database=None,
    max_examples=250,
    stateful_step_count=40,
    phases=[Phase.generate],  # shrinking may take minutes: the long run's
    derandomize=True,  # a verdict on a change, the same each time; the long run looks for what is new
    suppress_health_check=[HealthCheck.too_slow],
)
LONG = settings(
    BOUNDED, max_examples=5000, stateful_step_count=50, phases=[Phase.generate, Phase.shrink], derandomize=False
)

START = 1_700_000_000 * SECOND
SUBJECTS = ["s.a", "s.b", "s.a.x"]
PAYLOADS = [b"", b"x", b"y" * 30, b"z" * 90]
FILTERS = [*SUBJECTS, "s.*", "s.a.>", ">", "other"]
FIXED: dict[str, list[Any]] = {
    "first_seq": [1, 5],
    "deny_delete": [True],
    "deny_purge": [True],
    "allow_msg_ttl": [True],
    "allow_msg_counter": [True],
    "subject_delete_marker_ttl": [SECOND, 2 * SECOND],
}
CHANGEABLE: dict[str, list[Any]] = {
    "max_msgs": [1, 3, 5],
    "max_bytes": [60, 150, 300],
    "max_msgs_per_subject": [1, 2],
    "max_msg_size": [40, 70],
    "max_age": [2 * SECOND, 5 * SECOND],
    "duplicate_window": [SECOND, 2 * SECOND],
    "discard": ["old", "new"],
    "allow_rollup_hdrs": [True],
    "discard_new_per_subject": [True],
}
HEADERS: dict[str, list[str]] = {
    "K": ["v"],
    "Nats-Msg-Id": ["one", "two", ""],
    "Nats-Rollup": ["sub", "ALL", "some"],
    "Nats-Expected-Stream": ["S", "T"],
    "Nats-Expected-Last-Sequence": ["0", "1", "2", "3", "5", "-1"],
    "Nats-Expected-Last-Subject-Sequence": ["0", "1", "2", "3", "x"],
    "Nats-Expected-Last-Subject-Sequence-Subject": ["s.a", "s.*", ">"],
    "Nats-Expected-Last-Msg-Id": ["one", "two"],
    "Nats-TTL": ["1", "3s", "1500ms", "never", "0", "soon"],
    "Nats-Incr": ["1", "+7", "-20000000000000000000", "x"],
}


def mixtures(alphabet: dict[str, list[Any]], most: int, count: int = 300) -> list[dict[str, Any]]:
    """Choices from an alphabet, the short ones first.

    Hypothesis takes one of a list, and shrinks to an earlier one, in a fraction of the time it needs to put one together.
    """
    dice = Random(most)
    names = [dice.sample(sorted(alphabet), dice.randint(0, most)) for _ in range(count)]
    return sorted(({name: dice.choice(alphabet[name]) for name in some} for some in names), key=len)


def one_of(choices: list[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, len(choices) - 1).map(lambda number: choices[number])


def publications(count: int = 600) -> list[tuple[str, bytes, Pairs]]:
    dice = Random(count)
    found = []
    for headers in mixtures(HEADERS, most=3, count=count):
        pairs = list(headers.items())
        repeated = [(name, dice.choice(HEADERS[name])) for name in headers if dice.random() < 0.1]
        payload = b"" if "Nats-Incr" in headers and dice.random() < 0.8 else dice.choice(PAYLOADS)
        found.append((dice.choice(SUBJECTS), payload, pairs + repeated))
    return found


PUBLICATIONS = publications()
CHANGES = one_of(mixtures(CHANGEABLE, most=5))
PURGES = mixtures({"filter": FILTERS, "seq": [1, 2, 4, 7, 12], "keep": [1, 2]}, most=2)
GETS = mixtures({"seq": [1, 2, 3, 5], "last_by_subj": FILTERS, "next_by_subj": FILTERS}, most=2)


def valid(config: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a server would refuse."""
    refused: set[str] = set()
    if config.get("allow_msg_counter"):
        refused |= {"discard", "allow_msg_ttl", "subject_delete_marker_ttl"}
    if config.get("subject_delete_marker_ttl"):
        refused |= {
            "deny_purge",
            "max_msg_size",
            "discard",
        }  # with these a marker may be refused, and tried again later
    if config.get("deny_purge"):
        refused |= {"allow_rollup_hdrs"}
    config = {name: value for name, value in config.items() if name not in refused}
    if config.get("discard") != "new" or "max_msgs_per_subject" not in config:
        config.pop("discard_new_per_subject", None)
    return config


class Opinions(RuleBasedStateMachine):
    """Asks the core and the naive model the same, and compares what they say and what they hold."""

    asked: ClassVar[int] = 0

    @initialize(storage=st.sampled_from(["memory", "file"]), fixed=one_of(mixtures(FIXED, most=2)), settings=CHANGES)
    def begin(self, storage: str, fixed: dict[str, Any], settings: dict[str, Any]) -> None:
        self.now = START
        self.config = {"name": "S", "subjects": ["s.>"], "storage": storage, **fixed}
        config = valid(self.config | settings)
        self.wired, self.naive = WiredStream(config, self.now), NaiveStream(config)

    def both(self, verb: str, *arguments: Any, **options: Any) -> None:
        Opinions.asked += 1
        said = [_said(getattr(side, verb), self.now, *arguments, **options) for side in (self.wired, self.naive)]
        assert said[0] == said[1], f"{verb}{arguments}{options}: the core says {said[0]}, the naive model {said[1]}"

    @rule(several=st.lists(one_of(PUBLICATIONS), min_size=1, max_size=8))
    def publish(self, several: list[tuple[str, bytes, Pairs]]) -> None:
        for one in several:
            self.both("publish", *one)

    @rule(seconds=st.sampled_from([0.001, 0.5, 1, 1, 2, 5]))
    def wait(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)

    @rule(seq=st.integers(0, 9))
    def delete(self, seq: int) -> None:
        self.both("delete", seq=seq)

    @rule(request=one_of(PURGES))
    def purge(self, request: dict[str, Any]) -> None:
        self.both("purge", **request)

    @rule(request=one_of(GETS))
    def get(self, request: dict[str, Any]) -> None:
        self.both("get", **request)

    @precondition(lambda self: not self.naive.sealed)
    @rule(settings=CHANGES)
    def update(self, settings: dict[str, Any]) -> None:
        self.both("update", valid(self.config | settings))

    @precondition(lambda self: self.now > START + 10 * SECOND and not self.naive.sealed and not self.naive.marker_ttl)
    @rule()
    def seal(self) -> None:
        self.both("update", valid(self.config | {"sealed": True}))

    @rule()
    def restart(self) -> None:
        lost = self.naive.sealed and self.config.get("allow_msg_counter")  # which the model does not know of
        if self.config["storage"] == "file" and not lost:
            self.both("restart")

    @invariant()
    def states_agree(self) -> None:
        self.both("state")
        assert self.wired.messages == self.naive.messages
        check(self.wired.core)


def _said(verb: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    try:
        return verb(*arguments, **options)
    except RefusedError as refused:
        return refused.args


@pytest.mark.slow
def test_the_core_agrees_with_the_naive_model() -> None:
    run_state_machine_as_test(Opinions, settings=BOUNDED)


if __name__ == "__main__":
    run_state_machine_as_test(Opinions, settings=LONG)
    print(f"{Opinions.asked} questions answered alike")  # noqa: T201  # its purpose
