"""Who gets what: subscriptions, queue groups, requests, and what the server itself sends.

The expectations were observed on nats-server 2.15.1.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from lattice_store_sim._wire._clients import Ending
from tests.unit.sim.versions import per_version
from tests.unit.sim.wire.house import House

PUB = "PUB a 1\r\nx\r\n"


def test_everybody_who_listens_gets_it_once_for_each_subscription():
    house = House()
    one, other = house.guest(), house.guest()
    one.say("SUB a 1", "SUB a 2", "SUB * 3")
    other.say("SUB > 1", "SUB b 2")
    assert one.say("PUB a r 2\r\nhi\r\n") == "MSG a 1 r 2|hi|MSG a 2 r 2|hi|MSG a 3 r 2|hi|"
    assert other.heard == "MSG a 1 r 2|hi|"


def test_headers_reach_those_who_know_them_byte_for_byte():
    house = House()
    knows, does_not = house.guest(), house.guest(headers=False, no_responders=False)
    knows.say("SUB a 1")
    does_not.say("SUB a 1")
    house.guest().say("HPUB a 13 14\r\nNATS/1.0 x\r\n\nb\r\n")
    assert knows.heard == "HMSG a 1 13 14|NATS/1.0 x|\nb|"
    assert does_not.heard == "MSG a 1 1|b|"


def test_without_echo_a_client_does_not_hear_itself():
    house = House()
    guest, other = house.guest(echo=False), house.guest()
    guest.say("SUB a 1")
    assert guest.say(PUB) == ""
    other.say(PUB)
    assert guest.heard == "MSG a 1 1|x|"


def test_who_has_left_gets_nothing():
    house = House()
    guest = house.guest()
    guest.say("SUB a 1")
    guest.leave()
    guest.leave()
    house.guest().say(PUB)
    assert guest.heard == ""
    assert not house.core.context.interest.has("a")


# -- queue groups ------------------------------------------------------------------------------------


def shares(house, guests, messages):
    for _ in range(messages):
        house.guest().say(PUB)
    return [guest.heard.count("MSG") for guest in guests]


@pytest.mark.parametrize("seed", range(3))
def test_a_group_shares_fairly_and_a_seed_says_who_begins(seed):
    house = House(seed=seed)
    guests = [house.guest() for _ in range(3)]
    for guest in guests:
        guest.say("SUB a q 1")
    assert shares(house, guests, 1) == [int(place == seed) for place in range(3)]
    assert shares(house, guests, 9) == [3, 3, 3]


def test_groups_share_each_for_itself():
    house = House()
    guests = [house.guest() for _ in range(4)]
    for place, guest in enumerate(guests):
        guest.say(f"SUB a {'qp'[place // 2]} 1")
    assert shares(house, guests, 10) == [5, 5, 5, 5]


def test_a_group_over_several_subjects_is_one():
    house = House()
    guests = [house.guest() for _ in range(3)]
    for subject, guest in zip(("a", "*", ">"), guests, strict=True):
        guest.say(f"SUB {subject} q 1")
    assert shares(house, guests, 9) == [3, 3, 3]


def test_who_cannot_be_served_is_passed_over():
    house = House()
    guest, other = house.guest(echo=False), house.guest()
    guest.say("SUB a q 1")
    other.say("SUB a q 1")
    assert guest.say(PUB * 4) == ""
    assert other.heard.count("MSG") == 4
    other.client.end(Ending.CUT)
    assert guest.say("SUB r 9", "PUB a r 1\r\nx\r\n").startswith("HMSG r 9 33 33|NATS/1.0 503|")


# -- the end of subscriptions ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "got"),
    [
        (["SUB a 1", "UNSUB 1 2", PUB * 3], 2),
        (["SUB a 1", PUB * 2, "UNSUB 1 2", PUB], 2),
        (["SUB a 1", "UNSUB 1 5", "UNSUB 1", PUB], 0),
        (["SUB a 1", "UNSUB 1 0", PUB], 0),
        (["SUB a 1", "UNSUB 1 x", PUB], 0),
        (["SUB a q 1", "UNSUB 1 1", PUB * 2], 1),
        (["SUB a 1", "SUB b 1", PUB], 1),
    ],
)
def test_a_subscription_ends(lines, got):
    house = House()
    guest = house.guest()
    assert guest.say(*lines).count("MSG") == got
    guest.leave()
    assert not list(house.core.context.interest._groups)


def test_at_most_so_many_subscriptions():
    guest = House(max_subscriptions=2).guest()
    assert guest.say("SUB a 1", "SUB a 2", "SUB a 3", "SUB a 2") == "-ERR 'maximum subscriptions exceeded'|" * 2
    assert guest.say("UNSUB 1", "SUB a 3") == ""


# -- requests ----------------------------------------------------------------------------------------


def test_a_request_is_answered():
    house = House()
    service, guest = house.guest(), house.guest()
    service.say("SUB svc 1")
    guest.say("SUB _INBOX.x.* 1", "PUB svc _INBOX.x.7 1\r\n?\r\n")
    assert service.heard == "MSG svc 1 _INBOX.x.7 1|?|"
    service.say("PUB _INBOX.x.7 1\r\n!\r\n")
    assert guest.heard == "MSG _INBOX.x.7 1 1|!|"


@pytest.mark.pins("no_responders_subject")
@per_version(("2.9", "2.11", False), ("2.12", "2.15", True), names=("named",))
def test_who_asks_nobody_is_told_so(version, named):
    guest = House(version).guest()
    shown, size = ("Nats-Subject: svc|", 35) if named else ("", 16)
    assert guest.say("SUB r.* 9", "PUB svc r.1 1\r\n?\r\n") == f"HMSG r.1 9 {size} {size}|NATS/1.0 503|{shown}||"


@pytest.mark.parametrize(
    "lines",
    [
        ["SUB r q 1", "PUB svc r 0\r\n\r\n"],
        ["PUB svc r 0\r\n\r\n"],
        ["SUB r 1", "PUB svc 0\r\n\r\n"],
        ["SUB r 1", "PUB $JS.API.FOO r 0\r\n\r\n"],
    ],
)
def test_nobody_is_told_of_it_otherwise(lines):
    house = House()
    other = house.guest()
    other.say("SUB r 1")
    assert house.guest().say(*lines) == ""
    assert house.guest(no_responders=False).say("SUB r 1", "PUB svc r 0\r\n\r\n") == ""
    assert other.heard == ""


@pytest.mark.pins("user_info", "server_flags", "feature_flags")
@pytest.mark.parametrize(
    ("version", "server", "data"),
    [
        ("2.9", None, None),
        ("2.10", {"jetstream": True, "flags": 3}, {"user": "", "account": "$G"}),
        ("2.11", {"jetstream": True, "flags": 7}, {"user": "", "account": "$G"}),
        ("2.12", {"jetstream": True, "flags": 7}, {"user": "", "account": "$G", "account_name": "$G"}),
        (
            "2.14",
            {"feature_flags": {"js_ack_fc_v2": False, "js_raft_delete_range": False}, "jetstream": True, "flags": 7},
            {"user": "", "account": "$G", "account_name": "$G"},
        ),
        (
            "2.15",
            {
                "feature_flags": {
                    "js_ack_fc_v2": False,
                    "js_api_reply_v2": False,
                    "js_raft_delete_range": True,
                    "js_snapshot_sources": False,
                },
                "jetstream": True,
                "flags": 7,
            },
            {"user": "", "account": "$G", "account_name": "$G"},
        ),
    ],
)
def test_who_am_i(version, server, data):
    house = House(version)
    answer = house.guest().say("SUB r 1", "PUB $SYS.REQ.USER.INFO r 0\r\n\r\n")
    if data is None:
        assert answer.startswith("HMSG r 1 16 16|NATS/1.0 503|")
        return
    told = json.loads(answer.split("|")[1])
    own_id = house.router.info.server_id
    assert list(told) == ["server", "data"]
    assert told["data"] == data
    assert told["server"] == {
        "name": own_id,
        "host": "127.0.0.1",
        "id": own_id,
        "ver": house.core.context.profile.version,
        **server,
        "seq": 1,
        "time": "2023-11-14T22:13:20Z",
    }
    assert [*told["server"]] == ["name", "host", "id", "ver", *server, "seq", "time"]


# -- JetStream ---------------------------------------------------------------------------------------


def test_what_a_stream_takes_reaches_subscribers_too():
    house = House()
    house.stream()
    guest = house.guest()
    assert (
        guest.say("SUB s.1 1", "SUB r 2", "PUB s.1 r 1\r\nx\r\n")
        == 'MSG s.1 1 r 1|x|MSG r 2 22|{"stream":"S","seq":1}|'
    )


def test_the_api_counts_as_somebody_who_listens():
    house = House()
    other = house.guest()
    other.say("SUB $JS.API.> 1")
    answer = house.guest().say("SUB r 2", "PUB $JS.API.STREAM.NAMES r 0\r\n\r\n")
    assert other.heard == "MSG $JS.API.STREAM.NAMES 1 r 0||"
    assert '"streams":null' in answer or '"streams":[]' in answer


def test_what_is_not_simulated_is_refused_by_name():
    answer = House().guest().say("SUB r 2", "PUB $JS.API.STREAM.SNAPSHOT.S r 0\r\n\r\n")
    error = json.loads(answer.split("|")[1])["error"]
    assert error["code"] == 501
    assert "STREAM.SNAPSHOT" in error["description"]


def deliver_to(house, subject, **config):
    body = json.dumps({"stream_name": "S", "config": {"name": "c", "deliver_subject": subject, **config}})
    return house.guest().say("SUB r 1", f"PUB $JS.API.CONSUMER.CREATE.S.c r {len(body)}\r\n{body}\r\n")


def test_a_consumer_delivers_once_somebody_listens():
    house = House()
    house.stream()
    guest = house.guest()
    guest.say(*(f"HPUB s.{place} 12 13\r\nNATS/1.0\r\n\r\n{place}\r\n" for place in range(3)))
    deliver_to(house, "d")
    heard = guest.say("SUB d 5")
    assert [line for line in heard.split("|") if line.startswith("HMSG")] == [
        f"HMSG s.{place} 5 $JS.ACK.S.c.1.{place + 1}.{place + 1}.{house.now_ns}.{2 - place} 12 13" for place in range(3)
    ]
    guest.say("UNSUB 5")
    assert not house.core.streams["S"].consumers["c"].info(house.now_ns).push_bound


def test_a_delivery_takes_the_long_way_where_something_has_to_be_looked_at():
    house = House()
    house.stream()
    one, other = house.guest(), house.guest(headers=False, no_responders=False)
    one.say("SUB d 5", "UNSUB 5 2")
    other.say("SUB d 6")
    deliver_to(house, "d")
    house.guest().say(*["HPUB s.1 12 13\r\nNATS/1.0\r\n\r\nx\r\n"] * 3)
    assert one.heard.count("HMSG s.1 5 ") == 2
    assert other.heard.count("MSG s.1 6 ") == 3


def test_what_the_server_sends_is_stored_where_a_stream_takes_it():
    house = House()
    house.stream()
    house.stream("D", "d.>")
    deliver_to(house, "d.x", ack_policy="none")
    guest = house.guest()
    guest.say("SUB d.x 1", "PUB s.1 d.ack 1\r\nx\r\n", "PUB $JS.API.STREAM.NAMES d.answer 0\r\n\r\n")
    stored = [(one.subject, one.payload) for one in house.core.streams["D"].log.messages.values()]
    assert Counter(subject for subject, _ in stored) == {"d.ack": 1, "s.1": 1, "d.answer": 1}
    assert ("d.ack", b'{"stream":"S","seq":1}') in stored


def test_an_advisory_is_stored_once():
    house = House()
    house.stream("A", "$JS.EVENT.ADVISORY.>")
    house.stream()
    guest = house.guest()
    guest.say("SUB $JS.EVENT.ADVISORY.STREAM.CREATED.* 1")
    house.stream("T", "t.>")
    assert guest.heard.count("MSG $JS.EVENT.ADVISORY.STREAM.CREATED.T 1 ") == 1
    stored = [one.subject for one in house.core.streams["A"].log.messages.values()]
    assert stored.count("$JS.EVENT.ADVISORY.STREAM.CREATED.T") == 1


def test_subjects_with_empty_tokens_are_nobodys():
    house = House()
    house.stream()
    guest = house.guest()
    assert guest.say("SUB r 1", "SUB > 2", "PUB s..a r 1\r\nx\r\n").startswith("HMSG r 2 36 36|NATS/1.0 503|")
    assert not house.core.streams["S"].log.messages


def test_bytes_that_are_no_text_are_mended_for_a_stream():
    house = House()
    house.stream()
    guest = house.guest()
    house.router.receive(guest.client, b"SUB > 1\r\nPUB s.\xff 1\r\nx\r\n", house.now_ns)
    assert guest.client.take_out() == b"MSG s.\xff 1 1\r\nx\r\n"
    assert house.core.streams["S"].log.messages[1].subject == "s.\ufffd"


# -- connecting --------------------------------------------------------------------------------------


def test_a_client_that_does_not_read_is_cut_and_nobody_else():
    house = House(max_pending=1000)
    slow, other = house.guest(), house.guest()
    slow.say("SUB a 1")
    other.say("SUB a 1")
    for _ in range(20):
        house.guest().say(f"PUB a 100\r\n{'x' * 100}\r\n")
        other.client.take_out()
        other.client.set_waiting(0)
    assert slow.client.ending is Ending.CUT
    assert not other.ended


@pytest.mark.pins("info_after_connect")
@per_version(("2.9", "2.11", False), ("2.12", "2.15", True), names=("more",))
def test_info_comes_once_more_behind_the_first_pong(version, more):
    guest = House(version).guest(protocol=1)
    assert ('"connect_info":true,"remote_account":"$G"' in guest.say("PING")) == more
    assert guest.say("PING") == "PONG|"
    assert House(version).guest(protocol=0).say("PING") == "PONG|"


@pytest.mark.pins("second_connect_unsubscribes")
@per_version(("2.9", "2.11", False), ("2.12", "2.15", True), names=("ends",))
def test_a_second_connect_ends_subscriptions(version, ends):
    guest = House(version).guest()
    assert guest.say("SUB a 1", 'CONNECT {"lang":"x"}', PUB).count("MSG") == (not ends)


@pytest.mark.pins("raft_subjects_refused")
@per_version(("2.9", "2.10", False), ("2.11", "2.15", True), names=("refused",))
def test_nobody_publishes_for_the_raft(version, refused):
    refusal = "-ERR 'Permissions Violation for Publish to \"$NRG.x\"'|"
    assert House(version).guest().say("PUB $NRG.x 1\r\nx\r\n") == (refusal if refused else "")


@pytest.mark.pins("old_gateway_subjects_refused")
@per_version(("2.9", "2.14", False), ("2.15", "2.15", True), names=("refused",))
def test_nobody_publishes_as_gateways_once_did(version, refused):
    guest = House(version).guest()
    guest.say("SUB $GR.x 1", "SUB a 2")
    assert guest.say(
        "PUB $GR.x 1\r\nx\r\n", "PUB a $GR.x 1\r\ny\r\n", "PUB $GR. 0\r\n\r\n", "PUB a $GR. 1\r\nz\r\n"
    ) == (
        "-ERR 'Permissions Violation for Publish to \"$GR.x\"'|"
        "-ERR 'Permissions Violation for Publish with Reply of \"$GR.x\"'|MSG a 2 $GR. 1|z|"
        if refused
        else "MSG $GR.x 1 1|x|MSG a 2 $GR.x 1|y|MSG a 2 $GR. 1|z|"
    )


@pytest.mark.pins("build", "curve_key")
@pytest.mark.parametrize(
    ("profile", "build", "has_key"),
    [
        ("2.9", '"proto":1,"go":"go1.19.8"', False),
        ("2.10", '"proto":1,"git_commit":"2898698","go":"go1.24.0"', True),
        ("2.11", '"proto":1,"git_commit":"ac1095e","go":"go1.25.4"', True),
        ("2.12", '"proto":1,"git_commit":"b692325","go":"go1.26.2"', True),
        ("2.14", '"proto":1,"git_commit":"1aa10f9","go":"go1.27.0"', True),
        ("2.15", '"proto":1,"git_commit":"b2fd3ef","go":"go1.27.2"', True),
    ],
)
def test_info_says_which_server_this_is(profile, build, has_key):
    line = House(profile).router.info.line(7, "127.0.0.1").decode()
    assert line.startswith('INFO {"server_id":"N')
    assert line.endswith("} \r\n")
    assert build in line
    assert ('"xkey":"X' in line) == has_key
    assert '"headers":true,"max_payload":1048576,"jetstream":true,"client_id":7,"client_ip":"127.0.0.1"' in line
