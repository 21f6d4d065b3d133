"""Streams on file: whatever happened, a server that begins with them is as one that restarts with them."""

from __future__ import annotations

import errno
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lattice_store.errors import DamagedFileError, InvalidArgumentError
from lattice_store_sim import PROFILES, Recorder, SimServer, VirtualClock
from lattice_store_sim import _store_dir as store_dir_module
from lattice_store_sim._core._invariants import check
from lattice_store_sim._store_dir import StoreDir, file_name
from lattice_store_sim._wire import _stream_file
from tests.unit.sim.random_client import RandomClient

Server = SimServer[VirtualClock]


class FileClient(RandomClient):
    """Prefers streams on file, some of which take from each other, and lets them be kept between any two of its steps."""

    store: StoreDir | None = None

    def ask(self, api: str, body: dict[str, Any] | None = None) -> None:
        draw = self.dice
        if api.startswith("STREAM.CREATE") and body is not None:
            body["storage"] = draw.choice(["file", "file", "file", "memory"])
            others = [{"name": name} for name in "ABC" if name != body["name"]]
            if draw.random() < 0.15:
                body["sources"] = draw.sample(others, draw.randint(1, 2))
            elif draw.random() < 0.1:
                body["mirror"] = draw.choice(others)
                del body["subjects"]
        elif api.startswith("CONSUMER.CREATE") and body is not None:
            if "deliver_subject" in body["config"] and draw.random() < 0.2:
                body["config"]["rate_limit_bps"] = 2000
            elif "deliver_subject" in body["config"] and draw.random() < 0.2:
                body["config"] |= {"ack_policy": "flow_control", "flow_control": True, "idle_heartbeat": 10**9}
            elif api.endswith(".z"):
                policy = draw.choice(["overflow", "prioritized"])
                body["config"] |= {"priority_policy": policy, "priority_groups": ["g"], "ack_policy": "explicit"}
        elif api.startswith("CONSUMER.MSG.NEXT") and api.endswith(".z") and body is not None:
            body["group"] = "g"
        super().ask(api, body)

    def noted(self, sent: list[Any]) -> None:
        if self.store is not None:
            core = self.recorder.server._core
            self.store.write(core)
            if self.dice.random() < 0.1:
                self.store.look_through(core, thorough=True)
        super().noted(sent)


def alone(server: Server) -> Server:
    """Return a server as it is when nobody is connected any more."""
    forked = server.fork()
    forked._core.forget_clients(now_ns=forked.clock.now_ns())
    return forked


def restarted(server: Server) -> Server:
    """Return what a server is after a restart."""
    forked = server.fork()
    forked._core.restart(now_ns=forked.clock.now_ns())
    forked._core.outbox.clear()
    return forked


def loaded(folder: Path, like: Server) -> Server:
    """Return what begins with a folder, at the same time as another server and with as many names given."""
    server = SimServer.load(folder, clock=VirtualClock(like.clock.now_ns()))
    context, other = server._core.context, like._core.context
    context.names_given, context.api_requests, context.api_refusals = (
        other.names_given,
        other.api_requests,
        other.api_refusals,
    )
    server._core._last_created_ns = like._core._last_created_ns
    server._core.outbox.clear()
    return server


def goes_on(client: RandomClient, server: Server, steps: int = 40) -> str:
    """Return what a server says to a client that has connected to it anew and looks at everything first."""
    again = client.on(Recorder(server))
    again.listening = set()
    again.recorder.subscribe("_INBOX.>")
    for stream in "ABC":
        again.read(stream)
    again.act(steps)
    check(server._core)
    return str(again.recorder.transcript)


@pytest.mark.parametrize("profile", ["2.9", "2.11", "2.12", "2.15"])
@pytest.mark.parametrize("seed", range(6))
def test_what_was_saved_goes_on_as_after_a_restart(tmp_path: Path, profile: str, seed: int) -> None:
    server = SimServer(clock=VirtualClock(), profile=profile)
    client = FileClient(Recorder(server), seed)
    for at in range(4):
        client.act(25)
        left = alone(server)
        left.save(tmp_path / str(at))
        expected = goes_on(client, restarted(left))
        assert goes_on(client, loaded(tmp_path / str(at), left)) == expected


@pytest.mark.parametrize("seed", range(20, 32))
def test_what_was_written_step_by_step_goes_on_as_after_a_restart(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_dir_module, "_SMALL", 2000 if seed % 2 else 1 << 20)
    server: Server = SimServer(clock=VirtualClock())
    client = FileClient(Recorder(server), seed)
    client.store = store = StoreDir(tmp_path)
    store.begin(server._core)
    client.act(100)
    server._core.forget_clients(now_ns=server.clock.now_ns())
    store.close(server._core)
    assert goes_on(client, loaded(tmp_path, server)) == goes_on(client, restarted(server))


# -- a process that ends at any moment ----------------------------------------------------------------


