"""`lattice-store sim serve`, and `python -m lattice_store_sim` as the same: processes that clients connect to."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import nats
import pytest

from lattice_store.cli._exit import ExitCode
from lattice_store_sim import PROFILES, ServeOptions
from lattice_store_sim._wire._protocol import MAX_PAYLOAD
from tests.cli.harness import command
from tests.cli.test_process import HEEDING_CTRL_C, IGNORING_CTRL_C, finish
from tests.tcp.raw import talk

pytestmark = pytest.mark.slow  # a Python that starts takes its time

TLS = Path(__file__).parents[1] / "nats/tls"
RUN = "import runpy; runpy.run_module('lattice_store_sim', run_name='__main__', alter_sys=True)"
WITHOUT_EXTRA = f"import sys; sys.modules['cyclopts'] = sys.modules['rich'] = None; {RUN}"
COMMANDS = {"command": [HEEDING_CTRL_C, "sim", "serve"], "module": [RUN]}


def launch(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@contextmanager
def serving(*arguments: str, by: str = "module") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server, and give its process and the line it prints first."""
    script, *verb = COMMANDS.get(by, [by])
    process = launch(script, *verb, "--port", "0", *arguments)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().rstrip()
    finally:
        process.kill()
        process.communicate()


def stored_through(url: str, **options: object) -> str:
    """Connect, store a message, and return the server's version."""

    async def store() -> str:
        client = await nats.connect(url, allow_reconnect=False, **options)
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s.>"])
        ack = await stream.publish("s.1", b"one")
        version = client.connected_server_version
        await client.close()
        assert ack.seq == 1
        return f"{version.major}.{version.minor}"

    return asyncio.run(store())


def said_to_nobody(url: str) -> bytes:
    """Return what a server says to a client that names no user: without nats-py, which leaves its socket open then."""
    return asyncio.run(talk(int(url.rpartition(":")[2]), b"CONNECT {}\r\nPING\r\n"))


@pytest.mark.parametrize("by", ["command", "module", WITHOUT_EXTRA], ids=["command", "module", "without the extra"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_ends_it(by: str, number: signal.Signals) -> None:
    with serving("--profile", "2.12", "--print-url", by=by) as (process, url):
        assert url.startswith("nats://127.0.0.1:")
        assert stored_through(url) == "2.12"
        process.send_signal(number)
        assert finish(process) == (ExitCode.OK, "", "")


@pytest.mark.parametrize("by", COMMANDS)
def test_it_says_where_it_listens(by: str) -> None:
    with serving(by=by) as (process, line):
        version, url = PROFILES["2.15"].version, line.split(" at ")[1].split(";")[0]
        assert line == f"a simulated nats-server {version} listens at {url}; Ctrl-C ends it"
        assert stored_through(url) == "2.15"
        process.terminate()
        assert finish(process) == (ExitCode.OK, "", "")


def test_clients_that_are_connected_are_told_goodbye() -> None:
    async def hang_on(url: str, process: subprocess.Popen[str]) -> None:
        client = await nats.connect(url, allow_reconnect=False)
        closed = asyncio.Event()

        async def note() -> None:
            closed.set()

        client._closed_cb = note
        process.terminate()
        await asyncio.wait_for(closed.wait(), 10)

    with serving("--print-url") as (process, url):
        asyncio.run(hang_on(url, process))
        assert finish(process)[0] == ExitCode.OK


def test_in_the_background_of_a_script_it_outlives_ctrl_c() -> None:
    script = IGNORING_CTRL_C.replace("from lattice_store.cli import main; sys.exit(main())", RUN)
    with serving("--print-url", by=script) as (process, url):
        process.send_signal(signal.SIGINT)
        stored_through(url)
        process.terminate()
        assert finish(process)[0] == ExitCode.OK


def test_who_may_connect() -> None:
    with serving("--print-url", "--user", "ann", "--password", "hunter2") as (_, url):
        stored_through(url, user="ann", password="hunter2")
        assert b"-ERR 'Authorization Violation'" in said_to_nobody(url)
    with serving("--print-url", "--token", "T") as (_, url):
        stored_through(url, token="T")


def test_it_encrypts() -> None:
    with serving("--print-url", "--tls-cert", str(TLS / "cert.pem"), "--tls-key", str(TLS / "key.pem")) as (_, url):
        assert url.startswith("tls://")
        stored_through(url, tls=ssl.create_default_context(cafile=TLS / "cert.pem"))


def test_letting_other_machines_in_is_said_loudly() -> None:
    with serving("--print-url", "--host", "0.0.0.0", "--allow-remote") as (process, url):
        stored_through(url.replace("0.0.0.0", "127.0.0.1"))
        process.terminate()
        code, _, err = finish(process)
    assert code == ExitCode.OK
    assert "--allow-remote: any machine that reaches 0.0.0.0 may connect, and needs no password" in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--host", "0.0.0.0"], "would let other machines in"),
        (["--port", "70000"], "cannot listen on 127.0.0.1, port 70000"),
        (["--profile", "2.1"], "no profile of nats-server '2.1'"),
        (["--domain", "a.b"], "a domain is a name without dots"),
        (["--user", "ann"], "--user and --password go together"),
        (["--user", "ann", "--password", "x", "--token", "y"], "--user or --token"),
        (["--tls-cert", "nowhere.pem"], "--tls-cert and --tls-key go together"),
        (["--tls-cert", "nowhere.pem", "--tls-key", "x"], "--tls-cert 'nowhere.pem': No such file"),
        (["--tls-cert", __file__, "--tls-key", __file__], "are no PEM files of a pair"),
        (["--max-payload", "0"], "--max-payload 0 is no number of bytes"),
        (["--store-dir", __file__], f"store_dir {__file__!r}: File exists"),
        (["--fault", "drop=2"], "chance=2.0 is no probability from 0 to 1"),
    ],
)
def test_a_wrong_command_line(arguments: list[str], complaint: str) -> None:
    if "--port" not in arguments:
        arguments = ["--port", "0", *arguments]
    result = command("sim", "serve", *arguments)
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert complaint in result.complaint


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--host", "0.0.0.0"], "serve(host='0.0.0.0') would let other machines in"),
        (["--profile", "2.1"], "no profile of nats-server '2.1'; there are 2.9, "),
        (["--fault", "dropp"], "'dropp' is no fault: those are cut-after, delay, "),
        (["--store-dir", __file__], f"store_dir {__file__!r}: File exists"),
    ],
)
def test_a_wrong_command_line_without_the_extra(arguments: list[str], complaint: str) -> None:
    code, out, err = finish(launch(WITHOUT_EXTRA, "--port", "0", *arguments))
    assert (code, out) == (ExitCode.USAGE, "")
    assert err.startswith(f"python -m lattice_store_sim: {complaint}")
    assert err.count("\n") == 1


