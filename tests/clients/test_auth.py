"""Who may connect, and what they may do; TLS."""

import ssl

import nats.errors
import nkeys
import pytest
from nats.aio.client import Client

from lattice_store_sim import Allowance, Auth, Permissions, Responses, User
from tests.clients.running import client_context, settle, until

SEED = nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER).decode()
OTHER_SEED = nkeys.encode_seed(bytes(range(1, 33)), nkeys.PREFIX_BYTE_USER).decode()
NKEY = nkeys.from_seed(SEED.encode()).public_key.decode()

PASSWORDS = Auth(users=[User(name="ada", password="secret"), User(name="bob", password="s3cret")])
TOKEN = Auth(token="open sesame")
KEYS = Auth(users=[User(nkey=NKEY), User(name="ada", password="secret")])


async def refused(url, **options):
    """Connect in vain, and return the error."""

    async def ignore(error):
        pass

    client = Client()
    with pytest.raises((nats.errors.Error, OSError)) as caught:
        await client.connect(url, allow_reconnect=False, error_cb=ignore, connect_timeout=2, **options)
    client._transport._io_writer.transport.abort()  # nats-py leaves it open, and would wait for TLS to end
    return caught.value


def with_user(url, user):
    return url.replace("nats://", f"nats://{user}@")


@pytest.mark.parametrize(
    "options",
    [
        {"user": "ada", "password": "secret"},
        {"user": "bob", "password": "s3cret"},
        {"user": lambda: "ada", "password": lambda: "secret"},
    ],
)
async def test_user_and_password(start, connect, options):
    server = await start(auth=PASSWORDS)
    client = await connect(server.url, **options)
    assert client._server_info["auth_required"] is True
    sub = await client.subscribe("a")
    await client.publish("a")
    await sub.next_msg()
    assert (await client.jetstream().account_info()).streams == 0


async def test_user_and_password_in_the_url(start, connect):
    server = await start(auth=PASSWORDS)
    assert (await connect(with_user(server.url, "ada:secret"))).is_connected


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"user": "ada", "password": "wrong"},
        {"user": "eve", "password": "secret"},
        {"user": "ada", "password": ""},
        {"token": "secret"},
        {"user": "ADA", "password": "secret"},
    ],
)
async def test_who_is_not_let_in(start, options):
    server = await start(auth=PASSWORDS)
    error = await refused(server.url, **options)
    assert isinstance(error, OSError) or str(error) == "nats: 'Authorization Violation'"


async def test_a_token(start, connect):
    server = await start(auth=TOKEN)
    assert (await connect(server.url, token="open sesame")).is_connected
    assert (await connect(server.url, token=lambda: "open sesame")).is_connected
    for options in ({}, {"token": "wrong"}, {"user": "ada", "password": "open sesame"}):
        error = await refused(server.url, **options)
        assert isinstance(error, OSError) or str(error) == "nats: 'Authorization Violation'"


async def test_a_token_in_the_url(start, connect):
    server = await start(auth=Auth(token="sesame"))
    assert (await connect(with_user(server.url, "sesame"))).is_connected


async def test_an_nkey(start, connect, tmp_path):
    server = await start(auth=KEYS)
    client = await connect(server.url, nkeys_seed_str=SEED)
    assert client._server_info["nonce"]
    (tmp_path / "seed").write_text(SEED)
    assert (await connect(server.url, nkeys_seed=str(tmp_path / "seed"))).is_connected
    assert (await connect(server.url, user="ada", password="secret")).is_connected
    error = await refused(server.url, nkeys_seed_str=OTHER_SEED)
    assert isinstance(error, OSError) or str(error) == "nats: 'Authorization Violation'"


async def test_credentials_are_no_harm_where_none_are_asked_for(server, connect):
    assert (await connect(server.url, user="ada", password="secret")).is_connected
    assert (await connect(server.url, token="x")).is_connected
    assert (await connect(server.url, nkeys_seed_str=SEED)).is_connected


async def test_a_user_for_those_who_say_nothing(start, connect):
    guest = User(name="guest", password="x", permissions=Permissions(publish=Allowance(allow="guests.>")))
    server = await start(auth=Auth(users=[*PASSWORDS.users, guest], default_user="guest"))
    errors = []

    async def note(error):
        errors.append(str(error))

    client = await connect(server.url, error_cb=note)
    assert "auth_required" not in client._server_info
    await client.publish("guests.a")
    await client.publish("others.a")
    await settle(client)
    assert errors == ['nats: permissions violation for publish to "others.a"']


async def test_credentials_are_sent_again_after_a_restart(start, connect):
    server = await start(auth=PASSWORDS)
    client = await connect(server.url, user="ada", password="secret", reconnect_time_wait=0.01)
    await server.stop()
    await server.start()
    await until(lambda: client.stats["reconnects"] == 1)
    await client.flush()


# -- permissions ------------------------------------------------------------------------------------


@pytest.fixture
async def limited(start, connect):
    """Return a client that may not do everything, one that may, and the errors that the first was told."""
    errors = []

    async def note(error):
        errors.append(str(error))

    async def begin(permissions):
        users = [User(name="ada", password="a", permissions=permissions), User(name="root", password="r")]
        server = await start(auth=Auth(users=users))
        client = await connect(server.url, user="ada", password="a", error_cb=note)
        root = await connect(server.url, user="root", password="r")
        return client, root, errors

    return begin


async def test_what_may_be_published(limited):
    client, root, errors = await limited(Permissions(publish=Allowance(allow=("a.>", "b"), deny="a.secret")))
    sub = await root.subscribe(">")
    await settle(root)
    for subject in ("a.x", "b", "c", "a.secret", "b.x"):
        await client.publish(subject)
    await settle(client, root)
    assert [(await sub.next_msg()).subject for _ in range(sub.pending_msgs)] == ["a.x", "b"]
    assert errors == [
        'nats: permissions violation for publish to "c"',
        'nats: permissions violation for publish to "a.secret"',
        'nats: permissions violation for publish to "b.x"',
    ]
    assert client.is_connected