def history(folder: Path, seed: int) -> tuple[Server, Path]:
    """Return a server after one client's work on one stream, and the file of that stream as it was written."""
    server: Server = SimServer(clock=VirtualClock())
    recorder = Recorder(server)
    store = StoreDir(folder)
    store.begin(server._core)
    recorder.send("$JS.API.STREAM.CREATE.S", json.dumps({"name": "S", "subjects": ["s.>"], "max_msgs": 7}).encode())
    store.write(server._core)
    for number in range(12):
        recorder.send(f"s.{number % 5}", str(number * seed).encode())
        if number % 4 == 3:
            recorder.send("$JS.API.STREAM.PURGE.S", json.dumps({"filter": f"s.{seed % 5}"}).encode())
        store.write(server._core)
    store.close(server._core)
    return server, folder / file_name("S")


def stored(server: Server) -> dict[int, bytes]:
    return {sequence: one.payload for sequence, one in server._core.streams["S"].log.messages.items()}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Server, Path, bytes]:
    server, path = history(tmp_path_factory.mktemp("history"), 3)
    return server, path, path.read_bytes()


@settings(max_examples=150)
@given(st.data())
def test_a_write_that_was_cut_short_is_as_none(written: tuple[Server, Path, bytes], data: st.DataObject) -> None:
    server, path, whole = written
    begin = len(_stream_file.FORMAT)
    created = begin + 12 + int.from_bytes(whole[begin : begin + 4])  # up to there it was written before it got its name
    end = data.draw(st.integers(0, len(whole)))
    if end < created:
        with pytest.raises(DamagedFileError, match="S is damaged: it"):
            _stream_file.read(whole[:end], "S")
        return
    kept = _stream_file.read(whole[:end], "S")
    assert list(kept.messages) == sorted(kept.messages)
    path.write_bytes(whole[:end])
    check(loaded(path.parent, server)._core)
    path.write_bytes(whole)
    assert stored(loaded(path.parent, server)) == stored(server)


@settings(max_examples=300)
@given(st.data())
def test_damage_is_told_and_never_believed(written: tuple[Server, Path, bytes], data: st.DataObject) -> None:
    _, _, whole = written
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedFileError, match="S is damaged"):
        _stream_file.read(bytes(damaged), "S")


@given(st.binary(max_size=200))
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    for data in (content, _stream_file.FORMAT + content):
        with pytest.raises(DamagedFileError):
            _stream_file.read(data, "S")


def test_a_damaged_file_is_named_and_left_alone(tmp_path: Path) -> None:
    _, path = history(tmp_path, 1)
    content = path.read_bytes()[:-3] + b"???"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"a checksum at byte [0-9]+ is wrong") as caught:
        SimServer.load(tmp_path)
    assert caught.value.path == str(path)
    assert path.read_bytes() == content
    path.unlink()
    assert SimServer.load(tmp_path)._core.streams == {}


# -- the folder -----------------------------------------------------------------------------------


def test_what_is_in_the_folder(tmp_path: Path) -> None:
    _, path = history(tmp_path, 1)
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, "lock", "server.json"]
    assert path.name.startswith("S-")
    assert path.name.endswith(".stream")
    assert path.read_bytes().startswith(b"lattice-store-sim stream 1\n")
    assert json.loads((tmp_path / "server.json").read_text()) == {"nats-server": "2.15.1"}


def test_names_of_files_differ_where_case_does_not_count() -> None:
    names = ["a", "A", "a/b", "a\\b", "é", "x" * 255, "x" * 254]
    assert len({file_name(name).lower() for name in names}) == len(names)
    assert all(len(file_name(name)) < 90 for name in names)


def test_streams_that_are_gone_leave_no_file(tmp_path: Path) -> None:
    server, path = history(tmp_path, 1)
    SimServer(clock=VirtualClock()).save(tmp_path)
    assert not path.exists()
    server.save(tmp_path)
    assert path.exists()
    store = StoreDir(tmp_path)
    store.begin(server._core)
    Recorder(server).send("$JS.API.STREAM.DELETE.S")
    store.write(server._core)
    assert not path.exists()
    store.close(server._core)


def test_a_folder_is_used_by_one_server_at_a_time(tmp_path: Path) -> None:
    store = StoreDir(tmp_path)
    with pytest.raises(InvalidArgumentError, match="is used by another server"):
        SimServer().save(tmp_path)
    store.close()
    SimServer().save(tmp_path)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgumentError, match="file': File exists"):
        SimServer().save(tmp_path / "file")
    (tmp_path / "server.json").write_text("[]")
    with pytest.raises(InvalidArgumentError, match="does not tell the version"):
        SimServer.load(tmp_path)


@pytest.mark.parametrize("name", ["lock", "server.json", "server.unfinished", "S-1.stream"])
def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path, name: str) -> None:
    """A folder where a file should be stands for all that an operating system refuses."""
    (tmp_path / name).mkdir()
    for _ in range(2):
        with pytest.raises(InvalidArgumentError) as caught:
            SimServer.load(tmp_path).save(tmp_path)
        assert str(caught.value) == f"store_dir {str(tmp_path)!r}, {name}: Is a directory"


