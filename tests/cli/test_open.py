"""A storage from a URL."""

import pytest

from lattice_store import Lattice, Outcome, Storage, open_storage
from lattice_store.errors import (
    InvalidArgumentError,
    InvalidUrlError,
    StorageClosedError,
    StorageUnavailableError,
)
from lattice_store.limits import SECOND_NS, Limits
from lattice_store.model import StorageType, StreamConfig
from lattice_store.nats import LocalServer
from tests.cli.harness import ECHO, record_of


async def _keeps_a_record(storage: Storage) -> bool:
    lattice = Lattice(storage, "opened")
    await lattice.ensure()
    revision = await lattice.put(record_of(ECHO))
    return (await lattice.get(record_of(ECHO).key)).revision == revision


async def test_a_simulator_is_new_each_time_and_closed_in_the_end() -> None:
    async with open_storage("sim://") as storage:
        assert await _keeps_a_record(storage)
        assert await storage.list_streams() == ("LATTICECACHE_opened",)
    with pytest.raises(StorageClosedError):
        await storage.list_streams()
    async with open_storage("sim://") as another:
        assert await another.list_streams() == ()


async def test_a_simulator_keeps_the_limits() -> None:
    async with open_storage("sim://", limits=Limits(replay_buffer=2)) as storage:
        await storage.create_stream(StreamConfig(name="S", subjects=("s",), storage=StorageType.MEMORY))
        for _ in range(3):
            await storage.publish("s", b"")
        async with storage.replay("S") as replay:
            assert [message.sequence for message in (await anext(replay.batches())).messages] == [1, 2]


@pytest.mark.nats
async def test_a_server(server: LocalServer) -> None:
    async with open_storage(server.url) as storage:
        assert await _keeps_a_record(storage)
        await storage.delete_stream("LATTICECACHE_opened")
    with pytest.raises(StorageClosedError):
        await storage.list_streams()


@pytest.mark.nats
async def test_several_servers_of_which_one_answers(server: LocalServer) -> None:
    async with open_storage(f"nats://127.0.0.1:1,{server.url}", dont_randomize=True) as storage:
        assert "opened" not in await storage.list_streams()


@pytest.mark.nats
@pytest.mark.parametrize("by_argument", [True, False])
async def test_a_domain(by_argument: bool) -> None:
    with LocalServer("jetstream { domain: hub }") as hub:
        url, domain = (hub.url, "hub") if by_argument else (f"{hub.url}?domain=hub", None)
        async with open_storage(url, domain=domain) as storage:
            assert await _keeps_a_record(storage)
        async with open_storage(f"{hub.url}?domain=elsewhere") as storage:
            with pytest.raises(StorageUnavailableError):
                await storage.list_streams()


async def test_nobody_there() -> None:
    with pytest.raises(StorageUnavailableError) as caught:
        async with open_storage("nats://127.0.0.1:1", limits=Limits(connect_timeout_ns=SECOND_NS)):
            pass
    assert caught.value.outcome is Outcome.REJECTED


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "'' is not a storage URL; allowed: sim://, or nats://host:port"),
        ("127.0.0.1:4222", "allowed: sim://, or nats://host:port"),
        ("http://127.0.0.1:4222", "tls://host:port"),
        ("sim://twice", "not a storage URL"),
        ("nats://a:1,b:2", "'nats://a:1,b:2' is not a storage URL"),
        ("nats://a:1?prefix=x", "'nats://a:1' has other settings than domain"),
        ("nats://a:1?domain=", "the domain of 'nats://a:1' is empty"),
        ("nats://u:p?w@a:1", "'nats://***@a:1' has an @ after a ?: give such a user or password beside the URL"),
        ("nats://a:no", "a:no"),
        ("nats://", "NATS URL"),
    ],
)
async def test_bad_urls(url: str, says: str) -> None:
    with pytest.raises(InvalidUrlError) as caught:
        async with open_storage(url):
            pass
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hunter2@host",
        "nats://user:hunter2@host:no",
        "nats://user:hunter2,x@host",
        "nats://a:1,user:hunter2@b",
        "user:hunter2@host",
        "nats://user:hunter2@host?token=hunter2",
        "nats://user:hunter2@host?domain=",
        "nats://user:hunter2?hunter2@host:1",
        "nats://user:hunter2?domain=hunter2@host:1",
        "nats://user:x?hunter2=&y@host:1",
        "nats://host:1?hunter2",
    ],
)
async def test_bad_urls_keep_their_secrets(url: str) -> None:
    with pytest.raises(InvalidUrlError) as caught:
        async with open_storage(url):
            pass
    assert "hunter2" not in str(caught.value)
    assert "host" in str(caught.value)


async def test_a_domain_is_said_once() -> None:
    with pytest.raises(InvalidUrlError, match="domain 'hub' is given beside 'nats://a:1', which says 'leaf'"):
        async with open_storage("nats://a:1?domain=leaf", domain="hub"):
            pass


@pytest.mark.parametrize("options", [{"domain": "hub"}, {"user": "somebody"}])
async def test_the_simulator_takes_no_options(options: dict[str, str]) -> None:
    with pytest.raises(InvalidArgumentError, match="sim://"):
        async with open_storage("sim://", **options):
            pass
