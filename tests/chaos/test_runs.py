"""A few of the runs of `make chaos`, and that they would notice a wrong rebuild."""

import pytest

from lattice_store.limits import SECOND_NS, Limits
from lattice_store.nats import LocalServer
from lattice_store.nats._ordered import Ordered
from tests.chaos.runs import UnlikeTheStreamError, cut_links, slow_reader, split_reads

pytestmark = [pytest.mark.nats, pytest.mark.slow]


@pytest.fixture(scope="module")
def server():
    with LocalServer() as running:
        yield running


async def test_rebuilds_over_links_that_are_cut_equal_the_stream(server):
    assert await cut_links(server, runs=10, keys=1000, seed=3) >= 5


async def test_rebuilds_from_reads_that_end_anywhere_equal_the_stream(server):
    await split_reads(server, runs=15, keys=30, seed=3)


async def test_a_slow_reader_holds_little_and_loses_nothing(server):
    limits = Limits(replay_buffer=1000, heartbeat_ns=SECOND_NS // 5)
    assert await slow_reader(server, keys=60_000, turns=500, limits=limits) < 60_000


async def test_a_lost_message_would_be_noticed(server, monkeypatch):
    take, batches = Ordered.take, []

    def forgetful(self):
        batch = take(self)
        if batch is not None and batch.messages:
            batches.append(batch)
            return None if len(batches) == 5 else batch
        return batch

    monkeypatch.setattr(Ordered, "take", forgetful)
    with pytest.raises(UnlikeTheStreamError):
        await split_reads(server, runs=1, keys=30, seed=3)
