"""Options of the connection, and servers that refuse, do not answer, or are not there."""

import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lattice_store import Storage
from lattice_store.cli._connection import Access, Connection
from lattice_store.cli._exit import ExitCode
from lattice_store.errors import InvalidArgumentError
from lattice_store.nats import LocalServer
from lattice_store_sim import SimStorage
from tests.cli.harness import ECHO, command

PASSWORD = "hunter2"
_USERS = """
authorization { users: [
  { user: admin, password: hunter2 }
  { user: guest, password: guest, permissions: { publish: ["$JS.API.STREAM.INFO.*"], subscribe: ["_INBOX.>"] } }
] }
"""


@pytest.fixture(scope="module")
def guarded() -> Iterator[LocalServer]:
    with LocalServer(_USERS) as running:
        yield running


@pytest.fixture(scope="module")
def without_jetstream() -> Iterator[LocalServer]:
    """JetStream runs on the server, but not in the account of those who come without credentials."""
    config = """
        accounts { plain: { users: [{ user: nobody, password: x }] }, stored: { jetstream: enabled } }
        no_auth_user: nobody
    """
    with LocalServer(config) as running:
        yield running


VERBS = [("ls",), ("get", "oci", "x"), ("put", json.dumps(ECHO)), ("del", "oci", "x"), ("watch",), ("dump",), ("info",)]


@pytest.mark.parametrize("verb", [*VERBS, ("demo",)])
def test_nobody_there(verb: tuple[str, ...]) -> None:
    result = command(*verb, "--url", "nats://127.0.0.1:1", "--timeout", "2s")
    assert (result.code, result.out) == (ExitCode.CONNECTION, "")
    assert "127.0.0.1:1" in result.err.splitlines()[-1]
    assert "is a server running there? see --url" in result.err


def test_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = command("ls", "--url", f"nats://127.0.0.1:{silent.getsockname()[1]}", "--timeout", "200ms")
    assert result.code == ExitCode.CONNECTION
    assert "no answer in time" in result.complaint


@pytest.mark.nats
@pytest.mark.parametrize("verb", VERBS)
def test_a_wrong_password(guarded: LocalServer, verb: tuple[str, ...]) -> None:
    result = command(*verb, "--url", guarded.url, "--user", "admin", "--password", "hunter3")
    assert (result.code, result.out) == (ExitCode.PERMISSION, "")
    assert "the server refused the credentials" in result.err
    assert "hunter" not in result.err


