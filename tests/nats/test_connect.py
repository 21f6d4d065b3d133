"""Opening and ending connections: what is refused, how it is said, and whose client it is."""

import asyncio
import os
import signal
import socket
import ssl
import sys
import traceback
from pathlib import Path
from types import ModuleType

import attrs
import nats
import pytest

from lattice_store.errors import (
    AuthenticationError,
    InvalidArgumentError,
    InvalidUrlError,
    StorageClosedError,
    StorageUnavailableError,
)
from lattice_store.limits import Limits
from lattice_store.nats import LocalServer, NatsStorage, _connection, connect
from lattice_store.nats._client import OwnClient, raw_path_fits, round_trip

pytestmark = pytest.mark.nats


@pytest.fixture
def dead_port():
    """A port on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_the_installed_nats_py_has_what_our_own_client_needs():
    assert raw_path_fits()

    class Changed(nats.NATS):
        async def _process_msg(self, sid, subject, reply, data):
            """Another signature than the one we build on."""

    assert not raw_path_fits(Changed)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "localhost:4222",
        "http://localhost:4222",
        "nats://",
        "nats://:4222",
        "nats://host:notaport",
        "nats://host:99999",
        "nats://host:0",
        "nats://ho st:4222",
        "nats://host\r\n:4222",
        None,
    ],
)
async def test_what_is_no_url_is_refused(url):
    with pytest.raises(InvalidUrlError):
        await connect([url])


async def test_urls_that_cannot_go_together():
    with pytest.raises(InvalidUrlError, match="mixed"):
        await connect(["nats://a:1", "ws://b:2"])
    with pytest.raises(InvalidUrlError, match="no URL"):
        await connect([])


async def test_options_are_checked_before_anything_happens():
    with pytest.raises(InvalidArgumentError, match="nats-py has no option colour"):
        await connect("nats://host:4222", colour="blue")
    for ours in ("pending_size", "max_reconnect_attempts", "allow_reconnect"):
        with pytest.raises(InvalidArgumentError, match=f"option {ours} is decided by the storage"):
            await connect("nats://host:4222", **{ours: 1})


async def test_a_callback_that_is_none_is_an_argument_error(server, fast):
    with pytest.raises(InvalidArgumentError, match="callbacks must be coroutine functions"):
        await connect(server.url, limits=fast, closed_cb=print)


async def test_a_missing_nkeys_package_is_named_with_its_remedy(server, fast, monkeypatch):
    monkeypatch.setitem(sys.modules, "nkeys", None)
    with pytest.raises(StorageUnavailableError, match="pip install nkeys") as caught:
        await connect(server.url, limits=fast, nkeys_seed_str="SUAS3CRET")
    assert not isinstance(caught.value, AuthenticationError)
    assert "SUAS3CRET" not in repr(caught.value)


@pytest.mark.parametrize("module", ["nkeys", "nkeys.errors", "nacl.exceptions"])
async def test_a_seed_that_nkeys_refuses_is_an_authentication_error(server, fast, monkeypatch, module):
    class InvalidSeedError(Exception):
        __module__ = module

    def from_seed(seed):
        raise InvalidSeedError(f"invalid seed: {seed.decode()}")

    stub = ModuleType("nkeys")
    stub.from_seed = from_seed
    monkeypatch.setitem(sys.modules, "nkeys", stub)
    seed = "SUAS3CRET"  # on a line that no traceback quotes
    with pytest.raises(AuthenticationError, match=r"^the credentials cannot be read: InvalidSeedError$") as caught:
        await connect(server.url, limits=fast, nkeys_seed_str=seed)
    assert seed not in "".join(traceback.format_exception(caught.value))


async def test_a_missing_credentials_file_is_named(server, fast):
    for option in ("user_credentials", "nkeys_seed"):
        with pytest.raises(InvalidArgumentError, match=rf"^{option}: /no/such\.creds cannot be read$"):
            await connect(server.url, limits=fast, **{option: "/no/such.creds"})


@pytest.mark.parametrize("domain", ["", "a.b", "*", ">"])
async def test_a_domain_is_one_token(server, domain):
    with pytest.raises(InvalidArgumentError, match="is not a single token"):
        await connect(server.url, domain=domain)


async def test_a_refused_connection_fails_at_once_and_names_the_place(dead_port):
    began = asyncio.get_running_loop().time()
    with pytest.raises(StorageUnavailableError, match=f"^127.0.0.1:{dead_port}: ") as caught:
        await connect(f"nats://127.0.0.1:{dead_port}", limits=Limits())
    assert asyncio.get_running_loop().time() - began < 2
    assert "\n" not in str(caught.value)


async def test_one_reachable_server_is_enough(server, dead_port, fast):
    urls = [f"nats://127.0.0.1:{dead_port}", server.url]
    for order in (urls, urls[::-1]):
        async with await connect(order, limits=fast) as storage:
            assert isinstance(await storage.list_streams(), tuple)


async def test_a_server_that_says_nothing_is_given_up_after_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"nats://127.0.0.1:{silent.getsockname()[1]}"
        for urls in (url, [url, url]):
            with pytest.raises(StorageUnavailableError, match="no answer in time"):
                await connect(urls, limits=Limits(connect_timeout_ns=100_000_000))


async def test_a_silent_server_leaves_time_for_the_one_behind_it(server):
    limits = Limits(connect_timeout_ns=1_000_000_000)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        urls = [f"nats://127.0.0.1:{silent.getsockname()[1]}", server.url]
        async with await connect(urls, limits=limits, dont_randomize=True) as storage:
            assert repr(storage) == f"NatsStorage(nats://127.0.0.1:{server.port})"


async def test_something_that_is_no_nats_server(fast):
    async def greet(reader, writer):
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as impostor:
        port = impostor.sockets[0].getsockname()[1]
        with pytest.raises(StorageUnavailableError, match="INFO"):
            await connect(f"nats://127.0.0.1:{port}", limits=fast)


@pytest.fixture(scope="module")
def guarded():
    with LocalServer('authorization { users: [ { user: u, password: "s3cret" } ] }') as running:
        yield running


@pytest.mark.parametrize("credentials", [{}, {"user": "u", "password": "wr0ng"}, {"token": "t0ken"}])
async def test_refused_credentials_have_their_own_error(guarded, credentials):
    began = asyncio.get_running_loop().time()
    with pytest.raises(AuthenticationError) as caught:
        await connect(guarded.url, **credentials)
    assert asyncio.get_running_loop().time() - began < 2
    assert str(caught.value) == f"127.0.0.1:{guarded.port}: the server refused the credentials"


async def test_credentials_are_never_shown(guarded, dead_port, caplog, fast):
    caplog.set_level("DEBUG")
    for port in (guarded.port, dead_port):
        with pytest.raises(StorageUnavailableError) as caught:
            await connect(f"nats://u:wr0ng@127.0.0.1:{port}", limits=fast)
        assert "wr0ng" not in repr(caught.value)
    with pytest.raises(InvalidUrlError) as invalid:
        await connect("nats://u:wr0ng@127.0.0.1:port")
    assert "wr0ng" not in repr(invalid.value)
    async with await connect(f"nats://u:s3cret@127.0.0.1:{guarded.port}", limits=fast) as storage:
        assert repr(storage) == f"NatsStorage(nats://127.0.0.1:{guarded.port})"
    assert repr(storage) == "NatsStorage(not connected)"
    assert not any(secret in caplog.text for secret in ("wr0ng", "s3cret"))


async def test_a_plain_server_where_tls_was_asked_for(server, fast):
    for scheme, options in (("tls", {}), ("nats", {"tls": ssl.create_default_context()})):
        with pytest.raises(StorageUnavailableError, match="secure connection not available"):
            await connect(f"{scheme}://127.0.0.1:{server.port}", limits=fast, **options)


@pytest.fixture(scope="module")
def encrypted():
    files = Path(__file__).parent / "tls"
    with LocalServer(f"tls {{ cert_file: '{files}/cert.pem', key_file: '{files}/key.pem' }}") as running:
        yield running


async def test_tls_with_the_right_authority(encrypted, fast):
    trusting = ssl.create_default_context(cafile=Path(__file__).parent / "tls" / "cert.pem")
    async with await connect(f"tls://127.0.0.1:{encrypted.port}", tls=trusting, limits=fast) as storage:
        assert await storage.list_streams() == ()
        assert repr(storage) == f"NatsStorage(tls://127.0.0.1:{encrypted.port})"


async def test_tls_with_an_unknown_authority(encrypted, fast):
    with pytest.raises(StorageUnavailableError, match=r"no secure connection: .*self-signed certificate") as caught:
        await connect(f"tls://127.0.0.1:{encrypted.port}", limits=fast)
    assert not isinstance(caught.value, AuthenticationError)


@pytest.mark.parametrize("asked", [True, False])
async def test_our_own_connection_works_by_public_names_if_asked_or_without_others(
    server, fast, fresh, monkeypatch, asked
):
    monkeypatch.setattr("lattice_store.nats._connect.raw_path_fits", lambda: asked)
    config = fresh()
    async with await connect(server.url, limits=fast, public_api=asked) as storage:
        assert type(storage._connection._client) is nats.NATS
        await storage.create_stream(config)
        await storage.publish(f"{config.name}.a", b"x", headers={"k": "v"})
        async with storage.replay(config.name) as replay:
            assert (await anext(aiter(replay))).headers == {"k": "v"}


def test_a_nats_py_without_a_private_name_is_noticed():
    class Bare:
        """None of the names."""

    assert not raw_path_fits(Bare)


async def test_a_user_hears_the_errors_of_a_failing_connection(dead_port, fast):
    heard = []

    async def error_cb(error):
        heard.append(error)

    with pytest.raises(StorageUnavailableError):
        await connect(f"nats://127.0.0.1:{dead_port}", limits=fast, error_cb=error_cb)
    assert isinstance(heard[0], OSError)


@pytest.mark.parametrize(("version", "expected"), [("2.11.3", (2, 11)), ("2.14.0-RC.1", (2, 14)), ("custom", (0, 0))])
async def test_the_version_a_server_names(storage, version, expected):
    storage._connection._client._current_server.server_version = version
    assert storage._connection.server_version == expected


async def test_a_server_that_answers_no_more_when_the_inbox_is_set_up(server, fast, monkeypatch):
    async def silence(client, seconds):
        raise TimeoutError

    monkeypatch.setattr(_connection, "round_trip", silence)
    with pytest.raises(StorageUnavailableError, match="does not answer"):
        await connect(server.url, limits=fast)


async def test_a_refused_inbox_is_known_before_the_first_request(proxy, fast):
    async with await connect(proxy.url, limits=fast) as storage:
        assert proxy.sent.rindex(b"PING") > proxy.sent.index(b"SUB ")  # so the answer to it came after a refusal
        assert b"PUB" not in proxy.sent
        await storage.list_streams()


async def test_closing_the_storage_closes_our_own_client_only(server, fast):
    own = await connect(server.url, limits=fast)
    client = own._connection._client
    await own.aclose()
    assert client.is_closed

    lent = await nats.connect(server.url)
    async with NatsStorage(lent, limits=fast) as storage:
        await storage.list_streams()
        assert len(lent._subs) == 1
    assert (lent.is_connected, lent._subs) == (True, {})
    await lent.close()


async def test_a_borrowed_clients_callbacks_are_still_called_and_given_back(server, fast):
    heard = []

    async def error_cb(error):
        heard.append(error)

    lent = await nats.connect(server.url, error_cb=error_cb)
    storage = NatsStorage(lent, limits=fast)
    await storage.list_streams()
    await lent._error_cb(ValueError("one"))
    await storage.aclose()
    assert lent._error_cb is error_cb
    assert [str(error) for error in heard] == ["one"]
    await lent.close()


async def test_two_storages_on_one_client_end_in_any_order(server, fast):
    lent = await nats.connect(server.url)
    first, second = NatsStorage(lent, limits=fast), NatsStorage(lent, limits=fast)
    assert await first.list_streams() == await second.list_streams()
    await first.aclose()
    assert isinstance(await second.list_streams(), tuple)
    await second.aclose()
    with pytest.raises(StorageClosedError):
        await first.list_streams()
    await lent.close()


async def test_a_closed_borrowed_client(server, fast):
    lent = await nats.connect(server.url)
    storage = NatsStorage(lent, limits=fast)
    await lent.close()
    with pytest.raises(StorageUnavailableError, match="lent to this storage is closed"):
        await storage.list_streams()
    await storage.aclose()


async def test_our_own_client_is_replaced_when_nats_py_closes_it_for_good(server, fast):
    async with await connect(server.url, limits=fast) as storage:
        await storage._connection._client.close()
        assert isinstance(await storage.list_streams(), tuple)


async def test_a_storage_closed_while_it_dials_again_leaves_no_connection(server, fast):
    storage = await connect(server.url, limits=fast)
    connection = storage._connection
    dial, dialled, may_return = connection._dial, asyncio.Queue(), asyncio.Event()

    async def slow_dial():
        client = await dial()
        dialled.put_nowait(client)
        await may_return.wait()
        return client

    connection._dial = slow_dial
    await connection._client.close()
    calls = [asyncio.create_task(storage.list_streams()) for _ in range(2)]
    client = await dialled.get()
    await storage.aclose()
    may_return.set()
    for call in calls:
        with pytest.raises(StorageClosedError):
            await call
    assert client.is_closed
    assert dialled.empty()


async def test_a_storage_closed_while_nats_py_waits_for_the_end_of_its_connection(server, fast):
    """It gives up to connect again, and so cancels what its own close waits for, too: that is no cancellation of ours."""
    storage = await connect(server.url, limits=fast)
    client = storage._connection._client
    ended = asyncio.get_running_loop().create_future()
    client._transport.wait_closed = lambda: ended  # as asyncio has it: all who wait share one future
    client._reconnection_task = asyncio.create_task(client._attempt_reconnect())
    await asyncio.sleep(0)
    await storage.aclose()
    assert (client.is_closed, ended.cancelled()) == (True, True)


async def test_who_closes_a_storage_may_be_cancelled(server, fast, monkeypatch):
    async def never(client):
        await asyncio.Event().wait()

    storage = await connect(server.url, limits=attrs.evolve(fast, close_timeout_ns=10**12))
    monkeypatch.setattr(OwnClient, "close", never)
    closing = asyncio.create_task(storage.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    monkeypatch.undo()
    await storage._connection._client.close()


@pytest.mark.parametrize("lent", [True, False])
async def test_a_storage_closed_while_its_inbox_is_set_up(server, fast, monkeypatch, lent):
    client = await nats.connect(server.url) if lent else None
    storage = NatsStorage(client, limits=fast) if lent else await connect(server.url, limits=fast)
    if not lent:
        await storage._connection._client.close()
    round_trip, under_way, may_return = _connection.round_trip, asyncio.Event(), asyncio.Event()

    async def slow_round_trip(client, seconds):
        under_way.set()
        await may_return.wait()
        await round_trip(client, seconds)

    monkeypatch.setattr(_connection, "round_trip", slow_round_trip)
    call = asyncio.create_task(storage.list_streams())
    await under_way.wait()
    await storage.aclose()
    may_return.set()
    with pytest.raises(StorageClosedError):
        await call
    if lent:
        assert (client.is_connected, client._subs) == (True, {})
        await client.close()


@pytest.mark.parametrize("impatient", ["the caller", "the storage"])
async def test_a_borrowed_client_survives_a_server_too_slow_for_its_first_call(own_server, fast, impatient):
    lent = await nats.connect(own_server.url)
    limits = fast if impatient == "the caller" else attrs.evolve(fast, request_timeout_ns=100_000_000)
    async with NatsStorage(lent, limits=limits) as storage:
        os.kill(own_server.pid, signal.SIGSTOP)
        try:
            await asyncio.to_thread(os.waitpid, own_server.pid, os.WUNTRACED)
            with pytest.raises(TimeoutError if impatient == "the caller" else StorageUnavailableError):
                async with asyncio.timeout(0.1 if impatient == "the caller" else 2):
                    await storage.list_streams()
            assert lent._subs == {}
        finally:
            os.kill(own_server.pid, signal.SIGCONT)
        assert b"account_info_response" in (await lent.request("$JS.API.INFO", b"", timeout=2)).data
        assert await storage.list_streams() == ()
    await lent.close()


async def test_a_borrowed_client_without_a_connection_has_nobody_to_wait_for(own_server, fast):
    lost = asyncio.Event()

    async def disconnected_cb():
        lost.set()

    lent = await nats.connect(own_server.url, disconnected_cb=disconnected_cb, error_cb=ignore)
    own_server.kill()
    await lost.wait()
    async with asyncio.timeout(1):
        await round_trip(lent, 60)
    await lent.close()


async def ignore(error):
    """What goes wrong here is meant to."""


async def test_user_callbacks_hear_of_our_own_connection(own_server, fast):
    lost = asyncio.Event()

    async def disconnected_cb():
        lost.set()

    async with await connect(own_server.url, limits=fast, disconnected_cb=disconnected_cb):
        own_server.kill()
        async with asyncio.timeout(5):
            await lost.wait()


async def test_the_inbox_prefix_is_respected(server, fast):
    async with await connect(server.url, limits=fast, inbox_prefix="_INBOX.mine") as storage:
        assert storage._connection._inbox.startswith("_INBOX.mine.")
        assert isinstance(await storage.list_streams(), tuple)
