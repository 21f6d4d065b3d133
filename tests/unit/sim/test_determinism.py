"""The same operations at the same times have the same answers, byte by byte: in any process, on any copy."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lattice_store_sim import Recorder, Transcript
from lattice_store_sim._core._invariants import check
from tests.unit.sim.random_client import RandomClient

STEPS = 300


def run(seed: int, steps: int = STEPS) -> RandomClient:
    client = RandomClient(Recorder(), seed)
    client.act(steps)
    return client


def test_two_processes_that_hash_differently_say_the_same() -> None:
    """Hashes order sets; sets must not order answers."""
    texts = [
        subprocess.run(
            [sys.executable, "-m", "tests.unit.sim.random_client", "7", str(STEPS)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert texts[0] == texts[1] == str(run(7).recorder.transcript)


@pytest.mark.parametrize("seed", range(3))
def test_a_transcript_of_everything_is_replayed(seed: int) -> None:
    text = str(run(seed).recorder.transcript)
    assert str(Transcript.parse(text).replay()) == text


@pytest.mark.parametrize("seed", range(8))
def test_a_fork_does_what_the_server_itself_would_have_done(seed: int) -> None:
    """Also when the server has gone on before: what one does cannot be seen on the other."""
    client = run(seed, 40)
    for _ in range(4):
        server = client.recorder.server
        forks = [server.fork(), server.fork()]
        clients = [client.on(Recorder(each)) for each in (server, *forks)]
        for each in clients:
            each.act(40)
            check(each.recorder.server._core)
        texts = [str(each.recorder.transcript) for each in clients]
        assert texts[1:] == texts[:1] * 2
        client = clients[1]


@pytest.mark.parametrize("seed", range(8, 12))
def test_a_restored_server_does_the_same_again(seed: int) -> None:
    client = run(seed, 60)
    server = client.recorder.server
    snapshot = server.snapshot()
    texts = []
    for _ in range(3):
        server.restore(snapshot)
        again = client.on(Recorder(server))
        again.act(60)
        texts.append(str(again.recorder.transcript))
    assert texts[0] == texts[1] == texts[2]