def test_others_on_the_machine_cannot_read_it(tmp_path: Path) -> None:
    history(tmp_path / "made", 1)
    for path in [tmp_path / "made", *(tmp_path / "made").iterdir()]:
        assert not path.stat().st_mode & 0o077, path.name


def test_a_file_is_whole_before_it_replaces_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, path = history(tmp_path, 1)
    before = path.read_bytes()
    with monkeypatch.context() as full:
        full.setattr(store_dir_module, "_write", _no_space)
        server.save(tmp_path)
    assert path.read_bytes() == before
    assert stored(loaded(tmp_path, server)) == stored(server)


def test_the_folder_says_which_server_it_is_of(tmp_path: Path) -> None:
    SimServer(profile="2.10").save(tmp_path)
    store = StoreDir(tmp_path)
    assert store.profile(None) == store.profile("2.10.3") == PROFILES["2.10"]
    with pytest.raises(InvalidArgumentError, match=r"holds the streams of a nats-server 2\.10\.26, not 2\.12"):
        store.profile("2.12")
    store.close()
    assert SimServer.load(tmp_path).profile.version == "2.10.26"


def test_a_virtual_clock_is_never_behind_what_is_kept(tmp_path: Path) -> None:
    server: Server = SimServer(clock=VirtualClock())
    recorder = Recorder(server)
    recorder.send("$JS.API.STREAM.CREATE.S", b'{"name":"S","subjects":["s"]}')
    recorder.advance(3600)
    recorder.send("s", b"one")
    server.save(tmp_path)
    assert SimServer.load(tmp_path, clock=VirtualClock()).clock.now_ns() == server.clock.now_ns()


def test_a_full_disk_is_told_and_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server: Server = SimServer(clock=VirtualClock())
    recorder, store = Recorder(server), StoreDir(tmp_path)
    store.begin(server._core)
    with monkeypatch.context() as full:
        full.setattr(store_dir_module, "_write", _no_space)
        with caplog.at_level(logging.ERROR):
            recorder.send("$JS.API.STREAM.CREATE.S", b'{"name":"S","subjects":["s"]}')
            store.write(server._core)
    assert f"stream S cannot be kept in {tmp_path}: {os.strerror(errno.ENOSPC)}" in caplog.text
    store.look_through(server._core, thorough=True)
    with monkeypatch.context() as full:
        full.setattr(store_dir_module, "_write", _no_space)
        recorder.send("s", b"one")
        store.write(server._core)
    recorder.send("s", b"two")
    store.write(server._core)
    store.close()
    assert stored(SimServer.load(tmp_path, clock=VirtualClock())) == {1: b"one", 2: b"two"}


def _no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_that_has_grown_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_dir_module, "_SMALL", 1000)
    server: Server = SimServer(clock=VirtualClock())
    recorder, store = Recorder(server), StoreDir(tmp_path)
    store.begin(server._core)
    recorder.send("$JS.API.STREAM.CREATE.S", b'{"name":"S","subjects":["s"],"max_msgs":1}')
    for _ in range(200):
        recorder.send("s", b"x" * 100)
        store.write(server._core)
    assert (tmp_path / file_name("S")).stat().st_size < 10_000
    store.close()
    assert list(stored(SimServer.load(tmp_path, clock=VirtualClock()))) == [200]


def test_the_names_in_a_file() -> None:
    """Other names are another format: raise the number in `_stream_file.FORMAT`, and read the former one."""
    server: Server = SimServer(clock=VirtualClock())
    recorder = Recorder(server)
    recorder.send("$JS.API.STREAM.CREATE.S", b'{"name":"S","subjects":["s"]}')
    recorder.send("$JS.API.CONSUMER.CREATE.S.C", b'{"stream_name":"S","config":{"name":"C"}}')
    stream = server._core.streams["S"]
    (consumer,) = store_dir_module.images_of_consumers(stream)
    assert _stream_file.FORMAT == b"lattice-store-sim stream 1\n"
    assert " ".join(store_dir_module.state_of(stream).log) == (
        "first_sequence last_sequence last_time_ns left_time_ns skipped"
    )
    assert " ".join(consumer.values) == (
        "created_ns resume_ns gone position.next position.snapshot position.resume position.ahead acks.deliveries "
        "acks.floor acks.pending acks.redelivered acks.unqueued acks.stale acks.given_up acks.rounds acks.round_ns "
        "acks.since_ns acks.queue acks.due acks.record.delivered acks.record.floor acks.record.pending "
        "pace.replayed_to pace.last_ns pace.credit pace.credited_ns"
    )
    page = (Path(__file__).parents[3] / "docs/reference/store-dir.md").read_text()
    assert [
        name for name in (*store_dir_module.state_of(stream).log, *consumer.values) if f"`{name}`" not in page
    ] == []
