"""The command as a process of its own: pipes, signals, the missing extra."""

import array
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lattice_store.cli._exit import ExitCode
from lattice_store.cli._session import Session
from lattice_store.nats import LocalServer
from tests.cli.harness import ECHO, RECORDS, command, real

pytestmark = pytest.mark.slow  # a Python that starts takes its time

MAIN = "import sys; from lattice_store.cli import main; sys.exit(main())"
# A shell that runs the tests in the background has Ctrl-C ignored for all it starts.
HEEDING_CTRL_C = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {MAIN}"
IGNORING_CTRL_C = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {MAIN}"


def launch(*arguments: str, script: str = HEEDING_CTRL_C, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_the_installed_script() -> None:
    script = shutil.which("lattice-store", path=str(Path(sys.executable).parent))
    assert script is not None
    done = subprocess.run([script, "demo"], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == command("demo").out


def test_version_and_help() -> None:
    code, out, err = finish(launch("--version"))
    assert (code, err) == (0, "")
    assert out[0].isdigit()
    code, out, err = finish(launch("--help"))
    assert (code, err) == (0, "")
    assert all(f" {verb} " in out for verb in ("demo", "ls", "get", "put", "del", "watch", "dump", "info"))
    assert "\x1b" not in out


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_without_the_extra(missing: str) -> None:
    hidden = f"import sys; sys.modules[{missing!r}] = None; {MAIN}"
    done = subprocess.run([sys.executable, "-c", hidden, "ls"], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr == f"lattice-store: {missing} is missing: pip install 'lattice-store[cli]'\n"


def test_a_module_of_ours_that_is_missing_is_a_bug_and_not_an_extra() -> None:
    hidden = f"import sys; sys.modules['lattice_store.cli._info'] = None; {MAIN}"
    done = subprocess.run([sys.executable, "-c", hidden, "ls"], capture_output=True, text=True, timeout=30, check=False)
    assert "lattice_store.cli._info" in done.stderr
    assert "pip install" not in done.stderr


@pytest.mark.nats
def test_a_reader_that_goes_away(server: LocalServer) -> None:
    place = real(server.url, "piped")
    place.do(_fill_with_many)
    for verb in ("ls", "dump", "watch"):
        process = launch(verb, "--url", server.url, "-l", "piped")
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        code, _, err = finish(process)
        assert code == ExitCode.BROKEN_PIPE
        assert err.splitlines() == (
            ["lattice-store: the values of links are part of a dump, and may be secrets"] if verb == "dump" else []
        )


def in_shell(line: str, **environment: str) -> tuple[int, str, str]:
    """Run a shell line that knows the installed script."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **environment}
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30, check=False, env=environment)
    return done.returncode, done.stdout, done.stderr


CLOSED = "lattice-store: cannot write the results: standard output is closed\n"
FULL = "lattice-store: cannot write the results: No space left on device\n"


@pytest.mark.parametrize(
    ("line", "code", "complaint"),
    [
        ("demo <&-", ExitCode.OK, ""),
        ("put --url sim:// <&-", ExitCode.DATA, "lattice-store: no JSON was given\n"),
        ("demo >&-", ExitCode.OUTPUT, CLOSED),
        ("--help >&-", ExitCode.OUTPUT, CLOSED),
        ("demo 2>&-", ExitCode.OK, ""),
        ("nonsense 2>&-", ExitCode.USAGE, ""),
        ("demo <&- >&- 2>&-", ExitCode.OUTPUT, ""),
        ("demo >/dev/full", ExitCode.OUTPUT, FULL),
        ("info --url sim:// >/dev/full", ExitCode.OUTPUT, FULL),
        ("--version >/dev/full", ExitCode.OUTPUT, FULL),
        ("nonsense 2>/dev/full", ExitCode.USAGE, ""),
    ],
)
def test_streams_that_are_closed_or_full(line: str, code: ExitCode, complaint: str) -> None:
    ended_with, out, err = in_shell(f"lattice-store {line}")
    assert (ended_with, err) == (code, complaint)
    assert bool(out) is (line in ("demo <&-", "demo 2>&-"))


@pytest.mark.parametrize("columns", ["0", "1", "2"])
def test_a_terminal_without_width(columns: str) -> None:
    code, out, err = in_shell("lattice-store get --help", COLUMNS=columns)
    assert (code, err) == (0, "")
    assert "Usage: lattice-store" in out
    assert in_shell("lattice-store demo", COLUMNS=columns) == (0, command("demo").out, "")


def test_a_reader_that_goes_away_before_an_error_is_told() -> None:
    records = json.dumps(ECHO) + json.dumps({**ECHO, "oci_url": "big", "more": "x" * 900_000})
    script = f"""
import os, sys
from lattice_store import _lattice
from lattice_store.errors import api_error
async def put(self, record, *, expect=None):
    if record.oci_url == "big":
        raise api_error(400, 10054, "message size exceeds maximum allowed")
    return 1
_lattice.Lattice.put = put
reading, writing = os.pipe()
os.close(reading)
os.dup2(writing, 1)
{MAIN}"""
    arguments = ("put", "--create", "--url", "sim://")
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        input=records,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (ExitCode.BROKEN_PIPE, "")


async def _fill_with_many(storage, lattice) -> None:
    """More than a pipe holds."""
    await lattice.ensure()
    for number in range(3000):
        await storage.publish(f"lc.piped.refmap.{number}", json.dumps({**ECHO, "oci_url": "x"}).encode())
        if number % 2:
            key = f"M{number:055}"
            await storage.publish(f"lc.piped.claims.{key}", json.dumps({"sub": key, "iss": "A"}).encode())


@contextmanager
def watching(server: LocalServer, prefix: str, script: str = HEEDING_CTRL_C) -> Iterator[subprocess.Popen[str]]:
    process = launch("watch", "-o", "jsonl", "--url", server.url, "-l", prefix, script=script)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def next_event(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@pytest.mark.nats
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch_shows_changes_as_they_come_and_ends_on_signals(server: LocalServer, number: signal.Signals) -> None:
    place = real(server.url, f"live-{number}")
    place.fill(RECORDS[:1])
    with watching(server, place.prefix) as process:
        assert [next_event(process)["type"] for _ in range(2)] == ["put", "caught_up"]
        revision = place.publish("refmap.eA", {**ECHO, "oci_url": "x"})
        assert next_event(process)["revision"] == revision
        place.command("del", "oci", "x")
        assert next_event(process) == {"type": "removed", "kind": "oci", "key": {"oci_url": "x"}, "revision": 3}
        process.send_signal(number)
        assert finish(process) == (0, "", "")


@pytest.mark.nats
def test_watch_in_the_background_of_a_script_outlives_ctrl_c(server: LocalServer) -> None:
    place = real(server.url, "background")
    place.fill(RECORDS[:1])
    with watching(server, place.prefix, IGNORING_CTRL_C) as process:
        assert [next_event(process)["type"] for _ in range(2)] == ["put", "caught_up"]
        process.send_signal(signal.SIGINT)
        revision = place.publish("refmap.eA", {**ECHO, "oci_url": "x"})
        assert next_event(process)["revision"] == revision
        process.terminate()
        assert finish(process) == (0, "", "")


@pytest.mark.nats
def test_watch_tells_of_a_stream_made_anew(server: LocalServer) -> None:
    place = real(server.url, "anew")
    place.fill(RECORDS[:1])

    async def make_anew(storage, lattice) -> None:
        await storage.delete_stream(lattice.stream)
        await lattice.ensure()

    with watching(server, place.prefix) as process:
        assert [next_event(process)["type"] for _ in range(2)] == ["put", "caught_up"]
        place.do(make_anew)
        events = [next_event(process)]
        while events[-1]["type"] != "caught_up":
            events.append(next_event(process))
        assert [event["type"] for event in events] == ["reset", "removed", "caught_up"]
        process.terminate()
        assert finish(process) == (0, "", "")


def test_ctrl_c_ends_other_verbs_as_shells_expect() -> None:
    process = launch("put", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write("{")  # it reads on, until the signal
    process.stdin.flush()
    _wait_until_reading(process)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert (code, out, err) == (ExitCode.INTERRUPTED, "", "")


def test_ctrl_c_while_it_is_being_loaded() -> None:
    script = f"""
import sys
class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "cyclopts":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
{MAIN}"""
    assert finish(launch("ls", script=script)) == (ExitCode.INTERRUPTED, "", "")


def _wait_until_reading(process: subprocess.Popen[str]) -> None:
    """Wait until the process has taken what was written to its standard input."""
    assert process.stdin is not None
    waiting = array.array("i", [1])
    while waiting[0]:
        assert process.poll() is None
        fcntl.ioctl(process.stdin.fileno(), termios.FIONREAD, waiting)


def test_a_bug_is_one_line_unless_its_place_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(url: str, **options: object) -> None:
        raise KeyError("hunter2")

    result = command("ls", opener=broken)
    assert (result.code, result.out) == (ExitCode.INTERNAL, "")
    assert result.complaint == "a bug, please report it: KeyError; LATTICE_STORE_TRACEBACK=1 shows where"
    monkeypatch.setenv("LATTICE_STORE_TRACEBACK", "1")
    with pytest.raises(KeyError):
        command("ls", opener=broken)


def test_a_terminal_without_the_letters(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    code, out, err = finish(launch("demo", env=environment))
    assert (code, err) == (0, "")
    assert r"MBW3UGAI\u2026" in out


@pytest.mark.nats
def test_a_progress_bar_appears_on_a_terminal_only(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lattice_store.cli._progress._WORTH_A_BAR", 1)
    place = real(server.url, "bar")
    place.fill()
    for verb in ("ls", "info", "dump"):
        assert "reading" in place.command(verb, errors_to_terminal=True).err
        assert "reading" not in place.command(verb).err
    # A dump prints while it reads: on one terminal, bar and lines would mix.
    assert "reading" in place.command("ls", terminal=True).err
    assert "reading" not in place.command("dump", terminal=True).err


def test_a_session_of_this_process_uses_its_streams() -> None:
    session = Session.of_process()
    assert (session.stdout, session.stderr) == (sys.stdout, sys.stderr)