async def test_what_may_be_subscribed_to(limited):
    client, root, errors = await limited(Permissions(subscribe=Allowance(allow=("a.*", "b"), deny="a.secret")))
    subs = {subject: await client.subscribe(subject) for subject in ("a.x", "b", "c", "a.>", "a.*", "a.secret")}
    await settle(client)
    for subject in ("a.x", "b", "c", "a.secret", "a.x.y"):
        await root.publish(subject)
    await settle(root, client)
    assert {subject: sub.pending_msgs for subject, sub in subs.items()} == {
        "a.x": 1, "b": 1, "c": 0, "a.>": 2, "a.*": 1, "a.secret": 0,
    }, "a wildcard counts as a token like any other, so that a.> is within a.*"  # fmt: skip
    assert errors == [
        'nats: permissions violation for subscription to "c"',
        'nats: permissions violation for subscription to "a.secret"',
    ]


async def test_queue_groups_may_be_allowed_alone(limited):
    client, root, errors = await limited(Permissions(subscribe=Allowance(allow=("a dev", "b dev.*"))))
    tried = [("a", "dev"), ("a", "prod"), ("a", ""), ("b", "dev.x")]
    subs = [await client.subscribe(subject, queue=queue) for subject, queue in tried]
    await settle(client)
    await root.publish("a")
    await root.publish("b")
    await settle(root, client)
    assert [sub.pending_msgs for sub in subs] == [1, 0, 0, 1]
    assert errors == [
        'nats: permissions violation for subscription to "a" using queue "prod"',
        'nats: permissions violation for subscription to "a"',
    ]


async def test_who_may_only_answer(limited):
    client, root, errors = await limited(
        Permissions(publish=Allowance(deny=">"), responses=Responses(max_messages=1, expires_ns=60 * 10**9))
    )

    async def answer(msg):
        await msg.respond(b"1")
        await msg.respond(b"2")

    await client.subscribe("help", cb=answer)
    await settle(client)
    assert (await root.request("help", timeout=2)).data == b"1"
    await until(lambda: errors)
    assert errors[0].startswith('nats: permissions violation for publish to "_inbox.')


async def test_who_hears_a_request_twice_may_answer_once_less(limited):
    client, root, errors = await limited(
        Permissions(publish=Allowance(deny=">"), responses=Responses(max_messages=2, expires_ns=60 * 10**9))
    )

    async def answer(msg):
        for text in (b"1", b"2"):
            await msg.respond(text)

    await client.subscribe("help", cb=answer)
    await client.subscribe("*")
    answers = await root.subscribe("answers")
    await settle(client, root)
    await root.publish("help", reply="answers")
    assert (await answers.next_msg(2)).data == b"1"
    await until(lambda: errors)
    assert errors == ['nats: permissions violation for publish to "answers"']


async def test_jetstream_for_who_may_not_ask(limited):
    client, root, errors = await limited(
        Permissions(publish=Allowance(allow=("$JS.API.STREAM.INFO.*", "data.>")), subscribe=Allowance(allow="_INBOX.>"))
    )
    await root.jetstream().add_stream(name="DATA", subjects=["data.>"])
    js = client.jetstream(timeout=0.05)
    assert (await js.stream_info("DATA")).config.name == "DATA"
    assert (await js.publish("data.a")).seq == 1
    with pytest.raises(nats.errors.TimeoutError):
        await js.delete_stream("DATA")
    assert errors == ['nats: permissions violation for publish to "$js.api.stream.delete.data"']


# -- TLS --------------------------------------------------------------------------------------------


async def test_tls(start, connect):
    server = await start(tls=True)
    client = await connect(server.url, tls=client_context(), tls_hostname="localhost")
    assert client._server_info["tls_required"] is True
    sub = await client.subscribe("a")
    await client.publish("a", b"x" * 100_000)
    assert len((await sub.next_msg()).data) == 100_000
    assert (await client.jetstream().account_info()).streams == 0


async def test_tls_from_the_first_byte(start, connect):
    server = await start(tls=True, tls_first=True)
    client = await connect(server.url, tls=client_context(), tls_handshake_first=True)
    await client.flush()


async def test_a_certificate_nobody_vouches_for(start):
    server = await start(tls=True)
    error = await refused(server.url, tls=client_context(trusting=False))
    assert isinstance(error, ssl.SSLCertVerificationError)


async def test_the_wrong_host(start):
    server = await start(tls=True)
    error = await refused(server.url, tls=client_context(), tls_hostname="example.com")
    assert isinstance(error, ssl.SSLCertVerificationError)


async def test_a_client_has_to_show_a_certificate(start, connect):
    server = await start(tls=True, tls_verify=True)
    client = await connect(server.url, tls=client_context(certificate=True))
    assert client._server_info["tls_verify"] is True
    await client.flush()
    await refused(server.url, tls=client_context())


async def test_tls_and_a_password(start, connect):
    server = await start(tls=True, auth=PASSWORDS)
    client = await connect(server.url, tls=client_context(), user="ada", password="secret")
    await client.flush()
    await refused(server.url, tls=client_context(), user="ada", password="wrong")


async def test_tls_again_after_a_restart(start, connect):
    server = await start(tls=True)
    client = await connect(server.url, tls=client_context(), reconnect_time_wait=0.01)
    sub = await client.subscribe("a")
    await server.stop()
    await server.start()
    await until(lambda: client.stats["reconnects"] == 1)
    await settle(client)
    await client.publish("a")
    await sub.next_msg()