@pytest.mark.nats
def test_the_right_password(guarded: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("ls", "--url", guarded.url).code == ExitCode.PERMISSION
    by_option = ("--url", guarded.url, "--user", "admin", "--password", PASSWORD)
    assert command("put", "--create", json.dumps(ECHO), *by_option).code == 0
    by_url = guarded.url.replace("nats://", f"nats://admin:{PASSWORD}@")
    assert command("get", "oci", ECHO["oci_url"], "--url", by_url).code == 0
    monkeypatch.setenv("NATS_URL", guarded.url)
    monkeypatch.setenv("NATS_USER", "admin")
    monkeypatch.setenv("NATS_PASSWORD", PASSWORD)
    assert command("get", "oci", ECHO["oci_url"]).code == 0
    assert PASSWORD not in command("get", "--help").out


@pytest.mark.nats
@pytest.mark.parametrize("verb", VERBS)
def test_an_account_that_may_not(guarded: LocalServer, verb: tuple[str, ...]) -> None:
    as_admin = ("--url", guarded.url, "--user", "admin", "--password", PASSWORD, "-l", "denied")
    assert command("put", "--create", json.dumps(ECHO), *as_admin).code == 0
    before = command("ls", "-o", "json", *as_admin).json
    result = command(*verb, "--url", guarded.url, "--user", "guest", "--password", "guest", "-l", "denied")
    assert (result.code, result.out) == (ExitCode.PERMISSION, "")
    assert "ask who runs the server for this permission" in result.err
    assert command("ls", "-o", "json", *as_admin).json == before


@pytest.mark.nats
@pytest.mark.parametrize("verb", [*VERBS, ("put", "--create", json.dumps(ECHO)), ("demo",)])
def test_jetstream_is_off(without_jetstream: LocalServer, verb: tuple[str, ...]) -> None:
    result = command(*verb, "--url", without_jetstream.url)
    assert (result.code, "Traceback" in result.err) == (ExitCode.CONNECTION, False)
    assert "JetStream" in result.err.splitlines()[-1]


@pytest.mark.nats
def test_a_domain() -> None:
    with LocalServer("jetstream { domain: hub }") as hub:
        here = ("--url", hub.url, "--domain", "hub")
        assert command("put", "--create", json.dumps(ECHO), *here).code == 0
        assert command("ls", "-o", "json", "--url", f"{hub.url}?domain=hub").json[0]["record"] == ECHO
        elsewhere = command("ls", "--url", hub.url, "--domain", "leaf")
    assert elsewhere.code == ExitCode.CONNECTION
    assert "--domain" in elsewhere.complaint


@pytest.mark.parametrize("verb", VERBS)
def test_bad_urls(verb: tuple[str, ...]) -> None:
    result = command(*verb, "--url", f"http://admin:{PASSWORD}@host")
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert "'http://***@host' is not a storage URL; allowed: sim://, or nats://host:port" in result.err
    assert PASSWORD not in result.err


def test_where_the_url_and_prefix_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    @asynccontextmanager
    async def opener(url: str, **options: Any):
        seen.append((url, options))
        async with SimStorage() as storage:
            yield storage

    def asked(*arguments: str) -> str:
        result = command("info", "-o", "json", *arguments, opener=opener)
        return f"{seen[-1][0]} {result.json['lattice']}"

    assert asked() == "nats://127.0.0.1:4222 default"
    monkeypatch.setenv("NATS_URL", "nats://second:1")
    monkeypatch.setenv("WASMCLOUD_LATTICE_PREFIX", "from-host")
    assert asked() == "nats://second:1 from-host"
    monkeypatch.setenv("LATTICE_STORE_URL", "nats://first:1")
    assert asked() == "nats://first:1 from-host"
    assert asked("--url", "nats://given:1", "--lattice", "given") == "nats://given:1 given"
    assert seen[-1][1] == {"limits": Access().limits, "domain": None}
    monkeypatch.setenv("NATS_USER", "")
    monkeypatch.setenv("NATS_TOKEN", "secret")
    asked("--domain", "hub")
    assert seen[-1][1] == {"limits": Access().limits, "domain": "hub", "token": "secret"}
    asked("--url", "sim://", "--domain", "hub")
    assert seen[-1] == ("sim://", {"limits": Access().limits})


@pytest.mark.parametrize(("text", "ns"), [("5s", 5e9), ("1", 1e9), ("250ms", 25e7), ("1.5s", 15e8), ("2m", 12e10)])
def test_timeouts(text: str, ns: float) -> None:
    limits = Access(timeout=text).limits
    assert limits.connect_timeout_ns == limits.request_timeout_ns == ns


@pytest.mark.parametrize("text", ["", "0", "0s", "-1s", "soon", "5 s", "1h2m", "1e9"])
def test_timeouts_that_are_none(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="is not a duration like 5s, 500ms or 1m"):
        _ = Access(timeout=text).limits


@pytest.mark.parametrize("option", ["--creds", "--nkey", "--tls-ca", "--tls-cert"])
def test_files_that_are_not_there(option: str, tmp_path: Path) -> None:
    result = command("ls", option, str(tmp_path / "none"))
    assert result.code == ExitCode.USAGE
    assert result.complaint == f"{option} '{tmp_path / 'none'}': No such file or directory"


def test_seeds_need_a_package_that_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seed").write_text("S")
    seen: list[dict[str, Any]] = []

    @asynccontextmanager
    async def opener(url: str, **options: Any):
        seen.append(options)
        async with SimStorage() as storage:
            yield storage

    for option, name in (("--creds", "user_credentials"), ("--nkey", "nkeys_seed")):
        monkeypatch.setattr("lattice_store.cli._connection.find_spec", lambda package: None)
        result = command("info", option, str(tmp_path / "seed"), opener=opener)
        assert result.code == ExitCode.USAGE
        assert result.complaint == f"{option} needs more of nats-py: pip install 'nats-py[nkeys]'"
        monkeypatch.setattr("lattice_store.cli._connection.find_spec", lambda package: package)
        command("info", option, str(tmp_path / "seed"), opener=opener)
        assert seen.pop()[name] == str(tmp_path / "seed")
    assert seen == []


def test_certificates_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    result = command("ls", "--tls-ca", str(tmp_path / "ca.pem"))
    assert result.code == ExitCode.USAGE
    assert result.complaint.startswith("--tls-ca, --tls-cert or --tls-key is not a PEM file")
    assert command("ls", "--tls-key", str(tmp_path / "ca.pem")).complaint == "--tls-key needs --tls-cert"


def test_trusted_certificates_reach_the_connection(tmp_path: Path) -> None:
    bundle = ssl.get_default_verify_paths().cafile
    if bundle is None or not Path(bundle).exists():
        pytest.skip("this machine has no bundle of certificates")
    seen: list[dict[str, Any]] = []

    @asynccontextmanager
    async def opener(url: str, **options: Any):
        seen.append(options)
        async with SimStorage() as storage:
            yield storage

    command("info", "--tls-ca", bundle, opener=opener)
    assert isinstance(seen[0]["tls"], ssl.SSLContext)


def test_secrets_are_no_part_of_a_repr() -> None:
    shown = repr(
        Connection(url=f"nats://admin:{PASSWORD}@host", access=Access(user="admin", password=PASSWORD, token=PASSWORD))
    )
    assert PASSWORD not in shown
    assert "admin" in shown


def test_empty_variables_count_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LATTICE_STORE_URL", "WASMCLOUD_LATTICE_PREFIX", "NATS_TIMEOUT", "NATS_PASSWORD"):
        monkeypatch.setenv(variable, "")
    monkeypatch.setenv("NATS_URL", "sim://")
    result = command("put", "--create", json.dumps(ECHO), "-o", "jsonl")
    assert (result.code, result.err) == (0, "")
    monkeypatch.setenv("NATS_URL", "")
    asked: list[str] = []

    @asynccontextmanager
    async def opener(url: str, **options: Any) -> AsyncIterator[Storage]:
        asked.append(url)
        async with SimStorage() as storage:
            yield storage

    assert "LATTICECACHE_default" in command("info", opener=opener).out
    assert asked == ["nats://127.0.0.1:4222"]
