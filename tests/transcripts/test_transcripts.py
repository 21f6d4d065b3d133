from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lattice_store.nats import LocalServer
from lattice_store_sim import Transcript
from lattice_store_sim._transcript_text import Entry, Happening, Sent, Told, Waited
from tests.agreement.client import Arrival
from tests.agreement.comparable import comparable
from tests.agreement.sides import Running

PATHS = sorted(Path(__file__).parent.glob("*.txt"))
WITHOUT_TIME = [path for path in PATHS if "\n+ " not in path.read_text()]


def test_there_are_some() -> None:
    assert len(WITHOUT_TIME) >= 3


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_simulator_answers_as_it_was_written_down(path: Path) -> None:
    """What changed on purpose is written down anew by ``python -m tests.transcripts``."""
    text = path.read_text()
    assert str(Transcript.parse(text).replay()) == text


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with LocalServer() as server:
        running = Running(server)
        yield running
        running.disconnect()


@pytest.mark.nats
@pytest.mark.parametrize("path", WITHOUT_TIME, ids=lambda path: path.stem)
def test_a_server_answers_as_it_was_written_down(path: Path, running: Running) -> None:
    try:
        for entry in Transcript.parse(path.read_text()).entries:
            let_happen(running, entry.happened)
            assert heard_by(running, len(entry.answers)) == written(entry), entry.happened
    finally:
        running.close()


def let_happen(running: Running, happened: Happening) -> None:
    match happened:
        case Sent(subject, payload, headers, reply):
            running.send(subject, payload, headers, reply)
        case Told(verb, arguments):
            getattr(running, verb)(*arguments)
        case Waited():
            pytest.fail("a server's time cannot be moved")


def heard_by(running: Running, expected: int) -> list[tuple[Any, ...]]:
    """What came in."""
    arrived: list[Arrival] = []
    while len(arrived) < expected and (more := running.receive(5)):
        arrived += more
    return in_order([*arrived, *running.settle()])


def written(entry: Entry) -> list[tuple[Any, ...]]:
    return in_order(
        [Arrival(each.to, each.subject or each.to, each.reply, each.headers, each.payload) for each in entry.answers]
    )


def in_order(arrived: list[Arrival]) -> list[tuple[Any, ...]]:
    """What can agree, by subject, for a server does not order what goes to several; which inbox it was is not seen."""
    return sorted((comparable(each)[1:] for each in arrived), key=lambda one: one[0])
