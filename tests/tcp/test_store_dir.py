"""Streams that outlive their server, because it keeps them in a folder."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from lattice_store.errors import DamagedFileError, InvalidArgumentError
from lattice_store.model import StorageType, StreamConfig
from lattice_store_sim import SimServer, SimStorage, VirtualClock, serve
from lattice_store_sim._store_dir import StoreDir
from tests.cli.test_sim import serving


async def connected(url: str) -> Client:
    return await nats.connect(url, allow_reconnect=False)


async def test_streams_and_consumers_are_there_again(tmp_path: Path) -> None:
    async with serve(store_dir=tmp_path, profile="2.12") as server:
        client = await connected(server.url)
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s.>"])
        await stream.add_stream(name="M", subjects=["m.>"], storage="memory")
        for number in range(5):
            await stream.publish(f"s.{number}", b"%d" % number, headers={"Nats-Msg-Id": str(number)})
        await stream.delete_msg("S", 3)
        subscription = await stream.pull_subscribe("s.>", "D")
        first, _ = await subscription.fetch(2)
        await first.ack_sync()
        await client.close()
    async with serve(store_dir=tmp_path) as server:
        client = await connected(server.url)
        assert client.connected_server_version.minor == 12
        stream = client.jetstream()
        info = await stream.consumer_info("S", "D")
        assert (info.ack_floor.stream_seq, info.num_ack_pending, info.num_pending) == (1, 1, 2)
        state = (await stream.stream_info("S")).state
        assert (state.messages, state.first_seq, state.last_seq, state.num_deleted) == (4, 1, 5, 1)
        message = await stream.get_msg("S", 4)
        assert (message.data, message.headers) == (b"3", {"Nats-Msg-Id": "3"})
        assert (await stream.publish("s.4", b"", headers={"Nats-Msg-Id": "4"})).duplicate
        with pytest.raises(NotFoundError):
            await stream.stream_info("M")
        await client.close()


@pytest.mark.slow
def test_what_was_acked_survives_a_process_that_is_killed(tmp_path: Path) -> None:
    async def store(url: str) -> None:
        client = await connected(url)
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s.>"])
        await stream.pull_subscribe("s.>", "D")
        for number in range(100):
            await stream.publish(f"s.{number % 7}", b"%d" % number)
        process.send_signal(signal.SIGKILL)
        await client.close()

    async def count(url: str) -> tuple[int, int]:
        client = await connected(url)
        messages = (await client.jetstream().stream_info("S")).state.messages
        pending = (await client.jetstream().consumer_info("S", "D")).num_pending
        await client.close()
        return messages, pending

    options = ("--print-url", "--store-dir", str(tmp_path))
    with serving(*options) as (process, url):
        asyncio.run(store(url))
        process.wait(10)
    with serving(*options) as (_, url):
        assert asyncio.run(count(url)) == (100, 100)


async def test_acks_that_were_not_written_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a work queue, the messages that were acked are gone; the consumer finds that out."""
    monkeypatch.setattr(StoreDir, "look_through", _without_consumers(StoreDir.look_through))
    async with serve(store_dir=tmp_path) as server:
        client = await connected(server.url)
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s"], retention="workqueue")
        for number in range(4):
            await stream.publish("s", b"%d" % number)
        subscription = await stream.pull_subscribe("s", "D")
        first, second, _ = await subscription.fetch(3)
        monkeypatch.undo()
        server._keeping.look_through()
        monkeypatch.setattr(StoreDir, "look_through", _without_consumers(StoreDir.look_through))
        await first.ack_sync()
        await second.ack_sync()
        await client.close()
    monkeypatch.undo()
    async with serve(store_dir=tmp_path) as server:
        client = await connected(server.url)
        info = await client.jetstream().consumer_info("S", "D")
        assert (info.num_ack_pending, info.num_pending, info.ack_floor.stream_seq) == (1, 1, 2)
        await client.close()


def _without_consumers(look_through: Callable[..., None]) -> Callable[..., None]:
    return lambda store, core, *, thorough: look_through(store, core, thorough=False)


@pytest.mark.slow
def test_the_command_names_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "S-1.stream"
    path.write_bytes(b"nonsense")
    with serving("--store-dir", str(tmp_path)) as (process, _):
        _, err = process.communicate(timeout=30)
    assert process.returncode == 5
    assert f"{path} is damaged: it does not begin as a stream of this format does" in err


async def test_a_damaged_file_stops_the_start_and_leaves_no_lock(tmp_path: Path) -> None:
    (tmp_path / "S-1.stream").write_bytes(b"nonsense")
    for _ in range(2):
        with pytest.raises(DamagedFileError):
            async with serve(store_dir=tmp_path):
                pass


async def test_a_folder_that_cannot_be_written_stops_the_start_and_leaves_nobody_listening(tmp_path: Path) -> None:
    (tmp_path / "server.unfinished").mkdir()  # where a file should go
    server = SimServer()
    with pytest.raises(InvalidArgumentError, match=r"server\.unfinished: Is a directory"):
        async with serve(server, store_dir=tmp_path):
            pass
    (tmp_path / "server.unfinished").rmdir()
    async with serve(server, store_dir=tmp_path):
        pass


async def test_two_servers_cannot_share_a_folder(tmp_path: Path) -> None:
    async with serve(store_dir=tmp_path):
        with pytest.raises(InvalidArgumentError, match="used by another server"):
            async with serve(store_dir=tmp_path):
                pass


async def test_what_is_published_in_the_process_is_kept(tmp_path: Path) -> None:
    server = SimServer()
    async with serve(server, store_dir=tmp_path), SimStorage(server) as storage:
        await storage.create_stream(StreamConfig(name="S", storage=StorageType.FILE))
        await storage.publish("S", b"one")
    assert len(SimServer.load(tmp_path)._core.streams["S"].log.messages) == 1
    with pytest.raises(InvalidArgumentError, match="has streams already, and so has store_dir"):
        async with serve(server, store_dir=tmp_path):
            pass
    async with serve(server):
        pass


async def test_a_restart_and_a_step_back_are_followed(tmp_path: Path) -> None:
    server = SimServer(clock=VirtualClock())
    async with serve(server, store_dir=tmp_path) as running:
        client = await connected(running.url)
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s"])
        await stream.publish("s", b"one")
        snapshot = server.snapshot()
        await stream.publish("s", b"two")
        server.restart()
        server.restore(snapshot)
        await client.close()
        client = await connected(running.url)
        await client.jetstream().publish("s", b"three")
        await client.close()
    messages = SimServer.load(tmp_path, clock=VirtualClock())._core.streams["S"].log.messages
    assert [one.payload for one in messages.values()] == [b"one", b"three"]
