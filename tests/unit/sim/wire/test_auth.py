"""Who may connect, and what they may do; the expectations were observed on nats-server 2.15.1."""

from __future__ import annotations

import base64
import json

import pytest

from lattice_store.errors import InvalidArgumentError
from lattice_store_sim import Allowance, Auth, Permissions, Responses, User
from lattice_store_sim._wire._ed25519 import verify
from lattice_store_sim._wire._permissions import Rights
from lattice_store_sim._wire._server_info import public_key
from tests.unit.sim.versions import per_version
from tests.unit.sim.wire.house import Guest, House

REFUSED = "-ERR 'Authorization Violation'|"
KEY = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
NKEY = public_key(20 << 3, KEY)
SECOND = 10**9


def connected(auth, **options):
    """Return what a client hears that connects with these options."""
    guest = Guest(House(auth=auth), nonce="nonce")
    return guest.say(f"CONNECT {json.dumps({'verbose': False, **options})}", "PING")


# -- signatures --------------------------------------------------------------------------------------

# RFC 8032, section 7.1: key, message, signature
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_signatures_are_verified(key, message, signature):
    key, message, signature = map(bytes.fromhex, (key, message, signature))
    assert verify(key, message, signature)
    assert not verify(key, message + b"x", signature)
    for at in (0, 31, 32, 63):
        assert not verify(key, message, signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :])
    assert not verify(key[:-1], message, signature)
    assert not verify(key, message, signature[:-1])
    assert not verify(b"\xff" * 32, message, signature)
    assert not verify(key, message, signature[:32] + b"\xff" * 32)


# -- users, tokens, keys -----------------------------------------------------------------------------

USERS = Auth(users=[User(name="a", password="A"), User(name="b")])


@pytest.mark.parametrize(
    ("auth", "options", "may"),
    [
        (USERS, {"user": "a", "pass": "A"}, True),
        (USERS, {"user": "a", "pass": "B"}, False),
        (USERS, {"user": "a"}, False),
        (USERS, {"user": "b"}, True),
        (USERS, {"user": "c"}, False),
        (USERS, {"auth_token": "A"}, False),
        (USERS, {}, False),
        (Auth(token="T"), {"auth_token": "T"}, True),
        (Auth(token="T"), {"auth_token": "t"}, False),
        (Auth(token="T"), {"user": "T"}, False),
        (Auth(token="T"), {}, False),
        (Auth(users=USERS.users, default_user="a"), {}, True),
        (Auth(users=USERS.users, default_user="a"), {"user": "a"}, False),
    ],
)
def test_who_may_connect(auth, options, may):
    assert connected(auth, **options) == ("PONG|" if may else REFUSED)


def test_nothing_is_heard_of_who_says_nothing():
    guest = Guest(House(auth=USERS))
    assert guest.say("PING") == REFUSED
    assert guest.ended


def test_a_default_user_need_not_connect_at_all():
    permissions = Permissions(publish=Allowance(deny="x"))
    guest = Guest(House(auth=Auth(users=[User(name="a", permissions=permissions)], default_user="a")))
    assert guest.say("PUB x 0\r\n\r\n") == "-ERR 'Permissions Violation for Publish to \"x\"'|"


@pytest.mark.parametrize("user", [User(name="a", password="A"), User(nkey=NKEY)])
def test_who_says_nothing_is_told_that_it_is_the_default_user(user):
    name = user.name or user.nkey
    guest = Guest(House(auth=Auth(users=[user, User(name="b")], default_user=name)))
    guest.say('CONNECT {"verbose":false,"headers":true}', "SUB i 1", "PING")
    assert f'"data":{{"user":"{name}","account":"$G"' in guest.say("PUB $SYS.REQ.USER.INFO i 0", "")


def test_a_key_signs_the_nonce():
    signature = bytes.fromhex(VECTORS[0][2])  # of an empty message
    auth = Auth(users=[User(nkey=NKEY)])
    for encode in (base64.urlsafe_b64encode, base64.b64encode):
        guest = Guest(House(auth=auth), nonce="")
        sig = (
            encode(signature).decode().rstrip("=") if encode is base64.urlsafe_b64encode else encode(signature).decode()
        )
        assert guest.say(f"CONNECT {json.dumps({'verbose': False, 'nkey': NKEY, 'sig': sig})}", "PING") == "PONG|"
    assert connected(auth, nkey=NKEY, sig=sig) == REFUSED  # another nonce
    assert connected(auth, nkey=NKEY) == REFUSED
    assert connected(auth, nkey=NKEY, sig="!") == REFUSED
    assert connected(auth, nkey="U", sig=sig) == REFUSED


def test_a_nonce_is_given_where_there_are_keys():
    for auth, given in ((USERS, False), (Auth(users=[User(nkey=NKEY)]), True)):
        house = House(auth=auth)
        house.router.greet(house.router.attach("127.0.0.1", nonce="n1"))
        assert (b'"nonce":"n1"' in house.router.clients[1].take_out()) == given


@pytest.mark.parametrize(
    "make",
    [
        User,
        lambda: User(name="a", nkey=NKEY),
        lambda: User(nkey="UABC"),
        lambda: User(nkey=NKEY[:-1] + "A"),
        Auth,
        lambda: Auth(users=USERS.users, token="T"),
        lambda: Auth(users=USERS.users, default_user="nobody"),
        lambda: Allowance(allow="a b c"),
        lambda: Allowance(deny=["a..b"]),
    ],
)
def test_what_makes_no_sense_is_refused(make):
    with pytest.raises((InvalidArgumentError, ValueError)):
        make()


