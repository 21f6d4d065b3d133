"""How requests are read and what infos show on each version; each expectation was observed on that version."""

import pytest

from lattice_store.errors import NotSimulatedError
from tests.unit.sim.versions import VERSIONS, per_version
from tests.unit.sim.wire.consumers import put, refusal
from tests.unit.sim.wire.wire import Wire

# -- what a version offers --------------------------------------------------------------------------


@pytest.mark.pins("api_level")
@per_version(("2.9", "2.10", None), ("2.11", "2.11", 1), ("2.12", "2.12", 3), ("2.14", "2.14", 4), ("2.15", "2.15", 5))
def test_the_account_says_the_api_level(version, expected):
    wire = Wire.with_stream(version)
    assert wire("INFO")["api"].get("level") == expected
    metadata = wire("STREAM.INFO.S")["config"].get("metadata", {})
    assert metadata.get("_nats.level") == (None if expected is None else str(expected))


@pytest.mark.pins("api_level_checked")
@per_version(("2.9", "2.11", False), ("2.12", "2.15", True))
def test_a_required_api_level_is_heeded_from_2_12_on(version, expected):
    answer = Wire.with_stream(version)("STREAM.NAMES", b"", b"NATS/1.0\r\nNats-Required-Api-Level: 99\r\n\r\n")
    error = {"code": 412, "err_code": 10185, "description": "JetStream minimum api level required"}
    assert answer.get("error") == (error if expected else None)


@pytest.mark.pins("evacuation")
@pytest.mark.parametrize("request_", ["STREAM.PEER.EVACUATE.S", "STREAM.CANCEL_MOVE.S"])
@per_version(("2.9", "2.14", 0), ("2.15", "2.15", 1))
def test_streams_can_be_moved_off_a_peer_from_2_15_on(version, expected, request_):
    assert len(Wire.with_stream(version).ask(request_, {})) == expected


def is_known(wire: Wire, request: str) -> bool:
    """Return whether a version has a request that the simulator does not serve."""
    try:
        return bool(wire.ask(request, {}))
    except NotSimulatedError:
        return True


@pytest.mark.pins("stream_templates")
@per_version(("2.9", "2.12", True), ("2.14", "2.15", False))
def test_there_are_stream_templates_up_to_2_12(version, expected):
    assert is_known(Wire.with_stream(version), "STREAM.TEMPLATE.NAMES") is expected


@pytest.mark.pins("account_purge")
@per_version(("2.9", "2.10", True), ("2.11", "2.15", False))
def test_a_lone_server_purges_accounts_up_to_2_10(version, expected):
    assert is_known(Wire.with_stream(version), "ACCOUNT.PURGE.A") is expected


# -- infos ------------------------------------------------------------------------------------------


@pytest.mark.pins("reservations")
@per_version(
    ("2.9", "2.9", None, None), ("2.10", "2.10", 99, 2**64 - 1), ("2.11", "2.15", 100, 0), names=("memory", "file")
)
def test_the_account_says_how_much_its_streams_reserve(version, memory, file):
    wire = Wire.with_stream(version)
    wire("STREAM.CREATE.M", {"name": "M", "storage": "memory", "max_bytes": 100})
    wire("STREAM.CREATE.F", {"name": "F", "storage": "file"})
    info = wire("INFO")
    assert (info.get("reserved_memory"), info.get("reserved_storage")) == (memory, file)


@pytest.mark.pins("info_origin")
@per_version(("2.9", "2.9", False), ("2.10", "2.15", True))
def test_an_info_says_when_and_where_it_was_gathered_from_2_10_on(version, expected):
    answer = Wire.with_stream(version)("STREAM.INFO.S")
    assert ("ts" in answer, "cluster" in answer) == (expected, expected)


# -- JSON -------------------------------------------------------------------------------------------


@pytest.mark.pins("unknown_fields_refused")
@per_version(("2.9", "2.11", False), ("2.12", "2.15", True))
def test_an_unknown_field_is_refused_from_2_12_on(version, expected):
    answer = Wire.with_stream(version)("STREAM.NAMES", {"colour": "red"})
    assert answer.get("error", {}).get("err_code") == (10025 if expected else None)


