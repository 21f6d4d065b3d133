"""A JetStream domain: everything works in it, and a wrong one is named."""

import asyncio

import pytest

from lattice_store.errors import NoRespondersError
from lattice_store.model import StreamConfig
from lattice_store.nats import LocalServer, connect

pytestmark = pytest.mark.nats


@pytest.fixture(scope="module")
def hub():
    with LocalServer("jetstream { domain: hub }") as running:
        yield running


@pytest.mark.parametrize("domain", ["hub", None])
async def test_everything_works_in_the_domain_and_without_naming_it(hub, fast, domain):
    async with await connect(hub.url, domain=domain, limits=fast) as storage:
        name = f"S-{domain}"
        await storage.create_stream(StreamConfig(name=name, subjects=(f"{name}.>",)))
        assert (await storage.publish(f"{name}.a", b"x")).sequence == 1
        async with storage.replay(name) as replay:
            assert (await anext(aiter(replay))).payload == b"x"
        assert (await storage.get_last_message(name, f"{name}.*")).sequence == 1
        assert name in await storage.list_streams()
        assert (await storage.stream_info(name)).state.consumer_count == 0


async def test_a_wrong_domain_is_told_from_a_missing_stream(hub, fast):
    async with await connect(hub.url, domain="spoke", limits=fast) as storage:
        with pytest.raises(NoRespondersError, match=r"nobody answers on \$JS\.spoke\.API: .*domain is wrong"):
            await storage.stream_info("S")


async def test_version_two_of_the_ack_subjects(fast):
    config = "jetstream { domain: hub }\nfeature_flags { js_ack_fc_v2: true }"
    with LocalServer(config) as server:
        async with await connect(server.url, limits=fast) as storage:
            await storage.create_stream(StreamConfig(name="S", subjects=("s.>",)))
            stored = [await storage.publish(f"s.{number}", b"x" * number) for number in range(3)]
            async with storage.replay("S") as replay:
                messages = aiter(replay)
                async with asyncio.timeout(10):
                    received = [await anext(messages) for _ in stored]
            assert [(each.sequence, each.payload) for each in received] == [(1, b""), (2, b"x"), (3, b"xx")]
            assert received[2] == await storage.get_message("S", 3)