def test_a_folder_that_is_in_use(tmp_path: Path) -> None:
    with serving("--print-url", "--store-dir", str(tmp_path)):
        result = command("sim", "serve", "--port", "0", "--store-dir", str(tmp_path))
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert result.complaint == f"store_dir {str(tmp_path)!r} is used by another server"


@pytest.mark.parametrize("by", COMMANDS)
@pytest.mark.parametrize("where", ["full", "closed", "gone"])
def test_nobody_can_be_told_where_it_listens(by: str, where: str) -> None:
    script, *verb = COMMANDS[by]
    command = [sys.executable, "-c", script, *verb, "--port", "0"]
    if where == "closed":
        command = ["sh", "-c", '"$@" >&-', "sh", *command]
    reading, writing = os.pipe()
    os.close(reading)
    with Path("/dev/full").open("w") as full:
        out = {"full": full, "gone": writing}.get(where)
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    code, _, err = finish(process)
    assert code == (ExitCode.BROKEN_PIPE if where == "gone" else ExitCode.OUTPUT)
    assert err.count("\n") == (where != "gone")


def test_a_port_that_is_taken() -> None:
    with serving("--print-url") as (_, url):
        result = command("sim", "serve", "--port", url.rpartition(":")[2])
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert result.complaint.endswith(": Address already in use")


def test_an_option_that_there_is_not() -> None:
    code, out, err = finish(launch(RUN, "--prot", "1"))
    assert (code, out) == (ExitCode.USAGE, "")
    assert "unrecognized arguments: --prot 1" in err


def test_both_commands_have_the_same_options() -> None:
    help_texts = command("sim", "serve", "--help").out, finish(launch(RUN, "--help"))[1]
    for field in attrs.fields(ServeOptions):
        assert all(f"--{field.name.replace('_', '-')} " in text for text in help_texts), field.name


def test_its_defaults() -> None:
    options = ServeOptions()
    assert options.max_payload == MAX_PAYLOAD
    assert "hunter2" not in repr(ServeOptions(user="ann", password="hunter2"))