@pytest.mark.pins("json_errors_explained")
@per_version(("2.9", "2.10", False), ("2.11", "2.15", True))
def test_the_refusal_of_json_explains_from_2_11_on(version, expected):
    code, err_code, text = Wire.with_stream(version).refusal("STREAM.NAMES", b"{")
    assert (code, err_code) == (400, 10025)
    assert text.startswith("invalid JSON: ") if expected else text == "invalid JSON"


@pytest.mark.pins("json_documents_joined")
@per_version(("2.9", "2.10", False), ("2.11", "2.15", True))
def test_several_documents_make_one_request_from_2_11_on(version, expected):
    answer = Wire.with_stream(version)("STREAM.CREATE.T", b'{"name": "T"} {"storage": "memory"}')
    if expected:
        assert answer["config"]["storage"] == "memory"
    else:
        assert answer["error"]["err_code"] == 10025


def of_stream(wire, field):
    return wire("STREAM.CREATE.T", {"name": "T", "storage": "memory", **field})


def of_consumer(wire, field):
    return put(wire, "CREATE.S.C", {"durable_name": "C", **field})


def of_creation(wire, field):
    return put(wire, "CREATE.S.C", {"durable_name": "C"}, **field)


OF_NO_TYPE = [[]]
FIELDS = [
    (of_stream, "2.10", {"compression": "none", "first_seq": 0, "subject_transform": None, "consumer_limits": {}}),
    (of_stream, "2.10", {"metadata": {}}),
    (of_stream, "2.11", {"allow_msg_ttl": False, "subject_delete_marker_ttl": 0, "pedantic": False}),
    (of_stream, "2.12", {"allow_msg_counter": False, "allow_atomic": False, "allow_msg_schedules": False}),
    (of_stream, "2.12", {"persist_mode": "default"}),
    (of_stream, "2.14", {"allow_batched": False}),
    (of_consumer, "2.10", {"metadata": {}, "filter_subjects": []}),
    (of_consumer, "2.11", {"pause_until": None, "priority_groups": [], "priority_timeout": 0}),
    (of_consumer, "2.11", {"priority_policy": "none"}),
    (of_consumer, "2.14", {"sourcing": False}),
    (of_creation, "2.10", {"action": ""}),
    (of_creation, "2.11", {"pedantic": False}),
]


@pytest.mark.pins("later_fields")
@pytest.mark.parametrize(("place", "first", "fields"), FIELDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_fields_are_read_since(version, place, first, fields):
    for field, fitting in fields.items():
        wire = Wire.with_stream(version)
        # what is not read is ignored though it does not fit, or refused though it does
        refused, accepted = (place(wire, {field: value}) for value in (OF_NO_TYPE, fitting))
        is_read = is_no_json(refused) and not is_no_json(accepted)
        assert is_read is (version in since(first)), field


def is_no_json(answer) -> bool:
    return answer.get("error", {}).get("err_code") == 10025


def since(version):
    return VERSIONS[VERSIONS.index(version) :]


# -- requests about consumers -----------------------------------------------------------------------


@pytest.mark.pins("consumer_pauses", "consumer_resets")
@pytest.mark.parametrize(("request_", "first"), [("PAUSE", "2.11"), ("RESET", "2.14")])
@pytest.mark.parametrize("version", VERSIONS)
def test_consumers_are_paused_since_2_11_and_reset_since_2_14(version, request_, first):
    wire = Wire.with_stream(version)
    wire("CONSUMER.CREATE.S.C", {"stream_name": "S", "config": {"durable_name": "C", "ack_policy": "explicit"}})
    answers = [answer for answer in wire.ask(f"CONSUMER.{request_}.S.C") if b"503" not in answer.headers]
    assert len(answers) == (version in since(first))


@pytest.mark.pins("unknown_consumer_policies")
@per_version(("2.9", "2.12", 10025), ("2.14", "2.15", 10218))
def test_an_ack_policy_for_flow_control_is_known_from_2_14_on(version, expected):
    assert refusal(Wire.with_stream(version), "CREATE.S.C", {"ack_policy": "flow_control"})[1] == expected


@pytest.mark.pins("unknown_consumer_policies")
@per_version(("2.11", "2.11", 10025), ("2.12", "2.15", 10159))
def test_a_policy_of_priorities_is_known_from_2_12_on(version, expected):
    assert refusal(Wire.with_stream(version), "CREATE.S.C", {"priority_policy": "prioritized"})[1] == expected