def test_secrets_are_not_shown():
    assert "secret" not in repr(User(name="a", password="secret")) + repr(Auth(token="secret"))


# -- permissions -------------------------------------------------------------------------------------


def guest_with(profile="2.15", /, **permissions):
    house = House(profile, auth=Auth(users=[User(name="a", permissions=Permissions(**permissions)), User(name="b")]))
    return house.guest(user="a"), house.guest(user="b")


def test_a_publish_that_is_not_allowed():
    guest, other = guest_with(publish=Allowance(allow=["a.>", "b"], deny="a.x"))
    other.say("SUB > 1")
    assert guest.say("PUB a.b 0\r\n\r\n", "PUB b 0\r\n\r\n", "PUB a.x 0\r\n\r\n", "PUB c 0\r\n\r\n") == (
        "-ERR 'Permissions Violation for Publish to \"a.x\"'|-ERR 'Permissions Violation for Publish to \"c\"'|"
    )
    assert other.heard == "MSG a.b 1 0||MSG b 1 0||"
    assert not guest.ended


@pytest.mark.parametrize(
    ("allowance", "lines", "refused"),
    [
        (Allowance(allow="a"), "SUB a 1", ""),
        (Allowance(allow="a"), "SUB b 1", '"b"'),
        (Allowance(allow="a.*"), "SUB a.> 1", ""),
        (Allowance(allow="a.b"), "SUB a.* 1", '"a.*"'),
        (Allowance(allow="a"), "SUB a q 1", ""),
        (Allowance(allow="a q"), "SUB a q 1", ""),
        (Allowance(allow="a q"), "SUB a 1", '"a"'),
        (Allowance(allow="a q"), "SUB a p 1", '"a" using queue "p"'),
        (Allowance(allow=["a", "a q.*"]), "SUB a q.1 1", ""),
        (Allowance(allow=["a", "a q.*"]), "SUB a p 1", '"a" using queue "p"'),
        (Allowance(deny="a"), "SUB a 1", '"a"'),
        (Allowance(deny="a"), "SUB a q 1", '"a" using queue "q"'),
        (Allowance(deny="a q"), "SUB a 1", ""),
        (Allowance(deny="a q"), "SUB a q 1", '"a" using queue "q"'),
        (Allowance(allow=">", deny="a"), "SUB > 1", ""),
    ],
)
def test_a_subscription_that_is_not_allowed(allowance, lines, refused):
    guest, _ = guest_with(subscribe=allowance)
    assert guest.say(lines) == (f"-ERR 'Permissions Violation for Subscription to {refused}'|" if refused else "")


def test_what_is_denied_is_not_delivered_to_a_wildcard_either():
    guest, other = guest_with(subscribe=Allowance(deny=["a", "b q"]))
    guest.say("SUB * 1", "SUB * q 2")
    other.say(*(f"PUB {subject} 0\r\n\r\n" for subject in "abc"))
    assert guest.heard == "MSG b 1 0||MSG c 1 0||MSG c 2 0||"


def test_a_request_may_be_answered_once():
    guest, other = guest_with(publish=Allowance(deny=">"), responses=Responses())
    guest.say("SUB svc 1")
    other.say("SUB r 1", "PUB svc r 0\r\n\r\n")
    answer = "PUB r 1\r\n!\r\n"
    assert guest.heard == "MSG svc 1 r 0||"
    assert guest.say(answer) == ""
    assert guest.say(answer) == "-ERR 'Permissions Violation for Publish to \"r\"'|"
    assert other.heard == "MSG r 1 1|!|"


@pytest.mark.pins("requests_counted_anew")
@per_version(("2.9", "2.9", True), ("2.10", "2.15", False), names=("anew",))
def test_a_request_that_is_heard_several_times_has_fewer_answers(version, anew):
    guest, other = guest_with(version, publish=Allowance(deny=">"), responses=Responses(max_messages=2))
    guest.say("SUB svc 1", "SUB svc q 2", "SUB * 3")
    other.say("SUB r 1", "PUB svc r 0\r\n\r\n")
    assert sorted(guest.heard.split("||")) == ["", "MSG svc 1 r 0", "MSG svc 2 r 0", "MSG svc 3 r 0"]
    refused = "-ERR 'Permissions Violation for Publish to \"r\"'|"
    assert guest.say("PUB r 1\r\n1\r\n") == ("MSG r 3 1|1|" if anew else refused)


def test_answers_may_come_too_late_and_requests_be_too_many():
    rights = Rights(Permissions(publish=Allowance(deny=">"), responses=Responses(max_messages=-1, expires_ns=SECOND)))
    rights.note_request("r", 0)
    assert rights.may_publish("r", SECOND)
    assert rights.may_publish("r", SECOND)
    assert not rights.may_publish("r", SECOND + 1)
    for number in range(5000):
        rights.note_request(f"r{number}", 0)
        rights.may_publish(f"p{number}", 0)
    assert len(rights._replies) <= 4096 >= len(rights._publishes)


def test_a_client_may_ask_what_it_may_do():
    guest, _ = guest_with(publish=Allowance(allow=["$SYS.>"]), subscribe=Allowance(deny="x"), responses=Responses())
    answer = guest.say("SUB r 1", "PUB $SYS.REQ.USER.INFO r 0\r\n\r\n")
    assert json.loads(answer.split("|")[1])["data"] == {
        "user": "a",
        "account": "$G",
        "account_name": "$G",
        "permissions": {
            "publish": {"allow": ["$SYS.>"]},
            "subscribe": {"deny": ["x"]},
            "responses": {"max": 1, "ttl": 120 * SECOND},
        },
    }
